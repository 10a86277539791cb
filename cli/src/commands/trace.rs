//! `trace`: which routers packets pass on their way to a host.

use dbgctl_proto::bounds::{MOST_HOPS, MOST_PACKETS_PER_HOP};
use dbgctl_proto::list::{List as _, Part};
use dbgctl_proto::v1::{self, PacketMethod, PacketOutcome, TraceHeader, TraceHop};

use super::agent::Agent;
use super::packets::{self, How};
use super::{Failure, Question, dns, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::interrupt::OfQuestion;
use crate::render::{Output, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl trace web 10.0.0.7                 the routers on the way, by UDP
  dbgctl trace web db --tcp 5432            the way that a connection takes, through firewalls that let it pass
  dbgctl trace web db --icmp
  dbgctl trace web db --size 1472 --dont-fragment    which router can not pass large packets on
  dbgctl trace web db -o json

Each line is a router: its address, and how long each packet took there and back. `no answer` of one router while \
later ones answer means only that it keeps quiet. Names are not looked up. Ctrl-C ends it. Exit status 1: the host was \
not reached.";

/// Show which routers packets pass on their way to a host
///
/// Packets leave from the container's own addresses. TCP needs Linux 5.8.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name or address
    #[arg(value_name = "HOST")]
    peer: String,

    /// Send ICMP echo requests
    #[arg(long, group = "method")]
    icmp: bool,

    /// Send UDP to this port and those after it [default: 33434]
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "33434", value_parser = clap::value_parser!(u16).range(1..), group = "method")]
    udp: Option<u16>,

    /// Look at so many routers at most
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_HOPS)))]
    hops: u32,

    /// Send so many packets to each
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PACKETS_PER_HOP)))]
    queries: u32,

    #[command(flatten)]
    how: How,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::TraceResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut told = Told { output, host: &self.peer, hops: Vec::new() };
        let ctrl_c = OfQuestion::begin();
        let asked = async {
            let read = stream::read_each::<v1::TraceResponse>(agent, self.request(), |part| told.take(part));
            tokio::select! {
                closing = agent.within_limit(read) => closing.map(Some),
                () = ctrl_c.pressed() => Ok(None),
            }
        };
        let closing = asked.await?;
        unless_pipe_closed(told.close(closing, talk))
    }
}

impl Args {
    fn request(&self) -> v1::TraceRequest {
        let (method, port) = match (self.how.tcp_port(), self.icmp) {
            (Some(port), _) => (PacketMethod::Tcp, port),
            (None, true) => (PacketMethod::Icmp, 0),
            (None, false) => (PacketMethod::Udp, self.udp.unwrap_or(0)),
        };
        v1::TraceRequest {
            host: self.peer.clone(),
            method: method.into(),
            port: port.into(),
            family: self.how.family().into(),
            most_hops: self.hops,
            packets_per_hop: self.queries,
            timeout_millis: packets::millis(self.how.timeout()),
            size_bytes: self.how.size_bytes(),
            dont_fragment: self.how.dont_fragment(),
            limit: 0,
        }
    }
}

/// What was told so far. Each hop is shown as it comes.
struct Told<'o> {
    output: &'o mut Output,
    host: &'o str,
    hops: Vec<TraceHop>,
}

impl Told<'_> {
    fn take(&mut self, part: Part<v1::TraceResponse>) -> Result<(), Failure> {
        match part {
            Part::Header(header) => self.header(&header)?,
            Part::Rows(hops) => hops.into_iter().try_for_each(|hop| self.hop(hop))?,
            Part::Summary(_) => {}
        }
        self.output.flush()?;
        Ok(())
    }

    fn header(&mut self, header: &TraceHeader) -> Result<(), Failure> {
        if !header.error.is_empty() {
            return Err(Failure::Here(packets::not_begun(
                self.host,
                header.method,
                &header.error,
                header.look_up.as_deref(),
            )));
        }
        let (address, method) = (packets::address(&header.address), packets::method(header.method));
        self.output.header(Some(header), |header, object| {
            object.text("address", address.as_str());
            object.number("resolve_nanos", header.resolve_nanos);
            dns::look_up::fields(header.look_up.as_deref(), object);
            object.text("method", method);
            object.number("port", Some(u64::from(header.port)).filter(|&port| port > 0));
            object.number("packet_bytes", Some(u64::from(header.packet_bytes)).filter(|&bytes| bytes > 0));
        })?;
        let port = if header.port > 0 { format!(" port {}", header.port) } else { String::new() };
        let bytes =
            if header.packet_bytes > 0 { format!(", {} bytes", header.packet_bytes) } else { String::new() };
        let name = if self.host == address { String::new() } else { format!("{} is ", self.host) };
        self.output.sentences([format!("{name}{address}, {method}{port}{bytes}")])?;
        Ok(())
    }

    fn hop(&mut self, hop: TraceHop) -> Result<(), Failure> {
        if self.output.is_table() {
            self.output.sentence(format!("{:>3}  {}", hop.ttl, answers(&hop)))?;
        } else {
            self.output.object(|object| {
                object.number("ttl", u64::from(hop.ttl));
                object.objects("answers", &hop.answers, packets::fields);
                object.flag("arrived", hop.arrived);
            })?;
        }
        // An agent gone bad does not fill the memory.
        if self.hops.len() < MOST_HOPS as usize {
            self.hops.push(hop);
        }
        Ok(())
    }

    /// Shows what it amounts to. `None`: Ctrl-C was pressed.
    fn close(self, closing: Option<closing::Closing>, talk: &mut Talk) -> Result<Exit, Failure> {
        let Self { output, host, hops } = self;
        let arrived = hops.last().is_some_and(|hop| hop.arrived);
        let verdict = verdict(host, &hops, closing.is_none());
        let broken_off = closing.as_ref().and_then(|closing| closing.broken_off);
        if output.is_table() {
            output.sentences([&verdict])?;
            let missing = closing.as_ref().map(|closing| closing.sentences("hops")).unwrap_or_default();
            output.beside(talk, missing.into_iter().chain(broken_off.map(str::to_owned)))?;
        } else {
            output.object(|object| {
                object.object("summary", |object| {
                    match closing.as_ref().and_then(|closing| closing.summary.as_ref()) {
                        Some(summary) => closing::fields(summary, object),
                        None => object.text("end", "interrupted"),
                    }
                    object.flag("arrived", arrived);
                    object.texts("verdicts", [verdict.as_str()]);
                });
            })?;
            talk.lines(broken_off);
        }
        output.flush()?;
        Ok(match broken_off {
            Some(_) => Exit::Unknown,
            None if arrived => Exit::Answered,
            None => Exit::No,
        })
    }
}

/// `10.0.0.1  1.2 ms  1.3 ms  no answer`: each address once, with what came of its packets.
fn answers(hop: &TraceHop) -> String {
    let mut line = String::new();
    let mut last: Option<&[u8]> = None;
    for answer in &hop.answers {
        if !answer.from.is_empty() && last != Some(&answer.from) {
            last = Some(&answer.from);
            line.push_str(&packets::address(&answer.from));
            line.push_str("  ");
        }
        line.push_str(&packets::outcome(answer));
        line.push_str("  ");
    }
    line.trim_end().to_owned()
}

/// How far it went, and who ended it.
fn verdict(host: &str, hops: &[TraceHop], interrupted: bool) -> String {
    let Some(last) = hops.last() else { return format!("{host}: nothing known yet") };
    if last.arrived {
        let hops = if last.ttl == 1 { "1 hop".to_owned() } else { format!("{} hops", last.ttl) };
        return format!("{host}: reached after {hops}");
    }
    let end = last
        .answers
        .iter()
        .find(|answer| !matches!(answer.outcome(), PacketOutcome::TimeExceeded | PacketOutcome::TimedOut));
    if let Some(answer) = end {
        let who = match &*answer.from {
            [] => "the container's own kernel".to_owned(),
            from => packets::address(from),
        };
        return format!("{host}: not reached: {who} at hop {} says: {}", last.ttl, packets::outcome(answer));
    }
    let heard = hops.iter().rev().find_map(|hop| {
        let answer = hop.answers.iter().find(|answer| !answer.from.is_empty())?;
        Some((hop.ttl, packets::address(&answer.from)))
    });
    let so_far = if interrupted { "not reached yet" } else { "not reached" };
    match heard {
        Some((ttl, who)) if ttl < last.ttl => format!(
            "{host}: {so_far}: {who} at hop {ttl} is the last that answers; what comes after it is lost, or keeps quiet"
        ),
        Some((ttl, who)) => format!("{host}: {so_far}: {who} at hop {ttl} is the last that was looked at"),
        None => format!(
            "{host}: {so_far}: no router answers; the first one drops the packets, or what they answer with is dropped"
        ),
    }
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::PacketAnswer;

    use super::*;

    fn answer(outcome: PacketOutcome, from: [u8; 4]) -> PacketAnswer {
        let rtt_nanos = (outcome != PacketOutcome::TimedOut).then_some(1_200_000);
        let from = if outcome == PacketOutcome::TimedOut { Vec::new() } else { from.to_vec() };
        PacketAnswer { outcome: outcome.into(), from, rtt_nanos, ..PacketAnswer::default() }
    }

    fn hop(ttl: u32, answers: Vec<PacketAnswer>) -> TraceHop {
        let arrived = answers.iter().any(packets::is_of_host);
        TraceHop { ttl, answers, arrived }
    }

    fn router(ttl: u8) -> TraceHop {
        hop(ttl.into(), vec![answer(PacketOutcome::TimeExceeded, [10, 0, 0, ttl])])
    }

    fn silent(ttl: u32) -> TraceHop {
        hop(ttl, vec![answer(PacketOutcome::TimedOut, [0; 4])])
    }

    #[test]
    fn each_address_of_a_hop_is_shown_once_with_what_came_of_its_packets() {
        let first = answer(PacketOutcome::TimeExceeded, [10, 0, 0, 1]);
        let other = answer(PacketOutcome::TimeExceeded, [10, 0, 0, 2]);
        let lost = answer(PacketOutcome::TimedOut, [0; 4]);
        let line = answers(&hop(1, vec![first.clone(), first, other, lost]));
        assert_eq!(line, "10.0.0.1  1.2 ms  1.2 ms  10.0.0.2  1.2 ms  no answer");
    }

    #[test]
    fn the_verdict_names_who_ended_it_or_the_last_that_was_heard() {
        let said = |hops: &[TraceHop]| verdict("db", hops, false);
        let host = hop(2, vec![answer(PacketOutcome::Refused, [10, 0, 0, 9])]);
        assert_eq!(said(&[router(1), host]), "db: reached after 2 hops");
        assert!(
            said(&[router(1), silent(2), silent(3)]).contains("10.0.0.1 at hop 1 is the last that answers")
        );
        let forbidden = PacketAnswer {
            icmp_type: Some(3),
            icmp_code: Some(13),
            ..answer(PacketOutcome::Prohibited, [10, 0, 0, 1])
        };
        assert_eq!(
            said(&[router(1), hop(2, vec![forbidden])]),
            "db: not reached: 10.0.0.1 at hop 2 says: prohibited: forbidden by an administrator (a firewall)"
        );
        assert!(said(&[silent(1)]).contains("no router answers"));
        assert!(verdict("db", &[], true).contains("nothing known yet"));
        assert!(verdict("db", &[router(1)], true).contains("not reached yet"));
    }

    #[test]
    fn what_an_agent_makes_up_is_shown_and_harmless() {
        let odd = PacketAnswer {
            outcome: 77,
            from: b"\x1b[2J".to_vec(),
            error: "\x1b[31m\n".repeat(3),
            icmp_type: Some(u32::MAX),
            icmp_code: Some(u32::MAX),
            ..PacketAnswer::default()
        };
        for outcome in (0..12).chain([77]) {
            let line = answers(&hop(1, vec![PacketAnswer { outcome, ..odd.clone() }]));
            assert!(line.contains('?') || !line.is_empty());
            assert!(!line.contains(['\x1b', '\n']), "{line:?}");
        }
    }
}
