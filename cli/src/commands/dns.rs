//! `dns`: what the target's resolver asks for a name, and what it is told.

mod findings;
mod kind;
mod letters;
pub(super) mod look_up;
mod repeat;
mod row;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dbgctl_proto::bounds::{
    LONGEST_DNS_WAIT, LONGEST_NAME_BYTES, MOST_NAME_SERVERS, MOST_RECORD_TYPES, MOST_ROUNDS,
};
use dbgctl_proto::list::{List as _, LookUpNews};
use dbgctl_proto::v1::{self, LookUpHeader, LookUpOutcome, LookUpVerdict, Resolver};

use self::kind::Kind;
use self::row::QuestionRow;
use super::agent::Agent;
use super::stream::{self, News};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::closing::Closing;
use crate::render::human::Took;
use crate::render::{Output, Talk, one_line};

const IN_ENVIRONMENT: &str = "/dbgctl.v1.DnsService/LookUpNameInEnvironment";

const EXAMPLES: &str = "\
Examples:
  dbgctl dns web db                        every question that the container's program would ask, and the answers
  dbgctl dns web db.prod.svc --resolver go as a Go program looks it up (glibc, musl, go)
  dbgctl dns web example.com. --type mx    with a dot at the end: without the search path
  dbgctl dns web db --every-server         ask every server afterwards, and say where they differ
  dbgctl dns web db --repeat 100           how long it takes, and how much is lost
  dbgctl dns web db --server 10.0.0.53 --tcp
  dbgctl dns web 10.0.0.7 --type ptr       the name of an address
  dbgctl dns web münchen.example           as xn--mnchen-3ya.example, the form in which the DNS has it
  dbgctl dns web db && echo known          exit status 0: found, 1: no such name, 2: not found out

Servers, search path and options are those of the container's resolv.conf; /etc/hosts and nsswitch.conf are heeded. \
The environment of the program may say otherwise (RES_OPTIONS and others): it is heeded if it may be read, and with \
--environment in any case. What is asked, in which order, and how long is waited, differs between the GNU C library, musl and Go. Unless --resolver \
says which, it is that of the container's first program.

Results: the server's code (NOERROR, NXDOMAIN: there is no such name, SERVFAIL: it could not find out, REFUSED: it will \
not); no records (the name exists, without such records); timed out; refused (nothing listens on the server's port); \
unreachable; garbled; not awaited (another server was faster). Times are from sending to receiving.";

/// Look up a name as the container's program would (sends traffic)
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The name; with a dot at its end, the search path is not used
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,

    /// Type of records, for example mx or 65; may be given several times [default: a and aaaa]
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<Kind>,

    /// Look up as this resolver does: auto, glibc, musl or go
    #[arg(long, value_name = "RESOLVER", default_value = "auto", value_parser = resolver, hide_default_value = true)]
    resolver: Resolver,

    /// Ask this server instead of the configured ones, ADDRESS or ADDRESS:PORT; may be given several times
    #[arg(long = "server", value_name = "ADDRESS", value_parser = server)]
    servers: Vec<String>,

    /// Ask by TCP
    #[arg(long)]
    tcp: bool,

    /// Look it up so often
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ROUNDS)), hide_default_value = true)]
    repeat: u32,

    /// Time between the beginnings of two look-ups
    #[arg(long, value_name = "TIME", value_parser = wait, requires = "repeat")]
    interval: Option<Duration>,

    /// Wait so long for each answer, instead of what resolv.conf says
    #[arg(long, value_name = "TIME", value_parser = wait)]
    timeout: Option<Duration>,

    /// Then ask each server what decided it, to compare their answers
    #[arg(long)]
    every_server: bool,

    /// Heed RES_OPTIONS, LOCALDOMAIN and HOSTALIASES of the program's environment, which takes level 1b to read
    #[arg(long)]
    environment: bool,

    /// Ask for letters beyond ASCII as they are, instead of in the form that the DNS has for them
    #[arg(long)]
    raw: bool,
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LONGEST_NAME_BYTES || text.contains('\0') {
        return Err(format!("a name has 1 to {LONGEST_NAME_BYTES} bytes, none of them NUL"));
    }
    Ok(text.to_owned())
}

fn resolver(text: &str) -> Result<Resolver, String> {
    match text {
        "auto" => Ok(Resolver::Unspecified),
        "glibc" => Ok(Resolver::Glibc),
        "musl" => Ok(Resolver::Musl),
        "go" => Ok(Resolver::Go),
        _ => Err("expected auto, glibc, musl or go".to_owned()),
    }
}

fn server(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if plain.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok_and(|address| address.port() > 0) {
        return Ok(plain.to_owned());
    }
    Err("expected an address such as 10.0.0.53, 10.0.0.53:5353 or [fd00::53]:5353".to_owned())
}

fn wait(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(wait) if !wait.is_zero() && wait <= LONGEST_DNS_WAIT => Ok(wait),
        Ok(_) => Err("expected more than 0 and at most 60s".to_owned()),
        Err(_) => Err("expected a time such as 500ms or 5s".to_owned()),
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        if self.environment { IN_ENVIRONMENT } else { v1::LookUpNameResponse::RPC }
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        // What is waited for between the rounds is not waiting for an answer.
        let pauses = self.interval.unwrap_or_default().saturating_mul(self.repeat - 1);
        let agent = &agent.with_more_time(pauses);
        let mut told = Told { name: self.asked_name()?, ..Told::default() };
        let read = stream::read_of(agent, self.rpc(), self.request()?, |news| told.take(news, output));
        let answer = match agent.within_limit(read).await {
            Ok(closing) => self.close(&told, closing, output, talk),
            Err(failure) => Err(failure),
        };
        unless_pipe_closed(answer)
    }
}

/// Looks up a name once, as the target's program would. What was found, and what there is to say about it: first what came
/// of it, then what is wrong.
pub(super) async fn look_up(agent: &Agent, name: &str) -> Result<(LookUpVerdict, Vec<String>), Failure> {
    let request = v1::LookUpNameRequest { name: name.into(), rounds: 1, ..Default::default() };
    let (mut header, mut verdicts) = (LookUpHeader::default(), Vec::new());
    let read = stream::read_and::<v1::LookUpNameResponse>(agent, request, |news| match news {
        LookUpNews::Header(news) => header = news,
        LookUpNews::Verdict(verdict) => verdicts.push(verdict),
    });
    let rows: Vec<_> = agent.within_limit(read).await?.rows.into_iter().map(QuestionRow::new).collect();
    let mut sentences = findings::verdict(name, &verdicts, &rows);
    sentences.extend(findings::of(name, &header, &rows, &verdicts));
    Ok((verdicts.into_iter().next().unwrap_or_default(), sentences))
}

impl Args {
    fn request(&self) -> Result<v1::LookUpNameRequest, Failure> {
        let most = |what: &str, most: usize| Failure::Request {
            because: format!("more than {most} {what} are asked for"),
            suggestion: format!("give at most {most} of them"),
        };
        if self.kinds.len() > MOST_RECORD_TYPES {
            return Err(most("types of records", MOST_RECORD_TYPES));
        }
        if self.servers.len() > MOST_NAME_SERVERS {
            return Err(most("servers", MOST_NAME_SERVERS));
        }
        let duration =
            |wait: Option<Duration>| wait.and_then(|wait| prost_types::Duration::try_from(wait).ok());
        Ok(v1::LookUpNameRequest {
            name: self.asked_name()?.into_bytes(),
            record_types: self.kinds.iter().map(|kind| kind.0.into()).collect(),
            resolver: self.resolver.into(),
            servers: self.servers.clone(),
            tcp: self.tcp,
            rounds: self.repeat,
            interval: duration(self.interval),
            timeout: duration(self.timeout),
            every_server: self.every_server,
            limit: 0,
        })
    }

    /// An address stands for the name that it has in the tree of addresses, where that is what is asked for. Letters beyond
    /// ASCII are asked for in the form that the DNS has for them.
    fn asked_name(&self) -> Result<String, Failure> {
        match self.name.parse::<IpAddr>() {
            Ok(address) if self.kinds == [Kind::PTR] => Ok(kind::reverse(address)),
            _ if self.raw => Ok(self.name.clone()),
            _ => letters::to_ascii(&self.name).and_then(|name| self::name(&name)).map_err(|because| {
                Failure::Request {
                    because: format!("`{}` can not be a name: {because}", one_line(&self.name)),
                    suggestion: "check the name; --raw asks for it as it is".to_owned(),
                }
            }),
        }
    }

    /// Shows what is left to be shown when all is there: of a table, the rows.
    fn close(
        &self,
        told: &Told,
        mut closing: Closing,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Told { name, header, rows, verdicts } = told;
        if output.is_table() && self.repeat > 1 {
            output.rows(&repeat::rows(rows))?;
        } else if output.is_table() && !rows.is_empty() {
            output.rows(rows)?;
        }
        let mut sentences = findings::verdict(&self.name, verdicts, rows);
        sentences.extend(findings::of(name, header, rows, verdicts));
        closing.verdicts = Some(sentences);
        if !self.name.is_ascii() && *name != self.name {
            closing.notes.push(format!("{} is {name} in the DNS", self.name));
        }
        closing.notes.push(asked_as(header));
        closing.notes.extend(header.remarks.iter().take(findings::MOST).cloned());
        let shown = closing.show("questions", output, talk)?;
        Ok(verdicts.iter().map(exit).chain([shown]).fold(Exit::Answered, Exit::worst).worst(
            // Without a verdict nothing was found out.
            if verdicts.is_empty() { Exit::Unknown } else { Exit::Answered },
        ))
    }
}

/// What the agent has told so far.
#[derive(Debug, Default)]
struct Told {
    /// What is asked for.
    name: String,
    header: LookUpHeader,
    rows: Vec<QuestionRow>,
    verdicts: Vec<LookUpVerdict>,
}

impl Told {
    /// Keeps what comes, and shows it at once unless it is for a table, whose columns depend on all rows.
    fn take(&mut self, news: News<v1::LookUpNameResponse>, output: &mut Output) -> Result<(), Failure> {
        match news {
            News::Header(LookUpNews::Header(header)) => {
                output.header(Some(&header), |header, object| {
                    object.text("name", self.name.as_str());
                    header_fields(header, object);
                })?;
                self.header = header;
            }
            News::Header(LookUpNews::Verdict(verdict)) => {
                if !output.is_table() {
                    output.object(|object| {
                        object.object("verdict", |object| verdict_fields(&verdict, object))
                    })?;
                }
                self.verdicts.push(verdict);
            }
            News::Rows(questions) => {
                let rows: Vec<_> = questions.into_iter().map(QuestionRow::new).collect();
                if !output.is_table() {
                    output.rows(&rows)?;
                }
                self.rows.extend(rows);
            }
        }
        Ok(output.flush()?)
    }
}

/// `asked as musl does (/app is linked with musl): 10.0.0.53:53; search a.test; ndots 1, 5 s, 2 attempts`
fn asked_as(header: &LookUpHeader) -> String {
    let servers = if header.servers.is_empty() { "no server".to_owned() } else { header.servers.join(", ") };
    let search: Vec<_> = header.search.iter().map(|domain| String::from_utf8_lossy(domain)).collect();
    let search = if search.is_empty() { String::new() } else { format!("; search {}", search.join(" ")) };
    let options: String = header.options.iter().map(|option| format!(", {option}")).collect();
    let reason = Some(&header.resolver_reason).filter(|reason| !reason.is_empty());
    format!(
        "asked as {} does{}: {servers}{search}; ndots {}, {} for {} {} attempts{options}",
        resolver_name(header.resolver),
        reason.map_or_else(String::new, |reason| format!(" ({reason})")),
        header.ndots,
        Took(Duration::from_nanos(header.timeout_nanos)),
        if Resolver::try_from(header.resolver) == Ok(Resolver::Musl) { "all" } else { "each of" },
        header.attempts,
    )
}

fn resolver_name(resolver: i32) -> &'static str {
    match Resolver::try_from(resolver) {
        Ok(Resolver::Glibc) => "the GNU C library",
        Ok(Resolver::Musl) => "musl",
        Ok(Resolver::Go) => "Go",
        Ok(Resolver::Unspecified) | Err(_) => "an unknown resolver",
    }
}

fn exit(verdict: &LookUpVerdict) -> Exit {
    match LookUpOutcome::try_from(verdict.outcome) {
        Ok(LookUpOutcome::Found) => Exit::Answered,
        Ok(LookUpOutcome::NoSuchName | LookUpOutcome::NoRecords) => Exit::No,
        _ => Exit::Unknown,
    }
}

fn header_fields(header: &LookUpHeader, object: &mut crate::render::Object<'_>) {
    let resolver = match Resolver::try_from(header.resolver) {
        Ok(Resolver::Glibc) => "glibc",
        Ok(Resolver::Musl) => "musl",
        Ok(Resolver::Go) => "go",
        Ok(Resolver::Unspecified) | Err(_) => "unknown",
    };
    object.text("resolver", resolver);
    object.text("resolver_reason", header.resolver_reason.as_str());
    object.number("started_unix_nanos", header.started_unix_nanos);
    object.texts("servers", header.servers.iter().map(String::as_str));
    object.raws("search", header.search.iter().map(Vec::as_slice));
    object.number("ndots", u64::from(header.ndots));
    object.number("timeout_nanos", header.timeout_nanos);
    object.number("attempts", u64::from(header.attempts));
    object.texts("options", header.options.iter().map(String::as_str));
    object.texts("sources", header.sources.iter().map(String::as_str));
    object.texts("remarks", header.remarks.iter().map(String::as_str));
}

fn verdict_fields(verdict: &LookUpVerdict, object: &mut crate::render::Object<'_>) {
    object.number("round", u64::from(verdict.round));
    object.text("outcome", &*findings::outcome_name(verdict.outcome));
    object.text("source", verdict.source.as_str());
    object.texts("addresses", verdict.addresses.iter().map(String::as_str));
    object.text("canonical_name", verdict.canonical_name.as_str());
    object.number("candidate", u64::from(verdict.candidate));
    object.number("nanos", verdict.nanos);
    object.text("reason", verdict.reason.as_str());
}
