//! What the user is told when something did not work: what failed, because of what, what to try.

use crate::attach::docker::EngineError;

/// Three lines for a person. Made where the context is known; printed in one place, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// What was tried: completes "dbgctl: cannot …".
    pub(crate) what: String,
    /// Why it failed.
    pub(crate) because: String,
    /// What to do about it.
    pub(crate) suggestion: String,
}

impl Error {
    pub(crate) fn new(
        what: impl Into<String>,
        because: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Self {
        Self { what: what.into(), because: because.into(), suggestion: suggestion.into() }
    }

    /// What failed was asked of the engine; the engine's error says why, and its kind what to try.
    pub(crate) fn engine(what: impl Into<String>, error: &EngineError) -> Self {
        let suggestion = match error {
            EngineError::Unreachable { .. } => {
                "start the engine, or name another with -H or DOCKER_HOST; `docker version` shows whether it answers"
            }
            EngineError::Forbidden(_) => {
                "run as root or as a member of the group that owns the socket (often `docker`)"
            }
            EngineError::BadHost(_) => "unix:///path/to/docker.sock or tcp://host:port",
            EngineError::NotFound(_) => {
                "`docker ps -a` lists what exists; it may have been removed meanwhile"
            }
            EngineError::Conflict(_) => "try again: something else is changing the same container",
            EngineError::Refused(message) if message.contains("no space left") => {
                "free some space for the engine: `docker system df` shows what holds it"
            }
            EngineError::Refused(_) => "the engine's own log says more",
            EngineError::Broken { .. } => {
                "`docker version` shows whether the engine is alive; what dbgctl left behind is swept by its next run"
            }
        };
        Self::new(what, error.to_string(), suggestion)
    }
}
