//! How much is left until the kernel kills, and whom it would kill first.
//!
//! Source: Linux, mm/oom_kill.c: the process with most points goes, which are the pages that it holds in memory and in
//! swap, plus `oom_score_adj` thousandths of the memory that ran out.

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{CgroupMemory, MemoryHeader, ProcessMemory};

use super::row::MemoryRow;
use crate::commands::cgroup::limit;

/// A process with this adjustment is never killed.
const NEVER: i32 = -1000;

/// What runs out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Bound {
    /// The limit of the cgroup.
    Cgroup { limit_bytes: u64 },
    /// The limit of a cgroup above it.
    Above { limit_bytes: u64 },
    /// The memory of the machine.
    Machine { total_bytes: u64 },
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) struct Headroom {
    pub(in crate::commands) bound: Bound,
    /// What can be had for sure: what is free, and clean page cache that was not used lately.
    pub(in crate::commands) conservative_bytes: u64,
    /// What can be had if all goes well: all page cache, the kernel's caches, and what fits into swap.
    pub(in crate::commands) optimistic_bytes: u64,
}

/// Works out what is left. `None` if neither a limit nor the machine is known.
pub(in crate::commands) fn headroom(
    cgroup: Option<&CgroupMemory>,
    header: Option<&MemoryHeader>,
) -> Option<Headroom> {
    let of_cgroup = cgroup.and_then(|cgroup| within_limit(cgroup, header));
    let of_machine = of_machine(header);
    // Whichever runs out first.
    match (of_cgroup, of_machine) {
        (Some(cgroup), Some(machine)) if machine.conservative_bytes < cgroup.conservative_bytes => {
            Some(machine)
        }
        (Some(cgroup), _) => Some(cgroup),
        (None, machine) => machine,
    }
}

fn within_limit(cgroup: &CgroupMemory, header: Option<&MemoryHeader>) -> Option<Headroom> {
    let own = limit(cgroup.limit.as_ref());
    let above = limit(cgroup.hierarchical_limit.as_ref());
    let bound = match (own, above) {
        (Some(Limit::At(own)), Some(Limit::At(above))) if above < own => Bound::Above { limit_bytes: above },
        (Some(Limit::At(own)), _) => Bound::Cgroup { limit_bytes: own },
        (_, Some(Limit::At(above))) => Bound::Above { limit_bytes: above },
        _ => return None,
    };
    let (Bound::Cgroup { limit_bytes } | Bound::Above { limit_bytes }) = bound else { return None };
    let free = limit_bytes.saturating_sub(cgroup.current_bytes?);
    let stat = cgroup.stat.unwrap_or_default();
    let [inactive, active, dirty, writeback, slab] = [
        stat.inactive_file_bytes,
        stat.active_file_bytes,
        stat.file_dirty_bytes,
        stat.file_writeback_bytes,
        stat.slab_reclaimable_bytes,
    ]
    .map(Option::unwrap_or_default);
    let clean = inactive.saturating_sub(dirty.saturating_add(writeback));
    let all = [free, inactive, active, slab, swap_room(cgroup, header)];
    Some(Headroom {
        bound,
        conservative_bytes: free.saturating_add(clean).min(limit_bytes),
        optimistic_bytes: all.into_iter().fold(0, u64::saturating_add),
    })
}

/// What still fits into swap.
fn swap_room(cgroup: &CgroupMemory, header: Option<&MemoryHeader>) -> u64 {
    let machine = header.and_then(|header| header.machine).map_or(0, |machine| machine.swap_free_bytes);
    match limit(cgroup.swap_limit.as_ref()) {
        Some(Limit::At(most)) => machine.min(most.saturating_sub(cgroup.swap_bytes.unwrap_or(0))),
        Some(Limit::Unlimited(_)) => machine,
        None => 0,
    }
}

fn of_machine(header: Option<&MemoryHeader>) -> Option<Headroom> {
    let machine = header?.machine?;
    let available = machine.available_bytes?;
    Some(Headroom {
        bound: Bound::Machine { total_bytes: machine.total_bytes },
        conservative_bytes: available,
        optimistic_bytes: available.saturating_add(machine.swap_free_bytes),
    })
}

/// Who is killed first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Victims<'r> {
    pub(super) first: &'r ProcessMemory,
    /// Others that have as many points, within a hundredth.
    pub(super) tied: Vec<&'r ProcessMemory>,
}

/// Whom the kernel would kill first of the target's processes. `None`: nobody may be killed, or it is not known.
pub(super) fn victims<'r>(
    rows: &'r [MemoryRow],
    headroom: Option<&Headroom>,
    header: Option<&MemoryHeader>,
) -> Option<Victims<'r>> {
    let swap = header.and_then(|header| header.machine).map_or(0, |machine| machine.swap_total_bytes);
    let ran_out = match headroom?.bound {
        Bound::Cgroup { limit_bytes } | Bound::Above { limit_bytes } => limit_bytes,
        Bound::Machine { total_bytes } => total_bytes.saturating_add(swap),
    };
    let candidates = rows.iter().filter(|row| row.is_of_target()).map(|row| &row.process);
    let mut ranked: Vec<_> =
        candidates.filter_map(|process| Some((points(process, ran_out)?, process))).collect();
    ranked.sort_by_key(|(points, process)| (std::cmp::Reverse(*points), process.pid));
    let (&(most, first), others) = ranked.split_first()?;
    let is_tied = |points: i128| (most - points) * 100 <= most.abs();
    let tied =
        others.iter().take_while(|(points, _)| is_tied(*points)).map(|(_, process)| *process).collect();
    Some(Victims { first, tied })
}

/// `None` for what is never killed, and where it is not known how much that is adjusted.
fn points(process: &ProcessMemory, ran_out_bytes: u64) -> Option<i128> {
    let adjustment = process.oom_score_adj.filter(|&adjustment| adjustment != NEVER)?;
    let held = i128::from(process.rss_bytes) + i128::from(process.swap_bytes.unwrap_or(0));
    Some(held + i128::from(adjustment) * i128::from(ran_out_bytes) / 1000)
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{self, CgroupMemoryStat, MachineMemory};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn at(mib: u64) -> Option<v1::Limit> {
        Some(v1::Limit { limit: Some(Limit::At(mib * MIB)) })
    }

    fn header(available_mib: u64, swap_free_mib: u64) -> MemoryHeader {
        let machine = MachineMemory {
            total_bytes: 8000 * MIB,
            available_bytes: Some(available_mib * MIB),
            swap_total_bytes: 100 * MIB,
            swap_free_bytes: swap_free_mib * MIB,
            ..MachineMemory::default()
        };
        MemoryHeader { machine: Some(machine), ..MemoryHeader::default() }
    }

    fn cgroup() -> CgroupMemory {
        let stat = CgroupMemoryStat {
            inactive_file_bytes: Some(20 * MIB),
            active_file_bytes: Some(10 * MIB),
            file_dirty_bytes: Some(3 * MIB),
            file_writeback_bytes: Some(MIB),
            slab_reclaimable_bytes: Some(5 * MIB),
            ..CgroupMemoryStat::default()
        };
        CgroupMemory {
            current_bytes: Some(90 * MIB),
            limit: at(100),
            swap_limit: at(50),
            swap_bytes: Some(10 * MIB),
            stat: Some(stat),
            ..CgroupMemory::default()
        }
    }

    #[test]
    fn what_is_sure_is_told_from_what_may_be() {
        let headroom = headroom(Some(&cgroup()), Some(&header(4000, 25))).unwrap();
        assert_eq!(headroom.bound, Bound::Cgroup { limit_bytes: 100 * MIB });
        assert_eq!(headroom.conservative_bytes, (10 + 16) * MIB);
        assert_eq!(headroom.optimistic_bytes, (10 + 30 + 5 + 25) * MIB);
    }

    #[test]
    fn a_lower_limit_above_and_a_machine_that_runs_out_first_are_the_bound() {
        let above = CgroupMemory { hierarchical_limit: at(95), ..cgroup() };
        let bound = |cgroup: &CgroupMemory, header| headroom(Some(cgroup), Some(&header)).unwrap().bound;
        assert_eq!(bound(&above, header(4000, 0)), Bound::Above { limit_bytes: 95 * MIB });
        assert_eq!(bound(&cgroup(), header(5, 0)), Bound::Machine { total_bytes: 8000 * MIB });
        let unlimited = v1::Limit { limit: Some(Limit::Unlimited(true)) };
        let unlimited = CgroupMemory { limit: Some(unlimited), ..cgroup() };
        assert_eq!(bound(&unlimited, header(4000, 0)), Bound::Machine { total_bytes: 8000 * MIB });
        assert_eq!(headroom(None, None), None);
    }

    fn row(pid: u32, rss_mib: u64, adjustment: Option<i32>) -> MemoryRow {
        let process = ProcessMemory {
            pid,
            rss_bytes: rss_mib * MIB,
            oom_score_adj: adjustment,
            ..ProcessMemory::default()
        };
        MemoryRow { process, age: None }
    }

    #[test]
    fn an_adjustment_outweighs_size_in_thousandths_of_the_limit() {
        let bound = Headroom {
            bound: Bound::Cgroup { limit_bytes: 100 * MIB },
            conservative_bytes: 0,
            optimistic_bytes: 0,
        };
        let first = |rows: &[MemoryRow]| {
            let victims = victims(rows, Some(&bound), None)?;
            Some((victims.first.pid, victims.tied.iter().map(|process| process.pid).collect::<Vec<_>>()))
        };
        assert_eq!(first(&[row(1, 60, Some(0)), row(2, 20, Some(0))]), Some((1, vec![])));
        assert_eq!(first(&[row(1, 60, Some(0)), row(2, 20, Some(500))]), Some((2, vec![])));
        assert_eq!(
            first(&[row(1, 90, Some(NEVER)), row(2, 20, Some(0)), row(3, 20, Some(0))]),
            Some((2, vec![3]))
        );
        assert_eq!(first(&[row(1, 90, Some(NEVER)), row(2, 20, None)]), None);
    }
}
