//! What statx(2) tells of a file.

use std::ffi::CStr;
use std::fmt;
use std::os::fd::BorrowedFd;

use nix::libc;

use crate::sys::{self, Statx, StatxTime};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A local socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Nothing that inode(7) knows: some files of the kernel's own.
    Other,
}

impl FileKind {
    /// The kind that a mode says.
    pub fn of_mode(mode: u32) -> Self {
        match mode & libc::S_IFMT {
            libc::S_IFREG => Self::Regular,
            libc::S_IFDIR => Self::Directory,
            libc::S_IFLNK => Self::Link,
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFSOCK => Self::Socket,
            libc::S_IFCHR => Self::CharacterDevice,
            libc::S_IFBLK => Self::BlockDevice,
            _ => Self::Other,
        }
    }

    /// The kind that a directory entry says. `None`: the file system does not tell.
    pub(crate) fn of_entry(kind: u8) -> Option<Self> {
        Some(match kind {
            libc::DT_REG => Self::Regular,
            libc::DT_DIR => Self::Directory,
            libc::DT_LNK => Self::Link,
            libc::DT_FIFO => Self::Fifo,
            libc::DT_SOCK => Self::Socket,
            libc::DT_CHR => Self::CharacterDevice,
            libc::DT_BLK => Self::BlockDevice,
            _ => return None,
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Other => "no kind of file that is known",
        })
    }
}

/// A moment, as file systems keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime {
    /// Since the Unix epoch; negative before it.
    pub unix_seconds: i64,
    /// Less than a thousand million.
    pub nanos: u32,
}

/// Numbers of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

/// A flag of a file: `STATX_ATTR_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The file system compresses it.
    Compressed,
    /// Nobody may change, rename or remove it.
    Immutable,
    /// It may only grow.
    AppendOnly,
    /// Left out of backups by dump(8).
    NoDump,
    /// A key is needed to read it.
    Encrypted,
    /// Something is mounted here when it is entered.
    Automount,
    /// The root of a mount.
    MountRoot,
    /// Its content is verified by fs-verity.
    Verity,
    /// It lives in memory, without page cache.
    Dax,
}

/// Bits as in `include/uapi/linux/stat.h`.
const ATTRIBUTES: [(u64, Attribute); 9] = [
    (0x0004, Attribute::Compressed),
    (0x0010, Attribute::Immutable),
    (0x0020, Attribute::AppendOnly),
    (0x0040, Attribute::NoDump),
    (0x0800, Attribute::Encrypted),
    (0x1000, Attribute::Automount),
    (0x2000, Attribute::MountRoot),
    (0x10_0000, Attribute::Verity),
    (0x20_0000, Attribute::Dax),
];

const STATX_MNT_ID: u32 = 0x1000;

/// What is asked for of every file.
const WANTED: u32 = libc::STATX_BASIC_STATS | libc::STATX_BTIME | STATX_MNT_ID;

/// Everything that statx(2) tells of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStatus {
    /// What it is.
    pub kind: FileKind,
    /// The lower twelve bits of its mode.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length of the content, holes included.
    pub size_bytes: u64,
    /// Room that it takes.
    pub disk_bytes: u64,
    /// Names that it has.
    pub links: u32,
    /// Number within its file system.
    pub inode: u64,
    /// Device of its file system.
    pub device: Device,
    /// The device that it stands for, if it is one.
    pub special: Option<Device>,
    /// The size of efficient reads.
    pub block_bytes: u32,
    /// Last read; file systems are lazy with it.
    pub accessed: FileTime,
    /// Last change of the content.
    pub modified: FileTime,
    /// Last change of content or status.
    pub changed: FileTime,
    /// Birth. `None`: its file system does not keep it.
    pub created: Option<FileTime>,
    /// As in mountinfo. `None` before Linux 5.8.
    pub mount_id: Option<u64>,
    /// Flags that are set.
    pub attributes: Vec<Attribute>,
}

impl FileStatus {
    /// Looks at `name` in the directory `at`, or at `at` itself if the name is empty. A link is not followed.
    pub(crate) fn of(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<Self> {
        let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
        sys::statx(at, name, flags, WANTED).map(|raw| Self::parse(&raw))
    }

    /// As [`Self::of`], but as [`Self::known`] if a file system is mounted there: its server may never answer.
    pub(crate) fn unless_mounted(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<Self> {
        let known = Self::known(at, name)?;
        // Before Linux 5.8 it is not told what a mount is.
        if known.attributes.contains(&Attribute::MountRoot) { Ok(known) } else { Self::of(at, name) }
    }

    /// As [`Self::of`], as far as this machine knows it: no server is asked.
    pub(crate) fn known(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<Self> {
        let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
        sys::statx(at, name, flags, WANTED).map(|raw| Self::parse(&raw))
    }

    /// Looks at what the link `name` in the directory `at` leads to, as far as this machine knows it: the server of a
    /// network file system is not asked, which may never answer.
    pub(crate) fn behind(at: BorrowedFd<'_>, name: &CStr) -> nix::Result<Self> {
        sys::statx(at, name, libc::AT_STATX_DONT_SYNC, WANTED).map(|raw| Self::parse(&raw))
    }

    pub(crate) fn parse(raw: &Statx) -> Self {
        let kind = FileKind::of_mode(raw.mode.into());
        let is_device = matches!(kind, FileKind::CharacterDevice | FileKind::BlockDevice);
        let special = Device { major: raw.special_major, minor: raw.special_minor };
        let [accessed, created, changed, modified] = raw.times.map(time);
        let flags = raw.attributes & raw.attributes_mask;
        Self {
            kind,
            permissions: u32::from(raw.mode) & 0o7777,
            uid: raw.uid,
            gid: raw.gid,
            size_bytes: raw.size,
            disk_bytes: raw.blocks.saturating_mul(512),
            links: raw.links,
            inode: raw.inode,
            device: Device { major: raw.device_major, minor: raw.device_minor },
            special: is_device.then_some(special),
            block_bytes: raw.block_bytes,
            accessed,
            modified,
            changed,
            created: (raw.mask & libc::STATX_BTIME != 0).then_some(created),
            mount_id: (raw.mask & STATX_MNT_ID != 0).then_some(raw.mount_id),
            attributes: ATTRIBUTES
                .into_iter()
                .filter(|(bit, _)| flags & bit != 0)
                .map(|(_, name)| name)
                .collect(),
        }
    }

    /// What no other file has at the same time.
    pub fn identity(&self) -> (Device, u64) {
        (self.device, self.inode)
    }

    /// Whether it lies in the same mount, or at least in the same file system where the kernel tells no more.
    pub fn is_mounted_with(&self, other: &Self) -> bool {
        match (self.mount_id, other.mount_id) {
            (Some(one), Some(other)) => one == other,
            _ => self.device == other.device,
        }
    }
}

fn time(raw: StatxTime) -> FileTime {
    FileTime { unix_seconds: raw.seconds, nanos: raw.nanos }
}
