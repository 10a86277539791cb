//! What is on the screen and what a key changes of it. Knows no colours and no terminal.

use std::collections::BTreeSet;
use std::time::Duration;

use super::keys::Mode;
use super::snapshot::Snapshot;
use super::trend::Trend;
use crate::commands::agent::Subject;
use crate::commands::processes::field::Field;
use crate::commands::processes::row::ProcessRow;
use crate::commands::processes::sort::Sort;
use crate::commands::processes::tree;

/// Pid, thread and start: who it is, also after it has moved in the list.
type Identity = (u32, Option<u32>, u64);

fn identity(row: &ProcessRow) -> Identity {
    (row.process.pid, row.process.tid, row.process.started_boottime_nanos)
}

/// Everything but the terminal and the agent.
#[derive(Debug)]
pub(super) struct State {
    pub(super) subject: Subject,
    pub(super) interval: Duration,
    /// The latest, its rows in the order that is wanted. `None`: there is none yet.
    pub(super) snapshot: Option<Snapshot>,
    /// Which of its rows are shown.
    shown: Vec<usize>,
    pub(super) trends: Trends,
    pub(super) sort: Sort,
    pub(super) tree: bool,
    pub(super) threads: bool,
    pub(super) full_command: bool,
    pub(super) paused: bool,
    /// Only what contains this is shown. Empty: all.
    pub(super) filter: String,
    /// What was looked for last.
    pub(super) search: String,
    /// Only processes of this user are shown.
    pub(super) user: Option<String>,
    pub(super) mode: Mode,
    /// What the last key came to, if that is not plain to see.
    pub(super) message: Option<String>,
    selected: Option<Identity>,
    /// First row on the screen.
    top: usize,
    /// Rows that the screen has room for.
    page: usize,
}

/// How the figures of the header went.
#[derive(Debug, Default)]
pub(super) struct Trends {
    /// Percent of what may be used.
    pub(super) cpu: Trend,
    /// Percent of the limit or the machine.
    pub(super) memory: Trend,
    /// Bytes a second, both ways.
    pub(super) network: Trend,
}

impl State {
    pub(super) fn new(subject: Subject, interval: Duration) -> Self {
        Self {
            subject,
            interval,
            snapshot: None,
            shown: Vec::new(),
            trends: Trends::default(),
            sort: Sort::by(Field::Cpu),
            tree: false,
            threads: false,
            full_command: true,
            paused: false,
            filter: String::new(),
            search: String::new(),
            user: None,
            mode: Mode::Table,
            message: None,
            selected: None,
            top: 0,
            page: 1,
        }
    }

    /// Takes what a tick found.
    pub(super) fn take(&mut self, snapshot: Snapshot) {
        self.trends.cpu.push(snapshot.cpu.percent());
        let memory = &snapshot.memory;
        self.trends.memory.push(memory.current_bytes().and_then(|bytes| memory.percent(bytes)));
        self.trends
            .network
            .push(snapshot.traffic().and_then(|traffic| traffic.rates).map(|(rx, tx)| rx + tx));
        self.snapshot = Some(snapshot);
        self.arrange();
    }

    /// Puts the rows in order and finds those that are shown.
    pub(super) fn arrange(&mut self) {
        let Some(snapshot) = &mut self.snapshot else { return };
        let mut rows = std::mem::take(&mut snapshot.rows);
        rows.iter_mut().for_each(|row| row.branch.clear());
        // Equal rows do not change places from one tick to the next.
        Sort::by(Field::Pid).apply(&mut rows);
        self.sort.apply(&mut rows);
        snapshot.rows = if self.tree { tree::arrange(rows) } else { rows };

        let filter = self.filter.to_lowercase();
        let is_shown = |row: &ProcessRow| {
            self.user.as_ref().is_none_or(|user| row.user() == *user)
                && (filter.is_empty() || row.command(true).to_lowercase().contains(&filter))
        };
        let rows = snapshot.rows.iter().enumerate();
        self.shown = rows.filter(|(_, row)| is_shown(row)).map(|(index, _)| index).collect();
        if self.position().is_none() {
            self.selected = None;
        }
        self.follow();
    }

    /// The rows that are shown, all of them.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &ProcessRow> {
        let rows = self.snapshot.as_ref().map_or(&[][..], |snapshot| &snapshot.rows);
        self.shown.iter().map(|&index| &rows[index])
    }

    /// The rows on the screen, and whether each is selected.
    pub(super) fn rows_on_screen(&self) -> impl Iterator<Item = (&ProcessRow, bool)> {
        self.rows()
            .skip(self.top)
            .take(self.page)
            .map(|row| (row, self.selected.is_some_and(|selected| selected == identity(row))))
    }

    /// The screen has room for so many rows.
    pub(super) fn fit(&mut self, page: usize) {
        if self.page != page {
            self.page = page.max(1);
            self.follow();
        }
    }

    /// Where the selected row is among those that are shown.
    fn position(&self) -> Option<usize> {
        let selected = self.selected?;
        self.rows().position(|row| identity(row) == selected)
    }

    /// Selects the row at `position`, or the last one before it.
    pub(super) fn select(&mut self, position: usize) {
        let position = position.min(self.shown.len().saturating_sub(1));
        let selected = self.rows().nth(position).map(identity);
        self.selected = selected;
        self.follow();
    }

    /// Moves the selection down by so many rows, or up.
    pub(super) fn step(&mut self, by: isize) {
        match self.position() {
            Some(position) => self.select(position.saturating_add_signed(by)),
            None if by > 0 => self.select(self.top.saturating_add_signed(by - 1)),
            None => self.select(self.top),
        }
    }

    pub(super) fn page(&self) -> isize {
        isize::try_from(self.page).unwrap_or(isize::MAX)
    }

    /// Scrolls to where the selected row can be seen.
    fn follow(&mut self) {
        self.top = self.top.min(self.shown.len().saturating_sub(self.page));
        if let Some(position) = self.position() {
            self.top = self.top.clamp((position + 1).saturating_sub(self.page), position);
        }
    }

    /// Selects the next row that has what is looked for. `from_here`: the selected one may be it.
    pub(super) fn find(&mut self, from_here: bool) {
        let wanted = self.search.to_lowercase();
        if wanted.is_empty() {
            return;
        }
        let count = self.shown.len();
        let start = self.position().map_or(0, |position| position + usize::from(!from_here));
        let found = {
            let rows: Vec<_> = self.rows().collect();
            let fits = |&at: &usize| rows[at % count].command(true).to_lowercase().contains(&wanted);
            (start..start + count).find(fits)
        };
        match found {
            Some(at) => self.select(at % count),
            None => self.message = Some(format!("nothing here contains {:?}", self.search)),
        }
    }

    /// The users of all processes, in order.
    pub(super) fn users(&self) -> BTreeSet<String> {
        self.snapshot.iter().flat_map(|snapshot| &snapshot.rows).map(ProcessRow::user).collect()
    }
}
