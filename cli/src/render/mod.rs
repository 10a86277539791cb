//! What is shown, and how: the only code that writes answers to stdout.
//!
//! A command hands over rows; heading, order, width and alignment follow from the row's columns, JSON
//! and YAML from its fields. Data goes to stdout through [`Output`], talk to stderr through [`Talk`].

mod blocks;
pub(crate) mod closing;
mod column;
mod escape;
pub(crate) mod human;
mod json;
mod progress;
mod screen;
mod table;
pub(crate) mod talk;
mod yaml;

use std::io::{self, BufWriter, IsTerminal, Write};

use jiff::tz::TimeZone;

pub(crate) use column::{Cell, Column, Emphasis, Row, cell};
pub(crate) use escape::one_line;
pub(crate) use json::Object;
pub(crate) use progress::Progress;
pub(crate) use screen::Screen;
pub(crate) use table::cut_to;
pub(crate) use talk::{Notes, Talk};

/// How an answer is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// Aligned columns, all of them
    Wide,
    /// One JSON object per line: a header if there is one, the rows, a summary
    Json,
    /// A YAML list of the same objects
    Yaml,
}

/// Where answers are shown, and how.
pub(crate) struct Output {
    format: Format,
    writer: Box<dyn Write + Send>,
    colour: bool,
    /// How to measure the terminal. `None`: it is not one.
    terminal: Option<fn() -> Terminal>,
    zone: TimeZone,
    /// A table that is written over the one before, with what has been said about it so far.
    repaints: bool,
    /// Lines below the next table that must not be pushed off a screen that is repainted.
    kept_free: usize,
    scratch: String,
}

/// Lines of talk with a table that is repainted.
const MOST_TALK: usize = 3;

/// The size of a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Characters in a line.
    pub(crate) columns: usize,
    /// Lines.
    pub(crate) rows: usize,
}

/// Whether the user wants colours, see <https://no-color.org>.
fn colour_wanted() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Output {
    /// Output on stdout. Cut to the terminal's width and coloured only if that is a terminal.
    pub(crate) fn stdout(format: Format) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Self {
            colour: is_terminal && colour_wanted(),
            terminal: if is_terminal { Some(Terminal::size) } else { None },
            zone: TimeZone::system(),
            ..Self::to(format, BufWriter::with_capacity(1 << 16, stdout))
        }
    }

    /// Output on any writer, as if it were a pipe; times of day are in UTC.
    pub(crate) fn to(format: Format, writer: impl Write + Send + 'static) -> Self {
        Self {
            format,
            writer: Box::new(writer),
            colour: false,
            terminal: None,
            zone: TimeZone::UTC,
            repaints: false,
            kept_free: 0,
            scratch: String::new(),
        }
    }

    /// The same, as if it were a terminal with colours and of that size.
    #[cfg(test)]
    pub(crate) fn on_terminal(self, size: fn() -> Terminal) -> Self {
        Self { colour: true, terminal: Some(size), ..self }
    }

    /// How answers are shown.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// True for tables, which people read; false for JSON and YAML.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    /// True if all that is known will be shown: anything but the narrow table.
    pub(crate) fn is_wide(&self) -> bool {
        self.format != Format::Table
    }

    /// The time zone that times of day are shown in.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// True if a person sees it at once.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// Shows the content of a file: byte for byte, unless that would reach a terminal.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.terminal.is_none() {
            return self.writer.write_all(bytes);
        }
        self.scratch.clear();
        escape::content_into(bytes, &mut self.scratch);
        self.writer.write_all(self.scratch.as_bytes())
    }

    /// Begins the next of several answers.
    ///
    /// Tables on a terminal are written over the one before, elsewhere below it, after an empty line.
    pub(crate) fn next_answer(&mut self, first: bool) -> io::Result<()> {
        self.repaints = self.is_table() && self.terminal.is_some();
        if self.repaints {
            self.writer.write_all(b"\x1b[H\x1b[J")
        } else if self.format == Format::Yaml {
            self.writer.write_all(b"---\n")
        } else if self.is_table() && !first {
            self.writer.write_all(b"\n")
        } else {
            Ok(())
        }
    }

    /// Says what belongs to a table but is not data: on stderr, or with the table if that is repainted.
    pub(crate) fn beside<T: AsRef<str>>(
        &mut self,
        talk: &mut Talk,
        lines: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        let Some(terminal) = self.terminal.filter(|_| self.repaints) else {
            // So that the two streams appear in order where both are the same terminal.
            self.writer.flush()?;
            talk.lines(lines);
            return Ok(());
        };
        let mut lines: Vec<_> = lines.into_iter().map(|line| line.as_ref().to_owned()).collect();
        if lines.len() > MOST_TALK {
            let left_out = lines.split_off(MOST_TALK - 1).len();
            lines.push(format!("{left_out} more notes are shown without --watch"));
        }
        let columns = terminal().columns;
        lines.iter().try_for_each(|line| self.sentence(cut_to(&one_line(line), columns)))
    }

    /// Leaves that many lines of a screen for what comes below the next table.
    pub(crate) fn keep_free(&mut self, lines: usize) {
        self.kept_free = lines;
    }

    /// Shows `rows`, as a table with its heading or as one object each.
    pub(crate) fn rows<R: Row>(&mut self, rows: &[R]) -> io::Result<()> {
        if !self.is_table() {
            return self.objects(rows);
        }
        // Measured each time, since a terminal may be resized while it is watched.
        let terminal = self.terminal.map(|size| size());
        // A repainted table must not scroll. Not for rows are the lines of the heading, of what did not fit,
        // of the talk, and the one that the cursor is left in.
        let height = terminal.filter(|_| self.repaints);
        let kept_free = MOST_TALK + 3 + std::mem::take(&mut self.kept_free);
        let height = height.map(|terminal| terminal.rows.saturating_sub(kept_free));
        let place = table::Place {
            wide: self.format == Format::Wide,
            colour: self.colour,
            width: terminal.map(|terminal| terminal.columns),
            height,
        };
        let left_out = table::render(rows, place, &mut *self.writer)?;
        if left_out > 0 {
            self.sentence(format!("{left_out} more do not fit this terminal"))?;
        }
        Ok(())
    }

    fn objects<R: Row>(&mut self, rows: &[R]) -> io::Result<()> {
        let format = self.format;
        for rows in rows.chunks(blocks::ROWS * blocks::WAITING) {
            let texts = blocks::of(rows, |rows| {
                let mut text = String::new();
                let write = |row: &R| write_object(format, &mut text, |object| row.fields(object));
                rows.iter().try_for_each(write).map(|()| text)
            });
            for text in texts {
                self.writer.write_all(text?.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Shows one object that is not a row. For JSON and YAML; tables have sentences.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Object<'_>)) -> io::Result<()> {
        self.scratch.clear();
        write_object(self.format, &mut self.scratch, fields)?;
        self.writer.write_all(self.scratch.as_bytes())
    }

    /// Shows what comes ahead of the rows, or that it is missing. For JSON and YAML; tables have sentences.
    pub(crate) fn header<T>(
        &mut self,
        header: Option<T>,
        fields: impl FnOnce(T, &mut Object<'_>),
    ) -> io::Result<()> {
        if self.is_table() {
            return Ok(());
        }
        self.object(|object| match header {
            Some(header) => object.object("header", |object| fields(header, object)),
            None => object.null("header"),
        })
    }

    /// Shows closing lines that are data, on stdout. For tables; JSON and YAML have fields.
    pub(crate) fn sentences<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) -> io::Result<()> {
        if !self.is_table() {
            return Ok(());
        }
        lines.into_iter().try_for_each(|line| self.sentence(line))
    }

    /// Shows a closing line that is data, on stdout. For tables.
    pub(crate) fn sentence(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.writer, "{}", one_line(text.as_ref()))
    }

    /// Shows lines that belong to the sentence before, indented.
    pub(crate) fn below(&mut self, lines: &str) -> io::Result<()> {
        lines.lines().try_for_each(|line| writeln!(self.writer, "\t{}", one_line(line)))
    }

    /// The time of day of a moment, in the time zone that times are shown in, to the microsecond.
    pub(crate) fn time_of_day(&self, unix_nanos: u64) -> String {
        human::time_of_day(unix_nanos, &self.zone)
    }

    /// Takes the whole terminal, until what is returned goes out of scope. `None`: there is no terminal, for reading
    /// and for writing, that can be drawn on.
    pub(crate) fn screen(&mut self) -> io::Result<Option<Screen>> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if self.terminal.is_none() || is_dumb || !io::stdin().is_terminal() {
            return Ok(None);
        }
        self.flush()?;
        Screen::open(self.colour).map(Some)
    }

    /// Hands over to the reader what has been shown so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Appends an object as JSON or YAML.
fn write_object(
    format: Format,
    out: &mut String,
    fields: impl FnOnce(&mut Object<'_>),
) -> Result<(), serde_json::Error> {
    let start = out.len();
    json::object(out, fields);
    if format == Format::Yaml {
        let value = serde_json::from_str(&out[start..])?;
        out.truncate(start);
        yaml::element(&value, out);
    } else {
        out.push('\n');
    }
    Ok(())
}

impl Terminal {
    /// The size of the terminal on stdout; 80 by 24 if it does not tell.
    fn size() -> Self {
        let size = terminal_size::terminal_size_of(io::stdout());
        let (columns, rows) = size.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()));
        Self { columns, rows }
    }
}
