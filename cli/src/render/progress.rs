//! How far something has come: one line on a terminal's stderr that is written over and gone at the end.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::human::{Bytes, Percent};

/// A person begins to wonder.
const LONG: Duration = Duration::from_secs(1);
/// How often the line changes.
const PAUSE: Duration = Duration::from_millis(200);

/// The line, which is shown only if the work takes long and someone can see it.
pub(crate) struct Progress {
    began: Instant,
    shown: Option<Instant>,
    is_seen: bool,
}

impl Progress {
    /// The work begins now.
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), shown: None, is_seen: io::stderr().is_terminal() }
    }

    /// So many bytes of so many, if that is known, in so many files.
    pub(crate) fn show(&mut self, done: u64, all: Option<u64>, files: u64) {
        let now = Instant::now();
        let due = self.shown.map_or(self.began + LONG, |shown| shown + PAUSE);
        if !self.is_seen || now < due {
            return;
        }
        self.shown = Some(now);
        let seconds = now.duration_since(self.began).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, rounded")]
        let rate = Bytes((done as f64 / seconds) as u64);
        let of = match all.filter(|&all| all > 0) {
            Some(all) => {
                let share = Percent(done.min(all) as f64 / all as f64 * 100.0);
                format!("{share} %, {} of {}", Bytes(done), Bytes(all))
            }
            None => format!("{files} files, {}", Bytes(done)),
        };
        // Whoever closed stderr does not want to see it.
        let _ = write!(io::stderr(), "\r\x1b[K{of}, {rate}/s");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
