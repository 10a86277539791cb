//! `Root`: the one place that opens files; the live system or a recording.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::NixPath as _;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::unistd::read;

use crate::{Pid, ReadError, sys};

mod buffer;
mod directory;
mod name;

pub use buffer::{Buffer, Content};
pub use directory::ProcDirectory;
pub use name::ProcName;

/// A read that returns fewer bytes than this is the last one of its file.
///
/// The files of procfs hand out all they have, but for at most a page at the end of the buffer: the
/// second read, which would only say "end", is a quarter of the cost of a small file.
const SHORT_READ_BYTES: usize = 4000;

/// How often a file of the target is tried to be opened. Where its path leads through `..`, the kernel gives up with
/// `EAGAIN` when anything on the machine was renamed meanwhile.
const MOST_TRIES: usize = 100;

/// What is read of a file at once that is taken line by line.
const CHUNK_BYTES: usize = 64 << 10;

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// The directory that sources are read from: `/`, or a recorded tree.
///
/// A recording keeps what git can not in two ways: `<file>.denied` stands for a file that could not be
/// opened for lack of a right, and the owner of a process is the effective uid in its `status`.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    top: OwnedFd,
    proc: OwnedFd,
    recorded: bool,
}

impl Root {
    /// The running system.
    ///
    /// # Errors
    ///
    /// Where no `/proc` is mounted.
    pub fn live() -> Result<Self, ReadError> {
        Self::at(Path::new("/"), false)
    }

    /// The recorded tree in `dir`, with its `proc/`.
    ///
    /// # Errors
    ///
    /// If one of the two is not there.
    pub fn recorded(dir: &Path) -> Result<Self, ReadError> {
        Self::at(dir, true)
    }

    fn at(dir: &Path, recorded: bool) -> Result<Self, ReadError> {
        let top = open(dir, DIRECTORY, Mode::empty()).map_err(|errno| failed("open", dir.into(), errno))?;
        let proc = openat(&top, c"proc", DIRECTORY, Mode::empty())
            .map_err(|errno| failed("open", dir.join("proc"), errno))?;
        Ok(Self { path: dir.into(), top, proc, recorded })
    }

    /// True for a recorded tree.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Reads a file below `/proc`, at most `bound` bytes of it.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]; the process may have ended at any moment.
    #[inline]
    pub fn read<'b>(
        &self,
        name: &ProcName,
        bound: usize,
        buffer: &'b mut Buffer,
    ) -> Result<Content<'b>, ReadError> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.proc, name.as_c_str(), flags, Mode::empty())
            .map_err(|errno| self.cannot("open", name, self.recorded_errno(name, errno)))?;
        buffer
            .fill(bound, SHORT_READ_BYTES, |bytes| read(&file, bytes))
            .map_err(|errno| self.cannot("read", name, errno))
    }

    /// Hands each line of a file below `/proc` to `take`, until that returns false. A file of any length takes no more
    /// memory than its longest line, at most `bound` bytes; what is longer is cut.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub(crate) fn lines(
        &self,
        name: &ProcName,
        bound: usize,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), ReadError> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.proc, name.as_c_str(), flags, Mode::empty())
            .map_err(|errno| self.cannot("open", name, self.recorded_errno(name, errno)))?;
        let (mut chunk, mut begun) = (vec![0; CHUNK_BYTES], Vec::new());
        loop {
            let count = match read(&file, &mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(self.cannot("read", name, errno)),
            };
            let mut parts = chunk[..count].split(|&byte| byte == b'\n').peekable();
            while let Some(part) = parts.next() {
                let room = bound.saturating_sub(begun.len());
                begun.extend_from_slice(&part[..part.len().min(room)]);
                // Of the last part the end is still to come.
                if parts.peek().is_some() {
                    if !take(&begun) {
                        return Ok(());
                    }
                    begun.clear();
                }
            }
        }
        if !begun.is_empty() {
            take(&begun);
        }
        Ok(())
    }

    /// The numeric entries of a directory below `/proc`, ascending: processes of `/proc` itself, threads
    /// of `/proc/<pid>/task`.
    pub(crate) fn numbers(&self, name: &ProcName) -> Result<Vec<Pid>, ReadError> {
        let numbers = self.directory(name)?.numbers()?;
        Ok(numbers.into_iter().map(Pid).collect())
    }

    /// The user id that owns a directory below `/proc`. Meaningless in a recording.
    pub(crate) fn owner(&self, name: &ProcName) -> Result<u32, ReadError> {
        fstatat(&self.proc, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
            .map(|stat| stat.st_uid)
            .map_err(|errno| self.cannot("stat", name, errno))
    }

    /// The size of a directory below `/proc`. Meaningless in a recording.
    pub(crate) fn size(&self, name: &ProcName) -> Result<u64, ReadError> {
        fstatat(&self.proc, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
            .map(|stat| u64::try_from(stat.st_size).unwrap_or(0))
            .map_err(|errno| self.cannot("stat", name, errno))
    }

    /// The inode number of what a name below `/proc` leads to, for example of a namespace.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn inode(&self, name: &ProcName) -> Result<u64, ReadError> {
        fstatat(&self.proc, name.as_c_str(), AtFlags::empty())
            .map(|stat| stat.st_ino)
            .map_err(|errno| self.cannot("stat", name, errno))
    }

    /// Reads a file at the top of a recorded tree.
    pub(crate) fn read_top<'b>(
        &self,
        name: &CStr,
        bound: usize,
        buffer: &'b mut Buffer,
    ) -> Result<Content<'b>, ReadError> {
        let cannot = |op, errno| failed(op, self.top_path(&name.to_string_lossy()), errno);
        let file = openat(&self.top, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|errno| cannot("open", errno))?;
        buffer.fill(bound, 1, |bytes| read(&file, bytes)).map_err(|errno| cannot("read", errno))
    }

    /// The room in the file system in memory that `path` leads to, as process `pid` sees it. `None` if it leads to another.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: permission denied without CAP_SYS_PTRACE.
    pub(crate) fn room_in_memory(&self, pid: Pid, path: &Path) -> Result<Option<Room>, ReadError> {
        let name = ProcName::of(pid, "root");
        let root = openat(&self.proc, name.as_c_str(), DIRECTORY, Mode::empty())
            .map_err(|errno| self.cannot("open", &name, errno))?;
        let below = path.strip_prefix("/").unwrap_or(path);
        let opened = below.with_nix_path(|below| sys::open_below(root.as_fd(), below)).flatten();
        let statfs = opened.and_then(|directory| fstatfs(&directory));
        let statfs = statfs.map_err(|errno| failed("look into", self.proc_path(&name).join(below), errno))?;
        if statfs.filesystem_type() != TMPFS_MAGIC {
            return Ok(None);
        }
        // Its type differs between C libraries and architectures.
        let block_bytes = u64::try_from(i128::from(statfs.block_size())).unwrap_or_default();
        let used = statfs.blocks().saturating_sub(statfs.blocks_free());
        Ok(Some(Room {
            used_bytes: used.saturating_mul(block_bytes),
            size_bytes: statfs.blocks().saturating_mul(block_bytes),
        }))
    }

    /// Opens a regular file as process `pid` sees it: `path` below `/proc/<pid>/root`.
    ///
    /// The path is the target's to shape: no symbolic link leads out of the target's root, no magic link
    /// is followed, opening never blocks, and what is not a regular file is refused. See openat2(2).
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: permission denied without CAP_SYS_PTRACE, `EINVAL` for what is not a regular
    /// file, `ENOSYS` before Linux 5.6.
    pub fn open_in(&self, pid: Pid, path: &Path) -> Result<TargetFile, ReadError> {
        let name = ProcName::of(pid, "root");
        let root = openat(&self.proc, name.as_c_str(), DIRECTORY, Mode::empty())
            .map_err(|errno| self.cannot("open", &name, self.recorded_errno(&name, errno)))?;
        let shown = self.proc_path(&name).join(path.strip_prefix("/").unwrap_or(path));
        let open = |path: &CStr| {
            let mut tries = (0..MOST_TRIES).map(|_| sys::open_below(root.as_fd(), path));
            tries.find(|opened| !matches!(opened, Err(Errno::EAGAIN))).unwrap_or(Err(Errno::EAGAIN))
        };
        let opened = path.with_nix_path(open).flatten().and_then(|file| {
            let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
            if kind == SFlag::S_IFREG { Ok(file) } else { Err(Errno::EINVAL) }
        });
        match opened {
            Ok(file) => Ok(TargetFile { file, path: shown }),
            Err(errno) => Err(failed("open", shown, errno)),
        }
    }

    /// Where a file below `/proc` is, for messages.
    pub(crate) fn proc_path(&self, name: &ProcName) -> PathBuf {
        self.path.join("proc").join(name.to_string())
    }

    /// Where a file at the top is, for messages.
    pub(crate) fn top_path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    #[cold]
    fn cannot(&self, op: &'static str, name: &ProcName, errno: Errno) -> ReadError {
        failed(op, self.proc_path(name), errno)
    }

    #[cold]
    fn recorded_errno(&self, name: &ProcName, errno: Errno) -> Errno {
        let denied = || fstatat(&self.proc, format!("{name}.denied").as_str(), AtFlags::empty()).is_ok();
        if self.recorded && denied() { Errno::EACCES } else { errno }
    }
}

/// Room in a file system, see statfs(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) used_bytes: u64,
    pub(crate) size_bytes: u64,
}

/// An open regular file of the target.
#[derive(Debug)]
pub struct TargetFile {
    file: OwnedFd,
    path: PathBuf,
}

impl TargetFile {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]; `EFBIG` if the file is longer than `bound` bytes.
    pub fn read<'b>(&self, bound: usize, buffer: &'b mut Buffer) -> Result<&'b [u8], ReadError> {
        let content = buffer
            .fill(bound, 1, |bytes| read(&self.file, bytes))
            .map_err(|errno| failed("read", self.path.clone(), errno))?;
        if content.cut { Err(failed("read", self.path.clone(), Errno::EFBIG)) } else { Ok(content.bytes) }
    }

    /// Where the file is, seen from the agent.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn failed(op: &'static str, path: PathBuf, errno: Errno) -> ReadError {
    ReadError::Io { op, path, source: io::Error::from(errno) }
}
