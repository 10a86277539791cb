//! `/proc/<pid>/environ`: the environment that a process was started with, as the process has left it.
//!
//! Format: proc_pid_environ(5). Each variable is ended by a NUL. A process may write over it, as setproctitle(3) does:
//! then a title and NULs stand at its start, and what follows may begin in the middle of a variable.

use crate::{Buffer, Pid, ProcName, ReadError, Root};

/// What is read of an environment.
pub const BOUND_BYTES: usize = 128 << 10;

/// The environment of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environ<'t> {
    /// The whole of it.
    pub bytes: &'t [u8],
    /// True if there was more than [`BOUND_BYTES`]. The last variable is then left out: it is not whole.
    pub cut: bool,
}

/// One string of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'t> {
    /// Before the first `=`. `None`: there is none.
    pub name: Option<&'t [u8]>,
    /// Behind it; all of the string if there is no `=`.
    pub value: &'t [u8],
    /// False if the start of the string may have been written over: it follows one without a name, or an empty one.
    pub is_whole: bool,
}

impl<'t> Environ<'t> {
    /// The variables in order. Empty strings are left out.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'t>> + use<'t> {
        let mut is_whole = true;
        let strings = self.bytes.split(|&byte| byte == 0);
        strings.filter_map(move |string| {
            let equals = string.iter().position(|&byte| byte == b'=');
            let (name, value) = match equals {
                Some(at) => (Some(&string[..at]), &string[at + 1..]),
                None => (None, string),
            };
            let variable = Variable { name, value, is_whole };
            is_whole = name.is_some();
            (!string.is_empty()).then_some(variable)
        })
    }
}

/// Reads the file. Kernel threads and zombies have an empty one.
///
/// # Errors
///
/// [`ReadError::Io`]; the process may have ended.
pub fn read<'b>(root: &Root, pid: Pid, buffer: &'b mut Buffer) -> Result<Environ<'b>, ReadError> {
    let content = root.read(&ProcName::of(pid, "environ"), BOUND_BYTES, buffer)?;
    Ok(parse(content.bytes, content.cut))
}

/// Parses the content of the file, of which the end is missing if it was `cut`.
pub fn parse(bytes: &[u8], cut: bool) -> Environ<'_> {
    let whole = if cut { bytes.iter().rposition(|&byte| byte == 0).unwrap_or(0) } else { bytes.len() };
    Environ { bytes: &bytes[..whole], cut }
}

#[cfg(test)]
mod tests {
    use super::{Variable, parse};

    fn variables(bytes: &[u8]) -> Vec<Variable<'_>> {
        parse(bytes, false).variables().collect()
    }

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        let found = variables(b"PATH=/bin\0A=b=c\0EMPTY=\0");
        let pairs: Vec<_> = found.iter().map(|found| (found.name.unwrap(), found.value)).collect();
        assert_eq!(pairs, [(&b"PATH"[..], &b"/bin"[..]), (b"A", b"b=c"), (b"EMPTY", b"")]);
        assert!(found.iter().all(|found| found.is_whole));
    }

    #[test]
    fn what_follows_a_title_may_not_be_whole() {
        let found = variables(b"nginx: worker\0\0\0WORD=hunter2\0A=b\0");
        assert_eq!((found[0].name, found[0].value), (None, &b"nginx: worker"[..]));
        assert_eq!((found[1].is_whole, found[2].is_whole), (false, true));
    }

    #[test]
    fn of_a_cut_environment_the_last_variable_is_left_out() {
        let environ = parse(b"A=b\0SECRET=hal", true);
        assert_eq!(environ.variables().count(), 1);
        assert_eq!(parse(b"SECRET=hal", true).variables().count(), 0);
    }
}
