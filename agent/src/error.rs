//! `ProbeError`, and its one conversion to a status of gRPC.

use std::error::Error;

use dbgctl_linux::ReadError;
use tonic::{Code, Status};

/// A request that no agent could answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BadRequest {
    /// The field of the request, as the contract names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl BadRequest {
    /// A problem with one field.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A probe has no answer. What is only missing from an answer is a gap instead.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The request makes no sense.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),

    /// No process carries the target's id: it has ended, or does not share the agent's PID namespace.
    #[error("no process of the target is to be seen")]
    TargetGone,

    /// The kernel did not say.
    #[error(transparent)]
    Read(#[from] ReadError),

    /// A file of the target is not there, not what was asked for, or closed to the agent.
    #[error("{}: {}", String::from_utf8_lossy(.path), .source.reason())]
    File {
        /// Where it would be, seen from the target.
        path: Vec<u8>,
        /// Why there is no answer about it.
        source: ReadError,
    },

    /// The kernel has not answered, and may never do.
    #[error("the kernel did not answer in time: a file system may hang")]
    Late,

    /// Too much is asked at the same time.
    #[error("{0}")]
    Busy(&'static str),

    /// The probe panicked. A defect of the agent.
    #[error("the probe broke: {0}")]
    Broken(String),
}

impl From<ProbeError> for Status {
    fn from(error: ProbeError) -> Self {
        let code = match &error {
            ProbeError::BadRequest(_) => Code::InvalidArgument,
            ProbeError::Late | ProbeError::File { source: ReadError::Silent { .. }, .. } => {
                Code::DeadlineExceeded
            }
            ProbeError::TargetGone => Code::NotFound,
            // Whoever asked can do something about it, and nothing is amiss with the agent.
            ProbeError::File { source, .. } if !source.is_denied() => Code::Aborted,
            ProbeError::File { .. } => Code::PermissionDenied,
            ProbeError::Read(read) if read.is_denied() => Code::PermissionDenied,
            ProbeError::Busy(_) => Code::ResourceExhausted,
            ProbeError::Read(_) | ProbeError::Broken(_) => Code::Internal,
        };
        let text = match &error {
            // The path that the agent opens means nothing to whoever asked.
            ProbeError::File { .. } => error.to_string(),
            _ => chain(&error),
        };
        Self::new(code, text)
    }
}

/// The error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BadRequest, ProbeError};
    use dbgctl_linux::ReadError;
    use tonic::{Code, Status};

    #[test]
    fn a_status_tells_place_and_cause_once() {
        let source = std::io::Error::from_raw_os_error(13);
        let read = ReadError::Io { op: "open", path: "/proc/1/root".into(), source };
        let status = Status::from(ProbeError::from(read));
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(status.message(), "cannot open /proc/1/root: Permission denied (os error 13)");
        let status = Status::from(ProbeError::from(BadRequest::new("port", "must be positive")));
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "port: must be positive"));
    }
}
