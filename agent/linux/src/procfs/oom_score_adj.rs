//! `/proc/<pid>/oom_score_adj`: what an administrator adds to the likelihood of being killed.
//!
//! Format: proc_pid_oom_score_adj(5). From -1000 (never) to 1000, in thousandths of the memory that ran out.

use crate::number::signed;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 64;

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<i32, ReadError> {
    let name = ProcName::of(pid, "oom_score_adj");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the content of the file.
///
/// # Errors
///
/// [`BadLine`] if it is no number from -1000 to 1000.
pub fn parse(text: &[u8]) -> Result<i32, BadLine> {
    let number = signed(text.trim_ascii()).filter(|number| (-1000..=1000).contains(number));
    let number = number.and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| BadLine::new(1, "a number from -1000 to 1000", text))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_the_kernel_never_says_is_refused() {
        assert_eq!((parse(b"-1000\n"), parse(b"17")), (Ok(-1000), Ok(17)));
        assert!(parse(b"-1001\n").is_err() && parse(b"").is_err());
    }
}
