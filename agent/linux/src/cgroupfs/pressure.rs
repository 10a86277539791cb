//! `memory.pressure`, `cpu.pressure`, `io.pressure` and `/proc/pressure/*`: how much time was lost waiting.
//!
//! Format: Linux, Documentation/accounting/psi.rst. Since Linux 4.20; in a cgroup of version 2 only, and absent
//! where the kernel was started without pressure stall information.

use super::{Cgroup, Version};
use crate::number::unsigned;
use crate::{BadLine, Buffer, ReadError};

/// The lines of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// Time in which at least one task waited.
    pub some: Stall,
    /// Time in which all tasks waited. `None` for the CPU of the whole system before Linux 5.13.
    pub full: Option<Stall>,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stall {
    /// Share of the last 10 seconds, in hundredths of a percent: 1234 is 12.34 %.
    pub avg10_basis_points: u32,
    /// The same of the last 60 seconds.
    pub avg60_basis_points: u32,
    /// The same of the last 300 seconds.
    pub avg300_basis_points: u32,
    /// Since the cgroup was made.
    pub total_micros: u64,
}

/// Reads a file of the group, such as `cpu.pressure`. `None` where the kernel has none.
///
/// # Errors
///
/// [`ReadError`] if it is there and can not be read.
pub fn read(cgroup: &Cgroup<'_>, file: &str, buffer: &mut Buffer) -> Result<Option<Pressure>, ReadError> {
    if cgroup.version() == Version::V1 {
        return Ok(None);
    }
    match cgroup.read("", file, buffer, parse) {
        Err(error) if error.is_gone() || error.is_switched_off() => Ok(None),
        pressure => pressure.map(Some),
    }
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if there is no line `some`, or a figure is none.
pub fn parse(text: &[u8]) -> Result<Pressure, BadLine> {
    let (mut some, mut full) = (None, None);
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let stall = match line.split(|&byte| byte == b' ').next() {
            Some(b"some") => &mut some,
            Some(b"full") => &mut full,
            _ => continue,
        };
        *stall = Some(parse_stall(line).ok_or_else(|| BadLine::new(at + 1, "averages and a total", line))?);
    }
    Ok(Pressure { some: some.ok_or_else(|| BadLine::new(1, "a line `some`", text))?, full })
}

fn parse_stall(line: &[u8]) -> Option<Stall> {
    let figure = |key: &[u8]| line.split(|&byte| byte == b' ').find_map(|word| word.strip_prefix(key));
    Some(Stall {
        avg10_basis_points: basis_points(figure(b"avg10=")?)?,
        avg60_basis_points: basis_points(figure(b"avg60=")?)?,
        avg300_basis_points: basis_points(figure(b"avg300=")?)?,
        total_micros: unsigned(figure(b"total=")?)?,
    })
}

/// `12.34` is 1234.
fn basis_points(percent: &[u8]) -> Option<u32> {
    let point = percent.iter().position(|&byte| byte == b'.')?;
    let (whole, hundredths) = (unsigned(&percent[..point])?, &percent[point + 1..]);
    let hundredths = if hundredths.len() == 2 { unsigned(hundredths)? } else { return None };
    u32::try_from(whole.checked_mul(100)?.checked_add(hundredths)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_their_two_digits() {
        let text = b"some avg10=0.07 avg60=12.34 avg300=100.00 total=21031\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        let pressure = parse(text).unwrap();
        let expected = Stall {
            avg10_basis_points: 7,
            avg60_basis_points: 1234,
            avg300_basis_points: 10_000,
            total_micros: 21_031,
        };
        assert_eq!(pressure.some, expected);
        assert_eq!(pressure.full.map(|full| full.total_micros), Some(7));
    }

    #[test]
    fn a_line_that_is_missing_is_absent_and_a_broken_one_is_told() {
        assert_eq!(parse(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n").unwrap().full, None);
        assert!(parse(b"").is_err());
        assert!(parse(b"some avg10=0.0 avg60=0.00 avg300=0.00 total=0\n").is_err());
    }
}
