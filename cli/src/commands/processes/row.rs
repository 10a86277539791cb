//! One process as it is shown.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::{self, ProcessOrigin, ProcessState};

use crate::render::{Cell, Column, Emphasis, Object, Row, cell, human};

/// A process or a thread, with what follows from it and the list's clock.
#[derive(Debug, Clone)]
pub(in crate::commands) struct ProcessRow {
    pub(in crate::commands) process: v1::Process,
    pub(in crate::commands) state: State,
    /// Share of one CPU. `None` if the clock does not allow to say.
    pub(in crate::commands) cpu_percent: Option<f64>,
    /// Time since the start. `None` if the clock does not allow to say.
    pub(in crate::commands) elapsed: Option<Duration>,
    /// When it started, in words. Made for wide tables only.
    pub(in crate::commands) started: Option<String>,
    /// The lines of a tree that lead to this process. Empty outside trees, and for roots.
    pub(in crate::commands) branch: String,
}

impl Row for ProcessRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.process.pid.into())),
        Column::number("TID", |row: &Self| row.process.tid.map(i64::from)).if_any(),
        Column::number("PPID", |row| Some(row.process.parent_pid.into())),
        Column::written("USER", Self::write_user),
        Column::text("STATE", |row| row.state.word()),
        Column::written("CPU%", |row: &Self, cell| {
            row.cpu_percent.into_iter().for_each(|percent| cell.show(human::Percent(percent)));
        })
        .right(),
        Column::bytes("RSS", |row| Some(row.process.resident_bytes)),
        Column::bytes("VIRT", |row: &Self| Some(row.process.virtual_bytes)).wide_only(),
        Column::bytes("SWAP", |row: &Self| row.details()?.swap_bytes).wide_only(),
        Column::number("THR", |row| Some(row.process.threads.into())),
        Column::number("NICE", |row: &Self| Some(row.process.nice.into())).wide_only(),
        Column::maybe("START", |row: &Self| row.started.as_deref().map(Cow::Borrowed)).wide_only().right(),
        Column::written("ELAPSED", |row: &Self, cell| {
            row.elapsed.into_iter().for_each(|elapsed| cell.show(human::Elapsed(elapsed)));
        })
        .right(),
        Column::maybe("WAIT-CHANNEL", |row: &Self| row.details()?.wait_channel.as_deref().map(Cow::Borrowed))
            .wide_only(),
        Column::text("ORIGIN", |row: &Self| origin(row.process.origin)).wide_only(),
        Column::written("COMMAND", ProcessRow::write_command),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let process = &self.process;
        object.number("pid", u64::from(process.pid));
        object.number("parent_pid", u64::from(process.parent_pid));
        object.number("tid", process.tid.map(u64::from));
        object.number("uid", u64::from(process.uid));
        object.raw("user", process.user.as_deref());
        object.text("state", &*self.state.word().replace('-', "_"));
        object.number("user_time_nanos", process.user_time_nanos);
        object.number("system_time_nanos", process.system_time_nanos);
        object.decimal("cpu_percent", self.cpu_percent);
        object.number("started_boottime_nanos", process.started_boottime_nanos);
        object
            .number("elapsed_nanos", self.elapsed.and_then(|elapsed| u64::try_from(elapsed.as_nanos()).ok()));
        object.number("resident_bytes", process.resident_bytes);
        object.number("virtual_bytes", process.virtual_bytes);
        object.number("threads", u64::from(process.threads));
        object.signed("nice", i64::from(process.nice));
        object.raw("command", process.command.as_slice());
        object.raws("arguments", process.arguments.iter().map(Vec::as_slice));
        object.flag("arguments_cut", process.arguments_cut);
        object.flag("kernel_thread", process.kernel_thread);
        object.text("origin", &*origin(process.origin));
        match self.details() {
            Some(details) => object.object("details", |object| {
                object.number("swap_bytes", details.swap_bytes);
                object.text("wait_channel", details.wait_channel.as_deref());
            }),
            None => object.null("details"),
        }
    }

    fn emphasis(&self) -> Emphasis {
        match self.state.0 {
            Ok(ProcessState::DiskSleep) => Emphasis::Alarming,
            Ok(ProcessState::Zombie | ProcessState::Dead) => Emphasis::Notable,
            _ if self.process.kernel_thread => Emphasis::Dim,
            _ if ProcessOrigin::try_from(self.process.origin) == Ok(ProcessOrigin::Dbgctl) => Emphasis::Dim,
            _ => Emphasis::None,
        }
    }
}

impl ProcessRow {
    pub(in crate::commands) fn details(&self) -> Option<&v1::ProcessDetails> {
        self.process.details.as_ref()
    }

    /// The CPU time used so far.
    pub(in crate::commands) fn cpu_nanos(process: &v1::Process) -> u64 {
        process.user_time_nanos.saturating_add(process.system_time_nanos)
    }

    /// The user's name or number, escaped.
    pub(in crate::commands) fn user(&self) -> String {
        cell(|cell| self.write_user(cell))
    }

    /// The command with its arguments, or the name alone, escaped.
    pub(in crate::commands) fn command(&self, full: bool) -> String {
        cell(|cell| {
            if full {
                self.write_command(cell);
            } else {
                cell.text(&self.branch);
                cell.raw(&self.process.command);
            }
        })
    }

    fn write_user(&self, cell: &mut Cell<'_>) {
        match &self.process.user {
            Some(name) if !name.is_empty() => cell.raw(name),
            _ => cell.show(self.process.uid),
        }
    }

    fn is_thread_beside_main(&self) -> bool {
        self.process.tid.is_some_and(|tid| tid != self.process.pid)
    }

    fn write_command(&self, cell: &mut Cell<'_>) {
        let process = &self.process;
        cell.text(&self.branch);
        if process.kernel_thread {
            cell.show('[');
            cell.raw(&process.command);
            cell.show(']');
        } else if self.state.0 == Ok(ProcessState::Zombie) {
            cell.raw(&process.command);
            cell.show(" <zombie>");
        } else if self.is_thread_beside_main() {
            cell.raw(&process.command);
        } else if process.arguments.is_empty() {
            // Set apart from kernel threads: a process can erase its own arguments.
            cell.show('(');
            cell.raw(&process.command);
            cell.show(')');
        } else {
            for (nth, argument) in process.arguments.iter().enumerate() {
                if nth > 0 {
                    cell.show(' ');
                }
                cell.raw(argument);
            }
            if process.arguments_cut {
                cell.show(" …");
            }
        }
    }
}

/// A state of this version of the contract, or the number of one that a newer agent knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) struct State(Result<ProcessState, i32>);

impl State {
    /// The states that a process can be in, as far as this version knows.
    pub(in crate::commands) const KNOWN: [(&'static str, char); 10] = [
        ("running", 'R'),
        ("sleeping", 'S'),
        ("disk-sleep", 'D'),
        ("zombie", 'Z'),
        ("stopped", 'T'),
        ("traced", 't'),
        ("dead", 'X'),
        ("idle", 'I'),
        ("parked", 'P'),
        ("other", '?'),
    ];

    /// The state of that number in the contract.
    pub(in crate::commands) fn new(number: i32) -> Self {
        Self(ProcessState::try_from(number).map_err(|_| number))
    }

    /// Whether it is that one.
    pub(in crate::commands) fn is(self, state: ProcessState) -> bool {
        self.0 == Ok(state)
    }

    /// The letter that the kernel has for it.
    pub(in crate::commands) fn letter(self) -> char {
        let word = self.word();
        Self::KNOWN.into_iter().find(|(known, _)| *known == word).map_or('?', |(_, letter)| letter)
    }

    /// The state in a word.
    pub(in crate::commands) fn word(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.0 {
            Ok(ProcessState::Unspecified) => "unknown",
            Ok(ProcessState::Running) => "running",
            Ok(ProcessState::Sleeping) => "sleeping",
            Ok(ProcessState::DiskSleep) => "disk-sleep",
            Ok(ProcessState::Zombie) => "zombie",
            Ok(ProcessState::Stopped) => "stopped",
            Ok(ProcessState::Traced) => "traced",
            Ok(ProcessState::Dead) => "dead",
            Ok(ProcessState::Idle) => "idle",
            Ok(ProcessState::Parked) => "parked",
            Ok(ProcessState::Other) => "other",
            Err(number) => return Cow::Owned(format!("unknown({number})")),
        })
    }
}

/// Whose process it is, in a word.
pub(in crate::commands) fn origin(number: i32) -> Cow<'static, str> {
    Cow::Borrowed(match ProcessOrigin::try_from(number) {
        Ok(ProcessOrigin::Unspecified) => "unknown",
        Ok(ProcessOrigin::Target) => "target",
        Ok(ProcessOrigin::Dbgctl) => "dbgctl",
        Ok(ProcessOrigin::Other) => "other",
        Err(_) => return Cow::Owned(format!("unknown({number})")),
    })
}
