//! A program in tmux, which is a terminal that can be looked at: what stands on the screen, not what was written to it.

use std::process::Command;
use std::time::Duration;

use crate::{Ran, eventually, run, skipped, unique};

/// How long something may take to appear. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tmux server with one window. Ended when it goes out of scope.
pub struct Tmux {
    socket: String,
}

impl Tmux {
    /// A shell on a terminal of that size. `None`, with a notice, where there is no tmux.
    pub fn start(columns: u16, lines: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            skipped("tmux is not installed, see `cargo xtask bootstrap`");
            return None;
        }
        let tmux = Self { socket: unique("tmux") };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // A shell without a profile, with a prompt that is known.
        let shell = "env -u ENV PS1='ready> ' sh";
        tmux.command(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, shell])
            .expect(0);
        tmux.expect("ready>");
        Some(tmux)
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        run(Command::new("tmux").args(["-L", &self.socket]).args(arguments).env("TERM", "xterm-256color"))
    }

    /// Types text, as it is.
    pub fn type_text(&self, text: &str) {
        self.command(&["send-keys", "-l", text]).expect(0);
    }

    /// Presses keys by tmux's names: `Enter`, `F1`, `C-c`, `PageDown`.
    pub fn press(&self, keys: &[&str]) {
        self.command(&[&["send-keys"], keys].concat()).expect(0);
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, lines: u16) {
        let (columns, lines) = (columns.to_string(), lines.to_string());
        self.command(&["resize-window", "-x", &columns, "-y", &lines]).expect(0);
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.command(&["capture-pane", "-p"]).expect(0).stdout()
    }

    /// Whether a program has the whole screen for itself.
    pub fn is_full_screen(&self) -> bool {
        self.command(&["display-message", "-p", "#{alternate_on}"]).expect(0).stdout().trim() == "1"
    }

    /// Waits until the screen is as wanted, and returns it.
    #[track_caller]
    pub fn expect_screen(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let came = eventually(PATIENCE, || {
            screen = self.screen();
            wanted(&screen)
        });
        assert!(came, "no {what:?} on the screen:\n{screen}");
        screen
    }

    /// Waits until the screen has that text, and returns it.
    #[track_caller]
    pub fn expect(&self, text: &str) -> String {
        self.expect_screen(text, |screen| screen.contains(text))
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}
