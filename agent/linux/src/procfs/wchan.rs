//! `/proc/<pid>/wchan`: the kernel function that a process sleeps in.
//!
//! Format: proc_pid_wchan(5). The name without a newline; `0` if the process does not sleep, and also
//! if the agent may not know, which the file does not tell apart.

use crate::{Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 256;

/// Reads the file of process `pid`. `None`: the kernel names no function.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Option<String>, ReadError> {
    read_name(root, &ProcName::of(pid, "wchan"), buffer)
}

/// Reads the file of thread `tid` of process `pid`. `None`: the kernel names no function.
///
/// # Errors
///
/// [`ReadError::Io`]; the thread may have ended.
pub fn read_thread(
    root: &Root,
    pid: Pid,
    tid: Pid,
    buffer: &mut Buffer,
) -> Result<Option<String>, ReadError> {
    read_name(root, &ProcName::of_thread(pid, tid, "wchan"), buffer)
}

fn read_name(root: &Root, name: &ProcName, buffer: &mut Buffer) -> Result<Option<String>, ReadError> {
    Ok(parse(root.read(name, BOUND_BYTES, buffer)?.bytes))
}

/// Parses the content of the file. `None`: no function.
pub fn parse(text: &[u8]) -> Option<String> {
    match text.trim_ascii() {
        b"" | b"0" => None,
        name => Some(String::from_utf8_lossy(name).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn zero_is_no_function() {
        assert_eq!(parse(b"0"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"ep_poll"), Some("ep_poll".to_owned()));
    }
}
