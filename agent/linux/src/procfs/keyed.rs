//! Lines of the form `Key:   123 kB`, as in status and smaps_rollup. "kB" there means KiB.

use crate::BadLine;
use crate::number::unsigned;

/// The lines of one file.
#[derive(Clone, Copy)]
pub(super) struct KeyedLines<'t> {
    text: &'t [u8],
}

impl<'t> KeyedLines<'t> {
    pub(super) fn of(text: &'t [u8]) -> Self {
        Self { text }
    }

    /// The number beside `key` in bytes, or `None` if there is no such line. The first line counts.
    pub(super) fn optional_kib(self, key: &'static str) -> Result<Option<u64>, BadLine> {
        for (at, line) in self.text.split(|&byte| byte == b'\n').enumerate() {
            let Some(value) = line.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b":"))
            else {
                continue;
            };
            let bytes = value
                .strip_suffix(b" kB")
                .and_then(|number| unsigned(number.trim_ascii()))
                .and_then(|kib| kib.checked_mul(1024));
            return bytes.map(Some).ok_or_else(|| BadLine::new(at + 1, "a number of kB", line));
        }
        Ok(None)
    }

    /// The number beside `key` in bytes. The line must be there.
    pub(super) fn kib(self, key: &'static str) -> Result<u64, BadLine> {
        self.optional_kib(key)?.ok_or_else(|| BadLine::new(1, key, self.text))
    }
}
