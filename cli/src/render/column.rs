//! What a row is, and what a column shows of it.

use std::borrow::Cow;
use std::fmt;

use super::escape::escape_into;
use super::human;
use super::json::Object;

/// One line of a table, one object of JSON or YAML.
pub(crate) trait Row: Sized + Sync + 'static {
    /// The columns from left to right. Heading, order, width and alignment all follow from these.
    const COLUMNS: &'static [Column<Self>];

    /// Writes the row's fields, under the names that they have in the contract.
    fn fields(&self, object: &mut Object<'_>);

    /// How the row stands out on a terminal.
    fn emphasis(&self) -> Emphasis {
        Emphasis::None
    }
}

/// How a row stands out. Never the only sign: the text says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emphasis {
    /// It does not.
    None,
    /// Of little interest.
    Dim,
    /// Worth a look.
    Notable,
    /// Likely what is wrong.
    Alarming,
}

/// A column: its heading, and what it shows of a row.
pub(crate) struct Column<R> {
    pub(super) heading: &'static str,
    pub(super) align: Align,
    pub(super) wide_only: bool,
    pub(super) left_out_if_absent: bool,
    shows: Shows<R>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

enum Shows<R> {
    Text(for<'r> fn(&'r R) -> Cow<'r, str>),
    Maybe(for<'r> fn(&'r R) -> Option<Cow<'r, str>>),
    Number(fn(&R) -> Option<i64>),
    Bytes(fn(&R) -> Option<u64>),
    Written(fn(&R, &mut Cell<'_>)),
}

impl<R> Column<R> {
    const fn new(heading: &'static str, align: Align, shows: Shows<R>) -> Self {
        Self { heading, align, wide_only: false, left_out_if_absent: false, shows }
    }

    /// Text, aligned left. Whatever is in it that could mislead a terminal is shown as an escape.
    pub(crate) const fn text(heading: &'static str, of: for<'r> fn(&'r R) -> Cow<'r, str>) -> Self {
        Self::new(heading, Align::Left, Shows::Text(of))
    }

    /// Text as with [`Column::text`], or `-` if absent.
    pub(crate) const fn maybe(heading: &'static str, of: for<'r> fn(&'r R) -> Option<Cow<'r, str>>) -> Self {
        Self::new(heading, Align::Left, Shows::Maybe(of))
    }

    /// A number, aligned right, or `-` if absent.
    pub(crate) const fn number(heading: &'static str, of: fn(&R) -> Option<i64>) -> Self {
        Self::new(heading, Align::Right, Shows::Number(of))
    }

    /// A number of bytes in binary units, aligned right, or `-` if absent.
    pub(crate) const fn bytes(heading: &'static str, of: fn(&R) -> Option<u64>) -> Self {
        Self::new(heading, Align::Right, Shows::Bytes(of))
    }

    /// Whatever `of` writes into the cell, aligned left; `-` if it writes nothing.
    pub(crate) const fn written(heading: &'static str, of: fn(&R, &mut Cell<'_>)) -> Self {
        Self::new(heading, Align::Left, Shows::Written(of))
    }

    /// Aligned right.
    pub(crate) const fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }

    /// Shown in wide tables only.
    pub(crate) const fn wide_only(mut self) -> Self {
        self.wide_only = true;
        self
    }

    /// Left out of a table in which no row has it.
    pub(crate) const fn if_any(mut self) -> Self {
        self.left_out_if_absent = true;
        self
    }

    /// Appends the cell of `row`. Returns false if it is absent.
    pub(super) fn write(&self, row: &R, out: &mut String) -> bool {
        let start = out.len();
        let mut cell = Cell { out };
        match self.shows {
            Shows::Text(of) => cell.text(of(row)),
            Shows::Maybe(of) => of(row).into_iter().for_each(|text| cell.text(text)),
            Shows::Number(of) => of(row).into_iter().for_each(|number| cell.number(number)),
            Shows::Bytes(of) => of(row).into_iter().for_each(|bytes| cell.show(human::Bytes(bytes))),
            Shows::Written(of) => of(row, &mut cell),
        }
        let present = out.len() > start;
        if !present {
            out.push('-');
        }
        present
    }
}

/// The text of a cell that stands in no table.
pub(crate) fn cell(write: impl FnOnce(&mut Cell<'_>)) -> String {
    let mut out = String::new();
    write(&mut Cell { out: &mut out });
    out
}

/// A cell being written. Nothing gets into it unescaped.
pub(crate) struct Cell<'a> {
    out: &'a mut String,
}

impl<'a> Cell<'a> {
    /// A cell that is put together ahead of its table, in `out`.
    pub(crate) fn into(out: &'a mut String) -> Self {
        Self { out }
    }

    /// Appends text.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) {
        escape_into(text.as_ref().as_bytes(), self.out);
    }

    /// Appends bytes that came from the target.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        escape_into(bytes, self.out);
    }

    /// Appends a whole number.
    pub(crate) fn number(&mut self, number: impl itoa::Integer) {
        self.out.push_str(itoa::Buffer::new().format(number));
    }

    /// Appends a sign of our own.
    pub(crate) fn sign(&mut self, sign: char) {
        self.out.push(sign);
    }

    /// Appends a figure of our own making.
    pub(crate) fn show(&mut self, figure: impl fmt::Display) {
        use fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{figure}");
    }
}
