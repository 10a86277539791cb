//! The owner of `/proc/<pid>`: the effective user id, even of a process that may not be dumped.
//!
//! See proc(5). The files inside belong to root if the process is not dumpable; the directory does not.

use super::status;
use crate::{Buffer, Pid, ProcName, ReadError, Root};

/// The effective user id of process `pid`, in the agent's user namespace.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
#[inline]
pub fn read(root: &Root, pid: Pid) -> Result<u32, ReadError> {
    if root.is_recorded() {
        return recorded(root, pid);
    }
    root.owner(&ProcName::process(pid))
}

/// The effective user id of thread `tid`, which may differ from that of its process.
///
/// # Errors
///
/// [`ReadError`]; the thread may have ended.
pub fn read_thread(root: &Root, pid: Pid, tid: Pid) -> Result<u32, ReadError> {
    if root.is_recorded() {
        return recorded(root, pid);
    }
    root.owner(&ProcName::thread(pid, tid))
}

/// A recording is owned by whoever checked it out, so that `status` has to answer.
#[cold]
fn recorded(root: &Root, pid: Pid) -> Result<u32, ReadError> {
    status::read(root, pid, &mut Buffer::default()).map(|status| status.effective_uid)
}
