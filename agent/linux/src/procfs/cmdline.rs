//! `/proc/<pid>/cmdline`: the argument vector, as the process has left it.
//!
//! Format: proc_pid_cmdline(5). Each argument is ended by a NUL. A process may write over it, as
//! setproctitle(3) does; then it is one string, with or without NULs behind it.

use crate::{Buffer, Pid, ProcName, ReadError, Root};

/// What is read of an argument vector.
pub const BOUND_BYTES: usize = 128 << 10;

/// The argument vector of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cmdline<'t> {
    bytes: &'t [u8],
    /// True if there was more than [`BOUND_BYTES`].
    pub cut: bool,
}

impl<'t> Cmdline<'t> {
    /// That of a process without arguments.
    pub const EMPTY: Self = Self { bytes: b"", cut: false };

    /// The arguments in order, any bytes but NUL. Empty arguments count.
    pub fn arguments(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
            let argument = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or(b"");
            Some(argument)
        })
    }
}

/// Reads the file. Kernel threads and zombies have an empty one.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
#[inline]
pub fn read<'b>(root: &Root, pid: Pid, buffer: &'b mut Buffer) -> Result<Cmdline<'b>, ReadError> {
    let content = root.read(&ProcName::of(pid, "cmdline"), BOUND_BYTES, buffer)?;
    Ok(Cmdline { cut: content.cut, ..parse(content.bytes) })
}

/// Parses the content of the file.
///
/// One string with a blank in it and nothing but NULs behind it is taken for a title with padding: it
/// is one argument. Anything else is split at the NULs.
pub fn parse(bytes: &[u8]) -> Cmdline<'_> {
    let first_end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(first_end);
    let is_title = first.contains(&b' ') && rest.len() > 1 && rest.iter().all(|&byte| byte == 0);
    Cmdline { bytes: if is_title { first } else { bytes }, cut: false }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn arguments(bytes: &[u8]) -> Vec<&[u8]> {
        parse(bytes).arguments().collect()
    }

    #[test]
    fn each_nul_ends_an_argument_and_empty_ones_count() {
        assert!(arguments(b"").is_empty());
        assert_eq!(arguments(b"sh\0-c\0\0"), [&b"sh"[..], b"-c", b""]);
        assert_eq!(arguments(b"\0\0"), [b"", b""]);
        assert_eq!(arguments(b"sh\0\xff\x1b\n\0"), [&b"sh"[..], b"\xff\x1b\n"]);
    }

    #[test]
    fn a_title_is_one_argument_with_or_without_padding() {
        assert_eq!(arguments(b"nginx: master process"), [b"nginx: master process"]);
        assert_eq!(arguments(b"nginx: worker process\0\0\0\0"), [b"nginx: worker process"]);
    }
}
