//! `/proc/stat`: what the CPUs of the whole machine did since it was booted.
//!
//! Format: proc_stat(5). The lines of the CPUs come first; what follows is long and is not read.

use crate::number::unsigned;
use crate::{BadLine, Buffer, ProcName, ReadError, Root};

/// Room for the lines of a thousand CPUs.
const BOUND_BYTES: usize = 256 << 10;

/// All CPUs together, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpus {
    /// CPUs that are online.
    pub count: u32,
    /// Doing nothing, also while somebody waits for I/O.
    pub idle_ticks: u64,
    /// Working, for whomever.
    pub busy_ticks: u64,
    /// Ready to run on a virtual machine that its host gave no CPU.
    pub stolen_ticks: u64,
}

/// Reads the file.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(root: &Root, buffer: &mut Buffer) -> Result<Cpus, ReadError> {
    let name = ProcName::system("stat");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file, which may have been cut behind the CPUs.
///
/// # Errors
///
/// [`BadLine`] if it has no line of all CPUs together.
pub fn parse(text: &[u8]) -> Result<Cpus, BadLine> {
    let bad = || BadLine::new(1, "a line `cpu` with eight numbers", text);
    let mut lines = text.split(|&byte| byte == b'\n');
    let all = lines.next().and_then(|line| line.strip_prefix(b"cpu ")).ok_or_else(bad)?;
    let mut ticks = [0; 8];
    let mut words = all.trim_ascii().split(|&byte| byte == b' ').map(unsigned);
    for ticks in &mut ticks {
        *ticks = words.next().flatten().ok_or_else(bad)?;
    }
    let [user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen] = ticks;
    let sum = |ticks: &[u64]| ticks.iter().fold(0, |sum: u64, &more| sum.saturating_add(more));
    let count = lines.take_while(|line| line.starts_with(b"cpu")).count();
    Ok(Cpus {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        idle_ticks: sum(&[idle, waiting]),
        busy_ticks: sum(&[user, nice, system, interrupts, soft_interrupts]),
        stolen_ticks: stolen,
    })
}

#[cfg(test)]
mod tests {
    use super::{Cpus, parse};

    #[test]
    fn work_for_whomever_is_told_from_idling_and_from_what_was_stolen() {
        let text =
            b"cpu  10 20 30 400 50 6 7 8 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\ncpu3 1 2 3 4 5 6 7 8 9 0\nintr 5 0\n";
        let cpus = Cpus { count: 2, idle_ticks: 450, busy_ticks: 73, stolen_ticks: 8 };
        assert_eq!(parse(text), Ok(cpus));
        assert!(parse(b"").is_err() && parse(b"cpu  1 2 3\n").is_err());
    }
}
