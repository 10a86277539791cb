//! `/proc/<pid>/smaps_rollup`: the memory of one process, summed over its mappings.
//!
//! Format: Linux, Documentation/ABI/testing/procfs-smaps_rollup. "kB" there means KiB.
//!
//! Reading it walks the page tables under the lock of the memory map: about 12 ms per GiB of small
//! pages during which the process can not map or unmap.

use super::keyed::keyed_lines;
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
    let (mut rss, mut pss, mut private_clean, mut private_dirty) = (None, None, None, None);
    let (mut pss_anon, mut pss_file, mut pss_shmem, mut swap_pss) = (None, None, None, None);
    for (key, value) in keyed_lines(text) {
        let figure = match key {
            b"Rss" => &mut rss,
            b"Pss" => &mut pss,
            b"Pss_Anon" => &mut pss_anon,
            b"Pss_File" => &mut pss_file,
            b"Pss_Shmem" => &mut pss_shmem,
            b"Private_Clean" => &mut private_clean,
            b"Private_Dirty" => &mut private_dirty,
            b"SwapPss" => &mut swap_pss,
            _ => continue,
        };
        *figure = Some(value.kib()?);
    }
    let required = |figure: Option<u64>, key| figure.ok_or_else(|| BadLine::new(1, key, text));
    let private_clean = required(private_clean, "Private_Clean")?;
    Ok(SmapsRollup {
        rss_bytes: required(rss, "Rss")?,
        pss_bytes: required(pss, "Pss")?,
        pss_anon_bytes: pss_anon,
        pss_file_bytes: pss_file,
        pss_shmem_bytes: pss_shmem,
        uss_bytes: private_clean.saturating_add(required(private_dirty, "Private_Dirty")?),
        swap_pss_bytes: swap_pss,
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
