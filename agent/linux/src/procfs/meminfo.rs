//! `/proc/meminfo`: the memory of the whole machine.
//!
//! Format: proc_meminfo(5). "kB" there means KiB.

use super::keyed::keyed_lines;
use crate::{BadLine, Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 16 << 10;

/// The lines of the file that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meminfo {
    /// `MemTotal`: what there is.
    pub total_bytes: u64,
    /// `MemAvailable`, since Linux 3.14: what could be had without swapping, by the kernel's own estimate.
    pub available_bytes: Option<u64>,
    /// `SwapTotal`.
    pub swap_total_bytes: u64,
    /// `SwapFree`.
    pub swap_free_bytes: u64,
}

/// Reads the file.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(root: &Root, buffer: &mut Buffer) -> Result<Meminfo, ReadError> {
    let name = ProcName::system("meminfo");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if a figure that every kernel gives is missing, or one is no number.
pub fn parse(text: &[u8]) -> Result<Meminfo, BadLine> {
    let (mut total, mut available, mut swap_total, mut swap_free) = (None, None, None, None);
    for (key, value) in keyed_lines(text) {
        let figure = match key {
            b"MemTotal" => &mut total,
            b"MemAvailable" => &mut available,
            b"SwapTotal" => &mut swap_total,
            b"SwapFree" => &mut swap_free,
            _ => continue,
        };
        *figure = Some(value.kib()?);
    }
    let required = |figure: Option<u64>, key| figure.ok_or_else(|| BadLine::new(1, key, text));
    Ok(Meminfo {
        total_bytes: required(total, "MemTotal")?,
        available_bytes: available,
        swap_total_bytes: required(swap_total, "SwapTotal")?,
        swap_free_bytes: required(swap_free, "SwapFree")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Meminfo, parse};

    #[test]
    fn a_machine_without_swap_has_none_and_an_old_kernel_no_estimate() {
        let text = b"MemTotal:       24684092 kB\nMemFree: 1 kB\nHugePages_Total:       0\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
        let expected = Meminfo {
            total_bytes: 24_684_092 << 10,
            available_bytes: None,
            swap_total_bytes: 0,
            swap_free_bytes: 0,
        };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse(b"MemTotal: 1 kB\n").unwrap_err().expected, "SwapTotal");
    }
}
