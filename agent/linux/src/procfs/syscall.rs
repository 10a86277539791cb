//! `/proc/<pid>/task/<tid>/syscall`: the system call that a thread waits in.
//!
//! Format: proc_pid_syscall(5). `running`; or the call's number, its six argument registers, stack pointer and program
//! counter; or `-1`, stack pointer and program counter for a thread that waits outside a call.

use crate::number::unsigned;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 1024;

/// What a thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It ran, or was about to.
    Running,
    /// It waited in a system call.
    Call {
        /// As the architecture counts them.
        number: u64,
        /// Whether the call uses them or not.
        arguments: [u64; 6],
        /// Where its user code stands.
        place: Place,
    },
    /// It waited, but in no system call.
    Waiting(Place),
}

/// Where the user code of a thread stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The stack pointer.
    pub stack_pointer: u64,
    /// The program counter.
    pub instruction_pointer: u64,
}

/// Reads the file of thread `tid` of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the thread may have ended.
pub fn read_thread(root: &Root, pid: Pid, tid: Pid, buffer: &mut Buffer) -> Result<Activity, ReadError> {
    let name = ProcName::of_thread(pid, tid, "syscall");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if it is none of the three forms.
pub fn parse(text: &[u8]) -> Result<Activity, BadLine> {
    let bad = || BadLine::new(1, "a system call", text);
    let words: Vec<_> = text.trim_ascii().split(|&byte| byte == b' ').collect();
    let hexadecimal = |index: usize| {
        let word = str::from_utf8(words.get(index)?.strip_prefix(b"0x")?).ok()?;
        u64::from_str_radix(word, 16).ok()
    };
    let place = |index: usize| {
        Some(Place { stack_pointer: hexadecimal(index)?, instruction_pointer: hexadecimal(index + 1)? })
    };
    match words[..] {
        [b"running"] => Ok(Activity::Running),
        [b"-1", _, _] => place(1).map(Activity::Waiting).ok_or_else(bad),
        [number, _, _, _, _, _, _, _, _] => {
            let mut arguments = [0; 6];
            for (index, argument) in arguments.iter_mut().enumerate() {
                *argument = hexadecimal(index + 1).ok_or_else(bad)?;
            }
            let (number, place) = unsigned(number).zip(place(7)).ok_or_else(bad)?;
            Ok(Activity::Call { number, arguments, place })
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, Place, parse};

    #[test]
    fn the_three_forms_are_told_apart() {
        assert_eq!(parse(b"running\n"), Ok(Activity::Running));
        let place = Place { stack_pointer: 0x7ffe, instruction_pointer: 0x7f8e };
        assert_eq!(parse(b"-1 0x7ffe 0x7f8e\n"), Ok(Activity::Waiting(place)));
        let call = parse(b"130 0x1 0x8 0x5 0x2 0x0 0x7 0x7ffe 0x7f8e\n");
        assert_eq!(call, Ok(Activity::Call { number: 130, arguments: [1, 8, 5, 2, 0, 7], place }));
        for odd in
            [&b""[..], b"walking", b"-1 0x1", b"1 2 3 4 5 6 7 8 9", b"x 0x1 0x8 0x5 0x2 0x0 0x7 0x7 0x7"]
        {
            assert!(parse(odd).is_err());
        }
    }
}
