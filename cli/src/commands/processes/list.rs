//! From the agent's stream to rows.

use std::collections::HashMap;
use std::time::Duration;

use dbgctl_proto::v1::{Process, ProcessListHeader};
use jiff::tz::TimeZone;

use super::row::{ProcessRow, State};
use crate::render::human;

/// From when on CPU% counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Since {
    Start,
    LastList,
}

impl Since {
    pub(in crate::commands) fn words(self) -> &'static str {
        match self {
            Self::Start => "since each one started",
            Self::LastList => "since the last list",
        }
    }

    pub(in crate::commands) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::LastList => "last_list",
        }
    }
}

/// The CPU times of the list before. Empty before the first.
#[derive(Debug, Default)]
pub(in crate::commands) struct History {
    sampled_boottime_nanos: Option<u64>,
    cpu_nanos: HashMap<Identity, u64>,
}

/// Pid, thread id and start: a pid alone may come back as another process.
type Identity = (u32, Option<u32>, u64);

fn identity(process: &Process) -> Identity {
    (process.pid, process.tid, process.started_boottime_nanos)
}

impl History {
    pub(in crate::commands) fn is_empty(&self) -> bool {
        self.sampled_boottime_nanos.is_none()
    }

    /// Makes rows of `processes` and remembers them for the next list.
    ///
    /// Start times are put in words if there is a `zone` to do so.
    pub(in crate::commands) fn rows(
        &mut self,
        header: Option<ProcessListHeader>,
        processes: Vec<Process>,
        zone: Option<&TimeZone>,
    ) -> Vec<ProcessRow> {
        let header = header.unwrap_or_default();
        let now = header.sampled_boottime_nanos;
        let cpu_nanos = processes.iter().map(|process| (identity(process), ProcessRow::cpu_nanos(process)));
        let cpu_nanos = cpu_nanos.collect();
        let rows = processes.into_iter().map(|process| self.row(header, process, zone)).collect();
        *self = Self { sampled_boottime_nanos: Some(now), cpu_nanos };
        rows
    }

    fn row(&self, header: ProcessListHeader, process: Process, zone: Option<&TimeZone>) -> ProcessRow {
        let elapsed_nanos = header.sampled_boottime_nanos.checked_sub(process.started_boottime_nanos);
        let started = zone.zip(elapsed_nanos).and_then(|(zone, elapsed)| {
            let started = header.sampled_unix_nanos.checked_sub(elapsed)?;
            Some(human::moment(started, header.sampled_unix_nanos, zone))
        });
        ProcessRow {
            state: State::new(process.state),
            cpu_percent: self.cpu_percent(header.sampled_boottime_nanos, elapsed_nanos, &process),
            elapsed: elapsed_nanos.map(Duration::from_nanos),
            started,
            branch: String::new(),
            process,
        }
    }

    /// CPU time per time: since the list before if the process was in it, else since its start.
    fn cpu_percent(&self, now: u64, elapsed_nanos: Option<u64>, process: &Process) -> Option<f64> {
        let used = ProcessRow::cpu_nanos(process);
        let before = self.sampled_boottime_nanos.zip(self.cpu_nanos.get(&identity(process)));
        let (used, lasted) = match before {
            Some((then, &used_then)) => (used.checked_sub(used_then)?, now.checked_sub(then)?),
            None => (used, elapsed_nanos?),
        };
        (lasted > 0).then(|| used as f64 / lasted as f64 * 100.0)
    }
}
