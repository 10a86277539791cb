//! `/proc/<pid>/fdinfo/<number>`: position, flags and what is special of one descriptor.
//!
//! Format: proc_pid_fdinfo(5) and the kernel's Documentation/filesystems/proc.rst. `Key:\tvalue` lines; one
//! `tfd:` line per watched descriptor of an epoll instance, one `inotify wd:` or `fanotify` line per watch, one `lock:`
//! line per lock.

use super::keyed::keyed_lines;
use crate::number::{signed, unsigned};
use crate::{Buffer, Pid, ProcDirectory, ProcName, ReadError, Root};

/// An epoll instance writes about 90 bytes per descriptor that it watches.
const BOUND_BYTES: usize = 1 << 20;
/// What all files begin with: four lines.
const HEAD_BYTES: usize = 255;
/// More locks than this on one file say nothing more.
const MOST_LOCKS: usize = 16;

/// The file of one descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fdinfo {
    /// `pos`: where the next read or write begins.
    pub offset_bytes: Option<u64>,
    /// `flags`: those of open(2).
    pub flags: Option<u32>,
    /// `mnt_id`
    pub mount_id: Option<u64>,
    /// `ino`, since Linux 5.14.
    pub inode: Option<u64>,
    /// `eventfd-count`
    pub eventfd_count: Option<u64>,
    /// Lines `tfd:`, `inotify wd:` and `fanotify ino:` or `fanotify sdev:`. `None`: the file was too long to count.
    pub watched: Option<u64>,
    /// `sigmask` of a signalfd.
    pub signal_mask: Option<u64>,
    /// `Pid` of a pidfd: -1 once it has ended, 0 if it is outside the PID namespace.
    pub pid: Option<i32>,
    /// Of a timerfd.
    pub timer: Option<Timer>,
    /// `lock:` lines, without the key.
    pub locks: Vec<String>,
}

/// `clockid`, `ticks`, `it_value` and `it_interval` of a timerfd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timer {
    /// A clock of clock_gettime(2).
    pub clock: u32,
    /// Time until it fires; 0 if it is not armed.
    pub remaining_nanos: u64,
    /// 0: it fires once.
    pub interval_nanos: u64,
    /// How often it has fired and was not read yet.
    pub expirations: u64,
}

/// The open directory of a process.
#[derive(Debug)]
pub struct Fdinfos {
    directory: ProcDirectory,
}

/// Opens the directory of this process itself.
///
/// # Errors
///
/// [`ReadError`].
pub fn open_own(root: &Root) -> Result<Fdinfos, ReadError> {
    Ok(Fdinfos { directory: root.directory(&ProcName::own("fdinfo"))? })
}

/// Opens the directory of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn open(root: &Root, pid: Pid) -> Result<Fdinfos, ReadError> {
    Ok(Fdinfos { directory: root.directory(&ProcName::of(pid, "fdinfo"))? })
}

impl Fdinfos {
    /// The open descriptors, ascending. Not a snapshot: each may have been closed since.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the process may have ended.
    pub fn numbers(&mut self) -> Result<Vec<u32>, ReadError> {
        self.directory.numbers()
    }

    /// Which file descriptor `number` leads to: the mount that it is in and its inode. `None` before Linux 5.14, which
    /// tells the inode. The mount tells sockets from other files, all of which are in that of the kernel's own "sockfs".
    ///
    /// # Errors
    ///
    /// [`ReadError`]; it may have been closed.
    pub fn file(&self, number: u32, buffer: &mut Buffer) -> Result<Option<(u64, u64)>, ReadError> {
        Ok(parse_file(self.directory.read(number, HEAD_BYTES, buffer)?.bytes))
    }

    /// Reads the file of descriptor `number`.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; it may have been closed.
    pub fn read(&self, number: u32, buffer: &mut Buffer) -> Result<Fdinfo, ReadError> {
        let content = self.directory.read(number, BOUND_BYTES, buffer)?;
        let info = parse(content.bytes);
        Ok(if content.cut { Fdinfo { watched: None, ..info } } else { info })
    }
}

/// Parses the text of the file. What is not there or no number is absent.
pub fn parse(text: &[u8]) -> Fdinfo {
    let mut info = Fdinfo { watched: Some(0), ..Fdinfo::default() };
    for (key, value) in keyed_lines(text) {
        let value = value.text();
        match key {
            b"pos" => info.offset_bytes = unsigned(value),
            b"flags" => info.flags = radix(value, 8).and_then(|flags| u32::try_from(flags).ok()),
            b"mnt_id" => info.mount_id = unsigned(value),
            b"ino" => info.inode = unsigned(value),
            b"eventfd-count" => info.eventfd_count = radix(value, 16),
            b"tfd" | b"inotify wd" | b"fanotify ino" | b"fanotify sdev" | b"fanotify mnt_id" => {
                info.watched = info.watched.map(|count| count.saturating_add(1));
            }
            b"sigmask" => info.signal_mask = radix(value, 16),
            b"Pid" => info.pid = signed(value).and_then(|pid| i32::try_from(pid).ok()),
            b"clockid" => info.timer.get_or_insert_default().clock = number(value),
            b"ticks" => info.timer.get_or_insert_default().expirations = unsigned(value).unwrap_or(0),
            b"it_value" => info.timer.get_or_insert_default().remaining_nanos = nanos(value).unwrap_or(0),
            b"it_interval" => info.timer.get_or_insert_default().interval_nanos = nanos(value).unwrap_or(0),
            b"lock" if info.locks.len() < MOST_LOCKS => {
                info.locks.push(String::from_utf8_lossy(value).into_owned());
            }
            _ => {}
        }
    }
    info
}

/// Parses the beginning of the file: the mount and the inode, if both are there.
pub fn parse_file(text: &[u8]) -> Option<(u64, u64)> {
    let mut mount = None;
    for (key, value) in keyed_lines(text) {
        match key {
            b"mnt_id" => mount = value.number(),
            b"ino" => return Some((mount?, value.number()?)),
            _ => {}
        }
    }
    None
}

fn number(value: &[u8]) -> u32 {
    unsigned(value).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

fn radix(value: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(value).ok()?, radix).ok()
}

/// `(seconds, nanoseconds)`
fn nanos(value: &[u8]) -> Option<u64> {
    let inside = value.strip_prefix(b"(")?.strip_suffix(b")")?;
    let comma = inside.iter().position(|&byte| byte == b',')?;
    let seconds = unsigned(inside[..comma].trim_ascii())?;
    let nanos = unsigned(inside[comma + 1..].trim_ascii())?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::{Timer, parse, parse_file};

    #[test]
    fn a_file_has_position_flags_and_locks() {
        let info = parse(
            b"pos:\t4096\nflags:\t0102001\nmnt_id:\t24\nino:\t3\nlock:\t1: FLOCK  ADVISORY  WRITE 7 08:01:12 0 EOF\n",
        );
        assert_eq!((info.offset_bytes, info.flags, info.mount_id), (Some(4096), Some(0o102_001), Some(24)));
        assert_eq!((info.inode, info.watched), (Some(3), Some(0)));
        assert_eq!(info.locks, ["1: FLOCK  ADVISORY  WRITE 7 08:01:12 0 EOF"]);
    }

    #[test]
    fn the_beginning_tells_which_file_it_is() {
        assert_eq!(parse_file(b"pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t4242\n"), Some((9, 4242)));
        assert_eq!(parse_file(b"pos:\t0\nflags:\t02\nmnt_id:\t9\n"), None);
        assert_eq!(parse_file(b"ino:\t4242\nmnt_id:\t9\n"), None);
    }

    #[test]
    fn what_is_special_of_each_kind_is_read() {
        let info = parse(b"pos:\t0\neventfd-count:               1f\neventfd-id: 3\n");
        assert_eq!(info.eventfd_count, Some(31));
        let epoll = b"pos:\t0\ntfd:        5 events:       19 data:                5  pos:0 ino:1 sdev:9\n\
            tfd:        6 events:       19 data:                6  pos:0 ino:2 sdev:9\n";
        assert_eq!(parse(epoll).watched, Some(2));
        assert_eq!(parse(b"inotify wd:1 ino:2 sdev:3 mask:8 ignored_mask:0\n").watched, Some(1));
        assert_eq!(parse(b"sigmask:\t0000000000000201\n").signal_mask, Some(0x201));
        assert_eq!(parse(b"Pid:\t-1\nNSpid:\t-1\n").pid, Some(-1));
        let timer =
            b"clockid: 1\nticks: 2\nsettime flags: 01\nit_value: (49, 406829417)\nit_interval: (1, 0)\n";
        let expected = Timer {
            clock: 1,
            remaining_nanos: 49_406_829_417,
            interval_nanos: 1_000_000_000,
            expirations: 2,
        };
        assert_eq!(parse(timer).timer, Some(expected));
    }
}
