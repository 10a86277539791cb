//! `/proc/<pid>/status`: the swap of a process, its user in a recording, and how often a thread changed the CPU.
//!
//! Format: proc_pid_status(5). "kB" there means KiB. The name in the first line may hold any bytes but
//! newline, which the kernel escapes; the procfs crate refuses those that are not UTF-8.

use super::keyed::keyed_lines;
use crate::number::{unsigned, unsigned32};
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root, cpu_list};

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

/// How often a thread gave its CPU away, since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// `voluntary_ctxt_switches`: it waited for something.
    pub voluntary: u64,
    /// `nonvoluntary_ctxt_switches`: another was given it.
    pub involuntary: u64,
}

/// Reads the context switches of thread `tid` of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the thread may have ended.
pub fn read_switches(root: &Root, pid: Pid, tid: Pid, buffer: &mut Buffer) -> Result<Switches, ReadError> {
    let name = ProcName::of_thread(pid, tid, "status");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse_switches(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the context switches of the file.
///
/// # Errors
///
/// [`BadLine`] if one of the two lines is missing, or is no number.
pub fn parse_switches(text: &[u8]) -> Result<Switches, BadLine> {
    let number = |key: &'static str| {
        let value = keyed_lines(text).find(|(known, _)| *known == key.as_bytes());
        value.and_then(|(_, value)| value.number()).ok_or_else(|| BadLine::new(1, key, text))
    };
    Ok(Switches {
        voluntary: number("voluntary_ctxt_switches")?,
        involuntary: number("nonvoluntary_ctxt_switches")?,
    })
}

/// What a process holds of things that are limited, see getrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// First number of `Uid`: whose limits on users count.
    pub real_uid: u32,
    /// `VmSize`. `None` for what has no memory, as the next three.
    pub address_space_bytes: Option<u64>,
    /// `VmData`
    pub data_bytes: Option<u64>,
    /// `VmStk`
    pub stack_bytes: Option<u64>,
    /// `VmLck`
    pub locked_bytes: Option<u64>,
    /// First number of `SigQ`: signals that wait for any process of the real user.
    pub pending_signals: Option<u64>,
}

/// Reads what process `pid` holds.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read_held(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Held, ReadError> {
    let name = ProcName::of(pid, "status");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse_held(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses what a process holds.
///
/// # Errors
///
/// [`BadLine`] if there is no `Uid`, or a size is no number.
pub fn parse_held(text: &[u8]) -> Result<Held, BadLine> {
    let find = |key: &[u8]| keyed_lines(text).find(|(known, _)| *known == key).map(|(_, value)| value);
    let size = |key: &[u8]| find(key).map(|value| value.kib()).transpose();
    let first = |value: &[u8], end: u8| value.split(|&byte| byte == end).next().and_then(unsigned);
    let real_uid = find(b"Uid").and_then(|uids| first(uids.text(), b'\t'));
    Ok(Held {
        real_uid: real_uid
            .and_then(|uid| u32::try_from(uid).ok())
            .ok_or_else(|| BadLine::new(1, "Uid", text))?,
        address_space_bytes: size(b"VmSize")?,
        data_bytes: size(b"VmData")?,
        stack_bytes: size(b"VmStk")?,
        locked_bytes: size(b"VmLck")?,
        pending_signals: find(b"SigQ").and_then(|queued| first(queued.text(), b'/')),
    })
}

/// Counts the CPUs that process `pid` may run on: `Cpus_allowed_list`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read_allowed_cpus(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<u32, ReadError> {
    let name = ProcName::of(pid, "status");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse_allowed_cpus(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the CPUs that a process may run on.
///
/// # Errors
///
/// [`BadLine`] if there is no line `Cpus_allowed_list`, or no list of CPUs in it.
pub fn parse_allowed_cpus(text: &[u8]) -> Result<u32, BadLine> {
    let list = keyed_lines(text).find(|(key, _)| *key == b"Cpus_allowed_list");
    let (_, list) = list.ok_or_else(|| BadLine::new(1, "Cpus_allowed_list", text))?;
    cpu_list::parse_count(list.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_memory_has_no_swap_rather_than_none_used() {
        let zombie = b"Name:\tx\nState:\tZ (zombie)\nUid:\t0\t65533\t0\t0\nThreads:\t1\n";
        assert_eq!(parse(zombie), Ok(Status { effective_uid: 65533, swap_bytes: None }));
        let sleeper = b"Name:\t\xff\x1b\nUid:\t0\t0\t0\t0\nVmSwap:\t      12 kB\n";
        assert_eq!(parse(sleeper), Ok(Status { effective_uid: 0, swap_bytes: Some(12 << 10) }));
    }

    #[test]
    fn what_is_held_is_absent_for_what_has_no_memory() {
        let text = b"Name:\tx\nUid:\t1000\t0\t0\t0\nSigQ:\t3/96365\nVmSize:\t      8 kB\nVmLck:\t  0 kB\n";
        let held = parse_held(text).unwrap();
        assert_eq!((held.real_uid, held.address_space_bytes, held.locked_bytes), (1000, Some(8192), Some(0)));
        assert_eq!((held.pending_signals, held.stack_bytes), (Some(3), None));
        assert!(parse_held(b"SigQ:\t3/96365\n").is_err());
    }

    #[test]
    fn switches_and_cpus_are_read_from_their_lines() {
        let text = b"Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-2,5\n\
            voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(parse_switches(text), Ok(Switches { voluntary: 12, involuntary: 3 }));
        assert_eq!(parse_allowed_cpus(text), Ok(4));
        assert!(parse_switches(b"voluntary_ctxt_switches:\t12\n").is_err());
        assert!(parse_allowed_cpus(b"Cpus_allowed:\tf\n").is_err());
    }
}
