//! Watching keeps to a duty: a process that took long to read is left alone for twenty times as long.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dbgctl_proto::v1::{MemoryHeader, ProcessMemory, Unread};

use super::row::MemoryRow;

/// At most a twentieth of the time is spent reading one process: 5 %.
const DUTY: u32 = 20;

/// What was read of processes that rest now.
#[derive(Debug, Default)]
pub(super) struct Resting {
    /// By pid and start.
    read: HashMap<(u32, u64), Read>,
}

#[derive(Debug)]
struct Read {
    at: Instant,
    took: Duration,
    figures: ProcessMemory,
}

impl Resting {
    /// The processes that are not to be read in a list that is begun `now`.
    pub(super) fn pids(&self, now: Instant) -> Vec<u32> {
        let rests = |read: &Read| now.saturating_duration_since(read.at) < read.took.saturating_mul(DUTY);
        self.read.iter().filter(|(_, read)| rests(read)).map(|((pid, _), _)| *pid).collect()
    }

    /// Gives those that rested the figures they had, remembers the others, and forgets who is gone.
    pub(super) fn rows(
        &mut self,
        header: Option<&MemoryHeader>,
        processes: Vec<ProcessMemory>,
        interval: Duration,
        now: Instant,
    ) -> Vec<MemoryRow> {
        let mut read_before = std::mem::take(&mut self.read);
        let mut row = |process: ProcessMemory| {
            let identity = (process.pid, process.started_boottime_nanos);
            let before = read_before.remove(&identity);
            if process.unread() == Unread::Rests {
                let Some(before) = before else { return MemoryRow { process, age: None } };
                let row = carried(process, &before.figures, header);
                self.read.insert(identity, before);
                return row;
            }
            let took = process.read_took_nanos.map(Duration::from_nanos);
            // Whoever may be read again at once need not be remembered.
            if let Some(took) = took.filter(|took| took.saturating_mul(DUTY) > interval) {
                self.read.insert(identity, Read { at: now, took, figures: process.clone() });
            }
            MemoryRow { process, age: None }
        };
        processes.into_iter().map(&mut row).collect()
    }
}

/// The figures of an earlier list, with what is known now.
fn carried(process: ProcessMemory, figures: &ProcessMemory, header: Option<&MemoryHeader>) -> MemoryRow {
    let age = header.zip(figures.read_boottime_nanos);
    let age =
        age.map(|(header, read)| Duration::from_nanos(header.sampled_boottime_nanos.saturating_sub(read)));
    let process = ProcessMemory {
        oom_score: process.oom_score,
        oom_score_adj: process.oom_score_adj,
        unread: process.unread,
        ..figures.clone()
    };
    MemoryRow { process, age }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pid: u32, started: u64, took_millis: u64) -> ProcessMemory {
        ProcessMemory {
            pid,
            started_boottime_nanos: started,
            pss_bytes: Some(77),
            read_boottime_nanos: Some(1_000_000_000),
            read_took_nanos: Some(took_millis * 1_000_000),
            ..ProcessMemory::default()
        }
    }

    fn rests(pid: u32, started: u64) -> ProcessMemory {
        ProcessMemory {
            pid,
            started_boottime_nanos: started,
            unread: Unread::Rests.into(),
            ..ProcessMemory::default()
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_took_long_rests_twenty_times_as_long_and_shows_how_old_its_figures_are() {
        let began = Instant::now();
        let mut resting = Resting::default();
        resting.rows(None, vec![read(1, 5, 100), read(2, 5, 40)], SECOND, began);
        assert_eq!(resting.pids(began + SECOND), [1], "40 ms each second are less than 5 %");

        let header = MemoryHeader { sampled_boottime_nanos: 2_500_000_000, ..MemoryHeader::default() };
        let rows = resting.rows(Some(&header), vec![rests(1, 5), read(2, 5, 40)], SECOND, began + SECOND);
        assert_eq!((rows[0].process.pss_bytes, rows[0].age), (Some(77), Some(Duration::from_millis(1500))));
        assert_eq!(rows[1].age, None);
        assert_eq!(resting.pids(began + Duration::from_millis(1999)), [1]);
        assert!(resting.pids(began + Duration::from_millis(2001)).is_empty());
    }

    #[test]
    fn a_process_that_got_the_pid_of_another_does_not_get_its_figures() {
        let began = Instant::now();
        let mut resting = Resting::default();
        resting.rows(None, vec![read(1, 5, 100)], SECOND, began);
        let rows = resting.rows(None, vec![rests(1, 6)], SECOND, began + SECOND);
        assert_eq!((rows[0].process.pss_bytes, rows[0].age), (None, None));
        assert!(resting.pids(began + SECOND).is_empty(), "who is gone is forgotten");
    }
}
