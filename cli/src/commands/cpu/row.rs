//! One process or thread as it is shown.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::{SchedulingPolicy, TaskCpu, TaskCpuUse};

use crate::commands::processes::row::State;
use crate::commands::sample::{per_second, percent};
use crate::render::human::{Elapsed, Percent};
use crate::render::{Cell, Column, Object, Row};

/// A process or a thread.
#[derive(Debug)]
pub(super) struct CpuRow(pub(super) TaskCpu);

impl Row for CpuRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.0.pid.into())),
        Column::number("TID", |row: &Self| row.0.tid.map(i64::from)).if_any(),
        Column::text("STATE", |row: &Self| State::new(row.0.state).word()),
        Column::written("CPU%", |row: &Self, cell| share(row.cpu_percent(), cell)).right(),
        Column::written("USER%", |row: &Self, cell| share(row.percent(row.over_sample().user_nanos), cell))
            .right(),
        Column::written("SYS%", |row: &Self, cell| share(row.percent(row.over_sample().system_nanos), cell))
            .right(),
        Column::written("WAIT%", |row: &Self, cell| share(row.wait_percent(), cell)).right(),
        Column::written("TIME", |row: &Self, cell| {
            cell.show(Elapsed(Duration::from_nanos(row.total_nanos())));
        })
        .right(),
        Column::number("THR", |row| Some(row.0.threads.into())),
        Column::written("VOL/S", |row: &Self, cell| rate(row, row.over_sample().voluntary_switches, cell))
            .right()
            .wide_only(),
        Column::written("INVOL/S", |row: &Self, cell| {
            rate(row, row.over_sample().involuntary_switches, cell)
        })
        .right()
        .wide_only(),
        Column::number("CPU", |row: &Self| row.0.last_cpu.map(i64::from)).wide_only(),
        Column::number("NICE", |row: &Self| Some(row.0.nice.into())).wide_only(),
        Column::maybe("POLICY", |row: &Self| row.policy()).wide_only(),
        Column::number("RTPRIO", |row: &Self| {
            row.0.realtime_priority.filter(|&priority| priority > 0).map(i64::from)
        })
        .wide_only(),
        Column::written("COMMAND", |row, cell| cell.raw(&row.0.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let task = &self.0;
        object.number("pid", u64::from(task.pid));
        object.number("tid", task.tid.map(u64::from));
        object.raw("command", task.command.as_slice());
        object.text("state", &*State::new(task.state).word().replace('-', "_"));
        object.number("started_boottime_nanos", task.started_boottime_nanos);
        object.number("sampled_nanos", task.sampled_nanos);
        object.flag("started_within_sample", task.started_within_sample);
        object.decimal("cpu_percent", self.cpu_percent());
        object.decimal("wait_percent", self.wait_percent());
        use_field("over_sample", task.over_sample.as_ref(), object);
        use_field("since_start", task.since_start.as_ref(), object);
        object.number("last_cpu", task.last_cpu.map(u64::from));
        object.text("policy", self.policy().map(|policy| policy.replace('-', "_")).as_deref());
        object.number("realtime_priority", task.realtime_priority.map(u64::from));
        object.signed("nice", i64::from(task.nice));
        object.number("threads", u64::from(task.threads));
    }
}

impl CpuRow {
    pub(super) fn over_sample(&self) -> TaskCpuUse {
        self.0.over_sample.unwrap_or_default()
    }

    /// CPU time since the start.
    pub(super) fn total_nanos(&self) -> u64 {
        let total = self.0.since_start.unwrap_or_default();
        total.user_nanos.saturating_add(total.system_nanos)
    }

    /// Context switches over the sample.
    pub(super) fn switches(&self) -> u64 {
        let used = self.over_sample();
        used.voluntary_switches.unwrap_or(0).saturating_add(used.involuntary_switches.unwrap_or(0))
    }

    fn cpu_percent(&self) -> Option<f64> {
        let used = self.over_sample();
        self.percent(used.run_nanos.unwrap_or_else(|| used.user_nanos.saturating_add(used.system_nanos)))
    }

    fn wait_percent(&self) -> Option<f64> {
        self.percent(self.over_sample().wait_nanos?)
    }

    fn percent(&self, nanos: u64) -> Option<f64> {
        percent(nanos, self.0.sampled_nanos)
    }

    fn policy(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match SchedulingPolicy::try_from(self.0.policy?) {
            Ok(SchedulingPolicy::Other) => "other",
            Ok(SchedulingPolicy::Fifo) => "fifo",
            Ok(SchedulingPolicy::RoundRobin) => "round-robin",
            Ok(SchedulingPolicy::Batch) => "batch",
            Ok(SchedulingPolicy::Idle) => "idle",
            Ok(SchedulingPolicy::Deadline) => "deadline",
            Ok(SchedulingPolicy::Unspecified | SchedulingPolicy::Unknown) | Err(_) => "unknown",
        }))
    }
}

fn share(percent: Option<f64>, cell: &mut Cell<'_>) {
    percent.into_iter().for_each(|percent| cell.show(Percent(percent)));
}

fn rate(row: &CpuRow, count: Option<u64>, cell: &mut Cell<'_>) {
    let rate = count.and_then(|count| per_second(count, row.0.sampled_nanos));
    rate.into_iter().for_each(|rate| cell.show(format_args!("{rate:.0}")));
}

/// Writes what was used, or `null`.
pub(super) fn use_field(name: &str, used: Option<&TaskCpuUse>, object: &mut Object<'_>) {
    let Some(used) = used else { return object.null(name) };
    object.object(name, |object| {
        object.number("user_nanos", used.user_nanos);
        object.number("system_nanos", used.system_nanos);
        object.number("run_nanos", used.run_nanos);
        object.number("wait_nanos", used.wait_nanos);
        object.number("timeslices", used.timeslices);
        object.number("voluntary_switches", used.voluntary_switches);
        object.number("involuntary_switches", used.involuntary_switches);
    });
}
