//! What watching shows: whether memory grows that nobody gives back, who is it, and when it ends.

use std::collections::HashMap;
use std::time::Duration;

use dbgctl_proto::v1::{CgroupMemory, MemoryHeader};

use super::headroom::{Bound, Headroom};
use super::row::MemoryRow;
use super::trend::{SHORTEST, Series, Slope, Trend};
use crate::render::Object;
use crate::render::human::{Bytes, Elapsed};

/// Of so many processes the history is kept, those with the biggest resident sets.
const MOST_PROCESSES: usize = 256;
/// Of so many the trend is worked out, those that grew most.
const MOST_SUSPECTS: usize = 8;

/// The history of what can leak: memory that no one can drop. Page cache is none of it.
#[derive(Debug, Default)]
pub(super) struct History {
    cgroup: Series,
    shmem: Series,
    /// By pid and start.
    processes: HashMap<(u32, u64), Process>,
}

#[derive(Debug, Default)]
struct Process {
    command: Vec<u8>,
    held: Series,
}

/// What the history says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    trend: Trend,
    observed: Duration,
    samples: usize,
    /// The lowest and the highest it was.
    range: Option<(f64, f64)>,
    /// When the bound is reached, at this slope.
    left: Option<Duration>,
    bound: Option<Bound>,
    grows: Option<Culprit>,
}

/// What grows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Culprit {
    Process { pid: u32, command: Vec<u8> },
    Shmem,
}

impl History {
    /// Adds one answer.
    pub(super) fn add(
        &mut self,
        cgroup: Option<&CgroupMemory>,
        header: Option<&MemoryHeader>,
        rows: &[MemoryRow],
    ) {
        let Some(now) = header.map(|header| header.sampled_boottime_nanos) else { return };
        if let Some((cgroup, stat)) = cgroup.and_then(|cgroup| Some((cgroup, cgroup.stat.as_ref()?)))
            && let Some(anon) = stat.anon_bytes
        {
            let shmem = stat.shmem_bytes.unwrap_or(0);
            let swap = cgroup.swap_bytes.unwrap_or(0);
            self.cgroup.add(now, anon.saturating_add(shmem).saturating_add(swap));
            self.shmem.add(now, shmem);
        }
        let mut known = std::mem::take(&mut self.processes);
        for row in rows.iter().filter(|row| row.is_of_target()) {
            let process = &row.process;
            let identity = (process.pid, process.started_boottime_nanos);
            let mut history = match known.remove(&identity) {
                Some(history) => history,
                None if self.processes.len() + known.len() >= MOST_PROCESSES => continue,
                None => Process::default(),
            };
            // Figures of an earlier list are points already.
            if let (Some(held), Some(read), None) =
                (process.pss_anon_bytes, process.read_boottime_nanos, row.age)
            {
                history.held.add(read, held.saturating_add(process.swap_pss_bytes.unwrap_or(0)));
            }
            history.command.clone_from(&process.command);
            self.processes.insert(identity, history);
        }
    }

    /// What it says so far.
    pub(super) fn verdict(&self, headroom: Option<&Headroom>) -> Verdict {
        let trend = self.cgroup.trend();
        let growing = match trend {
            Trend::Growing(slope) => Some(slope),
            _ => None,
        };
        let left = growing.zip(headroom).and_then(|(slope, headroom)| {
            let minutes = headroom.conservative_bytes as f64 / slope.per_minute;
            Duration::try_from_secs_f64(minutes * 60.0).ok()
        });
        Verdict {
            trend,
            observed: self.cgroup.observed(),
            samples: self.cgroup.len(),
            range: self.cgroup.range(),
            left,
            bound: headroom.map(|headroom| headroom.bound),
            grows: growing.and_then(|slope| self.culprit(slope)),
        }
    }

    /// What makes up at least half of the growth.
    fn culprit(&self, whole: Slope) -> Option<Culprit> {
        let share = |series: &Series| match series.trend() {
            Trend::Growing(slope) => slope.per_minute,
            _ => 0.0,
        };
        let mut suspects: Vec<_> = self.processes.iter().collect();
        suspects.sort_by(|a, b| b.1.held.grown().total_cmp(&a.1.held.grown()));
        suspects.truncate(MOST_SUSPECTS);
        let process =
            suspects.into_iter().map(|(identity, process)| (share(&process.held), identity, process));
        let process = process.max_by(|a, b| a.0.total_cmp(&b.0));
        match process {
            Some((share, (pid, _), process)) if share >= whole.per_minute / 2.0 => {
                Some(Culprit::Process { pid: *pid, command: process.command.clone() })
            }
            _ if share(&self.shmem) >= whole.per_minute / 2.0 => Some(Culprit::Shmem),
            _ => None,
        }
    }
}

impl Verdict {
    /// The verdict in a sentence.
    pub(super) fn sentence(&self) -> String {
        let observed = Elapsed(self.observed);
        match self.trend {
            Trend::TooEarly => format!("too early to tell a trend ({observed} of {})", Elapsed(SHORTEST)),
            Trend::Level => {
                let range = self.range.map_or_else(String::new, |(low, high)| {
                    format!(": {} to {} of what cannot be dropped", bytes(low), bytes(high))
                });
                format!("no growth to speak of in {observed}{range}")
            }
            Trend::Unsteady { grown_bytes } => format!(
                "rose by {} in {observed}, but not all the time: no leak as far as can be told",
                bytes(grown_bytes)
            ),
            Trend::Growing(Slope { per_minute, low, high }) => {
                let interval = format!("95%: {:.1} to {:.1}", mib(low), mib(high));
                let left = self.left.zip(self.bound).map_or_else(String::new, |(left, bound)| {
                    let bound = match bound {
                        Bound::Cgroup { .. } | Bound::Above { .. } => "reaches the limit",
                        Bound::Machine { .. } => "fills the machine",
                    };
                    format!(", {bound} in {}", Elapsed(left))
                });
                let grows = match &self.grows {
                    Some(Culprit::Process { pid, command }) => {
                        format!(": pid {pid} {} grows", String::from_utf8_lossy(command))
                    }
                    Some(Culprit::Shmem) => ": shared memory or files in memory grow".to_owned(),
                    None => ": no process alone".to_owned(),
                };
                format!("growing {:.1} MiB/min ({interval}) for {observed}{left}{grows}", mib(per_minute))
            }
        }
    }

    /// The same as fields of an object.
    pub(super) fn fields(&self, object: &mut Object<'_>) {
        let slope = match self.trend {
            Trend::Growing(slope) => Some(slope),
            _ => None,
        };
        object.text(
            "trend",
            match self.trend {
                Trend::TooEarly => "too_early",
                Trend::Level => "level",
                Trend::Unsteady { .. } => "unsteady",
                Trend::Growing(_) => "growing",
            },
        );
        object.decimal("observed_seconds", self.observed.as_secs_f64());
        object.number("samples", u64::try_from(self.samples).ok());
        object.decimal("mib_per_minute", slope.map(|slope| mib(slope.per_minute)));
        object.decimal("mib_per_minute_low", slope.map(|slope| mib(slope.low)));
        object.decimal("mib_per_minute_high", slope.map(|slope| mib(slope.high)));
        object.decimal("seconds_to_bound", self.left.map(|left| left.as_secs_f64()));
        let pid = match self.grows {
            Some(Culprit::Process { pid, .. }) => Some(u64::from(pid)),
            _ => None,
        };
        object.number("growing_pid", pid);
        object.flag("growing_shmem", self.grows == Some(Culprit::Shmem));
    }
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, and is shown")]
fn bytes(bytes: f64) -> Bytes {
    Bytes(bytes as u64)
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{CgroupMemoryStat, ProcessMemory};

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A minute of a target; each second its anonymous memory, shared memory, page cache and two processes.
    fn watched(second: impl Fn(u64) -> [u64; 5]) -> History {
        let mut history = History::default();
        for now in 0..=60 {
            let [anon, shmem, file, first, second] = second(now).map(|mib| mib * MIB);
            let stat = CgroupMemoryStat {
                anon_bytes: Some(anon),
                shmem_bytes: Some(shmem),
                file_bytes: Some(file),
                ..CgroupMemoryStat::default()
            };
            let cgroup = CgroupMemory { stat: Some(stat), ..CgroupMemory::default() };
            let nanos = now * 1_000_000_000;
            let header = MemoryHeader { sampled_boottime_nanos: nanos, ..MemoryHeader::default() };
            let row = |pid, held| MemoryRow {
                process: ProcessMemory {
                    pid,
                    command: b"wor\nker".to_vec(),
                    pss_anon_bytes: Some(held),
                    read_boottime_nanos: Some(nanos),
                    ..ProcessMemory::default()
                },
                age: None,
            };
            history.add(Some(&cgroup), Some(&header), &[row(1, first), row(17, second)]);
        }
        history
    }

    fn headroom(mib: u64) -> Headroom {
        let bound = Bound::Cgroup { limit_bytes: 0 };
        Headroom { bound, conservative_bytes: mib * MIB, optimistic_bytes: 0 }
    }

    #[test]
    fn a_leak_is_told_with_its_speed_its_end_and_its_process() {
        let verdict = watched(|t| [100 + t, 5, 0, 50, 50 + t]).verdict(Some(&headroom(600)));
        assert_eq!(
            verdict.sentence(),
            "growing 60.0 MiB/min (95%: 60.0 to 60.0) for 1:00, reaches the limit in 10:00: pid 17 wor\nker grows"
        );
    }

    #[test]
    fn files_in_memory_that_grow_are_told_from_processes() {
        let verdict = watched(|t| [100, 5 + t, 0, 50, 50]).verdict(None);
        assert!(
            verdict.sentence().ends_with(": shared memory or files in memory grow"),
            "{}",
            verdict.sentence()
        );
        let verdict = watched(|t| [100 + 3 * t, 0, 0, 50 + t, 50 + t]).verdict(None);
        assert!(verdict.sentence().ends_with(": no process alone"), "{}", verdict.sentence());
    }

    #[test]
    fn a_busy_page_cache_is_never_called_a_leak() {
        let verdict = watched(|t| [100, 5, t * 500, 50, 50]).verdict(Some(&headroom(1)));
        assert_eq!(
            verdict.sentence(),
            "no growth to speak of in 1:00: 105 MiB to 105 MiB of what cannot be dropped"
        );
    }

    #[test]
    fn figures_that_a_process_had_before_are_no_new_points() {
        let mut history = History::default();
        let header = MemoryHeader { sampled_boottime_nanos: 9, ..MemoryHeader::default() };
        let process = ProcessMemory {
            pss_anon_bytes: Some(1),
            read_boottime_nanos: Some(3),
            ..ProcessMemory::default()
        };
        let rows = [MemoryRow { process, age: Some(Duration::from_nanos(6)) }];
        history.add(None, Some(&header), &rows);
        assert_eq!(history.processes[&(0, 0)].held.len(), 0);
        assert_eq!(history.verdict(None).trend, Trend::TooEarly);
    }
}
