//! The commands: each makes a request and turns what comes back into rows.

mod budget;
pub(crate) mod connect;
pub(crate) mod memory;
pub(crate) mod processes;

#[cfg(test)]
mod testing;

use std::io;

use crate::exit::Exit;

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
