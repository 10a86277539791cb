//! `/proc/<pid>/smaps_rollup`: the memory of one process, summed over its mappings.
//!
//! Format: Linux, Documentation/ABI/testing/procfs-smaps_rollup. "kB" there means KiB.
//!
//! Reading it walks the page tables under the lock of the memory map: about 12 ms per GiB of small
//! pages during which the process can not map or unmap.

use super::keyed::KeyedLines;
use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 16 << 10;

/// The lines of the file that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmapsRollup {
    /// Pages in memory, shared ones counted in full.
    pub rss_bytes: u64,
    /// Pages in memory, each shared one divided by the number of its users.
    pub pss_bytes: u64,
    /// `Pss_Anon`. `None` before Linux 5.4.
    pub pss_anon_bytes: Option<u64>,
    /// `Pss_File`. `None` before Linux 5.4.
    pub pss_file_bytes: Option<u64>,
    /// `Pss_Shmem`. `None` before Linux 5.4.
    pub pss_shmem_bytes: Option<u64>,
    /// Pages in memory that no one else has: `Private_Clean` and `Private_Dirty`.
    pub uss_bytes: u64,
    /// Swapped out, shared pages divided by the number of their users. `None` before Linux 4.3.
    pub swap_pss_bytes: Option<u64>,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]: permission denied without CAP_SYS_PTRACE, gone if the process has ended or become a
/// zombie.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<SmapsRollup, ReadError> {
    let name = ProcName::of(pid, "smaps_rollup");
    let content = root.read(&name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(&name)))
}

/// Parses the text of the file. Skips keys it does not know: kernels add new ones.
///
/// # Errors
///
/// [`BadLine`] if a figure that every kernel gives is missing, or one is no number.
pub fn parse(text: &[u8]) -> Result<SmapsRollup, BadLine> {
    let lines = KeyedLines::of(text);
    Ok(SmapsRollup {
        rss_bytes: lines.kib("Rss")?,
        pss_bytes: lines.kib("Pss")?,
        pss_anon_bytes: lines.optional_kib("Pss_Anon")?,
        pss_file_bytes: lines.optional_kib("Pss_File")?,
        pss_shmem_bytes: lines.optional_kib("Pss_Shmem")?,
        uss_bytes: lines.kib("Private_Clean")?.saturating_add(lines.kib("Private_Dirty")?),
        swap_pss_bytes: lines.optional_kib("SwapPss")?,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    const LINUX_4_19: &str = "\
55f0b2b3e000-7ffc8a1f2000 ---p 00000000 00:00 0                          [rollup]
Rss:                1668 kB
Pss:                 323 kB
Shared_Clean:       1496 kB
Private_Clean:        60 kB
Private_Dirty:       112 kB
SwapPss:               0 kB
";

    #[test]
    fn an_older_kernel_leaves_parts_absent_rather_than_zero() {
        let memory = parse(LINUX_4_19.as_bytes()).unwrap();
        assert_eq!(
            (memory.rss_bytes, memory.pss_bytes, memory.uss_bytes),
            (1668 << 10, 323 << 10, 172 << 10)
        );
        assert_eq!((memory.pss_anon_bytes, memory.swap_pss_bytes), (None, Some(0)));
    }

    #[test]
    fn a_line_that_is_no_number_is_told() {
        let text = LINUX_4_19.replace("323", "many");
        let bad_line = parse(text.as_bytes()).unwrap_err();
        assert_eq!((bad_line.line, bad_line.expected), (3, "a number of kB"));
    }
}
