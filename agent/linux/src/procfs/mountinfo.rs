//! `/proc/<pid>/mountinfo`: the mounts that a process sees below its root.
//!
//! Format: proc_pid_mountinfo(5). Paths are any bytes, with four of them written as octal escapes.

use crate::file::Device;
use crate::number::{unsigned, unsigned32};
use crate::{BadLine, Pid, ProcName, ReadError, Root};

/// Three paths of at most 4 KiB, of which each byte may be an escape of four.
const LONGEST_LINE_BYTES: usize = 64 << 10;
/// Far more than anyone has. The kernel's own bound, `fs.mount-max`, is 100,000.
const MOST_MOUNTS: usize = 30_000;

/// What is kept of their names: a mount takes some 250 bytes besides.
const MOST_NAME_BYTES: usize = 4 << 20;

/// How mounts that are made later spread, see mount_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Neither from here nor to here.
    Private,
    /// From here to its peers, and back.
    Shared,
    /// To here only.
    Slave,
    /// To here from a master, and between here and peers.
    SharedAndSlave,
    /// Not at all, and it can not be bound elsewhere.
    Unbindable,
}

const EXPECTED: &str = "the fields of a mount";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Used again after the mount is gone.
    pub id: u64,
    /// The mount that it is mounted on.
    pub parent: u64,
    /// Device of the file system.
    pub device: Device,
    /// The directory of the file system that is mounted.
    pub root: Vec<u8>,
    /// Where, seen from the process's root.
    pub path: Vec<u8>,
    /// Kind of file system, for example `overlay`.
    pub file_system: Vec<u8>,
    /// What whoever mounted it has called it.
    pub source: Vec<u8>,
    /// Nothing can be written, by the mount's options or by the file system's.
    pub read_only: bool,
    /// Set-id bits have no effect.
    pub no_suid: bool,
    /// Devices can not be opened.
    pub no_dev: bool,
    /// No program can be executed.
    pub no_exec: bool,
    /// How later mounts spread.
    pub propagation: Propagation,
}

/// The mounts of a process, as far as there is room for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    /// In the order in which the kernel has them.
    pub mounts: Vec<Mount>,
    /// True if there were more.
    pub cut: bool,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid) -> Result<Mounts, ReadError> {
    let name = ProcName::of(pid, "mountinfo");
    let (mut mounts, mut cut, mut name_bytes) = (Vec::new(), false, 0);
    let mut bad_line = None;
    root.lines(&name, LONGEST_LINE_BYTES, |line| {
        name_bytes += line.len();
        cut = mounts.len() == MOST_MOUNTS || name_bytes > MOST_NAME_BYTES;
        if cut {
            return false;
        }
        match mount(line) {
            Some(mount) => mounts.push(mount),
            None => bad_line = Some(BadLine::new(mounts.len() + 1, EXPECTED, line)),
        }
        bad_line.is_none()
    })?;
    bad_line.map_or(Ok(Mounts { mounts, cut }), |bad_line| Err(bad_line.at(root.proc_path(&name))))
}

/// Parses the file's text.
///
/// # Errors
///
/// [`BadLine`] for the first line that lacks a field.
pub fn parse(text: &[u8]) -> Result<Vec<Mount>, BadLine> {
    let lines = text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines.map(|(nth, line)| mount(line).ok_or_else(|| BadLine::new(nth + 1, EXPECTED, line))).collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = unsigned(fields.next()?)?;
    let parent = unsigned(fields.next()?)?;
    let mut device = fields.next()?.splitn(2, |&byte| byte == b':').map(unsigned32);
    let device = Device { major: device.next()??, minor: device.next()?? };
    let (root, path) = (unescape(fields.next()?), unescape(fields.next()?));
    let options = fields.next()?;
    let propagation = propagation(fields.by_ref().take_while(|&field| field != b"-"));
    let (file_system, source) = (unescape(fields.next()?), unescape(fields.next()?));
    let super_options = fields.next().unwrap_or_default();
    let has = |options: &[u8], option: &[u8]| options.split(|&byte| byte == b',').any(|one| one == option);
    Some(Mount {
        id,
        parent,
        device,
        root,
        path,
        file_system,
        source,
        read_only: has(options, b"ro") || has(super_options, b"ro"),
        no_suid: has(options, b"nosuid"),
        no_dev: has(options, b"nodev"),
        no_exec: has(options, b"noexec"),
        propagation,
    })
}

/// Of the optional fields, of which there may be any number.
fn propagation<'f>(fields: impl Iterator<Item = &'f [u8]>) -> Propagation {
    let (mut shared, mut slave, mut unbindable) = (false, false, false);
    for field in fields {
        shared |= field.starts_with(b"shared:");
        slave |= field.starts_with(b"master:");
        unbindable |= field == b"unbindable";
    }
    match (shared, slave) {
        (true, true) => Propagation::SharedAndSlave,
        (true, false) => Propagation::Shared,
        (false, true) => Propagation::Slave,
        (false, false) if unbindable => Propagation::Unbindable,
        (false, false) => Propagation::Private,
    }
}

/// Turns `\040` and the like back into the byte.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        if first == b'\\'
            && let Some(byte) = rest.get(..3).and_then(octal)
        {
            bytes.push(byte);
            text = &rest[3..];
        } else {
            bytes.push(first);
            text = rest;
        }
    }
    bytes
}

fn octal(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0_u8, |number, &digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 8)?;
        number.checked_mul(8)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::{Propagation, parse};

    #[test]
    fn a_mount_has_its_flags_and_a_path_of_any_bytes() {
        let text = b"36 35 98:0 /mnt1 /mnt\\0402\\012\\134 rw,noexec,nosuid,nodev,noatime shared:3 master:1 - ext3 /dev/root rw,errors=continue\n\
            9 36 0:21 / / ro - tmpfs  rw\n1 0 0:2 / /x rw unbindable propagate_from:2 - ramfs none ro\n";
        let mounts = parse(text).unwrap();
        assert_eq!((mounts[0].id, mounts[0].parent, mounts[0].device.major), (36, 35, 98));
        assert_eq!(
            (mounts[0].path.as_slice(), mounts[0].root.as_slice()),
            (&b"/mnt 2\n\\"[..], &b"/mnt1"[..])
        );
        assert!(mounts[0].no_exec && mounts[0].no_suid && mounts[0].no_dev && !mounts[0].read_only);
        assert_eq!(mounts[0].propagation, Propagation::SharedAndSlave);
        assert_eq!((mounts[1].read_only, mounts[1].source.as_slice()), (true, &b""[..]));
        assert_eq!((mounts[2].read_only, mounts[2].propagation), (true, Propagation::Unbindable));
    }

    #[test]
    fn a_line_that_lacks_a_field_is_named() {
        assert_eq!(parse(b"36 35 98:0 / /a rw - ext3 x rw\n36 35\n").unwrap_err().line, 2);
    }
}
