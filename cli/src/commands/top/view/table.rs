//! The processes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::header::cpu_time;
use super::{Theme, Tone};
use crate::commands::processes::field::Field;
use crate::commands::processes::row::ProcessRow;
use crate::commands::top::state::State;
use crate::render::human::{Bytes, Percent};
use crate::render::{Row as _, cut_to};

/// A column: the narrowest terminal that it is shown on, and whether it is a figure.
struct Column {
    heading: &'static str,
    field: Field,
    width: usize,
    from_width: u16,
    right: bool,
    of: fn(&ProcessRow, &State) -> String,
}

const COLUMNS: [Column; 11] = [
    Column::new("PID", Field::Pid, 7, 0, |row, _| row.process.pid.to_string()),
    Column::new("TID", Field::Tid, 7, 0, |row, _| {
        row.process.tid.map_or_else(String::new, |tid| tid.to_string())
    }),
    Column::new("USER", Field::User, 8, 60, |row, _| row.user()).left(),
    Column::new("NI", Field::Nice, 3, 100, |row, _| row.process.nice.to_string()),
    Column::new("VIRT", Field::Virtual, 8, 100, |row, _| Bytes(row.process.virtual_bytes).to_string()),
    Column::new("RES", Field::Rss, 8, 0, |row, _| Bytes(row.process.resident_bytes).to_string()),
    Column::new("S", Field::State, 1, 0, |row, _| row.state.letter().to_string()).left(),
    Column::new("CPU%", Field::Cpu, 5, 0, |row, _| {
        row.cpu_percent.map_or_else(|| "-".to_owned(), |percent| Percent(percent).to_string())
    }),
    Column::new("MEM%", Field::Rss, 5, 60, |row, state| {
        let percent =
            state.snapshot.as_ref().and_then(|snapshot| snapshot.memory.percent(row.process.resident_bytes));
        percent.map_or_else(|| "-".to_owned(), |percent| Percent(percent).to_string())
    }),
    Column::new("THR", Field::Threads, 4, 70, |row, _| row.process.threads.to_string()),
    Column::new("TIME+", Field::CpuTime, 8, 60, |row, _| cpu_time(ProcessRow::cpu_nanos(&row.process))),
];

impl Column {
    const fn new(
        heading: &'static str,
        field: Field,
        width: usize,
        from_width: u16,
        of: fn(&ProcessRow, &State) -> String,
    ) -> Self {
        Self { heading, field, width, from_width, right: true, of }
    }

    const fn left(self) -> Self {
        Self { right: false, ..self }
    }

    fn is_shown(&self, state: &State, width: u16) -> bool {
        width >= self.from_width && (self.field != Field::Tid || state.threads)
    }

    fn push(&self, text: &str, line: &mut String) {
        let text = cut_to(text, self.width);
        let padding = self.width.saturating_sub(text.width());
        if self.right {
            line.push_str(&" ".repeat(padding));
        }
        line.push_str(&text);
        if !self.right {
            line.push_str(&" ".repeat(padding));
        }
        line.push(' ');
    }
}

/// Draws the heading and the rows on the screen.
pub(super) fn draw(state: &State, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.is_shown(state, area.width)).collect();
    let marked = |heading: &str, field: Field| match field == state.sort.field {
        true if state.sort.is_descending() => format!("{heading}▼"),
        true => format!("{heading}▲"),
        false => heading.to_owned(),
    };
    let mut heading = String::new();
    columns.iter().for_each(|column| {
        // `RES` and `MEM%` are one figure in two units.
        let is_second = column.heading == "RES" && area.width >= 60;
        let text = if is_second { column.heading.to_owned() } else { marked(column.heading, column.field) };
        // The mark stands in the gap if the column has no room for it.
        let room = column.width.max(text.width());
        let column = Column { width: room, ..**column };
        column.push(&text, &mut heading);
        if room > column_width(&columns, column.heading) {
            heading.pop();
        }
    });
    heading.push_str(&marked(if state.tree { "COMMAND (tree)" } else { "COMMAND" }, Field::Command));
    heading.push_str(&restrictions(state));
    let heading = format!("{heading:width$}", width = usize::from(area.width));
    let style = theme.style(Tone::Label).add_modifier(Modifier::REVERSED);
    buffer.set_line(area.x, area.y, &Line::styled(heading, style), area.width);

    let rows = (area.y + 1..area.bottom()).zip(state.rows_on_screen());
    for (y, (row, selected)) in rows {
        let style = theme.of_row(row.emphasis(), selected);
        let mut line = String::new();
        columns.iter().for_each(|column| column.push(&(column.of)(row, state), &mut line));
        let room = usize::from(area.width).saturating_sub(line.width());
        line.push_str(&cut_to(&row.command(state.full_command), room));
        if selected {
            line.push_str(&" ".repeat(usize::from(area.width).saturating_sub(line.width())));
        }
        buffer.set_line(area.x, y, &Line::styled(line, style), area.width);
    }
    if state.snapshot.is_some() && state.rows().len() == 0 && area.height > 1 {
        let text = Line::styled("no process fits the filter; Esc shows all", Style::new());
        buffer.set_line(area.x, area.y + 1, &text, area.width);
    }
}

fn column_width(columns: &[&Column], heading: &str) -> usize {
    columns.iter().find(|column| column.heading == heading).map_or(0, |column| column.width)
}

/// What keeps rows from being shown.
fn restrictions(state: &State) -> String {
    let filter = (!state.filter.is_empty()).then(|| format!("filter {:?}", state.filter));
    let user = state.user.as_ref().map(|user| format!("user {user}"));
    let words: Vec<_> = [filter, user].into_iter().flatten().collect();
    if words.is_empty() { String::new() } else { format!("  [{}]", super::shown(&words.join(", "))) }
}
