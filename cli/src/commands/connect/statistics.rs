//! What came of many attempts at one address.

use std::borrow::Cow;
use std::time::Duration;

use super::AttemptRow;
use crate::render::human::Took;
use crate::render::{Cell, Column, Emphasis, Object, Row};

/// The attempts at one address, all rounds together.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// With its port.
    address: String,
    attempts: usize,
    /// Of those that connected or were answered, in the order in which they were made.
    times_nanos: Vec<u64>,
    /// The last other outcome.
    otherwise: Option<String>,
}

impl Statistics {
    /// Adds a round to what is known of each address.
    pub(super) fn add(all: &mut Vec<Self>, rows: &[AttemptRow]) {
        for row in rows {
            let at = all.iter().position(|known| known.address == row.address).unwrap_or_else(|| {
                all.push(Self { address: row.address.clone(), ..Self::default() });
                all.len() - 1
            });
            let known = &mut all[at];
            known.attempts += 1;
            if row.is_connected() {
                // As the kernel has it, where it has: the agent may have had to wait for the CPU.
                known.times_nanos.push(row.attempt.rtt_nanos.unwrap_or(row.attempt.nanos));
            } else {
                known.otherwise = Some(row.result().into_owned());
            }
        }
    }

    /// The time that `percent` of all that connected do not exceed. `None`: none did.
    fn percentile(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.times_nanos.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// Hundredths of a percent that did not connect, rounded up: one of many is more than none.
    fn lost(&self) -> usize {
        ((self.attempts - self.times_nanos.len()) * 10_000).div_ceil(self.attempts.max(1))
    }
}

fn time(cell: &mut Cell<'_>, nanos: Option<u64>) {
    nanos.into_iter().for_each(|nanos| cell.show(Took(Duration::from_nanos(nanos))));
}

impl Row for Statistics {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ADDRESS", |row| Cow::Borrowed(&row.address)),
        Column::written("TRIED", |row: &Self, cell| cell.show(row.attempts)).right(),
        Column::written("OK", |row: &Self, cell| cell.show(row.times_nanos.len())).right(),
        Column::written("LOSS", |row: &Self, cell| {
            let lost = row.lost();
            cell.show(format_args!("{}.{:02}%", lost / 100, lost % 100));
        })
        .right(),
        Column::written("MIN", |row: &Self, cell| time(cell, row.percentile(0))).right(),
        Column::written("P50", |row: &Self, cell| time(cell, row.percentile(50))).right(),
        Column::written("P90", |row: &Self, cell| time(cell, row.percentile(90))).right(),
        Column::written("P99", |row: &Self, cell| time(cell, row.percentile(99))).right(),
        Column::written("MAX", |row: &Self, cell| time(cell, row.percentile(100))).right(),
        Column::maybe("OTHERWISE", |row: &Self| row.otherwise.as_deref().map(Cow::Borrowed)).if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("address", self.address.as_str());
        object.number("attempts", self.attempts as u64);
        object.number("succeeded", self.times_nanos.len() as u64);
        object.number("min_nanos", self.percentile(0));
        object.number("p50_nanos", self.percentile(50));
        object.number("p90_nanos", self.percentile(90));
        object.number("p99_nanos", self.percentile(99));
        object.number("max_nanos", self.percentile(100));
    }

    fn emphasis(&self) -> Emphasis {
        if self.times_nanos.len() == self.attempts { Emphasis::None } else { Emphasis::Alarming }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values_and_a_loss_is_never_rounded_away() {
        let statistics = Statistics {
            attempts: 100_001,
            times_nanos: (1..=100_000).rev().collect(),
            ..Statistics::default()
        };
        assert_eq!(statistics.percentile(0), Some(1));
        assert_eq!(statistics.percentile(50), Some(50_000));
        assert_eq!(statistics.percentile(100), Some(100_000));
        assert_eq!(statistics.lost(), 1);
        let none = Statistics { attempts: 1, ..Statistics::default() };
        assert_eq!((none.percentile(50), none.lost()), (None, 10_000));
    }
}
