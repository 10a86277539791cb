//! What the kernel counted, as it is looked up and as it is listed.

use std::cmp::Reverse;

use dbgctl_proto::v1::{NetworkCounter, NetworkHeader};

use crate::commands::sample::per_second;
use crate::render::{Column, Emphasis, Object, Row};

/// A figure since the network namespace was made, and what it grew by in the sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) ever: u64,
    pub(super) now: u64,
}

impl Counted {
    /// The sum of the counters of these names. What is not told is 0.
    pub(super) fn of(header: &NetworkHeader, names: &[&str]) -> Self {
        let wanted = header.counters.iter().filter(|counter| names.contains(&counter.name.as_str()));
        wanted.fold(Self::default(), |sum, counter| Self {
            ever: sum.ever.saturating_add(counter.since_start),
            now: sum.now.saturating_add(counter.over_sample.unwrap_or(0)),
        })
    }
}

/// The gauge of that name.
pub(super) fn gauge(header: &NetworkHeader, name: &str) -> Option<u64> {
    header.gauges.iter().find(|gauge| gauge.name == name).map(|gauge| gauge.value)
}

/// A counter as it is listed.
#[derive(Debug)]
pub(super) struct CounterRow {
    counter: NetworkCounter,
    per_second: Option<f64>,
}

impl CounterRow {
    /// All of them, those that grew first.
    pub(super) fn sorted(header: &NetworkHeader) -> Vec<Self> {
        let row = |counter: &NetworkCounter| Self {
            per_second: counter.over_sample.and_then(|grew| per_second(grew, header.sampled_nanos)),
            counter: counter.clone(),
        };
        let mut rows: Vec<_> = header.counters.iter().map(row).collect();
        rows.sort_by_key(|row| Reverse(row.counter.over_sample.is_some_and(|grew| grew > 0)));
        rows
    }
}

impl Row for CounterRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("COUNTER", |row| row.counter.name.as_str().into()),
        Column::number("GREW", |row: &Self| i64::try_from(row.counter.over_sample?).ok()),
        Column::written("/S", |row: &Self, cell| {
            if let Some(rate) = row.per_second {
                cell.show(format_args!("{rate:.1}"));
            }
        })
        .right(),
        Column::number("SINCE START", |row| i64::try_from(row.counter.since_start).ok()),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("name", self.counter.name.as_str());
        object.number("since_start", self.counter.since_start);
        object.number("over_sample", self.counter.over_sample);
    }

    fn emphasis(&self) -> Emphasis {
        if self.counter.over_sample == Some(0) { Emphasis::Dim } else { Emphasis::None }
    }
}
