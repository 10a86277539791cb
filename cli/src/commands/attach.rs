//! `attach`: a prompt for several questions, or a session that stays for others.

use std::time::Duration;

use clap::Parser as _;
use dbgctl_proto::bounds::LONGEST_STAY;

use super::prompt::{Input, Prompt};
use super::{Verb, answer, consent};
use crate::args::{Line, Word, duration};
use crate::attach::level::Level;
use crate::attach::session::{Session, effects_at};
use crate::attach::spec::Kind;
use crate::attach::{Attacher, Sidecar, diagnosis, new_session_id};
use crate::channel;
use crate::error::Error;
use crate::exit::Exit;
use crate::interrupt::{self, AtPrompt};
use crate::render::{Format, Notes, Output, talk};

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl attach web                       a prompt: ps, mem, connect db:5432, exit
  dbgctl attach web --detach --ttl 30m    a session for other shells and programs
  dbgctl ps web                           uses that session, and answers sooner
  dbgctl detach web                       ends it
  echo 'ps -o json' | dbgctl attach web   questions from a pipe, one per line";

/// Arguments of `attach`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name, id, compose service, compose:PROJECT/SERVICE, or label:KEY=VALUE
    container: String,

    /// Return at once and leave the session to others, until `dbgctl detach` or until its time is over
    #[arg(short, long)]
    detach: bool,

    /// How long a detached session lasts, at most 24h
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "TIME", requires = "detach")]
    ttl: Duration,

    /// How long a detached session lasts without a question
    #[arg(long, default_value = "15m", value_parser = duration, value_name = "TIME", requires = "detach")]
    idle: Duration,
}

pub(crate) async fn run(attacher: &Attacher, args: Args, format: Format) -> Result<Exit, Error> {
    if args.detach { leave(attacher, &args, format).await } else { converse(attacher, &args, format).await }
}

/// Starts a session that outlives this process.
async fn leave(attacher: &Attacher, args: &Args, format: Format) -> Result<Exit, Error> {
    let what = || format!("leave a session in `{}`", args.container);
    for (name, time) in [("--ttl", args.ttl), ("--idle", args.idle)] {
        if time.is_zero() || time > LONGEST_STAY {
            return Err(Error::new(what(), format!("{name} is not between 0 and 24h"), format!("{name} 1h")));
        }
    }
    let survey = attacher.survey(&args.container).await?;
    let level = attacher.options.level.unwrap_or(Level::One);
    consent::given_for(attacher, level, &survey.target.name).await?;
    let wish = attacher.wish(Kind::Session, level, effects_at(level), new_session_id(), args.ttl);
    let sidecar = attacher.start(&survey, &wish).await?;
    channel::keep(&sidecar.channel, args.ttl, args.idle).await.map_err(|status| {
        Error::new(what(), status.message(), "try again; `dbgctl gc` removes what is left")
    })?;
    attacher.release(&sidecar.name);
    let name = &survey.target.name;
    attacher.notes.note(format!(
        "session {} looks into `{name}` at {level} for {}, or until it was idle for {}; `dbgctl detach {name}` ends it",
        wish.session,
        humantime::format_duration(args.ttl),
        humantime::format_duration(args.idle),
    ));
    let mut output = Output::stdout(format);
    super::sessions::show_started(&mut output, &wish, &survey, attacher.user())
}

/// What the session is worth right now.
enum Standing<'a> {
    Open(Box<Session<'a>>),
    /// The target or the agent is gone; the user was told why.
    Over,
}

/// The prompt.
async fn converse(attacher: &Attacher, args: &Args, format: Format) -> Result<Exit, Error> {
    let survey = attacher.survey(&args.container).await?;
    let name = survey.target.name.clone();
    if let Some(level) = attacher.options.level {
        consent::given_for(attacher, level, &name).await?;
    }
    let mut standing = Standing::Open(Box::new(Session::open(attacher, survey).await?));
    let mut prompt = Prompt::start(&name)?;
    let _at_prompt = prompt.is_terminal().then(AtPrompt::begin);
    if prompt.is_terminal() {
        attacher
            .notes
            .note(format!("attached to `{name}`; help lists what can be asked, exit ends the session"));
    }
    let mut exit = Exit::Answered;
    loop {
        let input = match &standing {
            Standing::Open(session) => tokio::select! {
                input = prompt.next() => Some(input),
                () = session.broken() => None,
            },
            Standing::Over => Some(prompt.next().await),
        };
        let line = match input {
            Some(Input::Line(line)) => line,
            Some(Input::End) => return Ok(exit),
            None => {
                if let Standing::Open(session) = &standing {
                    prompt.interject(&over(attacher, session).await);
                }
                standing = Standing::Over;
                exit = Exit::Unknown;
                continue;
            }
        };
        let word = match parse(&line) {
            Ok(Some((word, chosen))) => (word, chosen.unwrap_or(format)),
            Ok(None) => continue,
            Err(error) => {
                talk::error(&error);
                exit = exit.worst(Exit::Unknown);
                continue;
            }
        };
        match turn(attacher, &mut standing, &args.container, word).await {
            Ok(Some(answered)) => exit = exit.worst(answered),
            Ok(None) => return Ok(exit),
            Err(error) => {
                talk::error(&error);
                exit = exit.worst(Exit::Unknown);
            }
        }
    }
}

/// Carries out one line. `None`: the session is to end.
async fn turn<'a>(
    attacher: &'a Attacher,
    standing: &mut Standing<'a>,
    container: &str,
    (word, format): (Word, Format),
) -> Result<Option<Exit>, Error> {
    match (word, &mut *standing) {
        (Word::Question(verb), Standing::Open(session)) => {
            return ask(attacher, session, &verb, format).await.map(Some);
        }
        (Word::Question(_), Standing::Over) => {
            return Err(Error::new("answer that", "the session is over", "reattach, or exit"));
        }
        (Word::Session, Standing::Open(session)) => {
            session.sidecars.iter().for_each(|sidecar| introduce(sidecar, attacher.notes))
        }
        (Word::Session, Standing::Over) => attacher.notes.note("the session is over: reattach, or exit"),
        (Word::Reattach, _) => {
            let survey = attacher.survey(container).await?;
            *standing = Standing::Open(Box::new(Session::open(attacher, survey).await?));
            attacher.notes.note("attached again");
        }
        (Word::Detach, _) => return Ok(None),
    }
    Ok(Some(Exit::Answered))
}

/// Asks one question. Ctrl-C ends it, also while its sidecar starts, and not the session.
async fn ask(
    attacher: &Attacher,
    session: &mut Session<'_>,
    verb: &Verb,
    format: Format,
) -> Result<Exit, Error> {
    let answered = async {
        let survey = session.survey.clone();
        verb.check()?;
        consent::given(attacher, verb.needs(), &survey.target.name).await?;
        let sidecar = session.sidecar_for(verb.needs()).await?;
        answer(attacher, &survey, sidecar, verb, &mut Output::stdout(format)).await
    };
    tokio::select! {
        answered = answered => answered,
        // The way to end what is watched, and no failure: the exit status of the session does not tell of it.
        () = interrupt::ends_the_question() => Ok(Exit::Answered),
    }
}

async fn over(attacher: &Attacher, session: &Session<'_>) -> Error {
    let ended = tonic::Status::unavailable("the sidecar no longer runs");
    match session.sidecars.first() {
        Some(sidecar) => diagnosis::gone(&attacher.engine, &session.survey, sidecar, &ended).await,
        None => Error::new("go on", "the session has no sidecar", "reattach, or exit"),
    }
}

/// What the agent read of itself, a line per fact.
fn introduce(sidecar: &Sidecar, notes: Notes) {
    let agent = &sidecar.handshake;
    let held = if agent.capabilities.is_empty() { "none".to_owned() } else { agent.capabilities.join(", ") };
    let filters = agent.seccomp.as_ref().and_then(|seccomp| seccomp.filters);
    let filters = filters.map_or_else(|| "unknown".to_owned(), |filters| filters.to_string());
    let apparmor = agent.apparmor_profile.as_deref().unwrap_or("not in force");
    let facts = [
        ("sidecar", format!("{} at {}", sidecar.name, sidecar.level)),
        (
            "agent",
            format!("dbgctl {} for {}, Linux {}", agent.version, agent.architecture, agent.kernel_release),
        ),
        ("user id", agent.uid.to_string()),
        ("capabilities", held),
        ("seccomp filters", filters),
        ("AppArmor", apparmor.to_owned()),
    ];
    for (name, value) in facts {
        notes.note(format!("{name:<16} {value}"));
    }
}

/// Understands a line. `None` if there is nothing on it, or if it only asked for help.
fn parse(line: &str) -> Result<Option<(Word, Option<Format>)>, Error> {
    let words = shlex::split(line)
        .ok_or_else(|| Error::new("understand that", "a quote is not closed", "close it"))?;
    if words.is_empty() || words[0].starts_with('#') {
        return Ok(None);
    }
    match Line::try_parse_from(words) {
        Ok(line) => Ok(Some((line.word, line.output))),
        Err(help) if !help.use_stderr() => {
            talk::help(&help.render().to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_question_without_the_container() {
        let (word, format) = parse("ps --tree -o json").unwrap().unwrap();
        assert!(matches!(word, Word::Question(Verb::Ps(_))));
        assert_eq!(format, Some(Format::Json));
    }

    #[test]
    fn nothing_comments_and_calls_for_help_are_no_questions() {
        for line in ["", "   ", "# later", "help mem", "mem --help"] {
            assert!(parse(line).unwrap().is_none(), "{line:?}");
        }
    }

    #[test]
    fn what_is_not_understood_says_where_help_is() {
        for line in ["rm -rf /", "ps \"", "connect"] {
            let error = parse(line).unwrap_err();
            assert!(!error.because.is_empty() && !error.suggestion.is_empty(), "{line:?}");
        }
    }
}
