//! The memory of a cgroup as it sees itself: `memory.current` and `memory.max`, or their names in version 1.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
//!
//! A container sees its own cgroup at `/sys/fs/cgroup`, or at `/sys/fs/cgroup/memory` in version 1.

use std::path::Path;

use crate::number::unsigned;
use crate::{BadLine, Buffer, Pid, ReadError, Root};

const BOUND_BYTES: usize = 4096;

/// A limit, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing but the machine is the limit.
    Unlimited,
    /// At most so many bytes.
    Bytes(u64),
}

/// Version of the control groups, see cgroups(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy per controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The two files of one cgroup. Each may fail alone.
#[derive(Debug)]
pub struct Memory {
    /// Which files were found.
    pub version: Version,
    /// Charged to the cgroup, page cache included.
    pub current_bytes: Result<u64, ReadError>,
    /// The hard limit.
    pub limit: Result<Limit, ReadError>,
}

/// Reads the files as process `pid` sees them.
///
/// # Errors
///
/// [`ReadError::Io`] if neither version's files can be opened: denied without CAP_SYS_PTRACE, gone if
/// the target has no memory controller.
pub fn read(root: &Root, pid: Pid, page_bytes: u64, buffer: &mut Buffer) -> Result<Memory, ReadError> {
    match read_file(root, pid, "/sys/fs/cgroup/memory.current", buffer, parse_current) {
        Err(error) if error.is_gone() => {}
        // Both versions are denied alike: say so instead of guessing one.
        Err(error) if error.is_denied() => return Err(error),
        current_bytes => {
            let limit = read_file(root, pid, "/sys/fs/cgroup/memory.max", buffer, parse_max);
            return Ok(Memory { version: Version::V2, current_bytes, limit });
        }
    }
    let current_bytes =
        match read_file(root, pid, "/sys/fs/cgroup/memory/memory.usage_in_bytes", buffer, parse_current) {
            Err(error) if error.is_gone() => return Err(error),
            current_bytes => current_bytes,
        };
    let parse_limit = |text: &[u8]| parse_limit_in_bytes(text, page_bytes);
    let limit = read_file(root, pid, "/sys/fs/cgroup/memory/memory.limit_in_bytes", buffer, parse_limit);
    Ok(Memory { version: Version::V1, current_bytes, limit })
}

fn read_file<T>(
    root: &Root,
    pid: Pid,
    path: &str,
    buffer: &mut Buffer,
    parse: impl FnOnce(&[u8]) -> Result<T, BadLine>,
) -> Result<T, ReadError> {
    let file = root.open_in(pid, Path::new(path))?;
    let text = file.read(BOUND_BYTES, buffer)?;
    parse(text).map_err(|bad_line| bad_line.at(file.path().into()))
}

/// Parses `memory.current` or, in version 1, `memory.usage_in_bytes`.
///
/// # Errors
///
/// [`BadLine`] if it is no number.
pub fn parse_current(text: &[u8]) -> Result<u64, BadLine> {
    unsigned(text.trim_ascii()).ok_or_else(|| BadLine::new(1, "a number of bytes", text))
}

/// Parses `memory.max`, version 2.
///
/// # Errors
///
/// [`BadLine`] if it is neither a number nor "max".
pub fn parse_max(text: &[u8]) -> Result<Limit, BadLine> {
    match text.trim_ascii() {
        b"max" => Ok(Limit::Unlimited),
        _ => parse_current(text).map(Limit::Bytes),
    }
}

/// Parses `memory.limit_in_bytes`, version 1, where the largest number of whole pages means no limit.
///
/// # Errors
///
/// [`BadLine`] if it is no number.
pub fn parse_limit_in_bytes(text: &[u8], page_bytes: u64) -> Result<Limit, BadLine> {
    // PAGE_COUNTER_MAX of the kernel's include/linux/page_counter.h, in bytes.
    let page_bytes = page_bytes.max(1);
    let unlimited = i64::MAX.unsigned_abs() / page_bytes * page_bytes;
    let bytes = parse_current(text)?;
    Ok(if bytes >= unlimited { Limit::Unlimited } else { Limit::Bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use super::{Limit, parse_limit_in_bytes, parse_max};

    #[test]
    fn unlimited_is_not_a_large_number() {
        assert_eq!(parse_max(b"max\n"), Ok(Limit::Unlimited));
        assert_eq!(parse_max(b"0\n"), Ok(Limit::Bytes(0)));
        assert_eq!(parse_limit_in_bytes(b"9223372036854771712\n", 4096), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"9223372036854710272\n", 65536), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"67108864\n", 4096), Ok(Limit::Bytes(64 << 20)));
        assert!(parse_max(b"").is_err());
    }
}
