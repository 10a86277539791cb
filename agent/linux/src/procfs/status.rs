//! `/proc/<pid>/status`: the swap of a process, and its user in a recording.
//!
//! Format: proc_pid_status(5). "kB" there means KiB. The name in the first line may hold any bytes but
//! newline, which the kernel escapes; the procfs crate refuses those that are not UTF-8.

use super::keyed::keyed_lines;
use crate::number::unsigned32;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

/// The longest lines are `Groups` and the CPU masks.
const BOUND_BYTES: usize = 1 << 20;

/// The lines of the file that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Second number of `Uid`.
    pub effective_uid: u32,
    /// `VmSwap`. `None` for kernel threads and zombies, which have no memory.
    pub swap_bytes: Option<u64>,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Status, ReadError> {
    let name = ProcName::of(pid, "status");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if there is no `Uid`, or `VmSwap` is no number.
pub fn parse(text: &[u8]) -> Result<Status, BadLine> {
    let uids = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:\t"));
    let effective = uids.and_then(|uids| uids.split(|&byte| byte == b'\t').nth(1)).and_then(unsigned32);
    let swap = keyed_lines(text).find(|(key, _)| key == b"VmSwap");
    Ok(Status {
        effective_uid: effective.ok_or_else(|| BadLine::new(1, "Uid", text))?,
        swap_bytes: swap.map(|(_, value)| value.kib()).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Status, parse};

    #[test]
    fn a_process_without_memory_has_no_swap_rather_than_none_used() {
        let zombie = b"Name:\tx\nState:\tZ (zombie)\nUid:\t0\t65533\t0\t0\nThreads:\t1\n";
        assert_eq!(parse(zombie), Ok(Status { effective_uid: 65533, swap_bytes: None }));
        let sleeper = b"Name:\t\xff\x1b\nUid:\t0\t0\t0\t0\nVmSwap:\t      12 kB\n";
        assert_eq!(parse(sleeper), Ok(Status { effective_uid: 0, swap_bytes: Some(12 << 10) }));
    }
}
