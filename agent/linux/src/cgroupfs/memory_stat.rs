//! `memory.stat`: what the memory of a cgroup consists of, those below it included.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. The figures lag: each CPU keeps up
//! to 64 pages of changes to itself.

use super::Limit;
use super::keyed::{self, Keyed};
use super::memory::limit_in_bytes;
use crate::BadLine;

/// The lines that are used. What the kernel or its version does not have is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryStat {
    /// Anonymous memory. In version 1 `rss`.
    pub anon_bytes: Option<u64>,
    /// Of that, in huge pages.
    pub anon_huge_bytes: Option<u64>,
    /// Page cache, shared memory and tmpfs included. In version 1 `cache`.
    pub file_bytes: Option<u64>,
    /// Of that, mapped by a process.
    pub file_mapped_bytes: Option<u64>,
    /// Of that, not yet written to its file.
    pub file_dirty_bytes: Option<u64>,
    /// Of that, being written now.
    pub file_writeback_bytes: Option<u64>,
    /// Page cache that was used lately, without shared memory.
    pub active_file_bytes: Option<u64>,
    /// Page cache that was not.
    pub inactive_file_bytes: Option<u64>,
    /// Shared memory and tmpfs.
    pub shmem_bytes: Option<u64>,
    /// May not be reclaimed: locked, or in a ramfs.
    pub unevictable_bytes: Option<u64>,
    /// Swapped out and still in memory as well.
    pub swap_cached_bytes: Option<u64>,
    /// Swapped out. In version 1 only.
    pub swap_bytes: Option<u64>,
    /// Caches of the kernel that can be dropped, of names and inodes above all.
    pub slab_reclaimable_bytes: Option<u64>,
    /// Objects of the kernel that can not.
    pub slab_unreclaimable_bytes: Option<u64>,
    /// Stacks of threads in the kernel.
    pub kernel_stack_bytes: Option<u64>,
    /// Page tables.
    pub page_tables_bytes: Option<u64>,
    /// Memory of the kernel that each CPU has a copy of.
    pub percpu_bytes: Option<u64>,
    /// All memory of the kernel, without buffers of sockets. In version 2 since Linux 5.18.
    pub kernel_bytes: Option<u64>,
    /// Buffers of sockets. In version 1 those of TCP, which are not part of the cgroup's memory.
    pub sock_bytes: Option<u64>,
    /// The lowest limit of this cgroup and all above it. In version 1 only.
    pub hierarchical_limit: Option<Limit>,
}

/// Parses the text of the file, version 2.
///
/// # Errors
///
/// [`BadLine`] if it has no line of a key and a number.
pub fn parse_v2(text: &[u8]) -> Result<MemoryStat, BadLine> {
    let lines = keyed::parse(text)?;
    Ok(MemoryStat {
        anon_bytes: lines.get("anon"),
        anon_huge_bytes: lines.get("anon_thp"),
        file_bytes: lines.get("file"),
        file_mapped_bytes: lines.get("file_mapped"),
        file_dirty_bytes: lines.get("file_dirty"),
        file_writeback_bytes: lines.get("file_writeback"),
        active_file_bytes: lines.get("active_file"),
        inactive_file_bytes: lines.get("inactive_file"),
        shmem_bytes: lines.get("shmem"),
        unevictable_bytes: lines.get("unevictable"),
        swap_cached_bytes: lines.get("swapcached"),
        swap_bytes: None,
        slab_reclaimable_bytes: lines.get("slab_reclaimable"),
        slab_unreclaimable_bytes: lines.get("slab_unreclaimable"),
        kernel_stack_bytes: lines.get("kernel_stack"),
        page_tables_bytes: lines.get("pagetables"),
        percpu_bytes: lines.get("percpu"),
        kernel_bytes: lines.get("kernel"),
        sock_bytes: lines.get("sock"),
        hierarchical_limit: None,
    })
}

/// Parses the text of the file, version 1.
///
/// # Errors
///
/// [`BadLine`] if it has no line of a key and a number.
pub fn parse_v1(text: &[u8], page_bytes: u64) -> Result<MemoryStat, BadLine> {
    let lines = keyed::parse(text)?;
    let total = |key| total(&lines, key);
    let limit = lines.get("hierarchical_memory_limit");
    Ok(MemoryStat {
        anon_bytes: total("rss"),
        anon_huge_bytes: total("rss_huge"),
        file_bytes: total("cache"),
        file_mapped_bytes: total("mapped_file"),
        file_dirty_bytes: total("dirty"),
        file_writeback_bytes: total("writeback"),
        active_file_bytes: total("active_file"),
        inactive_file_bytes: total("inactive_file"),
        shmem_bytes: total("shmem"),
        unevictable_bytes: total("unevictable"),
        swap_cached_bytes: total("swapcached"),
        swap_bytes: total("swap"),
        hierarchical_limit: limit.map(|bytes| limit_in_bytes(bytes, page_bytes)),
        ..MemoryStat::default()
    })
}

/// The figure with all cgroups below, or that of the cgroup alone where the hierarchy is not counted.
fn total(lines: &Keyed, key: &str) -> Option<u64> {
    lines.get(&format!("total_{key}")).or_else(|| lines.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_counts_the_cgroups_below_where_it_can() {
        let text =
            b"cache 1\nrss 2\nshmem 3\nhierarchical_memory_limit 67108864\ntotal_cache 10\ntotal_rss 20\n";
        let stat = parse_v1(text, 4096).unwrap();
        assert_eq!((stat.file_bytes, stat.anon_bytes, stat.shmem_bytes), (Some(10), Some(20), Some(3)));
        assert_eq!((stat.file_dirty_bytes, stat.kernel_bytes), (None, None));
        assert_eq!(stat.hierarchical_limit, Some(Limit::At(64 << 20)));
        let unlimited = parse_v1(b"hierarchical_memory_limit 9223372036854771712\n", 4096).unwrap();
        assert_eq!(unlimited.hierarchical_limit, Some(Limit::Unlimited));
    }

    #[test]
    fn an_older_kernel_of_version_2_leaves_figures_absent_rather_than_zero() {
        let text = b"anon 4096\nfile 8192\nkernel_stack 16384\nsock 0\nshmem 0\nfile_mapped 0\n";
        let stat = parse_v2(text).unwrap();
        assert_eq!((stat.anon_bytes, stat.file_bytes, stat.sock_bytes), (Some(4096), Some(8192), Some(0)));
        assert_eq!((stat.kernel_bytes, stat.percpu_bytes, stat.hierarchical_limit), (None, None, None));
    }
}
