//! `/proc/<pid>/oom_score`: how likely the kernel kills a process first when memory runs out.
//!
//! Format: proc_pid_oom_score(5). One number, the highest goes first: from 0 to 2000, in steps of a thousandth of the
//! machine's memory and swap.

use crate::number::unsigned32;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 64;

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<u32, ReadError> {
    let name = ProcName::of(pid, "oom_score");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the content of the file.
///
/// # Errors
///
/// [`BadLine`] if it is no number.
pub fn parse(text: &[u8]) -> Result<u32, BadLine> {
    unsigned32(text.trim_ascii()).ok_or_else(|| BadLine::new(1, "a number", text))
}
