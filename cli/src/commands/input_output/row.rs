//! One process as it is shown.

use dbgctl_proto::v1::{IoUse, ProcessIo, ProcessState};

use crate::commands::processes::row::State;
use crate::commands::sample::{per_second, percent};
use crate::render::human::{Bytes, Percent};
use crate::render::{Cell, Column, Emphasis, Object, Row};

/// A process.
#[derive(Debug)]
pub(super) struct IoRow(pub(super) ProcessIo);

impl Row for IoRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.0.pid.into())),
        Column::text("STATE", |row: &Self| State::new(row.0.state).word()),
        Column::written("READ/S", |row: &Self, cell| row.rate(|io| io.read_bytes, cell)).right(),
        Column::written("WRITE/S", |row: &Self, cell| row.rate(|io| io.written_bytes, cell)).right(),
        Column::written("RCHAR/S", |row: &Self, cell| row.rate(|io| io.read_chars_bytes, cell)).right(),
        Column::written("WCHAR/S", |row: &Self, cell| row.rate(|io| io.written_chars_bytes, cell)).right(),
        Column::written("READS/S", |row: &Self, cell| row.calls(|io| io.read_calls, cell))
            .right()
            .wide_only(),
        Column::written("WRITES/S", |row: &Self, cell| row.calls(|io| io.write_calls, cell))
            .right()
            .wide_only(),
        Column::bytes("TOTAL-READ", |row| Some(row.0.since_start?.read_bytes)),
        Column::bytes("TOTAL-WRITE", |row| Some(row.0.since_start?.written_bytes)),
        Column::bytes("CANCELLED", |row: &Self| Some(row.0.since_start?.cancelled_bytes)).wide_only(),
        Column::written("BLOCKED%", |row: &Self, cell| {
            row.blocked_percent().into_iter().for_each(|share| cell.show(Percent(share)));
        })
        .right()
        .wide_only(),
        Column::written("COMMAND", |row, cell| cell.raw(&row.0.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let process = &self.0;
        object.number("pid", u64::from(process.pid));
        object.raw("command", process.command.as_slice());
        object.text("state", &*State::new(process.state).word().replace('-', "_"));
        object.number("started_boottime_nanos", process.started_boottime_nanos);
        object.number("sampled_nanos", process.sampled_nanos);
        object.flag("started_within_sample", process.started_within_sample);
        use_field("over_sample", process.over_sample.as_ref(), object);
        use_field("since_start", process.since_start.as_ref(), object);
        object.number("blocked_nanos", process.blocked_nanos);
        object.number("total_blocked_nanos", process.total_blocked_nanos);
    }

    fn emphasis(&self) -> Emphasis {
        match ProcessState::try_from(self.0.state) {
            Ok(ProcessState::DiskSleep) => Emphasis::Alarming,
            Ok(ProcessState::Zombie | ProcessState::Dead) => Emphasis::Notable,
            _ => Emphasis::None,
        }
    }
}

impl IoRow {
    fn blocked_percent(&self) -> Option<f64> {
        percent(self.0.blocked_nanos?, self.0.sampled_nanos)
    }

    fn per_second(&self, of: fn(&IoUse) -> u64) -> Option<u64> {
        per_second(of(self.0.over_sample.as_ref()?), self.0.sampled_nanos).map(whole)
    }

    fn rate(&self, of: fn(&IoUse) -> u64, cell: &mut Cell<'_>) {
        self.per_second(of).into_iter().for_each(|rate| cell.show(Bytes(rate)));
    }

    fn calls(&self, of: fn(&IoUse) -> u64, cell: &mut Cell<'_>) {
        self.per_second(of).into_iter().for_each(|rate| cell.show(rate));
    }
}

/// What came from storage or went there.
pub(super) fn storage_bytes(io: &IoUse) -> u64 {
    io.read_bytes.saturating_add(io.written_bytes)
}

/// A rate as a whole number, which is at most what a counter can hold.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float saturates")]
pub(super) fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// Writes what was read and written, or `null`.
pub(super) fn use_field(name: &str, used: Option<&IoUse>, object: &mut Object<'_>) {
    let Some(used) = used else { return object.null(name) };
    object.object(name, |object| {
        object.number("read_bytes", used.read_bytes);
        object.number("written_bytes", used.written_bytes);
        object.number("cancelled_bytes", used.cancelled_bytes);
        object.number("read_chars_bytes", used.read_chars_bytes);
        object.number("written_chars_bytes", used.written_chars_bytes);
        object.number("read_calls", used.read_calls);
        object.number("write_calls", used.write_calls);
    });
}
