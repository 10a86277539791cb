//! The name of a file below `/proc`.

use std::ffi::CStr;
use std::fmt;

use crate::Pid;

const ROOM: usize = 64;

/// The name of a file below `/proc`, built on the stack: it is needed three times per process.
#[derive(Clone, Copy)]
pub struct ProcName {
    bytes: [u8; ROOM],
    length: usize,
}

impl ProcName {
    /// `/proc` itself.
    pub const TOP: Self = {
        let mut bytes = [0; ROOM];
        bytes[0] = b'.';
        Self { bytes, length: 1 }
    };

    const EMPTY: Self = Self { bytes: [0; ROOM], length: 0 };

    /// `/proc/<pid>`.
    pub fn process(pid: Pid) -> Self {
        Self::EMPTY.number(pid)
    }

    /// `/proc/<pid>/<file>`.
    #[inline]
    pub fn of(pid: Pid, file: &'static str) -> Self {
        Self::EMPTY.number(pid).text("/").text(file)
    }

    /// `/proc/<pid>/task/<tid>`.
    pub fn thread(pid: Pid, tid: Pid) -> Self {
        Self::of(pid, "task/").number(tid)
    }

    /// `/proc/<pid>/task/<tid>/<file>`.
    pub fn of_thread(pid: Pid, tid: Pid, file: &'static str) -> Self {
        Self::thread(pid, tid).text("/").text(file)
    }

    /// `/proc/<file>`.
    pub fn top(file: &'static str) -> Self {
        Self::EMPTY.text(file)
    }

    /// `/proc/self/<file>`.
    pub fn own(file: &'static str) -> Self {
        Self::EMPTY.text("self/").text(file)
    }

    #[inline]
    fn number(self, Pid(mut number): Pid) -> Self {
        let mut digits = [0; 10];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                return self.bytes(&digits[at..]);
            }
        }
    }

    #[inline]
    fn text(self, text: &'static str) -> Self {
        self.bytes(text.as_bytes())
    }

    #[inline]
    fn bytes(mut self, part: &[u8]) -> Self {
        // The last byte stays zero. Two pids and the longest file name are 43 bytes.
        debug_assert!(self.length + part.len() < ROOM);
        let part = &part[..part.len().min(ROOM - 1 - self.length)];
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len();
        self
    }

    #[inline]
    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

impl fmt::Display for ProcName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes[..self.length]))
    }
}

impl fmt::Debug for ProcName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ProcName;
    use crate::Pid;

    #[test]
    fn names_are_what_they_spell() {
        assert_eq!(ProcName::of(Pid(1), "stat").as_c_str(), c"1/stat");
        let longest = ProcName::of_thread(Pid(u32::MAX), Pid(u32::MAX), "smaps_rollup");
        assert_eq!(longest.as_c_str(), c"4294967295/task/4294967295/smaps_rollup");
        assert_eq!(ProcName::process(Pid(0)).as_c_str(), c"0");
        assert_eq!(ProcName::TOP.as_c_str(), c".");
    }
}
