//! What reading costs the target, and when it is asked for first.

use std::time::Duration;

use dbgctl_proto::v1::{Gap, MemoryHeader, ProcessMemory, Unread};

use crate::render::human::{Bytes, Took};
use crate::render::one_line;

/// A process with more than this is read only if the user consents.
pub(super) const BIGGEST_UNASKED_BYTES: u64 = 4 << 30;

/// How long reading a GiB of small pages takes, and so how long the process cannot map memory.
const NANOS_PER_GIB: u64 = 12_000_000;

/// What takes no longer is not worth a word.
const UNNOTICED: Duration = Duration::from_millis(50);

/// How long it takes to read so much.
pub(super) fn cost(resident_bytes: u64) -> Duration {
    let nanos = (u128::from(resident_bytes) * u128::from(NANOS_PER_GIB)) >> 30;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What is said before it is read, if that takes long.
pub(super) fn announcement(header: &MemoryHeader, budget: Option<Duration>) -> Option<String> {
    let resident = header.resident_bytes_to_read;
    let cost = cost(resident).min(budget.unwrap_or(Duration::MAX));
    (cost > UNNOTICED).then(|| {
        format!(
            "reading {} takes up to about {}; each process cannot map memory while it is read",
            Bytes(resident),
            Took(cost)
        )
    })
}

/// Those that are too big to be read without being asked for.
pub(super) fn too_big(processes: &[ProcessMemory]) -> impl Iterator<Item = &ProcessMemory> {
    processes.iter().filter(|process| process.unread() == Unread::TooBig)
}

/// What the user is asked.
pub(super) fn question(processes: &[&ProcessMemory]) -> String {
    let named: Vec<_> = processes.iter().take(3).map(|process| named(process)).collect();
    let more = processes.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let biggest = processes.iter().map(|process| process.rss_bytes).max().unwrap_or(0);
    format!(
        "read {}{more}? Mapping memory stops there for up to about {}",
        named.join(", "),
        Took(cost(biggest))
    )
}

/// Why such a process has no figures, and what to do about it.
pub(super) fn gap(process: &ProcessMemory) -> Gap {
    Gap {
        subject: "memory of processes".to_owned(),
        reason: format!("{} not read without consent: --yes or --budget TIME gives it", named(process)),
        count: 1,
    }
}

/// `pid 17 java (6.1 GiB resident)`.
fn named(process: &ProcessMemory) -> String {
    let name = String::from_utf8_lossy(&process.command);
    format!("pid {} {} ({} resident)", process.pid, one_line(&name), Bytes(process.rss_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_long_is_announced_and_a_budget_bounds_it() {
        let header = |gib: u64| MemoryHeader { resident_bytes_to_read: gib << 30, ..MemoryHeader::default() };
        assert_eq!(announcement(&header(4), None), None);
        let said = announcement(&header(10), None).unwrap();
        assert!(said.starts_with("reading 10.0 GiB takes up to about 120 ms; "), "{said}");
        assert_eq!(announcement(&header(10), Some(Duration::from_millis(20))), None);
        assert_eq!(cost(u64::MAX).as_secs(), 206_158_430);
    }

    #[test]
    fn who_is_asked_knows_what_it_is_about() {
        let process = ProcessMemory {
            pid: 17,
            command: b"ja\nva".into(),
            rss_bytes: 6 << 30,
            ..ProcessMemory::default()
        };
        assert_eq!(
            question(&[&process; 5]),
            "read pid 17 ja\\nva (6.0 GiB resident), pid 17 ja\\nva (6.0 GiB resident), \
             pid 17 ja\\nva (6.0 GiB resident) and 2 more? Mapping memory stops there for up to about 72.0 ms"
        );
        let gap = gap(&process);
        assert!(gap.reason.contains("6.0 GiB") && gap.reason.contains("--yes"), "{gap:?}");
    }
}
