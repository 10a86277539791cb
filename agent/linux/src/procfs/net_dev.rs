//! `/proc/self/net/dev`: what the interfaces of the network namespace have received and transmitted.
//!
//! Format: proc_pid_net(5), and `dev_seq_printf_stats` in Linux, net/core/net-procfs.c: two lines of heading, then
//! the name, a colon, and 16 numbers.

use crate::number::unsigned;
use crate::{BadLine, ProcName, ReadError, Root};

/// A line is a name of at most 15 bytes and 16 numbers of at most 20 digits.
const BOUND_BYTES: usize = 512;

const HEADING_LINES: usize = 2;

/// An interface. All figures count from when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Any bytes but white space, `/` and `:`.
    pub name: Box<[u8]>,
    /// What came in.
    pub received: Received,
    /// What went out.
    pub transmitted: Transmitted,
}

/// What an interface has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the file's heading")]
pub struct Received {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
    pub fifo_errors: u64,
    pub frame_errors: u64,
    pub compressed: u64,
    pub multicast: u64,
}

/// What an interface has transmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the file's heading")]
pub struct Transmitted {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
    pub fifo_errors: u64,
    pub collisions: u64,
    pub carrier_errors: u64,
    pub compressed: u64,
}

/// Hands each interface to `take`, until that returns false.
///
/// # Errors
///
/// [`ReadError`]; without network support in the kernel there is no such file.
pub fn read(root: &Root, mut take: impl FnMut(Interface) -> bool) -> Result<(), ReadError> {
    let name = ProcName::own("net/dev");
    let (mut line_number, mut bad) = (0, None);
    root.lines(&name, BOUND_BYTES, |line| {
        line_number += 1;
        if line_number <= HEADING_LINES {
            return true;
        }
        match parse(line) {
            Ok(interface) => take(interface),
            Err(bad_line) => {
                bad = Some(BadLine { line: line_number, ..bad_line });
                false
            }
        }
    })?;
    bad.map_or(Ok(()), |bad_line| Err(bad_line.at(root.proc_path(&name))))
}

/// Parses the line of an interface.
///
/// # Errors
///
/// [`BadLine`] if it is not a name and 16 numbers.
pub fn parse(line: &[u8]) -> Result<Interface, BadLine> {
    let bad = |expected| BadLine::new(1, expected, line);
    let colon = line.iter().rposition(|&byte| byte == b':').ok_or_else(|| bad("a name and a colon"))?;
    let numbers = line[colon + 1..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut numbers = numbers.map(unsigned);
    let mut number = || numbers.next().flatten().ok_or_else(|| bad("16 numbers"));
    Ok(Interface {
        name: line[..colon].trim_ascii().into(),
        received: Received {
            bytes: number()?,
            packets: number()?,
            errors: number()?,
            dropped: number()?,
            fifo_errors: number()?,
            frame_errors: number()?,
            compressed: number()?,
            multicast: number()?,
        },
        transmitted: Transmitted {
            bytes: number()?,
            packets: number()?,
            errors: number()?,
            dropped: number()?,
            fifo_errors: number()?,
            collisions: number()?,
            carrier_errors: number()?,
            compressed: number()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_the_order_of_the_heading() {
        let line = b"  eth0:    1    2    3    4    5     6          7         8        9      10   11   12   13    14      15         16";
        let received = Received {
            bytes: 1,
            packets: 2,
            errors: 3,
            dropped: 4,
            fifo_errors: 5,
            frame_errors: 6,
            compressed: 7,
            multicast: 8,
        };
        let transmitted = Transmitted {
            bytes: 9,
            packets: 10,
            errors: 11,
            dropped: 12,
            fifo_errors: 13,
            collisions: 14,
            carrier_errors: 15,
            compressed: 16,
        };
        assert_eq!(parse(line), Ok(Interface { name: (*b"eth0").into(), received, transmitted }));
    }

    #[test]
    fn figures_may_touch_the_colon_and_names_may_be_any_bytes() {
        let line = b"\x1b[2J\xff:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        let interface = parse(line).unwrap();
        assert_eq!((&*interface.name, interface.received.bytes), (&b"\x1b[2J\xff"[..], u64::MAX));
    }

    #[test]
    fn what_is_not_sixteen_numbers_is_refused() {
        assert_eq!(parse(b"eth0 1 2").unwrap_err().expected, "a name and a colon");
        assert_eq!(parse(b"eth0: 1 2 3").unwrap_err().expected, "16 numbers");
        assert_eq!(
            parse(b"eth0: 1 2 -3 4 5 6 7 8 9 10 11 12 13 14 15 16").unwrap_err().expected,
            "16 numbers"
        );
    }
}
