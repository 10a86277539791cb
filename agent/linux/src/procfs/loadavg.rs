//! `/proc/loadavg`: how many threads of the whole machine run, wait for a CPU or hang in I/O, on average.
//!
//! Format: proc_loadavg(5).

use crate::number::{unsigned, unsigned32};
use crate::{BadLine, Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 4096;

/// Averages in hundredths: 142 is 1.42.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadAverage {
    /// Of the last minute.
    pub one_minute_hundredths: u32,
    /// Of the last five.
    pub five_minutes_hundredths: u32,
    /// Of the last fifteen.
    pub fifteen_minutes_hundredths: u32,
    /// Threads of the whole machine.
    pub threads: Option<u64>,
}

/// Reads the file.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(root: &Root, buffer: &mut Buffer) -> Result<LoadAverage, ReadError> {
    let name = ProcName::system("loadavg");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if it does not begin with three averages.
pub fn parse(text: &[u8]) -> Result<LoadAverage, BadLine> {
    let mut words = text.split(|&byte| byte == b' ').map(hundredths);
    let mut average = || words.next().flatten().ok_or_else(|| BadLine::new(1, "three averages", text));
    Ok(LoadAverage {
        one_minute_hundredths: average()?,
        five_minutes_hundredths: average()?,
        fifteen_minutes_hundredths: average()?,
        threads: text.split(|&byte| byte == b' ').nth(3).and_then(threads),
    })
}

/// Behind the slash of `1/121`: those that run stand before it.
fn threads(word: &[u8]) -> Option<u64> {
    let slash = word.iter().position(|&byte| byte == b'/')?;
    unsigned(&word[slash + 1..])
}

fn hundredths(word: &[u8]) -> Option<u32> {
    let point = word.iter().position(|&byte| byte == b'.')?;
    let (whole, fraction) = (unsigned32(&word[..point])?, &word[point + 1..]);
    let fraction = if fraction.len() == 2 { unsigned32(fraction)? } else { return None };
    whole.checked_mul(100)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::{LoadAverage, parse};

    #[test]
    fn averages_keep_their_two_digits() {
        let load = LoadAverage {
            one_minute_hundredths: 93,
            five_minutes_hundredths: 1220,
            fifteen_minutes_hundredths: 0,
            threads: Some(121),
        };
        assert_eq!(parse(b"0.93 12.20 0.00 1/121 23931\n"), Ok(load));
        assert!(parse(b"0.93 12.20\n").is_err() && parse(b"").is_err() && parse(b"1 2 3").is_err());
    }
}
