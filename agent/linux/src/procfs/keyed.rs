//! Lines of the form `Key:   123 kB`, as in status and smaps_rollup. "kB" there means KiB.

use crate::BadLine;
use crate::number::unsigned;

/// The keys of `text` with what stands beside them. Lines without a colon are skipped.
pub(super) fn keyed_lines(text: &[u8]) -> impl Iterator<Item = (&[u8], Value<'_>)> {
    text.split(|&byte| byte == b'\n').enumerate().filter_map(|(at, line)| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], Value { at, line, bytes: &line[colon + 1..] }))
    })
}

/// What stands behind a colon.
pub(super) struct Value<'t> {
    at: usize,
    line: &'t [u8],
    bytes: &'t [u8],
}

impl<'t> Value<'t> {
    /// The text, without white space around it.
    pub(super) fn text(&self) -> &'t [u8] {
        self.bytes.trim_ascii()
    }

    /// The number, if it is one.
    pub(super) fn number(&self) -> Option<u64> {
        unsigned(self.text())
    }

    /// The number in bytes.
    pub(super) fn kib(&self) -> Result<u64, BadLine> {
        let number = self.bytes.strip_suffix(b" kB").map(<[u8]>::trim_ascii);
        let bytes = number.and_then(unsigned).and_then(|kib| kib.checked_mul(1024));
        bytes.ok_or_else(|| BadLine::new(self.at + 1, "a number of kB", self.line))
    }
}
