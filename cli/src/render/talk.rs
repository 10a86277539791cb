//! What is said beside the data: notes, gaps, progress. Goes to stderr.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::escape;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::Error;

/// A person begins to wonder.
const LONG: Duration = Duration::from_secs(1);

/// How often it is looked whether someone has answered.
const KEYSTROKE: Duration = Duration::from_millis(20);

/// The longest line of talk. It may quote an agent, which can send megabytes.
const LONGEST_LINE_BYTES: usize = 4096;

/// `text` as one line that misleads nobody and has an end.
fn one_line(text: &str) -> Cow<'_, str> {
    let line = escape::one_line(text);
    if line.len() <= LONGEST_LINE_BYTES {
        return line;
    }
    Cow::Owned(format!("{}…", &line[..line.floor_char_boundary(LONGEST_LINE_BYTES)]))
}

/// What is said of the work itself, before there is an answer. Quiet if the user wants it so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notes {
    pub(crate) quiet: bool,
}

impl Notes {
    /// Something the user may want to know.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        if !self.quiet {
            Talk::stderr().line(format!("dbgctl: {}", text.as_ref()));
        }
    }

    /// Waits for `work`, and says what is waited for if that takes more than a second.
    pub(crate) async fn if_it_takes_long<T>(self, what: &str, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            () = tokio::time::sleep(LONG) => self.note(format!("{what} …")),
        }
        work.await
    }

    /// Something the user ought to know.
    pub(crate) fn warn(self, text: impl AsRef<str>) {
        self.note(format!("warning: {}", text.as_ref()));
    }
}

/// What did not work, in three lines. Never quiet.
pub(crate) fn error(error: &Error) {
    let _ = writeln!(io::stderr(), "{}", error_text(error));
}

/// The same as text, escaped.
pub(crate) fn error_text(error: &Error) -> String {
    let Error { what, because, suggestion } = error;
    format!(
        "dbgctl: cannot {}\n  because  {}\n  try      {}",
        one_line(what),
        one_line(because),
        one_line(suggestion)
    )
}

/// Text of our own with lines of its own, such as help.
pub(crate) fn help(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}

/// Where notes are written.
pub(crate) struct Talk {
    writer: Box<dyn Write + Send>,
    colour: bool,
    is_terminal: bool,
}

impl Talk {
    /// Talk on stderr; dimmed if that is a terminal and `NO_COLOR` is not set.
    pub(crate) fn stderr() -> Self {
        let stderr = io::stderr();
        let colour = stderr.is_terminal() && super::colour_wanted();
        Self { is_terminal: stderr.is_terminal(), writer: Box::new(stderr), colour }
    }

    /// Talk on any writer.
    #[cfg(test)]
    pub(crate) fn to(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Box::new(writer), colour: false, is_terminal: false }
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

    /// Asks for a yes. `None` if there is nobody to ask: standard input or this is no terminal.
    pub(crate) async fn confirm(&mut self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !self.is_terminal {
            return None;
        }
        let _ = write!(self.writer, "{} [y/N] ", one_line(question));
        let _ = self.writer.flush();
        // A terminal hands out whole lines: once there is something, reading does not wait. Until then the question
        // may be abandoned, which a read could not be.
        while poll(&mut [PollFd::new(io::stdin().as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).ok()? == 0 {
            tokio::time::sleep(KEYSTROKE).await;
        }
        let mut line = String::new();
        io::stdin().read_line(&mut line).ok()?;
        Some(matches!(line.trim(), "y" | "Y" | "yes"))
    }

    /// Says each of `lines`.
    pub(crate) fn lines<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        lines.into_iter().for_each(|line| self.line(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_at_length_is_cut_and_stays_on_its_line() {
        let flood = "\u{9b}31m\n".repeat(1 << 20);
        let text = error_text(&Error::new("ask", flood, "again"));
        assert_eq!(text.lines().count(), 3);
        assert!(text.len() < 2 * LONGEST_LINE_BYTES && !text.contains('\u{9b}'));
        assert!(text.contains("…\n  try      again"), "{}", &text[text.len() - 80..]);
    }
}
