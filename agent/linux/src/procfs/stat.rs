//! `/proc/<pid>/stat` and `/proc/<pid>/task/<tid>/stat`: what there is to know of every process.
//!
//! Format: proc_pid_stat(5). One line; the name in parentheses is not escaped and may hold anything,
//! `)`, blanks and newlines included, so that the last `)` ends it.
//!
//! The parser is our own: it is on the path of every process, and the procfs crate wants the name to
//! be UTF-8.

use crate::number::{signed, unsigned, unsigned32};
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

/// More than any kernel writes: 52 numbers of at most 20 digits and a name of at most 64 bytes.
const BOUND_BYTES: usize = 4096;

/// `PF_KTHREAD` of the kernel's include/linux/sched.h.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// `PF_EXITING` of the same.
const EXITING: u32 = 0x4;

/// What a process does, by the letter that ps(1) shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `R`
    Running,
    /// `S`
    Sleeping,
    /// `D`
    DiskSleep,
    /// `Z`
    Zombie,
    /// `T`
    Stopped,
    /// `t`
    Traced,
    /// `X` or `x`
    Dead,
    /// `I`
    Idle,
    /// `P`
    Parked,
    /// Any other letter.
    Other(u8),
}

impl State {
    fn from_letter(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::DiskSleep,
            b'Z' => Self::Zombie,
            b'T' => Self::Stopped,
            b't' => Self::Traced,
            b'X' | b'x' => Self::Dead,
            b'I' => Self::Idle,
            b'P' => Self::Parked,
            other => Self::Other(other),
        }
    }

    /// True once the process has ended: it has no memory and no arguments any more.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Zombie | Self::Dead)
    }
}

/// By which rules the kernel gives a thread its CPU, see sched(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// `SCHED_OTHER`: by nice value and weight.
    Other,
    /// `SCHED_FIFO`: before all others, until it waits.
    Fifo,
    /// `SCHED_RR`: before all others, in turns.
    RoundRobin,
    /// `SCHED_BATCH`
    Batch,
    /// `SCHED_IDLE`: when nobody else wants it.
    Idle,
    /// `SCHED_DEADLINE`
    Deadline,
    /// Any other number.
    Unknown(u32),
}

impl Policy {
    fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Other,
            1 => Self::Fifo,
            2 => Self::RoundRobin,
            3 => Self::Batch,
            5 => Self::Idle,
            6 => Self::Deadline,
            unknown => Self::Unknown(unknown),
        }
    }
}

/// The fields beyond the memory, which few probes ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduling {
    /// (39) The CPU that it ran on last.
    pub last_cpu: u32,
    /// (40) From 1 (weakest) to 99 under a real-time policy, else 0.
    pub realtime_priority: u32,
    /// (41)
    pub policy: Policy,
    /// (42) Time spent waiting for block I/O, in clock ticks: of the main thread alone, and 0 where the kernel
    /// keeps no account of delays.
    pub blocked_ticks: u64,
}

/// The fields of the file that are used, numbered as in proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat<'t> {
    /// (1) The process or, below `task/`, the thread.
    pub pid: Pid,
    /// (2) At most 15 bytes for user processes and 63 for kernel threads, any bytes at all.
    pub command: &'t [u8],
    /// (3)
    pub state: State,
    /// (4) [`Pid::OUTSIDE`] if the parent lives outside the PID namespace.
    pub parent: Pid,
    /// (9) `PF_*` of the kernel's include/linux/sched.h.
    pub flags: u32,
    /// (14) CPU time in user mode, in clock ticks. Of all threads, but below `task/`.
    pub user_time_ticks: u64,
    /// (15) CPU time in kernel mode, in clock ticks. Of all threads, but below `task/`.
    pub system_time_ticks: u64,
    /// (19) From 19 (weakest) to -20 (strongest).
    pub nice: i32,
    /// (20) Threads of the process.
    pub threads: u32,
    /// (22) CLOCK_BOOTTIME of the start, in clock ticks.
    pub started_ticks: u64,
    /// (23) Size of the address space.
    pub virtual_bytes: u64,
    /// (24) Pages in memory. May lag by some pages per CPU.
    pub resident_pages: u64,
    /// What is behind field 24.
    later: &'t [u8],
}

impl Stat<'_> {
    /// The fields beyond the memory. `None` before Linux 2.6.18, which has fewer.
    pub fn scheduling(&self) -> Option<Scheduling> {
        let mut fields = self.later.trim_ascii().split(|&byte| byte == b' ');
        Some(Scheduling {
            // A thread that never ran has -1 there.
            last_cpu: fields.nth(39 - 25).and_then(signed).map(|cpu| u32::try_from(cpu).unwrap_or(0))?,
            realtime_priority: fields.next().and_then(unsigned32)?,
            policy: fields.next().and_then(unsigned32).map(Policy::from_number)?,
            blocked_ticks: fields.next().and_then(unsigned)?,
        })
    }

    /// True for a thread of the kernel itself.
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// True for what ends, or has ended and was not waited for yet.
    pub fn is_exiting(&self) -> bool {
        self.flags & EXITING != 0
    }

    /// True for what has memory and arguments of its own: neither kernel thread nor ended.
    pub fn has_memory(&self) -> bool {
        !self.is_kernel_thread() && !self.state.has_ended()
    }
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
#[inline]
pub fn read<'b>(root: &Root, pid: Pid, buffer: &'b mut Buffer) -> Result<Stat<'b>, ReadError> {
    read_name(root, &ProcName::of(pid, "stat"), buffer)
}

/// Reads the file of thread `tid` of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the thread may have ended.
pub fn read_thread<'b>(
    root: &Root,
    pid: Pid,
    tid: Pid,
    buffer: &'b mut Buffer,
) -> Result<Stat<'b>, ReadError> {
    read_name(root, &ProcName::of_thread(pid, tid, "stat"), buffer)
}

fn read_name<'b>(root: &Root, name: &ProcName, buffer: &'b mut Buffer) -> Result<Stat<'b>, ReadError> {
    let content = root.read(name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(name)))
}

/// Parses the content of the file.
///
/// # Errors
///
/// [`BadLine`] with the name of the first field that is missing or is no number.
pub fn parse(text: &[u8]) -> Result<Stat<'_>, BadLine> {
    let bad = |expected| BadLine::new(1, expected, text);
    let open = text.iter().position(|&byte| byte == b'(').ok_or_else(|| bad("a name in parentheses"))?;
    let close = text.iter().rposition(|&byte| byte == b')').ok_or_else(|| bad("a name in parentheses"))?;
    let command = text.get(open + 1..close).ok_or_else(|| bad("a name in parentheses"))?;
    let pid = unsigned32(text[..open].trim_ascii_end()).ok_or_else(|| bad("(1) pid"))?;

    let rest = text[close + 1..].trim_ascii();
    let mut fields = rest.split(|&byte| byte == b' ');
    let mut field = |skipped: usize, expected: &'static str| fields.nth(skipped).ok_or_else(|| bad(expected));

    let state = field(0, "(3) state")?;
    let &[letter] = state else { return Err(bad("(3) state")) };
    let parent = field(0, "(4) ppid")?;
    let flags = field(4, "(9) flags")?;
    let user_time = field(4, "(14) utime")?;
    let system_time = field(0, "(15) stime")?;
    let nice = field(3, "(19) nice")?;
    let threads = field(0, "(20) num_threads")?;
    let started = field(1, "(22) starttime")?;
    let virtual_size = field(0, "(23) vsize")?;
    let resident = field(0, "(24) rss")?;
    let read = resident.as_ptr().addr() - rest.as_ptr().addr() + resident.len();

    Ok(Stat {
        pid: Pid(pid),
        command,
        state: State::from_letter(letter),
        parent: Pid(unsigned32(parent).ok_or_else(|| bad("(4) ppid"))?),
        flags: unsigned32(flags).ok_or_else(|| bad("(9) flags"))?,
        user_time_ticks: unsigned(user_time).ok_or_else(|| bad("(14) utime"))?,
        system_time_ticks: unsigned(system_time).ok_or_else(|| bad("(15) stime"))?,
        nice: signed(nice).and_then(|nice| i32::try_from(nice).ok()).ok_or_else(|| bad("(19) nice"))?,
        threads: unsigned32(threads).ok_or_else(|| bad("(20) num_threads"))?,
        started_ticks: unsigned(started).ok_or_else(|| bad("(22) starttime"))?,
        virtual_bytes: unsigned(virtual_size).ok_or_else(|| bad("(23) vsize"))?,
        resident_pages: unsigned(resident).ok_or_else(|| bad("(24) rss"))?,
        later: rest.get(read..).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Policy, Scheduling, State, parse};
    use crate::Pid;

    const TAIL: &str =
        "S 7 0 0 0 -1 4194560 1 2 3 4 50 60 0 0 20 -5 3 0 2400 8192 17 18446744073709551615 0\n";

    #[test]
    fn the_fields_are_those_of_the_manual_page() {
        let text = format!("41 (worker) {TAIL}");
        let stat = parse(text.as_bytes()).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.state), (Pid(41), Pid(7), State::Sleeping));
        assert_eq!((stat.user_time_ticks, stat.system_time_ticks, stat.started_ticks), (50, 60, 2400));
        assert_eq!((stat.nice, stat.threads, stat.virtual_bytes, stat.resident_pages), (-5, 3, 8192, 17));
        assert!(!stat.is_kernel_thread() && stat.has_memory());
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in [&b""[..], b")", b"a) R 1 (b", b"x\n1 (y) S 0", b"\x1b[2J\xff", b"( ( ("] {
            let text = [b"41 (", name, b") ", TAIL.as_bytes()].concat();
            let stat = parse(&text).unwrap();
            assert_eq!((stat.command, stat.parent), (name, Pid(7)));
        }
    }

    #[test]
    fn a_kernel_thread_is_known_by_its_flag() {
        let text =
            b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 18446744073709551615 0";
        assert!(parse(text).unwrap().is_kernel_thread());
    }

    #[test]
    fn how_it_is_scheduled_stands_behind_the_memory_and_may_be_absent() {
        let more = "1 1 0 0 0 0 0 0 0 0 0 0 17 3 50 2 77 0 0\n";
        let text = format!(
            "41 (worker) {}",
            TAIL.replace("18446744073709551615 0\n", "18446744073709551615 ") + more
        );
        let expected =
            Scheduling { last_cpu: 3, realtime_priority: 50, policy: Policy::RoundRobin, blocked_ticks: 77 };
        assert_eq!(parse(text.as_bytes()).unwrap().scheduling(), Some(expected));
        assert_eq!(parse(format!("41 (worker) {TAIL}").as_bytes()).unwrap().scheduling(), None);
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(parse(b"").unwrap_err().expected, "a name in parentheses");
        assert_eq!(parse(b"1 )(").unwrap_err().expected, "a name in parentheses");
        assert_eq!(parse(b"1 (x) S 1 2 3").unwrap_err().expected, "(9) flags");
        assert_eq!(parse(b"1 (x) S x").unwrap_err().expected, "(9) flags");
    }
}
