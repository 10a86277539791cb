//! What the figures mean, in plain words below the table.

use std::borrow::Cow;

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{CgroupMemory, CgroupMemoryStat, MemoryHeader, ProcessMemory};

use super::headroom::{Bound, Headroom, Victims};
use super::reconcile::{Account, Kind, Reason, Reconciliation, Sums, stock_bytes};
use crate::commands::cgroup::{limit, pressure_sentence};
use crate::render::human::{Bytes, Percent};
use crate::render::{Column, Object, Row};

/// Others that would be killed as likely; more are counted.
const MOST_TIED: usize = 3;
/// Less than this of the whole needs no explanation.
const WORTH_A_LINE_PERCENT: f64 = 1.0;
/// File systems in memory that are named; more are counted.
const MOST_MOUNTS: usize = 3;

/// A part of the cgroup's memory as it is shown.
#[derive(Debug)]
pub(super) struct AccountRow {
    account: Account,
    share_percent: Option<f64>,
    note: String,
}

impl Row for AccountRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("CGROUP", |row| Cow::Borrowed(row.account.kind.name())),
        Column::bytes("BYTES", |row| Some(row.account.bytes)),
        Column::written("SHARE%", |row: &Self, cell| {
            if let Some(share) = row.share_percent {
                cell.show(Percent(share));
            }
        })
        .right(),
        Column::bytes("PSS", |row| row.account.processes_bytes),
        Column::text("WHAT IT IS", |row| Cow::Borrowed(&row.note)),
    ];

    fn fields(&self, _: &mut Object<'_>) {}
}

/// The cgroup's memory by what it is.
pub(super) fn account_rows(
    cgroup: &CgroupMemory,
    header: Option<&MemoryHeader>,
    reconciliation: &Reconciliation,
) -> Vec<AccountRow> {
    let whole = cgroup.current_bytes.filter(|&whole| whole > 0);
    let stat = cgroup.stat.unwrap_or_default();
    let row = |account: &Account| AccountRow {
        account: *account,
        share_percent: whole.map(|whole| percent(account.bytes, whole)),
        note: match account.kind {
            Kind::Anon => anon_note(&stat),
            Kind::PageCache => cache_note(&stat, reconciliation),
            Kind::Shmem => shmem_note(header),
            Kind::Kernel => kernel_note(&stat),
            Kind::Sockets => "buffers of what is sent and received".to_owned(),
            Kind::Rest => "charged and not counted yet".to_owned(),
        },
    };
    reconciliation.accounts.iter().map(row).collect()
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

fn anon_note(stat: &CgroupMemoryStat) -> String {
    let huge = stat.anon_huge_bytes.filter(|&huge| huge > 0);
    let huge = huge.map_or_else(String::new, |huge| format!(", {} of it in huge pages", Bytes(huge)));
    format!("heaps and stacks of processes{huge}")
}

fn cache_note(stat: &CgroupMemoryStat, reconciliation: &Reconciliation) -> String {
    let dirty = stat.file_dirty_bytes.filter(|&dirty| dirty > 0);
    let dirty = dirty.map_or_else(String::new, |dirty| format!(", {} to be written first", Bytes(dirty)));
    let unmapped = Bytes(reconciliation.unmapped_cache_bytes);
    format!("files; {unmapped} mapped by no process: dropped when memory is short{dirty}")
}

fn shmem_note(header: Option<&MemoryHeader>) -> String {
    let mut mounts: Vec<_> = header.iter().flat_map(|header| &header.tmpfs).collect();
    mounts.retain(|mount| mount.used_bytes > 0);
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.used_bytes));
    let named = mounts.iter().take(MOST_MOUNTS).map(|mount| {
        format!("{} in {}", Bytes(mount.used_bytes), String::from_utf8_lossy(&mount.mount_point))
    });
    let mut named: Vec<_> = named.collect();
    if mounts.len() > MOST_MOUNTS {
        named.push(format!("{} more file systems in memory", mounts.len() - MOST_MOUNTS));
    }
    match named.is_empty() {
        true => "shared memory, and files in memory".to_owned(),
        false => format!("shared memory, and files in memory: {}", named.join(", ")),
    }
}

fn kernel_note(stat: &CgroupMemoryStat) -> String {
    let slab = [stat.slab_reclaimable_bytes, stat.slab_unreclaimable_bytes];
    let slab = slab.into_iter().flatten().reduce(u64::saturating_add);
    let parts = [
        ("slab", slab),
        ("stacks", stat.kernel_stack_bytes),
        ("page tables", stat.page_tables_bytes),
        ("per CPU", stat.percpu_bytes),
    ];
    let told = parts.into_iter().filter_map(|(name, bytes)| Some(format!("{name} {}", Bytes(bytes?))));
    let told: Vec<_> = told.collect();
    let reclaimable = stat.slab_reclaimable_bytes.filter(|&bytes| bytes > 0);
    let reclaimable =
        reclaimable.map_or_else(String::new, |bytes| format!("; {} of it can be dropped", Bytes(bytes)));
    if told.is_empty() { "not told apart".to_owned() } else { format!("{}{reclaimable}", told.join(", ")) }
}

/// What the processes hold together, or those of them that are shown.
pub(super) fn sum(sums: &Sums, is_whole: bool) -> String {
    let words = |sum: Option<u64>| sum.map(|sum| Bytes(sum).to_string());
    let unknown = if sums.unread > 0 { "not known" } else { "more than there can be" };
    let all = words(sums.pss_bytes).unwrap_or_else(|| unknown.to_owned());
    let parts = [("anon", sums.anon_bytes), ("file", sums.file_bytes), ("shmem", sums.shmem_bytes)];
    let parts: Vec<_> =
        parts.into_iter().filter_map(|(name, sum)| Some(format!("{name} {}", words(sum)?))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let unread = match sums.unread {
        0 => String::new(),
        unread => format!(", without {unread} not read of {} resident", Bytes(sums.unread_rss_bytes)),
    };
    let of = if is_whole { "" } else { " of what is shown" };
    format!("sum of PSS{of}: {all}{parts}{unread}")
}

/// What the cgroup says, as far as it is worth a line.
pub(super) fn cgroup(cgroup: Option<&CgroupMemory>) -> Vec<String> {
    let Some(cgroup) = cgroup else { return vec!["cgroup: the agent said nothing of it".to_owned()] };
    if cgroup.version == 0 {
        return vec!["cgroup: no memory controller could be read".to_owned()];
    }
    let mut lines = vec![usage(cgroup)];
    lines.extend(swap(cgroup));
    lines.extend(soft_limits(cgroup));
    lines.extend(events(cgroup));
    lines.extend(cgroup.pressure.as_ref().map(|pressure| pressure_sentence("memory", pressure)));
    lines
}

/// `cgroup v2: 512 MiB of 1.0 GiB (50.0%), at most 600 MiB so far, working set 400 MiB (without inactive files)`.
fn usage(cgroup: &CgroupMemory) -> String {
    let current = cgroup.current_bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string());
    let limit = match limit(cgroup.limit.as_ref()) {
        Some(Limit::At(limit)) => {
            let share = cgroup.current_bytes.filter(|_| limit > 0);
            let share = share.map(|current| Percent(percent(current, limit)));
            format!(" of {}{}", Bytes(limit), share.map_or_else(String::new, |share| format!(" ({share}%)")))
        }
        Some(Limit::Unlimited(_)) => ", no limit".to_owned(),
        None => ", limit not readable".to_owned(),
    };
    let peak = cgroup.peak_bytes.map_or_else(String::new, |peak| format!(", at most {} so far", Bytes(peak)));
    let working_set = cgroup
        .working_set_bytes
        .map_or_else(String::new, |bytes| format!(", working set {} (all but inactive files)", Bytes(bytes)));
    format!("cgroup v{}: {current}{limit}{peak}{working_set}", cgroup.version)
}

fn swap(cgroup: &CgroupMemory) -> Option<String> {
    let used = cgroup.swap_bytes.filter(|&used| used > 0)?;
    let most = match limit(cgroup.swap_limit.as_ref()) {
        Some(Limit::At(most)) => format!(" of {}", Bytes(most)),
        Some(Limit::Unlimited(_)) => ", no limit".to_owned(),
        None => String::new(),
    };
    Some(format!("swapped out: {}{most}", Bytes(used)))
}

fn soft_limits(cgroup: &CgroupMemory) -> Option<String> {
    let set = |name: &str, bound| match limit(bound)? {
        Limit::At(0) => None,
        Limit::At(bytes) => Some(format!("{name} {}", Bytes(bytes))),
        Limit::Unlimited(_) => Some(format!("{name} all")),
    };
    let high = match limit(cgroup.high.as_ref()) {
        Some(Limit::At(bytes)) => Some(format!("slowed down above {}", Bytes(bytes))),
        _ => None,
    };
    let low = set("protected from reclaim: usually", cgroup.low.as_ref());
    let min = set("protected from reclaim: always", cgroup.min.as_ref());
    let parts: Vec<_> = [high, low, min].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn events(cgroup: &CgroupMemory) -> Option<String> {
    let events = cgroup.events?;
    let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let happened = |count: Option<u64>| count.filter(|&count| count > 0);
    let parts = [
        happened(events.max).map(|count| format!("the limit was reached {}", times(count))),
        happened(events.high).map(|count| format!("slowed down {}", times(count))),
        happened(events.oom).map(|count| format!("nothing could be reclaimed {}", times(count))),
        happened(events.oom_kill).map(|count| match count {
            1 => "1 process was killed for lack of memory".to_owned(),
            _ => format!("{count} processes were killed for lack of memory"),
        }),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("since it was made: {}", parts.join(", ")))
}

/// What the reconciliation leaves open.
pub(super) fn unexplained(
    cgroup: &CgroupMemory,
    header: Option<&MemoryHeader>,
    reconciliation: &Reconciliation,
) -> Vec<String> {
    let mut lines = Vec::new();
    if reconciliation.foreign_bytes > stock_bytes(header).unwrap_or(0) {
        let foreign = Bytes(reconciliation.foreign_bytes);
        lines.push(format!(
            "processes map {foreign} of files that other cgroups are charged with: who touches a shared page first pays"
        ));
    }
    if reconciliation.newer_bytes > stock_bytes(header).unwrap_or(0) {
        let newer = Bytes(reconciliation.newer_bytes);
        lines.push(format!(
            "processes hold {newer} of anonymous memory that the cgroup was not charged with a moment before: it grows, \
             or they came from another cgroup"
        ));
    }
    let bytes = reconciliation.unexplained_bytes;
    let whole = cgroup.current_bytes.unwrap_or(0).max(bytes);
    if bytes > 0 && percent(bytes, whole) >= WORTH_A_LINE_PERCENT {
        let because: Vec<_> =
            reconciliation.because.iter().map(|reason| reason_words(*reason, header)).collect();
        let because = if because.is_empty() { String::new() } else { format!(": {}", because.join("; ")) };
        lines.push(format!("not explained: {} ({}%){because}", Bytes(bytes), Percent(percent(bytes, whole))));
    }
    lines
}

/// A reason in words.
pub(super) fn reason_words(reason: Reason, header: Option<&MemoryHeader>) -> String {
    match reason {
        Reason::Stock { most_bytes } => {
            let cpus = header.and_then(|header| header.machine?.cpus).unwrap_or(0);
            format!("within the {} that {cpus} CPUs may hold in stock", Bytes(most_bytes))
        }
        Reason::Unread { processes, rss_bytes } => {
            format!("{processes} processes of {} resident were not read", Bytes(rss_bytes))
        }
        Reason::Anon { bytes } => format!(
            "{} of anonymous memory has no owner here: given back while this was read, or a process that cannot be seen",
            Bytes(bytes)
        ),
        Reason::Shmem { bytes } => format!(
            "{} of shared memory is mapped by no process and in no file system of the target: memfd, System V, or a \
             tmpfs that could not be looked at",
            Bytes(bytes)
        ),
        Reason::Uncounted { bytes } => format!(
            "{} is charged and in no figure of memory.stat: charges in flight, or a kind that this kernel does not count",
            Bytes(bytes)
        ),
        Reason::KernelUnknown => "this kernel does not tell how much it holds itself".to_owned(),
    }
}

/// How much is left, and what that depends on.
pub(super) fn headroom(cgroup: Option<&CgroupMemory>, headroom: &Headroom) -> String {
    let Headroom { bound, conservative_bytes, optimistic_bytes } = *headroom;
    let (sure, at_best) = (Bytes(conservative_bytes), Bytes(optimistic_bytes));
    let reclaim = match bound {
        Bound::Machine { .. } => "the kernel's estimate",
        Bound::Cgroup { .. } | Bound::Above { .. } => "with clean inactive files dropped",
    };
    let at_best = match optimistic_bytes > conservative_bytes {
        true => format!(", {at_best} at best (all page cache, the kernel's caches, and swap)"),
        false => String::new(),
    };
    let bound = match bound {
        Bound::Cgroup { .. } if cgroup.is_some_and(|cgroup| cgroup.version == 2) => {
            "; limits of cgroups above cannot be seen".to_owned()
        }
        Bound::Cgroup { .. } => String::new(),
        Bound::Above { limit_bytes } => format!("; the limit of {} is of a cgroup above", Bytes(limit_bytes)),
        Bound::Machine { .. } => "; the machine runs out first".to_owned(),
    };
    format!("headroom to the OOM killer: {sure} for sure ({reclaim}){at_best}{bound}")
}

/// Whom the kernel would kill first.
pub(super) fn victims(cgroup: Option<&CgroupMemory>, victims: &Victims<'_>) -> String {
    let named = |process: &ProcessMemory| {
        format!("pid {} {}", process.pid, String::from_utf8_lossy(&process.command))
    };
    let score = victims.first.oom_score.map_or_else(String::new, |score| format!(", oom_score {score}"));
    let tied: Vec<_> = victims.tied.iter().take(MOST_TIED).map(|process| named(process)).collect();
    let more = victims.tied.len().saturating_sub(tied.len());
    let more = if more > 0 { format!(" or {more} others") } else { String::new() };
    let tied =
        if tied.is_empty() { String::new() } else { format!(", or as likely {}{more}", tied.join(", ")) };
    let all = cgroup.and_then(|cgroup| cgroup.kills_all).unwrap_or(false);
    let all = if all { "; all others with it (memory.oom.group)" } else { "" };
    let first = named(victims.first);
    format!("killed first: {first} ({} resident{score}){tied}{all}", Bytes(victims.first.rss_bytes))
}
