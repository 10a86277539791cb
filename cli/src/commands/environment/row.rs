//! Variables as a table has them, and environments as programs want them.

use std::collections::HashMap;
use std::sync::Arc;

use dbgctl_proto::v1::{EnvironmentVariable, ProcessEnvironment, Redaction};

use crate::render::human::{Bytes, few};
use crate::render::{Cell, Column, Emphasis, Object, Row};

/// Pids that the narrow table has room for.
const FEW_PIDS: usize = 3;
/// Pids that anyone reads of in a wide one.
const MANY_PIDS: usize = 1000;

/// A variable and who has it.
pub(super) struct VariableRow {
    pub(super) variable: EnvironmentVariable,
    /// `all`, or pids. Empty if there is but one process.
    holders: Arc<str>,
}

impl Row for VariableRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("PIDS", |row: &Self, cell| cell.text(&*row.holders)).if_any(),
        Column::written("NAME", |row, cell| cell.raw(&row.variable.name)),
        Column::written("VALUE", |row, cell| write_value(&row.variable, cell)),
    ];

    fn fields(&self, _: &mut Object<'_>) {}

    fn emphasis(&self) -> Emphasis {
        if self.variable.redaction() == Redaction::Unspecified { Emphasis::None } else { Emphasis::Dim }
    }
}

fn write_value(variable: &EnvironmentVariable, cell: &mut Cell<'_>) {
    let bytes = Bytes(variable.value_bytes);
    match Redaction::try_from(variable.redaction) {
        Ok(Redaction::Name) => cell.show(format_args!("[redacted: name looks like a secret, {bytes}]")),
        Ok(Redaction::Value) => cell.show(format_args!("[redacted: value looks like a secret, {bytes}]")),
        Ok(Redaction::Nameless) => {
            cell.show(format_args!("[redacted: no certain name, may be the rest of a value, {bytes}]"));
        }
        Ok(Redaction::Unspecified | Redaction::Password) => match &variable.value {
            Some(value) => cell.raw(value),
            None => cell.show("(no =)"),
        },
        Err(_) => cell.show(format_args!("[redacted, {bytes}]")),
    }
}

/// The variables of all processes, each once.
pub(super) struct Variables {
    /// By name.
    pub(super) rows: Vec<VariableRow>,
}

impl Variables {
    /// Joins what is equal. In wide tables all pids are told.
    pub(super) fn of(processes: &[ProcessEnvironment], wide: bool) -> Self {
        let mut sharing: HashMap<u32, Vec<u32>> = HashMap::new();
        for process in processes {
            sharing.entry(process.same_as_pid.unwrap_or(process.pid)).or_default().push(process.pid);
        }
        let mut holders: HashMap<Content<'_>, (&EnvironmentVariable, Vec<u32>)> = HashMap::new();
        // Only who has them first: thousands of processes may share thousands of variables.
        for process in processes {
            for variable in &process.variables {
                holders.entry(content(variable)).or_insert((variable, Vec::new())).1.push(process.pid);
            }
        }
        let mut rows: Vec<_> = holders
            .into_values()
            .map(|(variable, mut firsts)| {
                firsts.sort_unstable();
                firsts.dedup();
                (variable, firsts)
            })
            .collect();
        // Those without a name last.
        rows.sort_by(|(one, ones), (other, others)| {
            (one.name.is_empty(), &one.name, ones, &one.value).cmp(&(
                other.name.is_empty(),
                &other.name,
                others,
                &other.value,
            ))
        });
        // Most variables have the same holders as another.
        let mut words: HashMap<Vec<u32>, Arc<str>> = HashMap::new();
        let row = |(variable, firsts): (&EnvironmentVariable, Vec<u32>)| {
            let holders = words.entry(firsts).or_insert_with_key(|firsts| {
                let of = |first: &u32| sharing.get(first).map(Vec::as_slice).unwrap_or_default();
                let mut pids: Vec<_> = firsts.iter().flat_map(of).copied().collect();
                pids.sort_unstable();
                pids.dedup();
                holders_in_words(&pids, processes.len(), wide).into()
            });
            VariableRow { holders: Arc::clone(holders), variable: variable.clone() }
        };
        Self { rows: rows.into_iter().map(row).collect() }
    }
}

/// What makes two variables one.
type Content<'a> = (&'a [u8], Option<&'a [u8]>, i32, u64, u64);

fn content(variable: &EnvironmentVariable) -> Content<'_> {
    let value = variable.value.as_deref();
    (&variable.name, value, variable.redaction, variable.value_bytes, variable.redacted_identity)
}

fn holders_in_words(pids: &[u32], all: usize, wide: bool) -> String {
    if all == 1 {
        return String::new();
    }
    if pids.len() == all {
        return format!("all {all}");
    }
    few(pids, if wide { MANY_PIDS } else { FEW_PIDS })
}

/// One process, as programs want it.
pub(super) struct ProcessRow(pub(super) ProcessEnvironment);

impl Row for ProcessRow {
    const COLUMNS: &'static [Column<Self>] = &[];

    fn fields(&self, object: &mut Object<'_>) {
        let process = &self.0;
        object.number("pid", u64::from(process.pid));
        object.raw("command", process.command.as_slice());
        object.objects("variables", &process.variables, |variable, object| {
            object.raw("name", variable.name.as_slice());
            object.raw("value", variable.value.as_deref());
            object.text("redacted", redaction(variable.redaction));
            object.number("value_bytes", variable.value_bytes);
            object.number("redacted_identity", variable.redacted_identity);
        });
        object.number("same_as_pid", process.same_as_pid.map(u64::from));
        object.flag("cut", process.cut);
    }
}

fn redaction(number: i32) -> Option<&'static str> {
    match Redaction::try_from(number) {
        Ok(Redaction::Unspecified) => None,
        Ok(Redaction::Name) => Some("name"),
        Ok(Redaction::Value) => Some("value"),
        Ok(Redaction::Password) => Some("password"),
        Ok(Redaction::Nameless) => Some("nameless"),
        Err(_) => Some("unknown"),
    }
}
