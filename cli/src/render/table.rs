//! Rows as an aligned table.

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar as _;

use super::blocks;
use super::column::{Align, Column, Emphasis, Row};

/// What a table may assume of the place it is written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Show the columns of wide tables too.
    pub(super) wide: bool,
    /// Make rows stand out with escape sequences of our own.
    pub(super) colour: bool,
    /// Columns of the terminal. `None`: not a terminal, so that nothing is cut.
    pub(super) width: Option<usize>,
    /// Rows that can be shown. `None`: all of them.
    pub(super) height: Option<usize>,
}

const GAP: &str = "  ";
/// On a terminal, no column but the last is wider: a long user name must not push the rest out of sight.
const WIDEST_COLUMN: usize = 40;

const RESET: &str = "\x1b[0m";
const HEADING: &str = "\x1b[1m";

/// Writes the heading and `rows`. Returns how many rows there was no room for.
pub(super) fn render<R: Row>(rows: &[R], place: Place, out: &mut dyn Write) -> io::Result<usize> {
    let shown = &rows[..rows.len().min(place.height.unwrap_or(usize::MAX).max(1))];
    let columns: Vec<_> = R::COLUMNS.iter().filter(|column| place.wide || !column.wide_only).collect();
    let cells = blocks::of(shown, |rows| Cells::of(rows, &columns, place.width.is_some()));
    let columns = lay_out(&columns, &cells);

    out.write_all(&heading(&columns, place))?;
    for (rows, cells) in shown.chunks(blocks::ROWS * blocks::WAITING).zip(cells.chunks(blocks::WAITING)) {
        for lines in blocks::again(rows, cells, |rows, cells| cells.lines(rows, &columns, place)) {
            out.write_all(&lines)?;
        }
    }
    Ok(rows.len() - shown.len())
}

fn style(emphasis: Emphasis) -> &'static str {
    match emphasis {
        Emphasis::None => "",
        Emphasis::Dim => "\x1b[2m",
        Emphasis::Notable => "\x1b[33m",
        Emphasis::Alarming => "\x1b[1;31m",
    }
}

/// The columns that are shown, as wide as their widest cell.
fn lay_out<R>(columns: &[&'static Column<R>], cells: &[Cells]) -> Vec<Laid> {
    let any_present = |index: usize| cells.iter().any(|cells| cells.any_present[index]);
    columns
        .iter()
        .enumerate()
        .filter(|&(index, column)| !column.left_out_if_absent || any_present(index))
        .map(|(index, column)| Laid {
            index,
            heading: column.heading,
            align: column.align,
            width: cells.iter().map(|cells| cells.widths[index]).fold(width(column.heading), usize::max),
        })
        .collect()
}

/// The text of the cells of some rows, one after the other: two allocations for any number of them.
struct Cells {
    text: String,
    ends: Vec<CellEnd>,
    stride: usize,
    widths: Vec<usize>,
    any_present: Vec<bool>,
}

#[derive(Clone, Copy)]
struct CellEnd {
    offset: usize,
    width: usize,
}

/// A column that is shown: which one it is among the cells of a row, and how it is laid out.
struct Laid {
    index: usize,
    heading: &'static str,
    align: Align,
    width: usize,
}

impl Cells {
    fn of<R: Row>(rows: &[R], columns: &[&'static Column<R>], bounded: bool) -> Self {
        let mut text = String::with_capacity(rows.len() * 96);
        let mut ends = Vec::with_capacity(rows.len() * columns.len());
        let mut widths = vec![0; columns.len()];
        let mut any_present = vec![false; columns.len()];
        for row in rows {
            for (index, column) in columns.iter().enumerate() {
                let start = text.len();
                any_present[index] |= column.write(row, &mut text);
                let width = width(&text[start..]);
                let counted = if bounded { width.min(WIDEST_COLUMN) } else { width };
                widths[index] = widths[index].max(counted);
                ends.push(CellEnd { offset: text.len(), width });
            }
        }
        Self { text, ends, stride: columns.len(), widths, any_present }
    }

    /// The lines of the rows that these are the cells of.
    fn lines<R: Row>(&self, rows: &[R], columns: &[Laid], place: Place) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.text.len() * 2);
        for (nth, row) in rows.iter().enumerate() {
            let style = if place.colour { style(row.emphasis()) } else { "" };
            let cells = columns.iter().map(|column| {
                let at = nth * self.stride + column.index;
                let start = at.checked_sub(1).map_or(0, |before| self.ends[before].offset);
                (&self.text[start..self.ends[at].offset], self.ends[at].width)
            });
            write_line(cells, columns, style, place, &mut lines);
        }
        lines
    }
}

fn heading(columns: &[Laid], place: Place) -> Vec<u8> {
    let style = if place.colour { HEADING } else { "" };
    let cells = columns.iter().map(|column| (column.heading, width(column.heading)));
    let mut line = Vec::new();
    write_line(cells, columns, style, place, &mut line);
    line
}

fn write_line<'a>(
    cells: impl Iterator<Item = (&'a str, usize)>,
    columns: &[Laid],
    style: &str,
    place: Place,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(style.as_bytes());
    let mut used = 0;
    for (nth, (column, (text, text_width))) in columns.iter().zip(cells).enumerate() {
        let last = nth + 1 == columns.len();
        let room = match place.width {
            None => usize::MAX,
            Some(terminal) if last => terminal.saturating_sub(used).max(1),
            Some(_) => column.width,
        };
        let (text, mark, text_width) = cut(text, text_width, room);
        let padding = column.width.saturating_sub(text_width);
        if column.align == Align::Right {
            write_spaces(padding, out);
        }
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(mark.as_bytes());
        if !last {
            if column.align == Align::Left {
                write_spaces(padding, out);
            }
            out.extend_from_slice(GAP.as_bytes());
        }
        used += column.width + GAP.len();
    }
    if !style.is_empty() {
        out.extend_from_slice(RESET.as_bytes());
    }
    out.push(b'\n');
}

/// `text` cut to `room` columns, the mark that says so, and the width of both.
fn cut(text: &str, text_width: usize, room: usize) -> (&str, &'static str, usize) {
    if text_width <= room {
        return (text, "", text_width);
    }
    let mut kept = 0;
    for (offset, character) in text.char_indices() {
        let next = kept + character.width().unwrap_or(0);
        if next > room - 1 {
            return (&text[..offset], "…", kept + 1);
        }
        kept = next;
    }
    (text, "", text_width)
}

/// `text` cut to `room` columns, with a mark if it was.
pub(crate) fn cut_to(text: &str, room: usize) -> String {
    let (text, mark, _) = cut(text, width(text), room.max(1));
    format!("{text}{mark}")
}

/// Columns that `text` takes, character by character: terminals join sequences into narrower glyphs at
/// best, so that nothing is ever wider than counted.
fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().map(|character| character.width().unwrap_or(0)).sum()
    }
}

fn write_spaces(count: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + count, b' ');
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::json::Object;
    use super::*;

    struct Named {
        name: &'static str,
        bytes: Option<u64>,
        command: &'static str,
    }

    impl Row for Named {
        const COLUMNS: &'static [Column<Self>] = &[
            Column::text("NAME", |row| Cow::Borrowed(row.name)),
            Column::bytes("RSS", |row| row.bytes),
            Column::maybe("NEVER", |_: &Self| None).if_any(),
            Column::number("WIDE", |_: &Self| Some(-7)).wide_only(),
            Column::text("COMMAND", |row| Cow::Borrowed(row.command)),
        ];

        fn fields(&self, _: &mut Object<'_>) {}

        fn emphasis(&self) -> Emphasis {
            if self.name == "bad" { Emphasis::Alarming } else { Emphasis::None }
        }
    }

    const ROWS: [Named; 2] = [
        Named { name: "日本", bytes: Some(1 << 20), command: "serve --all" },
        Named { name: "bad", bytes: None, command: "a\nb" },
    ];

    const PIPE: Place = Place { wide: false, colour: false, width: None, height: None };

    fn table(rows: &[Named], place: Place) -> String {
        let mut out = Vec::new();
        render(rows, place, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_align_by_what_is_seen_and_the_last_is_not_padded() {
        assert_eq!(
            table(&ROWS, PIPE),
            "NAME      RSS  COMMAND\n\
             日本  1.0 MiB  serve --all\n\
             bad         -  a\\nb\n"
        );
    }

    #[test]
    fn wide_tables_have_more_columns() {
        let wide = table(&ROWS, Place { wide: true, ..PIPE });
        assert!(wide.starts_with("NAME      RSS  WIDE  COMMAND\n"), "{wide}");
        assert!(wide.contains("1.0 MiB    -7  serve"), "{wide}");
    }

    #[test]
    fn only_a_terminal_gets_cut_lines_and_colours() {
        let place = Place { colour: true, width: Some(20), ..PIPE };
        assert_eq!(
            table(&ROWS, place),
            "\x1b[1mNAME      RSS  COMM…\x1b[0m\n\
             日本  1.0 MiB  serv…\n\
             \x1b[1;31mbad         -  a\\nb\x1b[0m\n"
        );
    }

    #[test]
    fn a_long_name_does_not_push_the_rest_off_a_terminal() {
        let name = "x".repeat(500).leak();
        let rows = [Named { name, bytes: None, command: "seen" }];
        let text = table(&rows, Place { width: Some(80), ..PIPE });
        assert!(text.lines().all(|line| width(line) <= 80), "{text}");
        assert!(text.contains("seen"), "{text}");
    }

    #[test]
    fn a_table_without_rows_still_has_its_heading() {
        assert_eq!(table(&[], PIPE), "NAME  RSS  COMMAND\n");
    }
}
