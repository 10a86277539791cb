//! Lists of CPUs such as `0-3,8`, as in cpuset files and in `Cpus_allowed_list` of `/proc/<pid>/status`.
//!
//! Format: cpuset(7), "List Format".

use crate::BadLine;
use crate::number::unsigned32;

/// Counts the CPUs of a list. An empty list has none.
///
/// # Errors
///
/// [`BadLine`] if a part is neither a number nor a range of two.
pub fn parse_count(text: &[u8]) -> Result<u32, BadLine> {
    let bad = || BadLine::new(1, "a list of CPUs", text);
    let list = text.trim_ascii();
    if list.is_empty() {
        return Ok(0);
    }
    list.split(|&byte| byte == b',').try_fold(0_u32, |count, part| {
        let mut ends = part.splitn(2, |&byte| byte == b'-').map(unsigned32);
        let first = ends.next().flatten().ok_or_else(bad)?;
        let last = ends.next().unwrap_or(Some(first)).ok_or_else(bad)?;
        let cpus = last.checked_sub(first).and_then(|more| more.checked_add(1)).ok_or_else(bad)?;
        count.checked_add(cpus).ok_or_else(bad)
    })
}

#[cfg(test)]
mod tests {
    use super::parse_count;

    #[test]
    fn ranges_and_single_cpus_are_counted() {
        let count = |text: &str| parse_count(text.as_bytes()).ok();
        assert_eq!((count("0\n"), count("0-3,8"), count("\n")), (Some(1), Some(5), Some(0)));
        assert_eq!(["3-0", "a", "0-", ",", "0-4294967295"].map(count), [None; 5]);
    }
}
