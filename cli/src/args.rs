//! The command line: what all commands share, and the list of commands.

use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use dbgctl_proto::Effect;
use dbgctl_proto::bounds::LONGEST_LIST;

use crate::attach::Options;
use crate::attach::image::{Choice, Pull};
use crate::attach::level::Level;
use crate::commands::{Verb, VerbAbout, attach, between, detach, gc, image, sessions};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Format, Notes, talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl ps web                    the processes of the container web
  dbgctl ps web --tree --watch     the same as a tree, again every second
  dbgctl top web                   everything at once, live on one screen
  dbgctl mem web                   who uses the memory, and how much is left
  dbgctl connect web db:5432       can web reach db:5432, and if not, why
  dbgctl path web https://api/     name, route, connection, TLS, HTTP: which of them is broken
  dbgctl between web db:5432       does it end in web, on the way, or in db
  dbgctl port-forward web 8080     its port 8080 on this machine, published or not
  dbgctl capture web -w web.pcapng what it sends and receives, for Wireshark or tcpdump
  dbgctl attach web                a prompt: ask several questions, quickly
  dbgctl ps web -o json | jq .     the same answers for programs

A container is named by its name, its id or the beginning of it, its compose service,
compose:PROJECT/SERVICE, or label:KEY=VALUE.

Exit status: 0 answered; 1 answered, and the answer is no; 2 could not find out; 130 interrupted.";

/// Look into a running container from outside.
///
/// dbgctl starts a small sidecar beside the container, with the least privilege that the question needs, asks it,
/// shows the answer and removes it. The container itself is not touched: nothing runs in it, nothing is written to
/// it, no port is opened. It works for containers without a shell, and needs no registry.
#[derive(Debug, Parser)]
#[command(name = "dbgctl", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Shared {
    /// Where the container engine listens: unix:///path or tcp://host:port
    #[arg(
        short = 'H',
        long,
        global = true,
        env = "DOCKER_HOST",
        hide_env_values = true,
        value_name = "ADDRESS"
    )]
    host: Option<String>,

    /// How the answer is shown
    #[arg(short, long, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    pub(crate) output: Format,

    /// Give the sidecar at most this much: 0 no capability at all, 1 SYS_PTRACE, 1b DAC_READ_SEARCH as well, 2 NET_RAW
    /// beside SYS_PTRACE. What cannot be read then is listed as a gap [default: what makes the answer whole]
    #[arg(long, global = true, value_parser = level, value_name = "LEVEL")]
    level: Option<Level>,

    /// Make the sidecar from this image in the engine instead of the one that dbgctl carries
    #[arg(long, global = true, env = "DBGCTL_IMAGE", hide_env_values = true, value_name = "REF[@DIGEST]")]
    image: Option<String>,

    /// Whether the image of --image may be fetched from its registry
    #[arg(long, global = true, value_enum, default_value = "never", value_name = "WHEN")]
    pull: Pull,

    /// Look into a container that shares the PID or network namespace of the host
    #[arg(long, global = true)]
    host_namespaces: bool,

    /// Allow what is otherwise asked about: capture, which shows what others send and receive
    #[arg(long, global = true, value_parser = allowed, value_name = "WHAT")]
    allow: Vec<Effect>,

    /// How long one answer may take
    #[arg(long, global = true, default_value = "60s", value_parser = time_limit, value_name = "TIME")]
    time_limit: Duration,

    /// Why you look: kept as a label of the sidecar, for those who watch over the engine
    #[arg(long, global = true, default_value = "", hide_default_value = true, value_name = "TEXT")]
    reason: String,

    /// Say nothing but the answer and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

impl Shared {
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes { quiet: self.quiet }
    }

    pub(crate) fn options(&self) -> Options {
        let image = match &self.image {
            None => Choice::Carried,
            Some(reference) => Choice::Approved { reference: reference.clone(), pull: self.pull },
        };
        Options {
            level: self.level,
            image,
            host_namespaces: self.host_namespaces,
            allowed: self.allow.clone(),
            time_limit: self.time_limit,
            reason: self.reason.clone(),
        }
    }
}

/// Everything that can be asked or done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Question(VerbAbout),
    /// Tell where connections from one container to another end, looking at both (sends traffic)
    #[command(after_help = between::EXAMPLES)]
    Between(between::Args),
    /// Open a session: a prompt that answers at once, or one that stays for others
    #[command(after_help = attach::EXAMPLES)]
    Attach(attach::Args),
    /// End sessions
    #[command(after_help = detach::EXAMPLES)]
    Detach(detach::Args),
    /// List sessions
    #[command(after_help = sessions::EXAMPLES)]
    Sessions(sessions::Args),
    /// Remove what runs that were killed have left behind
    #[command(after_help = gc::EXAMPLES)]
    Gc,
    /// The agent's image: load it, save it, see what it is
    #[command(subcommand, after_help = image::EXAMPLES)]
    Image(image::Command),
}

/// A question about a container.
#[derive(Debug, Args)]
pub(crate) struct About<A: Args> {
    /// Name, id, compose service, compose:PROJECT/SERVICE, or label:KEY=VALUE
    pub(crate) container: String,
    #[command(flatten)]
    pub(crate) question: A,
}

/// A line at the prompt of a session: the same questions, without the container.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true, help_template = "{subcommands}")]
pub(crate) struct Line {
    /// How the answer is shown
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    #[command(subcommand)]
    pub(crate) word: Word,
}

/// What can be typed at the prompt.
#[derive(Debug, Subcommand)]
pub(crate) enum Word {
    #[command(flatten)]
    Question(Verb),
    /// Say what this session is and what it may do
    Session,
    /// Look into the container's new run, after it was restarted
    Reattach,
    /// End the session
    #[command(visible_aliases = ["exit", "quit"])]
    Detach,
}

fn allowed(text: &str) -> Result<Effect, String> {
    match text {
        "capture" => Ok(Effect::Captures),
        _ => Err("what can be allowed is capture".to_owned()),
    }
}

fn level(text: &str) -> Result<Level, String> {
    Level::from_name(text).ok_or_else(|| "the levels are 0, 1, 1b and 2".to_owned())
}

/// The time limit of an answer: what the agent itself would not exceed.
fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    let allowed = Duration::from_millis(100)..=LONGEST_LIST;
    if allowed.contains(&limit) { Ok(limit) } else { Err("a time limit is between 100ms and 10m".to_owned()) }
}

/// A time such as "30m" or "1h 15m".
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// A number of things, or of a process: there is no 0 of them.
pub(crate) fn at_least_one<N: FromStr + Default + PartialEq>(text: &str) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| *number != N::default());
    number.ok_or_else(|| "expected a whole number from 1".to_owned())
}

/// What is wrong with a command line, in one sentence; and how it is used, if the parser says so.
fn complaint(error: &clap::Error) -> (String, Option<String>) {
    let text = error.render().to_string();
    let mut because = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("For more information") {
            break;
        }
        if let Some(usage) = line.strip_prefix("Usage: ") {
            return (because, Some(usage.to_owned()));
        }
        // Who mistypes an option does not mean a value.
        if line.starts_with("tip: to pass '-") {
            continue;
        }
        let (line, separator) = match line.strip_prefix("tip: ") {
            Some(tip) => (tip, "; "),
            None => (line.trim_start_matches("error: "), " "),
        };
        // Of std, about its types; a user typed a number.
        let line = line.replace("invalid digit found in string", "expected a whole number");
        if !because.is_empty() {
            because.push_str(separator);
        }
        because.push_str(&line);
    }
    (because, None)
}

impl From<clap::Error> for Error {
    /// That of a line at the prompt.
    fn from(error: clap::Error) -> Self {
        let suggestion = "`help` lists what can be asked, `help ps` how; the container is not named here";
        Self::new("understand that", complaint(&error).0, suggestion)
    }
}

impl Cli {
    /// The command line of this process; or how to end, if it asked for help or makes no sense.
    pub(crate) fn of_this_process() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                // Whoever closed the stream does not want to read it.
                let _ = error.print();
                return if error.use_stderr() { Exit::Unknown } else { Exit::Answered };
            }
            let (because, usage) = complaint(&error);
            let suggestion = match usage {
                Some(usage) => format!("{usage}; --help says more"),
                None => "--help says what is allowed".to_owned(),
            };
            talk::error(&Error::new("understand the command line", because, suggestion));
            Exit::Unknown
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_sentence_and_the_usage_stands_apart() {
        let complain = |line: &str| {
            let words = line.split(' ');
            complaint(&Cli::try_parse_from(words).unwrap_err())
        };
        let (because, usage) = complain("dbgctl ps --rm");
        assert_eq!(because, "unexpected argument '--rm' found");
        assert_eq!(usage.as_deref(), Some("dbgctl ps [OPTIONS] <CONTAINER>"));
        let (because, _) = complain("dbgctl ps");
        assert_eq!(because, "the following required arguments were not provided: <CONTAINER>");
        let (because, usage) = complain("dbgctl ps web --limit 0");
        assert_eq!(because, "invalid value '0' for '--limit <N>': expected a whole number from 1");
        assert_eq!(usage, None);
        let (because, _) = complain("dbgctl access web / --uid www");
        assert_eq!(because, "invalid value 'www' for '--uid <UID>': expected a whole number");
    }
}
