//! `/proc/<pid>/task/<tid>/schedstat`: how long a thread ran, and how long it waited for a CPU.
//!
//! Format: Linux, Documentation/scheduler/sched-stats.rst. Three numbers. The file of a process is that of its
//! main thread alone.

use crate::number::unsigned;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 4096;

/// Since the thread started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedStat {
    /// Time on a CPU.
    pub run_nanos: u64,
    /// Time ready to run, without a CPU.
    pub wait_nanos: u64,
    /// How often it was given a CPU.
    pub timeslices: u64,
}

/// Reads the file of thread `tid` of process `pid`. `None` where the kernel keeps no such account.
///
/// # Errors
///
/// [`ReadError`]; the thread may have ended, or the kernel has no such file.
pub fn read_thread(
    root: &Root,
    pid: Pid,
    tid: Pid,
    buffer: &mut Buffer,
) -> Result<Option<SchedStat>, ReadError> {
    let name = ProcName::of_thread(pid, tid, "schedstat");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// Three zeros are what a kernel writes that keeps no account, or of a thread that never ran.
///
/// # Errors
///
/// [`BadLine`] if it is not three numbers.
pub fn parse(text: &[u8]) -> Result<Option<SchedStat>, BadLine> {
    let mut numbers = text.trim_ascii().split(|&byte| byte == b' ').map(unsigned);
    let mut number = || numbers.next().flatten().ok_or_else(|| BadLine::new(1, "three numbers", text));
    let stat = SchedStat { run_nanos: number()?, wait_nanos: number()?, timeslices: number()? };
    Ok((stat != SchedStat::default()).then_some(stat))
}

#[cfg(test)]
mod tests {
    use super::{SchedStat, parse};

    #[test]
    fn a_kernel_without_the_account_is_told_from_a_thread_that_never_waited() {
        let stat = SchedStat { run_nanos: 1_200_000, wait_nanos: 0, timeslices: 7 };
        assert_eq!(parse(b"1200000 0 7\n"), Ok(Some(stat)));
        assert_eq!(parse(b"0 0 0\n"), Ok(None));
        assert!(parse(b"1 2\n").is_err() && parse(b"").is_err());
    }
}
