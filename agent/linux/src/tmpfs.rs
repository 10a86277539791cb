//! File systems in memory that a process has mounted, and how much is in them: memory that no process maps.
//!
//! Sources: proc_pid_mountinfo(5) and statfs(2).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;

use crate::{Pid, ProcName, ReadError, Root};

/// Three paths of at most 4 KiB, of which each byte may be an escape of four.
const LONGEST_LINE_BYTES: usize = 64 << 10;
/// So many are looked at.
const MOST_MOUNTS: usize = 64;
/// So many mounts are kept, of those that matter here.
const MOST_KEPT: usize = 1024;

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
    pub path: Box<[u8]>,
    /// In its files.
    pub used_bytes: u64,
    /// What fits. `None`: no limit of its own.
    pub size_bytes: Option<u64>,
}

/// A line of mountinfo, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    device: Box<[u8]>,
    is_whole: bool,
    path: Box<[u8]>,
    kind: Box<[u8]>,
}

impl Mount {
    fn may_hang(&self) -> bool {
        !NEVER_HANG.contains(&&*self.kind)
    }
}

/// Looks into each that process `pid` sees, once, in the order of their mounts; and what could not be looked into.
///
/// A recording has none: the room in them is not in any file.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
pub fn read(root: &Root, pid: Pid) -> Result<(Vec<Tmpfs>, Vec<ReadError>), ReadError> {
    let mut mounts = Vec::new();
    root.lines(&ProcName::of(pid, "mountinfo"), LONGEST_LINE_BYTES, |line| {
        mounts.extend(parse_line(line).filter(|mount| &*mount.kind == b"tmpfs" || mount.may_hang()));
        mounts.len() < MOST_KEPT
    })?;
    if mounts.len() == MOST_KEPT {
        // What is on the way to each is not known then.
        let source = io::Error::from(Errno::EFBIG);
        return Err(ReadError::Io {
            op: "keep",
            path: root.proc_path(&ProcName::of(pid, "mountinfo")),
            source,
        });
    }
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    if root.is_recorded() {
        return Ok((found, failed));
    }
    for mount in in_memory(&mounts) {
        let path = Path::new(OsStr::from_bytes(&mount.path));
        match root.room_in_memory(pid, path) {
            Ok(Some(room)) => found.push(Tmpfs {
                path: mount.path.clone(),
                used_bytes: room.used_bytes,
                size_bytes: Some(room.size_bytes).filter(|&size| size > 0),
            }),
            // Something else is mounted over it.
            Ok(None) => {}
            Err(error) => failed.push(error),
        }
    }
    Ok((found, failed))
}

/// The mounts of whole file systems in memory, each file system once, that can be reached without waiting.
fn in_memory(mounts: &[Mount]) -> impl Iterator<Item = &Mount> {
    let may_hang = |path: &[u8]| {
        let path = Path::new(OsStr::from_bytes(path));
        let on_the_way =
            |mount: &&Mount| &*mount.path != b"/" && path.starts_with(OsStr::from_bytes(&mount.path));
        mounts.iter().filter(on_the_way).any(Mount::may_hang)
    };
    let mut devices = BTreeSet::new();
    let whole = mounts.iter().filter(|mount| &*mount.kind == b"tmpfs" && mount.is_whole);
    // What the engine hides behind empty ones is not the target's.
    let of_target =
        whole.filter(|mount| !mount.path.starts_with(b"/proc/") && !mount.path.starts_with(b"/sys/"));
    of_target.filter(move |mount| !may_hang(&mount.path) && devices.insert(&mount.device)).take(MOST_MOUNTS)
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = fields.nth(2)?;
    let (root, path) = (fields.next()?, fields.next()?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount { device: device.into(), is_whole: root == b"/", path: unescape(path), kind: kind.into() })
}

/// Turns `\040` and the like back into the byte.
fn unescape(text: &[u8]) -> Box<[u8]> {
    let octal = |digits: &[u8]| {
        digits.iter().try_fold(0_u8, |number, digit| {
            let digit = digit.checked_sub(b'0').filter(|&digit| digit < 8)?;
            number.checked_mul(8)?.checked_add(digit)
        })
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escaped = if first == b'\\' { after.get(..3).and_then(octal) } else { None };
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    bytes.into()
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
        let mounts: Vec<_> = MOUNTINFO.lines().filter_map(|line| parse_line(line.as_bytes())).collect();
        let paths: Vec<_> = in_memory(&mounts).map(|mount| &*mount.path).collect();
        assert_eq!(paths, [&b"/dev"[..], b"/dev/shm", b"/a b", b"/farther"]);
    }

    #[test]
    fn nonsense_is_no_mount() {
        for line in [&b""[..], b"1 2 3", b"1 2 3 / /x rw - ", b"\\"] {
            assert!(parse_line(line).is_none_or(|mount| mount.kind.is_empty()), "{line:?}");
        }
        assert_eq!(&*unescape(b"\\040\\9\\777\\"), b" \\9\\777\\");
    }
}
