//! File systems in memory that a process has mounted, and how much is in them: memory that no process maps.
//!
//! Sources: proc_pid_mountinfo(5) and statfs(2).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::sys::statfs::TMPFS_MAGIC;

use crate::procfs::mountinfo::{self, Mount};
use crate::sys::LastLink;
use crate::{Pid, ReadError, Root};

/// So many are looked at.
const MOST_MOUNTS: usize = 64;

/// Kinds of file systems that never keep waiting whoever walks through them.
const NEVER_HANG: [&[u8]; 12] = [
    b"tmpfs",
    b"proc",
    b"sysfs",
    b"devpts",
    b"devtmpfs",
    b"mqueue",
    b"cgroup",
    b"cgroup2",
    b"overlay",
    b"ext4",
    b"xfs",
    b"btrfs",
];

/// A file system in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where it is mounted.
    pub path: Vec<u8>,
    /// In its files.
    pub used_bytes: u64,
    /// What fits. `None`: no limit of its own.
    pub size_bytes: Option<u64>,
}

/// Looks into each that process `pid` sees, once, in the order of their mounts; and what could not be looked into.
///
/// A recording has none: the room in them is not in any file.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
pub fn read(root: &Root, pid: Pid) -> Result<(Vec<Tmpfs>, Vec<ReadError>), ReadError> {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    if root.is_recorded() {
        return Ok((found, failed));
    }
    let target = root.target(pid)?;
    let mounts = mountinfo::read(root, pid)?.mounts;
    for mount in in_memory(&mounts) {
        let place = target.find(Path::new(OsStr::from_bytes(&mount.path)), LastLink::Keep);
        match place.and_then(|place| place.space()) {
            // Something else may be mounted over it.
            Ok(space) if is_in_memory(space.magic) => found.push(Tmpfs {
                path: mount.path.clone(),
                used_bytes: space.size_bytes.saturating_sub(space.free_bytes),
                size_bytes: Some(space.size_bytes).filter(|&size| size > 0),
            }),
            Ok(_) => {}
            Err(error) => failed.push(error),
        }
    }
    Ok((found, failed))
}

/// Whether `f_type` of statfs(2) is that of a tmpfs.
fn is_in_memory(magic: u64) -> bool {
    i128::from(magic) == i128::from(TMPFS_MAGIC.0)
}

fn may_hang(mount: &Mount) -> bool {
    !NEVER_HANG.contains(&mount.file_system.as_slice())
}

/// The mounts of whole file systems in memory, each file system once, that can be reached without waiting.
fn in_memory(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    let hanging = mounts.iter().filter(|mount| mount.path != b"/" && may_hang(mount));
    let hanging: BTreeSet<_> = hanging.map(|mount| Path::new(OsStr::from_bytes(&mount.path))).collect();
    let is_behind_one = move |path: &[u8]| {
        Path::new(OsStr::from_bytes(path)).ancestors().any(|ancestor| hanging.contains(ancestor))
    };
    let mut devices = BTreeSet::new();
    let whole = mounts.iter().filter(|mount| mount.file_system == b"tmpfs" && mount.root == b"/");
    // What the engine hides behind empty ones is not the target's.
    let of_target =
        whole.filter(|mount| !mount.path.starts_with(b"/proc/") && !mount.path.starts_with(b"/sys/"));
    of_target
        .filter(move |mount| !is_behind_one(&mount.path) && devices.insert(mount.device))
        .take(MOST_MOUNTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
69 45 0:39 / / rw,nodev master:2 - fuse.fuse-overlayfs fuse-overlayfs rw
71 69 0:42 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
85 71 0:46 / /dev/shm rw,nosuid - tmpfs shm rw,size=65536k
50 70 0:47 / /proc/acpi ro,relatime - tmpfs tmpfs ro
51 70 0:42 /null /proc/keys rw,nosuid - tmpfs tmpfs rw
90 69 0:50 / /a\\040b rw - tmpfs x rw
91 69 0:50 / /again rw - tmpfs x rw
92 69 0:51 / /far rw - nfs4 x rw
93 92 0:52 / /far/near rw - tmpfs x rw
94 69 0:53 / /farther rw - tmpfs x rw
";

    #[test]
    fn each_is_looked_at_once_and_none_behind_what_may_hang() {
        let mounts = mountinfo::parse(MOUNTINFO.as_bytes()).unwrap();
        let paths: Vec<_> = in_memory(&mounts).map(|mount| mount.path.as_slice()).collect();
        assert_eq!(paths, [&b"/dev"[..], b"/dev/shm", b"/a b", b"/farther"]);
    }
}
