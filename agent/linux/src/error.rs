//! What can go wrong when the kernel is asked.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::file::FileKind;

/// A file could not be read or not be understood.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The kernel refused a system call.
    #[error("cannot {op} {}", .path.display())]
    Io {
        /// What was tried, completes "cannot …".
        op: &'static str,
        /// The file it was tried on.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },

    /// The file is not what was looked for, and was not opened.
    #[error("{} is {found}, not {wanted}", .path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: FileKind,
        /// What it should have been.
        wanted: FileKind,
    },

    /// The environment or memory of a process: there may be secrets in it, which a file shows as they are.
    #[error("{} is the environment or memory of a process", .path.display())]
    Secrets {
        /// The file.
        path: PathBuf,
    },

    /// The file system did not answer, and may never do.
    #[error("{} did not answer within {seconds} seconds", .path.display())]
    Silent {
        /// The file that was asked about.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },

    /// The file does not look as documented.
    #[error("{}:{line}: expected {expected}, found {found:?}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What should have been there.
        expected: &'static str,
        /// What was there, shortened.
        found: String,
    },
}

impl ReadError {
    /// True if the file is not there: its process has ended, or the kernel has no such file.
    pub fn is_gone(&self) -> bool {
        self.errno().is_some_and(|errno| matches!(errno, Errno::ENOENT | Errno::ESRCH))
    }

    /// True if the kernel has the file, but was started without what it would tell.
    pub fn is_switched_off(&self) -> bool {
        self.errno() == Some(Errno::EOPNOTSUPP)
    }

    /// True if it is about an interface that is down, or gone.
    pub fn is_down(&self) -> bool {
        self.errno().is_some_and(|errno| matches!(errno, Errno::ENETDOWN | Errno::ENODEV | Errno::ENXIO))
    }

    /// True if the agent lacks the right to read it.
    pub fn is_denied(&self) -> bool {
        self.errno().is_some_and(|errno| matches!(errno, Errno::EACCES | Errno::EPERM))
    }

    /// Why, in a few words and without the path: for counting equal failures.
    pub fn reason(&self) -> String {
        match (self, self.errno()) {
            (Self::Malformed { expected, .. }, _) => format!("unexpected format: no {expected}"),
            (Self::OtherKind { found, wanted, .. }, _) => format!("{found}, not {wanted}"),
            (Self::Silent { seconds, .. }, _) => format!("did not answer within {seconds} seconds"),
            (Self::Secrets { .. }, _) => {
                "the environment or memory of a process: `dbgctl env` shows environments, without their secrets"
                    .to_owned()
            }
            (Self::Io { .. }, Some(Errno::ELOOP)) => {
                "too many symbolic links, or one of /proc that leads elsewhere and is not followed".to_owned()
            }
            (Self::Io { .. }, Some(errno)) => errno.desc().to_lowercase(),
            (Self::Io { source, .. }, None) => source.to_string(),
        }
    }

    /// What the kernel said, if it did.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io { source, .. } => source.raw_os_error().map(Errno::from_raw),
            Self::OtherKind { .. } | Self::Secrets { .. } | Self::Silent { .. } | Self::Malformed { .. } => {
                None
            }
        }
    }
}

/// A line that a parser did not understand. It becomes a [`ReadError`] where the path is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line, counted from 1.
    pub line: usize,
    /// What should have been there.
    pub expected: &'static str,
    /// What was there, shortened to 80 bytes, with U+FFFD for what is not UTF-8.
    pub found: String,
}

impl BadLine {
    pub(crate) fn new(line: usize, expected: &'static str, found: &[u8]) -> Self {
        let found = String::from_utf8_lossy(&found[..found.len().min(80)]).into_owned();
        Self { line, expected, found }
    }

    pub(crate) fn at(self, path: PathBuf) -> ReadError {
        ReadError::Malformed { path, line: self.line, expected: self.expected, found: self.found }
    }
}
