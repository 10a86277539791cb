//! The numeric entries of `/proc` and of `/proc/<pid>/task`: processes and their threads.

use crate::{Pid, ProcName, ReadError, Root};

/// The processes of the PID namespace, ascending. Not a snapshot: each may have ended since.
///
/// # Errors
///
/// [`ReadError::Io`] if `/proc` can not be listed.
pub fn processes(root: &Root) -> Result<Vec<Pid>, ReadError> {
    root.numbers(&ProcName::TOP)
}

/// The threads of process `pid`, ascending, the main thread among them.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
pub fn threads(root: &Root, pid: Pid) -> Result<Vec<Pid>, ReadError> {
    root.numbers(&ProcName::of(pid, "task"))
}
