//! What the processes hold against what the cgroup accounts for.
//!
//! The two count differently. A cgroup is charged with each page that one of its processes touched first, in full; a
//! process has its share of each page that it maps, whoever was charged. They agree on anonymous memory that is not
//! shared with other containers, and need explaining elsewhere.

use dbgctl_proto::v1::{CgroupMemory, CgroupMemoryStat, MemoryHeader};

use super::row::MemoryRow;

/// What each CPU may hold back, both of charges in stock and of changes to memory.stat: `MEMCG_CHARGE_BATCH` of the
/// kernel's include/linux/memcontrol.h.
const STOCK_PAGES: u64 = 64;

/// What is lost where each process rounds its figures down to a KiB, at most.
const ROUNDING_BYTES: u64 = 64 << 10;

/// The processes of the target together. A part that one of them lacks is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) pss_bytes: Option<u64>,
    pub(super) anon_bytes: Option<u64>,
    pub(super) file_bytes: Option<u64>,
    pub(super) shmem_bytes: Option<u64>,
    /// The resident sets of those that were not read.
    pub(super) unread_rss_bytes: u64,
    /// How many those are.
    pub(super) unread: usize,
}

impl Sums {
    /// Adds up those that were read. Absent: more than there can be, or a kernel that does not tell.
    pub(super) fn of(rows: &[MemoryRow]) -> Self {
        let of_target = || rows.iter().filter(|row| row.is_of_target()).map(|row| &row.process);
        let read = || of_target().filter(|process| process.pss_bytes.is_some());
        let unread = || of_target().filter(|process| process.pss_bytes.is_none());
        // Of no process that was read there is no sum, which is not zero.
        let none = (read().next().is_some() || unread().next().is_none()).then_some(0);
        let add = |sum: Option<u64>, more: Option<u64>| sum?.checked_add(more?);
        Self {
            pss_bytes: read().map(|process| process.pss_bytes).fold(none, add),
            anon_bytes: read().map(|process| process.pss_anon_bytes).fold(none, add),
            file_bytes: read().map(|process| process.pss_file_bytes).fold(none, add),
            shmem_bytes: read().map(|process| process.pss_shmem_bytes).fold(none, add),
            unread_rss_bytes: unread().map(|process| process.rss_bytes).fold(0, u64::saturating_add),
            unread: unread().count(),
        }
    }
}

/// What a part of the cgroup's memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Anon,
    PageCache,
    Shmem,
    Kernel,
    Sockets,
    /// Charged, and in no figure of memory.stat.
    Rest,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::PageCache => "page cache",
            Self::Shmem => "shmem",
            Self::Kernel => "kernel",
            Self::Sockets => "sockets",
            Self::Rest => "rest",
        }
    }
}

/// A part of the cgroup's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) kind: Kind,
    pub(super) bytes: u64,
    /// What processes hold of that kind, by their proportional set sizes. Absent where they hold none by nature.
    pub(super) processes_bytes: Option<u64>,
}

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reconciliation {
    pub(super) accounts: Vec<Account>,
    /// Page cache of the cgroup that no process maps.
    pub(super) unmapped_cache_bytes: u64,
    /// Files that processes map and other cgroups are charged with.
    pub(super) foreign_bytes: u64,
    /// Anonymous memory of processes beyond what the cgroup was charged with when it was read, which was before them.
    pub(super) newer_bytes: u64,
    /// In file systems in memory that the target has mounted.
    pub(super) tmpfs_bytes: u64,
    /// What neither a process nor a file system nor the kernel accounts for.
    pub(super) unexplained_bytes: u64,
    /// Why, most likely.
    pub(super) because: Vec<Reason>,
}

/// Why something is not explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is no more than what the CPUs may hold back.
    Stock { most_bytes: u64 },
    /// Processes were not read.
    Unread { processes: usize, rss_bytes: u64 },
    /// Anonymous memory beyond that of the processes: they ended or gave it back since, or are not to be seen.
    Anon { bytes: u64 },
    /// Shared memory that is mapped by no process and is in no file system of the target.
    Shmem { bytes: u64 },
    /// Charged, and in no figure.
    Uncounted { bytes: u64 },
    /// The kernel does not tell its own memory.
    KernelUnknown,
}

/// Compares the two. `None` if the cgroup does not tell what its memory consists of.
pub(super) fn reconcile(
    cgroup: &CgroupMemory,
    header: Option<&MemoryHeader>,
    sums: &Sums,
) -> Option<Reconciliation> {
    let current = cgroup.current_bytes?;
    let stat = cgroup.stat.as_ref()?;
    let (anon, file) = (stat.anon_bytes?, stat.file_bytes?);
    let shmem = stat.shmem_bytes.unwrap_or(0).min(file);
    let page_cache = file - shmem;
    let kernel = kernel_bytes(stat);
    // In version 1 these are charged elsewhere.
    let sockets = stat.sock_bytes.filter(|_| cgroup.version == 2);
    let known = [anon, file, kernel.unwrap_or(0), sockets.unwrap_or(0)];
    let rest = current.saturating_sub(known.into_iter().fold(0, u64::saturating_add));

    let mapped_shmem = sums.shmem_bytes.unwrap_or(0);
    let mapped_cache = match stat.file_mapped_bytes {
        Some(mapped) => mapped.saturating_sub(mapped_shmem),
        None => sums.file_bytes.unwrap_or(0),
    }
    .min(page_cache);
    let tmpfs = header.map_or(0, tmpfs_bytes);
    let beyond = |held: Option<u64>, charged: u64| held.unwrap_or(0).saturating_sub(charged);

    let anon_gap = sums.anon_bytes.map_or(0, |held| anon.saturating_sub(held));
    let shmem_gap = sums.shmem_bytes.map_or(0, |held| shmem.saturating_sub(held.saturating_add(tmpfs)));
    let mut reconciliation = Reconciliation {
        accounts: Vec::new(),
        unmapped_cache_bytes: page_cache - mapped_cache,
        foreign_bytes: beyond(sums.file_bytes, mapped_cache),
        newer_bytes: beyond(sums.anon_bytes, anon),
        tmpfs_bytes: tmpfs,
        unexplained_bytes: rest.saturating_add(anon_gap).saturating_add(shmem_gap).min(current),
        because: Vec::new(),
    };
    let mut account = |kind, bytes: Option<u64>, processes_bytes| {
        let account = bytes.map(|bytes| Account { kind, bytes, processes_bytes });
        reconciliation.accounts.extend(account);
    };
    account(Kind::Anon, Some(anon), sums.anon_bytes);
    account(Kind::PageCache, Some(page_cache), sums.file_bytes);
    account(Kind::Shmem, stat.shmem_bytes.map(|_| shmem), sums.shmem_bytes);
    account(Kind::Kernel, kernel, None);
    account(Kind::Sockets, sockets, None);
    account(Kind::Rest, Some(rest), None);

    let stock = stock_bytes(header);
    let because = &mut reconciliation.because;
    if sums.unread > 0 && anon_gap > 0 {
        because.push(Reason::Unread { processes: sums.unread, rss_bytes: sums.unread_rss_bytes });
    }
    if kernel.is_none() && rest > 0 {
        because.push(Reason::KernelUnknown);
    }
    let large = |bytes: u64| bytes > stock.unwrap_or(ROUNDING_BYTES);
    if large(anon_gap) && sums.unread == 0 {
        because.push(Reason::Anon { bytes: anon_gap });
    }
    if large(shmem_gap) {
        because.push(Reason::Shmem { bytes: shmem_gap });
    }
    if large(rest) && kernel.is_some() {
        because.push(Reason::Uncounted { bytes: rest });
    }
    if because.is_empty() {
        because.extend(stock.map(|most_bytes| Reason::Stock { most_bytes }));
    }
    Some(reconciliation)
}

/// What the kernel holds for the cgroup; before Linux 5.18 the sum of what version 2 tells of it.
fn kernel_bytes(stat: &CgroupMemoryStat) -> Option<u64> {
    let parts = [
        stat.slab_reclaimable_bytes,
        stat.slab_unreclaimable_bytes,
        stat.kernel_stack_bytes,
        stat.page_tables_bytes,
        stat.percpu_bytes,
    ];
    stat.kernel_bytes.or_else(|| parts.into_iter().flatten().reduce(u64::saturating_add))
}

/// How much the CPUs may hold back together.
pub(super) fn stock_bytes(header: Option<&MemoryHeader>) -> Option<u64> {
    let machine = header?.machine.as_ref()?;
    Some(STOCK_PAGES.saturating_mul(machine.page_bytes).saturating_mul(u64::from(machine.cpus?)))
}

fn tmpfs_bytes(header: &MemoryHeader) -> u64 {
    header.tmpfs.iter().map(|mount| mount.used_bytes).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{MachineMemory, ProcessMemory, TmpfsMount};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn cgroup(stat: CgroupMemoryStat, current_mib: u64) -> CgroupMemory {
        CgroupMemory {
            version: 2,
            current_bytes: Some(current_mib * MIB),
            stat: Some(stat),
            ..CgroupMemory::default()
        }
    }

    fn header(tmpfs_mib: u64) -> MemoryHeader {
        let machine = MachineMemory { cpus: Some(4), page_bytes: 4096, ..MachineMemory::default() };
        let tmpfs = TmpfsMount { used_bytes: tmpfs_mib * MIB, ..TmpfsMount::default() };
        MemoryHeader { machine: Some(machine), tmpfs: vec![tmpfs], ..MemoryHeader::default() }
    }

    fn sums(anon_mib: u64, file_mib: u64, shmem_mib: u64) -> Sums {
        Sums {
            pss_bytes: Some((anon_mib + file_mib + shmem_mib) * MIB),
            anon_bytes: Some(anon_mib * MIB),
            file_bytes: Some(file_mib * MIB),
            shmem_bytes: Some(shmem_mib * MIB),
            ..Sums::default()
        }
    }

    fn stat(
        anon_mib: u64,
        file_mib: u64,
        mapped_mib: u64,
        shmem_mib: u64,
        kernel_mib: u64,
    ) -> CgroupMemoryStat {
        CgroupMemoryStat {
            anon_bytes: Some(anon_mib * MIB),
            file_bytes: Some(file_mib * MIB),
            file_mapped_bytes: Some(mapped_mib * MIB),
            shmem_bytes: Some(shmem_mib * MIB),
            kernel_bytes: Some(kernel_mib * MIB),
            sock_bytes: Some(0),
            ..CgroupMemoryStat::default()
        }
    }

    #[test]
    fn cache_that_no_process_maps_and_files_in_memory_are_explained() {
        let cgroup = cgroup(stat(100, 70, 12, 20, 8), 178);
        let reconciliation = reconcile(&cgroup, Some(&header(18)), &sums(100, 10, 2)).unwrap();
        assert_eq!(reconciliation.unexplained_bytes, 0);
        assert_eq!(reconciliation.unmapped_cache_bytes, 40 * MIB);
        assert_eq!((reconciliation.tmpfs_bytes, reconciliation.foreign_bytes), (18 * MIB, 0));
        let bytes: u64 = reconciliation.accounts.iter().map(|account| account.bytes).sum();
        assert_eq!(bytes, 178 * MIB, "the accounts are the whole");
    }

    #[test]
    fn files_that_others_paid_for_are_foreign_and_not_negative() {
        let cgroup = cgroup(stat(10, 1, 1, 0, 1), 12);
        let reconciliation = reconcile(&cgroup, Some(&header(0)), &sums(11, 30, 0)).unwrap();
        assert_eq!((reconciliation.foreign_bytes, reconciliation.newer_bytes), (29 * MIB, MIB));
        assert_eq!(reconciliation.unexplained_bytes, 0);
    }

    #[test]
    fn what_cpus_hold_back_is_told_from_what_is_really_missing() {
        let because = |current_mib, sums: &Sums| {
            let reconciliation =
                reconcile(&cgroup(stat(10, 0, 0, 0, 1), current_mib), Some(&header(0)), sums);
            let Reconciliation { unexplained_bytes, because, .. } = reconciliation.unwrap();
            (unexplained_bytes / MIB, because)
        };
        assert_eq!(because(12, &sums(10, 0, 0)), (1, vec![Reason::Stock { most_bytes: MIB }]));
        assert_eq!(because(14, &sums(10, 0, 0)), (3, vec![Reason::Uncounted { bytes: 3 * MIB }]));
        assert_eq!(because(11, &sums(4, 0, 0)), (6, vec![Reason::Anon { bytes: 6 * MIB }]));
        let unread = Sums { unread: 2, unread_rss_bytes: 7 * MIB, ..sums(4, 0, 0) };
        assert_eq!(because(11, &unread), (6, vec![Reason::Unread { processes: 2, rss_bytes: 7 * MIB }]));
    }

    #[test]
    fn shared_memory_without_an_owner_is_missing_and_swollen_figures_do_no_harm() {
        let reconciliation = reconcile(&cgroup(stat(0, 30, 0, 30, 0), 30), Some(&header(5)), &sums(0, 0, 5));
        let reconciliation = reconciliation.unwrap();
        assert_eq!(reconciliation.because, [Reason::Shmem { bytes: 20 * MIB }]);
        let swollen = CgroupMemoryStat {
            anon_bytes: Some(u64::MAX),
            file_bytes: Some(u64::MAX),
            shmem_bytes: Some(u64::MAX),
            ..CgroupMemoryStat::default()
        };
        let reconciliation = reconcile(&cgroup(swollen, 1), None, &Sums::default()).unwrap();
        assert!(reconciliation.unexplained_bytes <= MIB, "never more than there is");
    }

    #[test]
    fn sockets_are_part_of_version_2_only_and_an_old_kernel_tells_its_parts() {
        let old = CgroupMemoryStat {
            kernel_bytes: None,
            kernel_stack_bytes: Some(MIB),
            slab_reclaimable_bytes: Some(2 * MIB),
            sock_bytes: Some(4 * MIB),
            ..stat(0, 0, 0, 0, 0)
        };
        let kinds = |version| {
            let cgroup = CgroupMemory { version, ..cgroup(old, 9) };
            let reconciliation = reconcile(&cgroup, None, &sums(0, 0, 0)).unwrap();
            let parts = reconciliation.accounts.iter().filter(|account| account.bytes > 0);
            parts.map(|account| (account.kind, account.bytes / MIB)).collect::<Vec<_>>()
        };
        assert_eq!(kinds(2), [(Kind::Kernel, 3), (Kind::Sockets, 4), (Kind::Rest, 2)]);
        assert_eq!(kinds(1), [(Kind::Kernel, 3), (Kind::Rest, 6)]);
    }

    #[test]
    fn sums_leave_out_strangers_and_are_absent_where_a_part_is() {
        let process = |pss, anon, origin| MemoryRow {
            process: ProcessMemory {
                pss_bytes: pss,
                pss_anon_bytes: anon,
                rss_bytes: 9,
                origin,
                ..ProcessMemory::default()
            },
            age: None,
        };
        let rows = [process(Some(4), Some(3), 1), process(Some(100), Some(100), 3), process(None, None, 1)];
        let sums = Sums::of(&rows);
        assert_eq!((sums.pss_bytes, sums.anon_bytes, sums.file_bytes), (Some(4), Some(3), None));
        assert_eq!((sums.unread, sums.unread_rss_bytes), (1, 9));
    }
}
