//! The commands: each makes a request and turns what comes back into rows.

mod agent;
pub(crate) mod attach;
pub(crate) mod connect;
pub(crate) mod detach;
mod gc;
pub(crate) mod image;
pub(crate) mod memory;
pub(crate) mod processes;
mod prompt;
pub(crate) mod sessions;
mod stream;

#[cfg(test)]
mod testing;

use std::io;

use dbgctl_proto::{NEEDS, Needs, needs_of};

use self::agent::Agent;
use crate::args::{About, Command};
use crate::attach::{Attacher, Sidecar, Survey, diagnosis};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Format, Output, Row, Talk};

/// Carries out a command.
pub(crate) async fn run(attacher: &Attacher, command: Command, format: Format) -> Result<Exit, Error> {
    let (container, verb) = match command {
        Command::Ps(About { container, question }) => (container, Verb::Ps(question)),
        Command::Mem(About { container, question }) => (container, Verb::Mem(question)),
        Command::Connect(About { container, question }) => (container, Verb::Connect(question)),
        Command::Attach(args) => return attach::run(attacher, args, format).await,
        Command::Detach(args) => return detach::run(attacher, args).await,
        Command::Sessions(args) => return sessions::run(attacher, args, format).await,
        Command::Gc => return gc::run(attacher).await,
        Command::Image(command) => return image::run(attacher, command, format).await,
    };
    let survey = attacher.survey(&container).await?;
    // A sidecar of its own, unless a session can answer.
    let sidecar = attacher.for_question(&survey, verb.needs()).await?;
    answer(attacher, &survey, &sidecar, &verb, &mut Output::stdout(format)).await
}

/// A question that can be asked of any container, alone or in a session.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the processes
    Ps(processes::Args),
    /// Break down the memory
    Mem(memory::Args),
    /// Open a TCP connection from where the container is (sends traffic)
    Connect(connect::Args),
}

impl Verb {
    /// What the probe behind it requires.
    pub(crate) fn needs(&self) -> &'static Needs {
        let path = match self {
            Self::Ps(_) => processes::Args::RPC,
            Self::Mem(_) => memory::Args::RPC,
            Self::Connect(_) => connect::Args::RPC,
        };
        // A test holds each path against the contract.
        needs_of(path).unwrap_or(&NEEDS[0])
    }

    async fn ask(&self, agent: &Agent, output: &mut Output) -> Result<Exit, Failure> {
        let mut talk = Talk::stderr();
        match self {
            Self::Ps(args) => args.run(agent, output, &mut talk).await,
            Self::Mem(args) => args.run(agent, output, &mut talk).await,
            Self::Connect(args) => args.run(agent, output, &mut talk).await,
        }
    }
}

/// Asks and shows. What went wrong is explained with what the engine knows.
pub(crate) async fn answer(
    attacher: &Attacher,
    survey: &Survey,
    sidecar: &Sidecar,
    verb: &Verb,
    output: &mut Output,
) -> Result<Exit, Error> {
    let agent = Agent::new(sidecar.channel.clone(), attacher.options.time_limit);
    match verb.ask(&agent, output).await {
        Ok(exit) => Ok(exit),
        Err(Failure::Rpc(status)) => {
            Err(diagnosis::explain(&attacher.engine, survey, sidecar, &status).await)
        }
        Err(Failure::Output(error)) => Err(unwritten(&error)),
        Err(Failure::Request { because, suggestion }) => Err(Error::new("ask that", because, suggestion)),
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
    fn the_needs_of_each_verb_are_those_of_the_contract() {
        for rpc in [processes::Args::RPC, memory::Args::RPC, connect::Args::RPC] {
            assert!(needs_of(rpc).is_some(), "{rpc}");
        }
    }
}
