//! The memory of a cgroup as it sees itself: `memory.current` and `memory.max`, or their names in version 1.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.

use super::keyed::{parse_limit, parse_number};
use super::{Cgroup, Limit, Version};
use crate::{BadLine, Buffer, ReadError};

const CONTROLLER: &str = "memory";

/// The two files of one cgroup. Each may fail alone.
#[derive(Debug)]
pub struct Memory {
    /// Charged to the cgroup, page cache included.
    pub current_bytes: Result<u64, ReadError>,
    /// The hard limit.
    pub limit: Result<Limit, ReadError>,
}

/// Reads the files.
pub fn read(cgroup: &Cgroup<'_>, page_bytes: u64, buffer: &mut Buffer) -> Memory {
    match cgroup.version() {
        Version::V2 => Memory {
            current_bytes: cgroup.read(CONTROLLER, "memory.current", buffer, parse_number),
            limit: cgroup.read(CONTROLLER, "memory.max", buffer, parse_limit),
        },
        Version::V1 => Memory {
            current_bytes: cgroup.read(CONTROLLER, "memory.usage_in_bytes", buffer, parse_number),
            limit: cgroup.read(CONTROLLER, "memory.limit_in_bytes", buffer, |text| {
                parse_limit_in_bytes(text, page_bytes)
            }),
        },
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
    let bytes = parse_number(text)?;
    Ok(if bytes >= unlimited { Limit::Unlimited } else { Limit::At(bytes) })
}

#[cfg(test)]
mod tests {
    use super::{Limit, parse_limit_in_bytes};

    #[test]
    fn unlimited_is_not_a_large_number() {
        assert_eq!(parse_limit_in_bytes(b"9223372036854771712\n", 4096), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"9223372036854710272\n", 65536), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"67108864\n", 4096), Ok(Limit::At(64 << 20)));
    }
}
