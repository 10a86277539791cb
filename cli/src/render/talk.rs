//! What is said beside the data: notes, gaps, progress. Goes to stderr.

use std::io::{self, IsTerminal, Write};

use super::escape::one_line;

/// Where notes are written.
pub(crate) struct Talk {
    writer: Box<dyn Write + Send>,
    colour: bool,
}

impl Talk {
    /// Talk on stderr; dimmed if that is a terminal and `NO_COLOR` is not set.
    pub(crate) fn stderr() -> Self {
        let stderr = io::stderr();
        let colour = stderr.is_terminal() && super::colour_wanted();
        Self { writer: Box::new(stderr), colour }
    }

    /// Talk on any writer.
    pub(crate) fn to(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Box::new(writer), colour: false }
    }

    /// Says one line. What could mislead a terminal is shown as an escape, so `text` may quote the agent.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        let text = one_line(text.as_ref());
        // Whoever closed stderr does not want to hear it.
        let _ = if self.colour {
            writeln!(self.writer, "\x1b[2m{text}\x1b[0m")
        } else {
            writeln!(self.writer, "{text}")
        };
        let _ = self.writer.flush();
    }

    /// Says each of `lines`.
    pub(crate) fn lines<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        lines.into_iter().for_each(|line| self.line(line));
    }
}
