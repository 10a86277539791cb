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
    /// Pages in memory that no one else has: `Private_Clean` and `Private_Dirty`.
    pub uss_bytes: u64,
    /// What only newer kernels tell.
    pub parts: Parts,
}

/// Lines that depend on the kernel's version. A part that it does not have is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// `Pss_Dirty`, since Linux 6.0.
    pub pss_dirty_bytes: Option<u64>,
    /// `Pss_Anon`, since Linux 5.4.
    pub pss_anon_bytes: Option<u64>,
    /// `Pss_File`, since Linux 5.4.
    pub pss_file_bytes: Option<u64>,
    /// `Pss_Shmem`, since Linux 5.4.
    pub pss_shmem_bytes: Option<u64>,
    /// `Swap`: swapped out, shared pages counted in full.
    pub swap_bytes: Option<u64>,
    /// `SwapPss`, since Linux 4.3: swapped out, shared pages divided by the number of their users.
    pub swap_pss_bytes: Option<u64>,
    /// `Locked`: may not be swapped out.
    pub locked_bytes: Option<u64>,
    /// `AnonHugePages`: of the resident set, anonymous memory in huge pages.
    pub anon_huge_bytes: Option<u64>,
    /// `ShmemPmdMapped`: of the resident set, shared memory in huge pages.
    pub shmem_huge_bytes: Option<u64>,
    /// `FilePmdMapped`, since Linux 5.4: of the resident set, files in huge pages.
    pub file_huge_bytes: Option<u64>,
    /// `Private_Hugetlb`: pages of hugetlbfs, which are in no other figure.
    pub private_hugetlb_bytes: Option<u64>,
    /// `Shared_Hugetlb`: the same, shared.
    pub shared_hugetlb_bytes: Option<u64>,
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
    let mut parts = Parts::default();
    for (key, value) in keyed_lines(text) {
        let figure = match key {
            b"Rss" => &mut rss,
            b"Pss" => &mut pss,
            b"Private_Clean" => &mut private_clean,
            b"Private_Dirty" => &mut private_dirty,
            b"Pss_Dirty" => &mut parts.pss_dirty_bytes,
            b"Pss_Anon" => &mut parts.pss_anon_bytes,
            b"Pss_File" => &mut parts.pss_file_bytes,
            b"Pss_Shmem" => &mut parts.pss_shmem_bytes,
            b"Swap" => &mut parts.swap_bytes,
            b"SwapPss" => &mut parts.swap_pss_bytes,
            b"Locked" => &mut parts.locked_bytes,
            b"AnonHugePages" => &mut parts.anon_huge_bytes,
            b"ShmemPmdMapped" => &mut parts.shmem_huge_bytes,
            b"FilePmdMapped" => &mut parts.file_huge_bytes,
            b"Private_Hugetlb" => &mut parts.private_hugetlb_bytes,
            b"Shared_Hugetlb" => &mut parts.shared_hugetlb_bytes,
            _ => continue,
        };
        *figure = Some(value.kib()?);
    }
    let required = |figure: Option<u64>, key| figure.ok_or_else(|| BadLine::new(1, key, text));
    let private_clean = required(private_clean, "Private_Clean")?;
    Ok(SmapsRollup {
        rss_bytes: required(rss, "Rss")?,
        pss_bytes: required(pss, "Pss")?,
        uss_bytes: private_clean.saturating_add(required(private_dirty, "Private_Dirty")?),
        parts,
    })
}

#[cfg(test)]
mod tests {
    use super::{Parts, parse};

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
        let Parts { pss_anon_bytes, swap_pss_bytes, locked_bytes, .. } = memory.parts;
        assert_eq!((pss_anon_bytes, swap_pss_bytes, locked_bytes), (None, Some(0), None));
    }

    #[test]
    fn a_line_that_is_no_number_is_told() {
        let text = LINUX_4_19.replace("323", "many");
        let bad_line = parse(text.as_bytes()).unwrap_err();
        assert_eq!((bad_line.line, bad_line.expected), (3, "a number of kB"));
    }
}
