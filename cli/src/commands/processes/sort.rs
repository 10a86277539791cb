//! The order of a list.

use std::str::FromStr;

use super::field::{Field, Value};
use super::row::ProcessRow;
use crate::commands::order;

/// What a list is sorted by, and which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(in crate::commands) field: Field,
    descending: bool,
}

impl Sort {
    /// By that field, figures biggest first and names in order.
    pub(in crate::commands) fn by(field: Field) -> Self {
        // One sorts by a figure to see the biggest, by a name to find it.
        let descending = matches!(
            field,
            Field::Cpu
                | Field::CpuTime
                | Field::Rss
                | Field::Virtual
                | Field::Swap
                | Field::Threads
                | Field::Elapsed
        );
        Self { field, descending }
    }

    /// The other end first.
    pub(in crate::commands) fn inverted(self) -> Self {
        Self { descending: !self.descending, ..self }
    }

    /// Whether the biggest comes first.
    pub(in crate::commands) fn is_descending(self) -> bool {
        self.descending
    }

    /// Sorts `rows`. Rows that are equal stay in order; rows without the figure come last.
    pub(in crate::commands) fn apply(self, rows: &mut [ProcessRow]) {
        order::sort(rows, self.descending, &Value::Absent, |row| self.field.value(row).into_owned());
    }

    /// True if the agent sends its rows in that order anyway.
    pub(in crate::commands) fn is_agents_own(self) -> bool {
        self.field == Field::Pid && !self.descending
    }
}

impl Default for Sort {
    fn default() -> Self {
        Self { field: Field::Pid, descending: false }
    }
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (direction, name) = order::direction(text);
        let sort = Self::by(Field::named(name)?);
        Ok(Self { descending: direction.unwrap_or(sort.descending), ..sort })
    }
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::ProcessDetails;

    use super::super::fake::{process, rows};
    use super::*;

    fn pids(sort: &str, rows: &mut [ProcessRow]) -> Vec<u32> {
        sort.parse::<Sort>().unwrap().apply(rows);
        rows.iter().map(|row| row.process.pid).collect()
    }

    #[test]
    fn figures_come_biggest_first_and_names_in_order() {
        let mut rows = rows(vec![process(1, 0, &[b"b"]), process(3, 0, &[b"a"]), process(2, 9, &[b"c"])]);
        assert_eq!(pids("rss", &mut rows), [3, 2, 1]);
        assert_eq!(pids("+RSS", &mut rows), [1, 2, 3]);
        assert_eq!(pids("command", &mut rows), [3, 1, 2]);
        assert_eq!(pids("-command", &mut rows), [2, 1, 3]);
        assert_eq!(pids("pid", &mut rows), [1, 2, 3]);
        // Equal rows stay in the order they had.
        assert_eq!(pids("-ppid", &mut rows), [2, 1, 3]);
    }

    #[test]
    fn rows_without_the_figure_come_last_in_both_directions() {
        let with = |pid, swap_bytes| {
            let details = ProcessDetails { swap_bytes, wait_channel: None };
            dbgctl_proto::v1::Process { details: Some(details), ..process(pid, 0, &[]) }
        };
        let mut rows = rows(vec![with(1, None), with(2, Some(5)), with(3, Some(0))]);
        assert_eq!(pids("swap", &mut rows), [2, 3, 1]);
        assert_eq!(pids("+swap", &mut rows), [3, 2, 1]);
    }

    #[test]
    fn a_misspelt_field_is_answered_with_the_nearest() {
        let error = |text: &str| text.parse::<Sort>().unwrap_err();
        assert_eq!(error("-thread"), "`thread` is not a field; did you mean `threads`?");
        assert!(error("").starts_with("`` is not a field; there are pid, ppid,"));
    }
}
