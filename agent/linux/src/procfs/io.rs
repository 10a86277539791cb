//! `/proc/<pid>/io`: what a process, with the threads that have ended, has read and written.
//!
//! Format: proc_pid_io(5). Only its owner may read it, or who holds CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.

use super::keyed::keyed_lines;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 4096;

/// Since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Io {
    /// `rchar`: asked for by read(2) and the like; from the page cache, pipes and sockets, too.
    pub read_chars_bytes: u64,
    /// `wchar`: the same of write(2).
    pub written_chars_bytes: u64,
    /// `syscr`: calls of read(2) and the like.
    pub read_calls: u64,
    /// `syscw`: calls of write(2) and the like.
    pub write_calls: u64,
    /// `read_bytes`: fetched from storage.
    pub read_bytes: u64,
    /// `write_bytes`: sent to storage, or to be sent there.
    pub written_bytes: u64,
    /// `cancelled_write_bytes`: counted as written, and then never sent, since the file was truncated or deleted.
    pub cancelled_bytes: u64,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Io, ReadError> {
    let name = ProcName::of(pid, "io");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if one of the lines is missing, or is no number.
pub fn parse(text: &[u8]) -> Result<Io, BadLine> {
    let number = |key: &'static str| {
        let value = keyed_lines(text).find(|(known, _)| *known == key.as_bytes());
        value.and_then(|(_, value)| value.number()).ok_or_else(|| BadLine::new(1, key, text))
    };
    Ok(Io {
        read_chars_bytes: number("rchar")?,
        written_chars_bytes: number("wchar")?,
        read_calls: number("syscr")?,
        write_calls: number("syscw")?,
        read_bytes: number("read_bytes")?,
        written_bytes: number("write_bytes")?,
        cancelled_bytes: number("cancelled_write_bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Io, parse};

    #[test]
    fn what_reached_storage_is_told_from_what_was_asked_for() {
        let text = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n";
        let io = Io {
            read_chars_bytes: 1,
            written_chars_bytes: 2,
            read_calls: 3,
            write_calls: 4,
            read_bytes: 5,
            written_bytes: 6,
            cancelled_bytes: 7,
        };
        assert_eq!(parse(text), Ok(io));
        assert_eq!(parse(b"rchar: 1\n").unwrap_err().expected, "wchar");
    }
}
