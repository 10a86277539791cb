//! Rows as an aligned table.

use std::io::{self, Write};

use unicode_width::UnicodeWidthChar as _;

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
const SPACES: &str = "                                ";
/// On a terminal, no column but the last is wider: a long user name must not push the rest out of sight.
const WIDEST_COLUMN: usize = 40;

const RESET: &str = "\x1b[0m";
const HEADING: &str = "\x1b[1m";

/// Writes the heading and `rows`. Returns how many rows there was no room for.
pub(super) fn render<R: Row>(rows: &[R], place: Place, out: &mut dyn Write) -> io::Result<usize> {
    let shown = &rows[..rows.len().min(place.height.unwrap_or(usize::MAX).max(1))];
    let columns: Vec<_> = R::COLUMNS.iter().filter(|column| place.wide || !column.wide_only).collect();
    let mut cells = Cells::of(shown, &columns, place.width.is_some());
    let columns = cells.leave_out_absent(&columns);

    cells.write_heading(&columns, place, out)?;
    for (nth, row) in shown.iter().enumerate() {
        let style = if place.colour { style(row.emphasis()) } else { "" };
        cells.write_row(nth, &columns, style, place, out)?;
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

/// The text of all cells, one after the other: two allocations for a table of any size.
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
        let mut text = String::with_capacity(rows.len().min(1 << 16) * 96);
        let mut ends = Vec::with_capacity(rows.len() * columns.len());
        let mut widths: Vec<_> = columns.iter().map(|column| width(column.heading)).collect();
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

    fn leave_out_absent<R>(&mut self, columns: &[&'static Column<R>]) -> Vec<Laid> {
        columns
            .iter()
            .enumerate()
            .filter(|(index, column)| !column.left_out_if_absent || self.any_present[*index])
            .map(|(index, column)| Laid {
                index,
                heading: column.heading,
                align: column.align,
                width: self.widths[index],
            })
            .collect()
    }

    fn write_heading(&self, columns: &[Laid], place: Place, out: &mut dyn Write) -> io::Result<()> {
        let style = if place.colour { HEADING } else { "" };
        let cells = columns.iter().map(|column| (column.heading, width(column.heading)));
        write_line(cells, columns, style, place, out)
    }

    fn write_row(
        &self,
        nth: usize,
        columns: &[Laid],
        style: &str,
        place: Place,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let cells = columns.iter().map(|column| {
            let at = nth * self.stride + column.index;
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before].offset);
            (&self.text[start..self.ends[at].offset], self.ends[at].width)
        });
        write_line(cells, columns, style, place, out)
    }
}

fn write_line<'a>(
    cells: impl Iterator<Item = (&'a str, usize)>,
    columns: &[Laid],
    style: &str,
    place: Place,
    out: &mut dyn Write,
) -> io::Result<()> {
    out.write_all(style.as_bytes())?;
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
            write_spaces(padding, out)?;
        }
        out.write_all(text.as_bytes())?;
        out.write_all(mark.as_bytes())?;
        if !last {
            if column.align == Align::Left {
                write_spaces(padding, out)?;
            }
            out.write_all(GAP.as_bytes())?;
        }
        used += column.width + GAP.len();
    }
    if !style.is_empty() {
        out.write_all(RESET.as_bytes())?;
    }
    out.write_all(b"\n")
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

fn write_spaces(mut count: usize, out: &mut dyn Write) -> io::Result<()> {
    while count > 0 {
        let some = count.min(SPACES.len());
        out.write_all(&SPACES.as_bytes()[..some])?;
        count -= some;
    }
    Ok(())
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
