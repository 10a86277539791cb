//! The commands: each makes a request and turns what comes back into rows.

mod agent;
pub(crate) mod attach;
pub(crate) mod between;
pub(crate) mod capture;
mod cgroup;
pub(crate) mod connect;
mod consent;
pub(crate) mod cpu;
pub(crate) mod descriptors;
pub(crate) mod detach;
pub(crate) mod dns;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod forward;
pub(crate) mod gc;
#[cfg(test)]
mod golden;
pub(crate) mod http;
pub(crate) mod image;
pub(crate) mod input_output;
mod interfaces;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod network;
mod order;
mod packets;
pub(crate) mod path;
pub(crate) mod pids;
pub(crate) mod ping;
pub(crate) mod processes;
mod prompt;
mod sample;
pub(crate) mod sessions;
pub(crate) mod sockets;
pub(crate) mod stack;
mod step;
mod stream;
pub(crate) mod tls;
pub(crate) mod top;
pub(crate) mod trace;
mod watch;

#[cfg(test)]
mod testing;

use std::io;

use dbgctl_proto::{NEEDS, Needs, needs_of};

use self::agent::{Agent, Subject};
use self::files::{access, contents, copies, directories, file_status, mounts, search, usage};
use crate::args::{About, Command};
use crate::attach::{Attacher, Sidecar, Survey, diagnosis};
use crate::audit::{self, Asked};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Format, Output, Row, Talk};

/// A question that can be asked of any container, alone or in a session: a verb with its options.
pub(crate) trait Question: clap::Args {
    /// Path of the RPC that answers it, by which its needs are looked up.
    fn rpc(&self) -> &'static str;

    /// The verb, if the answer shows secrets: then it is recorded who asked.
    fn reveals_as(&self) -> Option<&'static str> {
        None
    }

    /// What is wrong with it, as far as that can be told before anything is started.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Asks the agent and shows what it answers.
    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure>;
}

/// The verbs, one line each: what `--help` says, and the module with their options.
macro_rules! verbs {
    ($($(#[doc = $says:literal])+ $verb:ident($module:ident)),+ $(,)?) => {
        /// A verb with its options, of whatever container.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Verb {
            $($(#[doc = $says])+ $verb($module::Args),)+
        }

        /// A verb with its options and the container that it is asked of.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum VerbAbout {
            $($(#[doc = $says])+ $verb(About<$module::Args>),)+
        }

        impl VerbAbout {
            /// The container as the user named it, and the question.
            fn split(self) -> (String, Verb) {
                match self {
                    $(Self::$verb(About { container, question }) => (container, Verb::$verb(question)),)+
                }
            }
        }

        impl Verb {
            fn rpc(&self) -> &'static str {
                match self {
                    $(Self::$verb(question) => question.rpc(),)+
                }
            }

            fn check(&self) -> Result<(), Error> {
                match self {
                    $(Self::$verb(question) => question.check(),)+
                }
            }

            fn reveals_as(&self) -> Option<&'static str> {
                match self {
                    $(Self::$verb(question) => question.reveals_as(),)+
                }
            }

            async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
                match self {
                    $(Self::$verb(question) => question.ask(agent, output, talk).await,)+
                }
            }
        }
    };
}

verbs! {
    /// List the processes
    Ps(processes),
    /// Watch everything at once on a full screen
    Top(top),
    /// Break down the memory
    Mem(memory),
    /// Who uses the CPU, and what holds it back
    Cpu(cpu),
    /// Who reads and writes, and what holds it back
    Io(input_output),
    /// List the open files
    Fds(descriptors),
    /// Show the environment, without secrets
    Env(environment),
    /// Count processes and threads against what is allowed
    Pids(pids),
    /// Show which limit is nearest
    Limits(limits),
    /// Show what each thread is doing
    Stack(stack),
    /// List a directory
    Ls(directories),
    /// Show everything about one file
    Stat(file_status),
    /// Show the content of a file, or follow it
    Cat(contents),
    /// Find files by name, kind, size and age
    Find(search),
    /// Show the mounts and how full they are
    Df(mounts),
    /// Measure what takes the room, biggest first
    Du(usage),
    /// Copy a file or directory out of the container
    Cp(copies),
    /// Explain who may do what with a file
    Access(access),
    /// List the sockets, the troubled ones first
    Sockets(sockets),
    /// Look up a name as the container's program would (sends traffic)
    Dns(dns),
    /// Show interfaces, addresses, routes and neighbours, and what the kernel counted of lost traffic
    Net(network),
    /// Open a TCP connection from where the container is (sends traffic)
    Connect(connect),
    /// Shake hands with a TLS server, and judge its certificates (sends traffic)
    Tls(tls),
    /// Send an HTTP request, and time each phase of it (sends traffic)
    Http(http),
    /// Send echo requests, and say how many are answered and how fast (sends traffic)
    Ping(ping),
    /// Show which routers packets pass on their way to a host (sends traffic)
    Trace(trace),
    /// Check every layer on the way to a service, and name the broken one (sends traffic)
    Path(path),
    /// Make ports of the container's network reachable on this machine (sends traffic)
    PortForward(forward),
    /// Capture what is sent and received, for people or for Wireshark (reads what others send)
    Capture(capture),
}

impl Verb {
    /// What the probe behind it requires.
    pub(crate) fn needs(&self) -> &'static Needs {
        // A test holds each path against the contract.
        needs_of(self.rpc()).unwrap_or(&NEEDS[0])
    }
}

/// Carries out a command.
pub(crate) async fn run(attacher: &Attacher, command: Command, format: Format) -> Result<Exit, Error> {
    let (container, verb) = match command {
        Command::Question(question) => question.split(),
        Command::Between(args) => return between::run(attacher, args, format).await,
        Command::Attach(args) => return attach::run(attacher, args, format).await,
        Command::Detach(args) => return detach::run(attacher, args).await,
        Command::Sessions(args) => return sessions::run(attacher, args, format).await,
        Command::Gc => return gc::run(attacher).await,
        Command::Image(command) => return image::run(attacher, command, format).await,
    };
    verb.check()?;
    let survey = attacher.survey(&container).await?;
    consent::given(attacher, verb.needs(), &survey.target.name).await?;
    // A sidecar of its own, unless a session can answer.
    let sidecar = attacher.for_question(&survey, verb.needs()).await?;
    answer(attacher, &survey, &sidecar, &verb, &mut Output::stdout(format)).await
}

/// Asks and shows. What went wrong is explained with what the engine knows.
pub(crate) async fn answer(
    attacher: &Attacher,
    survey: &Survey,
    sidecar: &Sidecar,
    verb: &Verb,
    output: &mut Output,
) -> Result<Exit, Error> {
    if let Some(probe) = verb.reveals_as() {
        audit::record(Asked {
            engine: attacher.engine.host(),
            target_id: &survey.target.id,
            target_name: &survey.target.name,
            probe,
            reason: &attacher.options.reason,
        })?;
    }
    match verb.ask(&agent_of(attacher, survey, sidecar), output, &mut Talk::stderr()).await {
        Ok(exit) => Ok(exit),
        Err(failure) => Err(explain(attacher, survey, sidecar, failure).await),
    }
}

/// The agent of a sidecar, to be asked about its target.
fn agent_of(attacher: &Attacher, survey: &Survey, sidecar: &Sidecar) -> Agent {
    let subject = Subject {
        name: survey.target.name.clone(),
        image: survey.target.image.clone(),
        level: sidecar.level.name(),
    };
    Agent::new(sidecar.channel.clone(), subject, attacher.options.time_limit)
}

/// Why there is no answer, with what the engine knows.
async fn explain(attacher: &Attacher, survey: &Survey, sidecar: &Sidecar, failure: Failure) -> Error {
    match failure {
        Failure::Rpc(status) => diagnosis::explain(&attacher.engine, survey, sidecar, &status).await,
        Failure::Output(error) => unwritten(&error),
        Failure::Here(error) => error,
        Failure::Request { because, suggestion } => Error::new("ask that", because, suggestion),
    }
}

/// Shows rows that are known without asking an agent.
fn show<R: Row>(output: &mut Output, rows: &[R]) -> Result<Exit, Error> {
    match output.rows(rows).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
        Ok(()) | Err(_) => Ok(Exit::Answered),
    }
}

fn unwritten(error: &io::Error) -> Error {
    Error::new("write the answer", error.to_string(), "check where standard output goes: is the disk full?")
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The agent, or the way to it, said no.
    #[error("the agent did not answer")]
    Rpc(#[from] tonic::Status),
    /// Standard output could not be written.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
    /// What was to be done with the answer on this side did not work.
    #[error("{}", .0.because)]
    Here(Error),
    /// What was asked for makes no sense.
    #[error("{because}")]
    Request {
        /// What is wrong with it.
        because: String,
        /// What to try instead.
        suggestion: String,
    },
}

/// What a command returns: a reader that closed its end of a pipe has seen what it wanted.
fn unless_pipe_closed(result: Result<Exit, Failure>) -> Result<Exit, Failure> {
    match result {
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Answered),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Column, Object};

    struct Nothing;

    impl Row for Nothing {
        const COLUMNS: &'static [Column<Self>] = &[];

        fn fields(&self, _: &mut Object<'_>) {}
    }

    struct Broken(io::ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_of_the_rows_is_no_failure_and_a_full_disk_is_one() {
        let shown = |kind| show(&mut Output::to(Format::Json, Broken(kind)), &[Nothing]);
        assert_eq!(shown(io::ErrorKind::BrokenPipe), Ok(Exit::Answered));
        assert!(shown(io::ErrorKind::StorageFull).unwrap_err().suggestion.contains("is the disk full?"));
    }

    #[test]
    fn every_verb_has_its_rpc_in_the_contract_and_is_asked_of_the_scenes_where_it_can_be() {
        use clap::{CommandFactory as _, Parser as _};
        let verbs = testing::Line::command();
        let mut never_asked: Vec<_> =
            verbs.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        // Numbers, times and owners of files are not what git keeps of a scene, traffic is sent and heard nowhere, and a
        // screen lives.
        let without = [
            "ls",
            "stat /etc",
            "cat /etc/passwd",
            "find",
            "df",
            "du",
            "cp /etc -",
            "access /etc",
            "connect db:5432",
            "tls db:5432",
            "http http://db/",
            "ping db",
            "trace db",
            "port-forward 8080",
            "path db:5432",
            "dns db",
            "top",
            "capture",
        ];
        for question in golden::QUESTIONS.iter().chain(&without) {
            let testing::Line { verb } = testing::Line::parse_from(question.split(' '));
            assert!(needs_of(verb.rpc()).is_some(), "{question}");
            never_asked.retain(|name| question.split(' ').next() != Some(name));
        }
        assert!(never_asked.is_empty(), "{never_asked:?}");
    }
}
