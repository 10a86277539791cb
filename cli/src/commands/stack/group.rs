//! Threads that do the same, together.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use dbgctl_proto::v1::ProcessState;

use super::row::{ThreadRow, emphasis};
use crate::render::human::{Percent, few};
use crate::render::{Column, Emphasis, Object, Row};

/// Pids and names that the narrow table has room for.
const FEW: usize = 3;

/// Threads of one program in the same state, waiting for the same.
pub(super) struct GroupRow {
    first: ThreadRow,
    threads: usize,
    processes: String,
    /// Of the threads, each once.
    names: Vec<u8>,
    /// Of all together. `None`: not sampled.
    cpu_percent: Option<f64>,
}

/// The groups of these threads, those that can not be killed first, and then the biggest.
pub(super) fn groups(threads: &[ThreadRow], wide: bool) -> Vec<GroupRow> {
    let mut members: HashMap<_, Vec<&ThreadRow>> = HashMap::new();
    for row in threads {
        let thread = &row.0;
        let call = thread.system_call.as_ref().map(|call| (call.number, without_number(&call.about)));
        let key = (&thread.command, thread.state, &thread.wait_channel, thread.activity, call);
        members.entry(key).or_default().push(row);
    }
    let mut groups: Vec<_> = members.into_values().filter_map(|members| group(&members, wide)).collect();
    groups.sort_by_key(|group| {
        let first = &group.first.0;
        let is_stuck = first.state == i32::from(ProcessState::DiskSleep);
        (!is_stuck, Reverse(group.threads), first.pid, first.tid)
    });
    groups
}

fn group(members: &[&ThreadRow], wide: bool) -> Option<GroupRow> {
    let mut first = ThreadRow(members.first()?.0.clone());
    let about = |row: &ThreadRow| row.0.system_call.as_ref().map(|call| call.about.clone());
    if members.iter().any(|row| about(row) != about(&first))
        && let Some(call) = &mut first.0.system_call
    {
        call.about = without_number(&call.about).to_vec();
    }
    let most = if wide { usize::MAX } else { FEW };
    let mut pids: Vec<_> = members.iter().map(|row| row.0.pid).collect();
    pids.dedup();
    let mut names: Vec<_> = members.iter().map(|row| row.0.thread.as_slice()).collect();
    names.sort_unstable();
    names.dedup();
    let mut shown = names[..names.len().min(most)].join(&b", "[..]);
    if names.len() > most {
        shown.extend_from_slice(format!(" and {} more", names.len() - most).as_bytes());
    }
    let shares = members.iter().filter_map(|row| row.cpu_percent());
    let cpu_percent = shares.reduce(|sum, share| sum + share);
    Some(GroupRow { first, threads: members.len(), processes: few(&pids, most), names: shown, cpu_percent })
}

/// What is behind a descriptor: workers have the same open under different numbers.
fn without_number(about: &[u8]) -> &[u8] {
    let rest = about.strip_prefix(b"fd ").unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b" = ").unwrap_or(about)
}

impl Row for GroupRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("THREADS", |row| i64::try_from(row.threads).ok()),
        Column::text("PIDS", |row| Cow::Borrowed(&row.processes)),
        Column::written("COMMAND", |row, cell| cell.raw(&row.first.0.command)),
        Column::written("NAMES", |row, cell| cell.raw(&row.names)),
        Column::text("STATE", |row| row.first.state().word()),
        Column::written("CPU%", |row: &Self, cell| {
            row.cpu_percent.into_iter().for_each(|percent| cell.show(Percent(percent)));
        })
        .right()
        .if_any(),
        Column::maybe("WAIT-CHANNEL", |row: &Self| row.first.0.wait_channel.as_deref().map(Cow::Borrowed)),
        Column::written("CALL", |row, cell| row.first.write_call(cell)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        self.first.fields(object);
    }

    fn emphasis(&self) -> Emphasis {
        emphasis(self.first.0.state)
    }
}
