//! The whole terminal as a screen, and given back whatever happens.

use std::io::{self, Stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// There is one terminal, and it belongs to the process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// While it lives the terminal is a screen of its own and hands out keys one by one. Dropped, it is as before.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    colour: bool,
}

impl Screen {
    pub(super) fn open(colour: bool) -> io::Result<Self> {
        give_back_before_a_panic_is_told();
        TAKEN.store(true, Ordering::SeqCst);
        // From here on it is given back also if one of the steps fails.
        let begun = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match begun {
            Ok(terminal) => Ok(Self { terminal, colour }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Whether colours are wanted.
    pub(crate) fn has_colour(&self) -> bool {
        self.colour
    }

    /// Shows what `paint` makes of an empty frame.
    pub(crate) fn draw(&mut self, paint: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was given back: another part of dbgctl has failed"));
        }
        self.terminal.draw(paint).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Makes the terminal what it was. Once is enough.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _gone = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _gone = disable_raw_mode();
    }
}

/// What a panic says would be lost with the screen, and the terminal left unusable.
fn give_back_before_a_panic_is_told() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    use std::{env, thread};

    use nix::pty::{Winsize, openpty};
    use nix::sys::termios::tcgetattr;

    use super::*;

    #[test]
    #[ignore = "run by the test below, on a terminal"]
    fn panics_while_it_has_the_screen() {
        let mut screen = Screen::open(false).unwrap();
        screen
            .draw(|frame| frame.buffer_mut().set_string(0, 0, "drawn", ratatui::style::Style::new()))
            .unwrap();
        // Not in the one that draws: then there is nothing that would be dropped.
        let _told = thread::spawn(|| panic!("what went wrong")).join();
        let error = screen.draw(|_| {}).unwrap_err();
        assert!(error.to_string().contains("given back"), "{error}");
    }

    #[test]
    fn a_panic_is_told_on_a_terminal_that_is_as_before() {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = Command::new(env::current_exe().unwrap());
        let test = "render::screen::tests::panics_while_it_has_the_screen";
        command.args(["--ignored", "--exact", test, "--nocapture"]);
        let mut child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        // It holds the terminal open as well.
        drop(command);
        let mut master = File::from(pty.master);
        let reader = thread::spawn(move || {
            let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                seen.extend_from_slice(&buffer[..count]);
            }
            String::from_utf8_lossy(&seen).into_owned()
        });
        assert!(child.wait().unwrap().success());
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before, "echo, lines and signals are back");
        // The end of the other side is the end of what can be read.
        drop(pty.slave);
        let seen = reader.join().unwrap();
        let at =
            |text: &str| seen.find(text).unwrap_or_else(|| panic!("no {text:?} in {}", seen.escape_debug()));
        let order = [at("\x1b[?1049h"), at("drawn"), at("\x1b[?1049l"), at("what went wrong")];
        assert!(order.is_sorted(), "{order:?} in {}", seen.escape_debug());
        assert_eq!(seen.matches("\x1b[?1049l").count(), 1, "{}", seen.escape_debug());
    }
}
