//! Files of the target: found without being opened, looked at, and opened only if they are files or directories.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::NixPath as _;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;
use nix::sys::uio::pread;
use nix::unistd::{Whence, lseek, read};

use super::{Buffer, Root, TargetDirectory, failed};
use crate::ReadError;
use crate::file::{FileKind, FileStatus};
use crate::sys::{self, LastLink};

/// How often a file of the target is looked for. Where its path leads through `..`, the kernel gives up with
/// `EAGAIN` when anything on the machine was renamed or mounted meanwhile.
const MOST_TRIES: usize = 600;
/// After so many in a row, whoever holds the kernel's lock may be waiting for a CPU.
const TRIES_AT_ONCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// An access control list has a header and 8 bytes per entry. The kernel allows 64 KiB, nobody has 500 entries.
const LONGEST_ACL_BYTES: usize = 4 << 10;

/// `PROC_SUPER_MAGIC`
const PROC_MAGIC: u64 = 0x9fa0;

/// Names in procfs of what a process keeps to itself.
const SECRET: [&[u8]; 2] = [b"environ", b"mem"];

/// The root directory of a process, and all below it, as that process sees it.
///
/// Paths are the target's to shape: no symbolic link leads out of its root, and no magic link is followed.
#[derive(Debug)]
pub struct TargetRoot<'r> {
    root: &'r Root,
    dir: OwnedFd,
    /// Where it is, for messages.
    path: PathBuf,
}

impl<'r> TargetRoot<'r> {
    pub(super) fn new(root: &'r Root, dir: OwnedFd, path: PathBuf) -> Self {
        Self { root, dir, path }
    }

    /// Finds what `path` names, seen from the root. It is not opened: nothing in the target notices.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: `ENOSYS` before Linux 5.6, `ELOOP` for a magic link.
    pub fn find(&self, path: &Path, last_link: LastLink) -> Result<Found<'r>, ReadError> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        find(self.root, self.dir.as_fd(), named, last_link, self.path.join(path))
    }
}

pub(super) fn find<'r>(
    root: &'r Root,
    at: BorrowedFd<'_>,
    path: &Path,
    last_link: LastLink,
    shown: PathBuf,
) -> Result<Found<'r>, ReadError> {
    let find = |path: &CStr| {
        let mut tries = (0..MOST_TRIES).map(|nth| {
            if nth >= TRIES_AT_ONCE {
                thread::sleep(PAUSE);
            }
            sys::find_below(at, path, last_link)
        });
        tries.find(|found| !matches!(found, Err(Errno::EAGAIN))).unwrap_or(Err(Errno::EAGAIN))
    };
    let found = path.with_nix_path(find).flatten().and_then(|place| {
        let status = FileStatus::unless_mounted(place.as_fd(), c"")?;
        Ok((place, status))
    });
    match found {
        Ok((place, status)) => Ok(Found { root, place, status, path: shown }),
        Err(errno) => Err(failed("find", shown, errno)),
    }
}

/// Something of the target that has been found and looked at, and is not open.
#[derive(Debug)]
pub struct Found<'r> {
    root: &'r Root,
    place: OwnedFd,
    status: FileStatus,
    path: PathBuf,
}

/// Room in a file system, see statfs(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All there is.
    pub size_bytes: u64,
    /// What is not used, with what is kept for root.
    pub free_bytes: u64,
    /// What others than root can use.
    pub available_bytes: u64,
    /// `None`: the file system has no fixed number of them.
    pub inodes: Option<u64>,
    /// Inodes that are not used.
    pub inodes_free: u64,
    /// Which file system it is: `f_type`.
    pub magic: u64,
}

/// File systems that know all of their files themselves, by `f_type` of statfs(2).
const LOCAL: [u64; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x2fc1_2fc1, // zfs
    0xf2f5_2010, // f2fs
    0x0102_1994, // tmpfs
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
    PROC_MAGIC,
];

impl<'r> Found<'r> {
    /// What it was when it was found; of the top of a mount, what this machine knew of it.
    pub fn status(&self) -> &FileStatus {
        &self.status
    }

    /// What it is now.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn status_now(&self) -> Result<FileStatus, ReadError> {
        FileStatus::of(self.place.as_fd(), c"").map_err(|errno| self.cannot("look at", errno))
    }

    /// Where it is, seen from the agent.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], also if it is no link.
    pub fn link_target(&self) -> Result<Vec<u8>, ReadError> {
        let target = readlinkat(&self.place, c"").map_err(|errno| self.cannot("read the link", errno))?;
        Ok(target.into_vec())
    }

    /// Finds what has the name `name` in this directory. A link at the end is not followed.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], also if it is no directory.
    pub fn child(&self, name: &Path) -> Result<Found<'r>, ReadError> {
        find(self.root, self.place.as_fd(), name, LastLink::Keep, self.path.join(name))
    }

    /// Opens the regular file for reading.
    ///
    /// # Errors
    ///
    /// [`ReadError::OtherKind`] if it is none: reading from a device or FIFO would be noticed. [`ReadError::Secrets`]
    /// for the environment and memory of a process, of the target or of another container in its PID namespace.
    pub fn file(&self) -> Result<TargetFile, ReadError> {
        if self.status.kind == FileKind::Regular && self.is_secret()? {
            return Err(ReadError::Secrets { path: self.path.clone() });
        }
        let file = self.open(FileKind::Regular, OFlag::empty())?;
        Ok(TargetFile { file, path: self.path.clone() })
    }

    /// Opens the directory for listing.
    ///
    /// # Errors
    ///
    /// [`ReadError::OtherKind`] if it is none.
    pub fn directory(&self) -> Result<TargetDirectory<'r>, ReadError> {
        let directory = self.open(FileKind::Directory, OFlag::O_DIRECTORY)?;
        let is_local = self.space().is_ok_and(|space| LOCAL.contains(&space.magic));
        Ok(TargetDirectory::new(self.root, directory, self.path.clone(), is_local))
    }

    /// Room in the file system that it lies in.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]. May take for ever if that file system hangs.
    pub fn space(&self) -> Result<Space, ReadError> {
        let statfs = fstatfs(&self.place).map_err(|errno| self.cannot("ask for the room in", errno))?;
        // Its types differ between C libraries and architectures.
        let unsigned = |number: i128| u64::try_from(number).unwrap_or_default();
        let block_bytes = unsigned(i128::from(statfs.block_size()));
        let bytes = |blocks: u64| blocks.saturating_mul(block_bytes);
        Ok(Space {
            size_bytes: bytes(statfs.blocks()),
            free_bytes: bytes(statfs.blocks_free()),
            available_bytes: bytes(unsigned(i128::from(statfs.blocks_available()))),
            inodes: Some(statfs.files()).filter(|&inodes| inodes > 0),
            inodes_free: unsigned(i128::from(statfs.files_free())),
            magic: unsigned(i128::from(statfs.filesystem_type().0)),
        })
    }

    /// The access control list of a file or directory as the kernel hands it out. `None`: it has none.
    ///
    /// # Errors
    ///
    /// As [`Found::file`]: the list is read through an open descriptor.
    pub fn acl(&self) -> Result<Option<Vec<u8>>, ReadError> {
        let open = match self.status.kind {
            FileKind::Directory => self.open(FileKind::Directory, OFlag::O_DIRECTORY)?,
            _ => self.open(FileKind::Regular, OFlag::empty())?,
        };
        let mut bytes = vec![0; LONGEST_ACL_BYTES];
        match sys::read_attribute(open.as_fd(), c"system.posix_acl_access", &mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                Ok(Some(bytes))
            }
            Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(None),
            Err(errno) => Err(self.cannot("read the access control list of", errno)),
        }
    }

    /// Whether it is a file of procfs that tells what its process keeps to itself, wherever that is mounted and whatever
    /// links led there.
    fn is_secret(&self) -> Result<bool, ReadError> {
        if self.space()?.magic != PROC_MAGIC {
            return Ok(false);
        }
        let name = self.place.as_raw_fd().to_string();
        let path = readlinkat(&self.root.descriptors, name.as_str())
            .map_err(|errno| self.cannot("find the name of", errno))?;
        let path = path.as_bytes();
        Ok(SECRET.iter().any(|name| path.rsplit(|&byte| byte == b'/').next() == Some(name)))
    }

    /// Opens just what was found, through the descriptor that names it.
    fn open(&self, wanted: FileKind, more: OFlag) -> Result<OwnedFd, ReadError> {
        if self.status.kind != wanted {
            return Err(ReadError::OtherKind { path: self.path.clone(), found: self.status.kind, wanted });
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | more;
        let name = self.place.as_raw_fd().to_string();
        openat(&self.root.descriptors, name.as_str(), flags, Mode::empty())
            .map_err(|errno| self.cannot("open", errno))
    }

    #[cold]
    fn cannot(&self, op: &'static str, errno: Errno) -> ReadError {
        failed(op, self.path.clone(), errno)
    }
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

    /// Reads from `offset` on, as much as the kernel gives at once. 0: the end.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ReadError> {
        let Ok(offset) = i64::try_from(offset) else { return Ok(0) };
        loop {
            match pread(&self.file, bytes, offset) {
                Err(Errno::EINTR) => {}
                result => return result.map_err(|errno| failed("read", self.path.clone(), errno)),
            }
        }
    }

    /// The next stretch of data at or after `offset`: where it begins, and where the hole after it does. `None`:
    /// there is nothing but a hole. File systems that know no holes call all of it data. See lseek(2).
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn next_data(&self, offset: u64, size: u64) -> Result<Option<(u64, u64)>, ReadError> {
        let seek = |offset: u64, whence| {
            let Ok(offset) = i64::try_from(offset) else { return Err(Errno::ENXIO) };
            lseek(&self.file, offset, whence).map(|at| u64::try_from(at).unwrap_or_default())
        };
        let bounds = || {
            let start = seek(offset, Whence::SeekData)?;
            Ok((start, seek(start, Whence::SeekHole)?))
        };
        match bounds() {
            Ok((start, _)) if start >= size => Ok(None),
            Ok((start, end)) => Ok(Some((start, end.min(size)))),
            Err(Errno::ENXIO) => Ok(None),
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok((offset < size).then_some((offset, size))),
            Err(errno) => Err(failed("find the holes of", self.path.clone(), errno)),
        }
    }

    /// What the file is now.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`].
    pub fn status(&self) -> Result<FileStatus, ReadError> {
        FileStatus::of(self.file.as_fd(), c"").map_err(|errno| failed("look at", self.path.clone(), errno))
    }

    /// Where the file is, seen from the agent.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
