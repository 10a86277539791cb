//! How a command ends, as its exit status tells.

use std::process::ExitCode;

/// What the exit status says about the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// There is an answer.
    Answered = 0,
    /// There is an answer, and it is no: refused, no such name, a serious finding.
    No = 1,
    /// It could not be found out.
    Unknown = 2,
    /// The user interrupted it; 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The one that says more: what could not be found out outweighs a no, a no outweighs an answer.
    pub(crate) fn worst(self, other: Self) -> Self {
        self.max(other)
    }
}
