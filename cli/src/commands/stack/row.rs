//! One thread as it is shown.

use std::borrow::Cow;

use dbgctl_proto::v1::{ProcessState, ThreadActivity, ThreadStack};

use crate::commands::processes::State;
use crate::commands::sample::percent;
use crate::render::human::Percent;
use crate::render::{Cell, Column, Emphasis, Object, Row};

pub(super) struct ThreadRow(pub(super) ThreadStack);

impl Row for ThreadRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.0.pid.into())),
        Column::number("TID", |row| Some(row.0.tid.into())),
        Column::written("COMMAND", |row: &Self, cell| cell.raw(&row.0.command)).wide_only(),
        Column::written("THREAD", |row, cell| cell.raw(&row.0.thread)),
        Column::text("STATE", |row| row.state().word()),
        Column::written("CPU%", |row: &Self, cell| {
            row.cpu_percent().into_iter().for_each(|percent| cell.show(Percent(percent)));
        })
        .right()
        .if_any(),
        Column::maybe("WAIT-CHANNEL", |row: &Self| row.0.wait_channel.as_deref().map(Cow::Borrowed)),
        Column::written("SP", |row: &Self, cell| {
            row.0.stack_pointer.into_iter().for_each(|pointer| cell.show(format_args!("{pointer:#x}")));
        })
        .wide_only(),
        Column::written("PC", |row: &Self, cell| {
            row.0.instruction_pointer.into_iter().for_each(|pointer| cell.show(format_args!("{pointer:#x}")));
        })
        .wide_only(),
        Column::written("ARGUMENTS", |row: &Self, cell| {
            let call = row.0.system_call.as_ref();
            let arguments = call.into_iter().flat_map(|call| &call.arguments);
            let words: Vec<_> = arguments.take(6).map(|argument| format!("{argument:#x}")).collect();
            cell.text(words.join(" "));
        })
        .wide_only(),
        Column::written("CALL", |row, cell| row.write_call(cell)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let thread = &self.0;
        object.number("pid", u64::from(thread.pid));
        object.number("tid", u64::from(thread.tid));
        object.raw("command", thread.command.as_slice());
        object.raw("thread", thread.thread.as_slice());
        object.text("state", &*self.state().word().replace('-', "_"));
        object.text("wait_channel", thread.wait_channel.as_deref());
        object.text(
            "activity",
            match ThreadActivity::try_from(thread.activity) {
                Ok(ThreadActivity::Unspecified) => "unspecified",
                Ok(ThreadActivity::Running) => "running",
                Ok(ThreadActivity::SystemCall) => "system_call",
                Ok(ThreadActivity::Waiting) => "waiting",
                Err(_) => "unknown",
            },
        );
        match &thread.system_call {
            Some(call) => object.object("system_call", |object| {
                object.number("number", call.number);
                object.text("name", call.name.as_str());
                object.numbers("arguments", call.arguments.iter().copied());
                object.raw("about", call.about.as_slice());
            }),
            None => object.null("system_call"),
        }
        object.number("stack_pointer", thread.stack_pointer);
        object.number("instruction_pointer", thread.instruction_pointer);
        match &thread.run {
            Some(run) => object.object("run", |object| {
                object.number("sampled_nanos", run.sampled_nanos);
                object.number("ran_nanos", run.ran_nanos);
                object.number("waited_nanos", run.waited_nanos);
                object.number("timeslices", run.timeslices);
            }),
            None => object.null("run"),
        }
    }

    fn emphasis(&self) -> Emphasis {
        emphasis(self.0.state)
    }
}

/// A thread that can not be killed stands out.
pub(super) fn emphasis(state: i32) -> Emphasis {
    match ProcessState::try_from(state) {
        Ok(ProcessState::DiskSleep) => Emphasis::Alarming,
        Ok(ProcessState::Zombie | ProcessState::Dead) => Emphasis::Notable,
        _ => Emphasis::None,
    }
}

impl ThreadRow {
    pub(super) fn state(&self) -> State {
        State::new(self.0.state)
    }

    pub(super) fn cpu_percent(&self) -> Option<f64> {
        let run = self.0.run.as_ref()?;
        percent(run.ran_nanos, run.sampled_nanos)
    }

    /// `read(fd 5 = pipe:[4242])`, or what it does instead of waiting in a call.
    pub(super) fn write_call(&self, cell: &mut Cell<'_>) {
        if let Some(call) = &self.0.system_call {
            if call.name.is_empty() {
                cell.show(format_args!("system call {}", call.number));
            } else {
                cell.text(&call.name);
            }
            if !call.about.is_empty() {
                cell.show('(');
                cell.raw(&call.about);
                cell.show(')');
            }
            return;
        }
        match ThreadActivity::try_from(self.0.activity) {
            Ok(ThreadActivity::Running) => cell.show("(runs)"),
            Ok(ThreadActivity::Waiting) => cell.show("(waits outside a system call)"),
            _ => {}
        }
    }
}
