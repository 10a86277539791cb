//! One limit as it is shown.

use std::borrow::Cow;
use std::fmt;

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{self, LimitUse, LimitedResource};

use crate::commands::cgroup::limit_field;
use crate::render::human::{Bytes, Percent};
use crate::render::{Cell, Column, Emphasis, Object, Row, one_line};

/// From here on a limit is nearly used up.
const NEAR_MILLIONTHS: u64 = 800_000;
const WHOLE_MILLIONTHS: u64 = 1_000_000;

/// A limit, and what is used of it.
#[derive(Debug)]
pub(super) struct LimitRow(pub(super) LimitUse);

/// How a figure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Count,
    Seconds,
    Micros,
    /// Microseconds of CPU time per second.
    Cpus,
}

impl Row for LimitRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("PID", |row: &Self, cell| match row.0.pid {
            Some(pid) => cell.show(pid),
            None => cell.show("cgroup"),
        })
        .right(),
        Column::text("LIMIT", |row: &Self| row.name()),
        Column::written("USED", |row: &Self, cell| {
            row.0.used.into_iter().for_each(|used| cell.show(row.figure(used)));
        })
        .right(),
        Column::written("SOFT", |row: &Self, cell| row.limit(row.0.soft.as_ref(), cell)).right(),
        Column::written("USED%", |row: &Self, cell| {
            row.used_percent().into_iter().for_each(|percent| cell.show(Percent(percent)));
        })
        .right(),
        Column::written("HARD", |row: &Self, cell| row.limit(row.0.hard.as_ref(), cell)).right(),
        Column::written("COMMAND", |row, cell| cell.raw(&row.0.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.number("pid", self.0.pid.map(u64::from));
        object.raw("command", self.0.command.as_slice());
        object.text("resource", &*self.field_name());
        limit_field("soft", self.0.soft.as_ref(), object);
        limit_field("hard", self.0.hard.as_ref(), object);
        object.number("used", self.0.used);
        object.decimal("used_percent", self.used_percent());
    }

    fn emphasis(&self) -> Emphasis {
        match self.used_millionths() {
            Some(WHOLE_MILLIONTHS..) => Emphasis::Alarming,
            Some(NEAR_MILLIONTHS..) => Emphasis::Notable,
            _ => Emphasis::None,
        }
    }
}

impl LimitRow {
    /// What is used of the soft limit. `None` if there is none, or use is not known.
    pub(super) fn used_millionths(&self) -> Option<u64> {
        match self.0.soft.as_ref()?.limit? {
            // What is forbidden is not used up.
            Limit::At(0) | Limit::Unlimited(_) => None,
            Limit::At(most) => {
                u64::try_from(u128::from(self.0.used?) * u128::from(WHOLE_MILLIONTHS) / u128::from(most)).ok()
            }
        }
    }

    pub(super) fn is_near(&self) -> bool {
        self.used_millionths().is_some_and(|used| used >= NEAR_MILLIONTHS)
    }

    /// What to say of a limit that is nearly used up.
    pub(super) fn warning(&self) -> Option<String> {
        let (used, Limit::At(most)) = (self.0.used.filter(|_| self.is_near())?, self.0.soft.as_ref()?.limit?)
        else {
            return None;
        };
        let whose = match self.0.pid {
            Some(pid) => {
                let name = String::from_utf8_lossy(&self.0.command);
                format!("pid {pid} `{}`", one_line(&name))
            }
            None => "the container".to_owned(),
        };
        let (used, most) = (self.figure(used), self.figure(most));
        let consequence = self.consequence().map_or_else(String::new, |what| format!(": {what}"));
        Some(format!("{whose} uses {used} of {most} {}{consequence}", self.noun()))
    }

    fn used_percent(&self) -> Option<f64> {
        Some(self.used_millionths()? as f64 / 10_000.0)
    }

    fn resource(&self) -> Result<LimitedResource, i32> {
        LimitedResource::try_from(self.0.resource).map_err(|_| self.0.resource)
    }

    /// The name in the contract, in lower case and without the enum's prefix.
    fn field_name(&self) -> Cow<'static, str> {
        match self.resource() {
            Ok(resource) => {
                let name = resource.as_str_name();
                Cow::Owned(name.strip_prefix("LIMITED_RESOURCE_").unwrap_or(name).to_lowercase())
            }
            Err(number) => Cow::Owned(format!("unknown({number})")),
        }
    }

    /// What people call it.
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.resource() {
            Ok(LimitedResource::CpuSeconds) => "cpu-time",
            Ok(LimitedResource::FileSizeBytes) => "file-size",
            Ok(LimitedResource::DataBytes) => "data",
            Ok(LimitedResource::StackBytes) => "stack",
            Ok(LimitedResource::CoreBytes) => "core",
            Ok(LimitedResource::ResidentBytes) => "resident",
            Ok(LimitedResource::UserThreads) => "user-threads",
            Ok(LimitedResource::OpenFiles) => "open-files",
            Ok(LimitedResource::LockedBytes) => "locked-memory",
            Ok(LimitedResource::AddressSpaceBytes) => "address-space",
            Ok(LimitedResource::FileLocks) => "file-locks",
            Ok(LimitedResource::PendingSignals) => "pending-signals",
            Ok(LimitedResource::MessageQueueBytes) => "message-queues",
            Ok(LimitedResource::Nice) => "nice",
            Ok(LimitedResource::RealtimePriority) => "realtime-priority",
            Ok(LimitedResource::RealtimeMicros) => "realtime-time",
            Ok(LimitedResource::CgroupMemoryBytes) => "memory",
            Ok(LimitedResource::CgroupTasks) => "tasks",
            Ok(LimitedResource::CgroupCpuMicrosPerSecond) => "cpu",
            Ok(LimitedResource::Unspecified) => "unknown",
            Err(number) => return Cow::Owned(format!("unknown({number})")),
        })
    }

    /// What a sentence calls the things that are counted.
    fn noun(&self) -> Cow<'static, str> {
        match self.resource() {
            Ok(LimitedResource::OpenFiles) => Cow::Borrowed("open files"),
            Ok(LimitedResource::UserThreads) => Cow::Borrowed("threads of its user"),
            Ok(LimitedResource::LockedBytes) => Cow::Borrowed("locked memory"),
            Ok(LimitedResource::AddressSpaceBytes) => Cow::Borrowed("address space"),
            Ok(LimitedResource::PendingSignals) => Cow::Borrowed("pending signals"),
            Ok(LimitedResource::CpuSeconds) => Cow::Borrowed("CPU time"),
            _ => self.name(),
        }
    }

    /// What happens beyond the limit.
    fn consequence(&self) -> Option<&'static str> {
        Some(match self.resource() {
            Ok(LimitedResource::OpenFiles) => "beyond it, open and accept fail (EMFILE)",
            Ok(LimitedResource::UserThreads | LimitedResource::CgroupTasks) => {
                "beyond it, fork fails (EAGAIN)"
            }
            Ok(LimitedResource::CgroupMemoryBytes) => "page cache goes first, then the OOM killer comes",
            Ok(LimitedResource::AddressSpaceBytes | LimitedResource::DataBytes) => {
                "beyond it, allocation fails (ENOMEM)"
            }
            Ok(LimitedResource::StackBytes) => "beyond it, it is killed (SIGSEGV)",
            Ok(LimitedResource::CpuSeconds) => "beyond it, it is sent SIGXCPU",
            _ => return None,
        })
    }

    fn unit(&self) -> Unit {
        match self.resource() {
            Ok(
                LimitedResource::FileSizeBytes
                | LimitedResource::DataBytes
                | LimitedResource::StackBytes
                | LimitedResource::CoreBytes
                | LimitedResource::ResidentBytes
                | LimitedResource::LockedBytes
                | LimitedResource::AddressSpaceBytes
                | LimitedResource::MessageQueueBytes
                | LimitedResource::CgroupMemoryBytes,
            ) => Unit::Bytes,
            Ok(LimitedResource::CpuSeconds) => Unit::Seconds,
            Ok(LimitedResource::RealtimeMicros) => Unit::Micros,
            Ok(LimitedResource::CgroupCpuMicrosPerSecond) => Unit::Cpus,
            _ => Unit::Count,
        }
    }

    fn figure(&self, figure: u64) -> Figure {
        Figure(figure, self.unit())
    }

    fn limit(&self, limit: Option<&v1::Limit>, cell: &mut Cell<'_>) {
        match limit.and_then(|limit| limit.limit) {
            Some(Limit::At(most)) => cell.show(self.figure(most)),
            Some(Limit::Unlimited(_)) => cell.show("max"),
            None => {}
        }
    }
}

struct Figure(u64, Unit);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(figure, unit) = self;
        match unit {
            Unit::Bytes => Bytes(*figure).fmt(f),
            Unit::Count => figure.fmt(f),
            Unit::Seconds => write!(f, "{figure} s"),
            Unit::Micros => write!(f, "{figure} µs"),
            Unit::Cpus => write!(f, "{:.2} CPU", *figure as f64 / 1e6),
        }
    }
}
