//! The two forms that most files have: one value, or lines of `key value`.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst, "Interface Files". Version 1 has the same.

use super::Limit;
use crate::BadLine;
use crate::number::unsigned;

/// Parses a file that is one number, such as `memory.current`.
///
/// # Errors
///
/// [`BadLine`] if it is none.
pub fn parse_number(text: &[u8]) -> Result<u64, BadLine> {
    unsigned(text.trim_ascii()).ok_or_else(|| BadLine::new(1, "a number", text))
}

/// Parses a file that is one number or "max", such as `pids.max`.
///
/// # Errors
///
/// [`BadLine`] if it is neither.
pub fn parse_limit(text: &[u8]) -> Result<Limit, BadLine> {
    match text.trim_ascii() {
        b"max" => Ok(Limit::Unlimited),
        _ => parse_number(text).map(Limit::At),
    }
}

/// A file of lines `key value`, such as `memory.stat` or `cpu.stat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyed {
    lines: Vec<(Box<[u8]>, u64)>,
}

impl Keyed {
    /// The value of a key; `None` if the file does not have it.
    pub fn get(&self, key: &str) -> Option<u64> {
        self.lines.iter().find(|(known, _)| **known == *key.as_bytes()).map(|(_, value)| *value)
    }
}

/// Parses the text of such a file. Lines whose value is no unsigned number are left out: kernels add new keys.
///
/// # Errors
///
/// [`BadLine`] if there is no line of that form at all.
pub fn parse(text: &[u8]) -> Result<Keyed, BadLine> {
    let line = |line: &[u8]| {
        let space = line.iter().position(|&byte| byte == b' ')?;
        Some((line[..space].into(), unsigned(line[space + 1..].trim_ascii())?))
    };
    let lines: Vec<_> = text.split(|&byte| byte == b'\n').filter_map(line).collect();
    if lines.is_empty() { Err(BadLine::new(1, "a key and a number", text)) } else { Ok(Keyed { lines }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_there_is_absent_and_not_zero() {
        let stat = parse(b"anon 4096\nfile 0\nlow-word max\n").unwrap();
        assert_eq!((stat.get("anon"), stat.get("file"), stat.get("kernel")), (Some(4096), Some(0), None));
        assert!(parse(b"").is_err() && parse(b"nonsense\n").is_err());
    }

    #[test]
    fn unlimited_is_not_a_large_number() {
        assert_eq!(parse_limit(b"max\n"), Ok(Limit::Unlimited));
        assert_eq!(parse_limit(b"0\n"), Ok(Limit::At(0)));
        assert!(parse_limit(b"").is_err());
    }
}
