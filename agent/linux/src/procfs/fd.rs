//! `/proc/<pid>/fd`: what the descriptors of a process lead to.
//!
//! Format: proc_pid_fd(5). One symbolic link per descriptor: the path of a file, with " (deleted)" appended if that name
//! is gone; or `type:[inode]`, `anon_inode:[type]` and `anon_inode:type` for what never had a name.

use crate::file::FileStatus;
use crate::{Buffer, Pid, ProcDirectory, ProcName, ReadError, Root};

const DELETED: &[u8] = b" (deleted)";

/// What a link says of the descriptor's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whatever has a path.
    Path,
    /// `pipe:[…]`
    Pipe,
    /// `socket:[…]`, with its inode.
    Socket(u64),
    /// `/memfd:…`
    Memfd,
    /// `net:[…]`, `mnt:[…]` and so on.
    Namespace,
    /// `anon_inode:…`
    Eventfd,
    /// `anon_inode:…`
    Epoll,
    /// `anon_inode:…`
    Inotify,
    /// `anon_inode:…`
    Fanotify,
    /// `anon_inode:…`
    Timerfd,
    /// `anon_inode:…`
    Signalfd,
    /// `anon_inode:…`
    Pidfd,
    /// `anon_inode:…`
    IoUring,
    /// `anon_inode:…`, a program, map or link
    Bpf,
    /// `anon_inode:…`
    PerfEvent,
    /// `anon_inode:…`
    Userfaultfd,
    /// Anything else that has no path.
    Other,
}

/// Counts the descriptors of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended. Before Linux 6.2, which tells the number as the directory's size, the
/// descriptors have to be listed, and that needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
pub fn count(root: &Root, pid: Pid) -> Result<u64, ReadError> {
    if !root.is_recorded() {
        let told = root.size(&ProcName::of(pid, "fd"))?;
        if told > 0 {
            return Ok(told);
        }
    }
    open(root, pid)?.numbers().map(|numbers| numbers.len() as u64)
}

/// Where a descriptor leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'t> {
    /// What kind of thing that is.
    pub kind: Kind,
    /// The link without the kernel's mark for deleted files. Any bytes at all.
    pub name: &'t [u8],
    /// True if the link ends as those of deleted files do; a file may also be named so.
    pub seems_deleted: bool,
}

/// The open directory of a process.
#[derive(Debug)]
pub struct Descriptors {
    directory: ProcDirectory,
}

/// Opens the directory of process `pid`.
///
/// # Errors
///
/// [`ReadError`]: denied without CAP_DAC_READ_SEARCH to all but the process's own user.
pub fn open(root: &Root, pid: Pid) -> Result<Descriptors, ReadError> {
    Ok(Descriptors { directory: root.directory(&ProcName::of(pid, "fd"))? })
}

impl Descriptors {
    /// The open descriptors, ascending. Not a snapshot: each may have been closed since.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the process may have ended.
    pub fn numbers(&mut self) -> Result<Vec<u32>, ReadError> {
        self.directory.numbers()
    }

    /// Where descriptor `number` leads to. `None`: to a path that is too long to be told.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; it may have been closed.
    pub fn link<'b>(&self, number: u32, buffer: &'b mut Buffer) -> Result<Option<Link<'b>>, ReadError> {
        Ok(self.directory.link(number, buffer)?.map(parse))
    }

    /// The file behind descriptor `number`. It is not opened, and no server is asked for it.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; it may have been closed.
    pub fn behind(&self, number: u32) -> Result<FileStatus, ReadError> {
        self.directory.behind(number)
    }
}

/// Parses the text of a link.
pub fn parse(link: &[u8]) -> Link<'_> {
    let (name, seems_deleted) = match link.strip_suffix(DELETED) {
        Some(name) if name.starts_with(b"/") => (name, true),
        _ => (link, false),
    };
    Link { kind: kind(name, seems_deleted), name, seems_deleted }
}

fn kind(name: &[u8], seems_deleted: bool) -> Kind {
    // No file system is mounted whose root it would be, so that it always counts as deleted.
    if seems_deleted && name.starts_with(b"/memfd:") {
        return Kind::Memfd;
    }
    if name.starts_with(b"/") {
        return Kind::Path;
    }
    let Some(colon) = name.iter().position(|&byte| byte == b':') else { return Kind::Other };
    let (before, after) = (&name[..colon], &name[colon + 1..]);
    let inside = after.strip_prefix(b"[").and_then(|after| after.strip_suffix(b"]")).unwrap_or(after);
    match before {
        b"socket" => crate::number::unsigned(inside).map_or(Kind::Other, Kind::Socket),
        b"pipe" => Kind::Pipe,
        b"pidfd" => Kind::Pidfd,
        b"net" | b"mnt" | b"pid" | b"ipc" | b"uts" | b"user" | b"cgroup" | b"time" => Kind::Namespace,
        b"anon_inode" => match inside {
            b"eventfd" => Kind::Eventfd,
            b"eventpoll" => Kind::Epoll,
            b"inotify" => Kind::Inotify,
            b"fanotify" => Kind::Fanotify,
            b"timerfd" => Kind::Timerfd,
            b"signalfd" => Kind::Signalfd,
            b"pidfd" => Kind::Pidfd,
            b"io_uring" => Kind::IoUring,
            b"perf_event" => Kind::PerfEvent,
            b"userfaultfd" => Kind::Userfaultfd,
            _ if inside.starts_with(b"bpf") => Kind::Bpf,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Link, parse};

    #[test]
    fn the_link_tells_the_kind() {
        let kinds = |link: &str| parse(link.as_bytes()).kind;
        assert_eq!(kinds("socket:[4242]"), Kind::Socket(4242));
        assert_eq!(kinds("pipe:[7]"), Kind::Pipe);
        assert_eq!(kinds("anon_inode:[eventpoll]"), Kind::Epoll);
        assert_eq!(kinds("anon_inode:inotify"), Kind::Inotify);
        assert_eq!(kinds("anon_inode:bpf-map"), Kind::Bpf);
        assert_eq!(kinds("net:[4026531840]"), Kind::Namespace);
        assert_eq!(kinds("/dev/null"), Kind::Path);
        assert_eq!([kinds(""), kinds("socket:[x]"), kinds("dmabuf:x")], [Kind::Other; 3]);
    }

    #[test]
    fn the_mark_of_a_deleted_file_is_no_part_of_its_name() {
        let link = parse(b"/var/log/a b\n (deleted)");
        assert_eq!(link, Link { kind: Kind::Path, name: b"/var/log/a b\n", seems_deleted: true });
        assert_eq!(parse(b"/memfd:x (deleted)").kind, Kind::Memfd);
        assert_eq!(parse(b"/memfd:x").kind, Kind::Path);
        assert!(!parse(b"pipe:[7] (deleted)").seems_deleted);
    }
}
