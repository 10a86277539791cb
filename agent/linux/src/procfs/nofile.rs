//! `/proc/<pid>/limits`: how many descriptors a process may have.
//!
//! Format: proc_pid_limits(5). Columns of fixed width; the line is `Max open files`.

use crate::number::unsigned;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 8192;
const EXPECTED: &str = "Max open files";

/// Reads the soft limit of process `pid`: descriptors have smaller numbers.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<u64, ReadError> {
    let name = ProcName::of(pid, "limits");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file. The limit is never without bound: /proc/sys/fs/nr_open bounds it.
///
/// # Errors
///
/// [`BadLine`] if there is no such line, or no number on it.
pub fn parse(text: &[u8]) -> Result<u64, BadLine> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let found = lines.find_map(|line| line.strip_prefix(EXPECTED.as_bytes()));
    let soft = found.and_then(|rest| rest.split(|&byte| byte == b' ').find(|word| !word.is_empty()));
    soft.and_then(unsigned).ok_or_else(|| BadLine::new(1, EXPECTED, text))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_soft_limit_comes_first() {
        let text = b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             96365                96365                processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Ok(1024));
        assert!(parse(b"Max open files            \n").is_err());
    }
}
