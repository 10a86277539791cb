//! A program on a terminal of its own, with the test at the keyboard.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::eventually;

/// How long something may take to appear. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pseudo terminal of 100 columns and 30 lines, and what runs on it.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// How much of the screen was looked at already.
    seen: usize,
}

impl Terminal {
    /// Runs `command` with the terminal as its controlling one, as a login would.
    pub fn run(command: &Command) -> Self {
        let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => on_terminal.env(name, value),
                None => on_terminal.env_remove(name),
            };
        }
        on_terminal.env("TERM", "xterm-256color");
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = on_terminal.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        drop(on_terminal);
        drop(pty.slave);
        let keyboard = File::from(pty.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut from, into) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails when the last program on the terminal has ended.
            while let Ok(count) = from.read(&mut buffer) {
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
                if count == 0 {
                    return;
                }
            }
        });
        Self { child, keyboard, screen, reader: Some(reader), seen: 0 }
    }

    /// Everything that was written to the screen so far.
    pub fn screen(&self) -> Vec<u8> {
        self.screen.lock().unwrap().clone()
    }

    /// Presses these keys. If the program has ended, they go nowhere.
    pub fn press(&mut self, keys: &str) {
        let _ended = self.keyboard.write_all(keys.as_bytes());
    }

    /// Sends a signal, unless it has ended already.
    pub fn signal(&self, signal: Signal) {
        let _ended_already = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal);
    }

    /// Waits until `text` appears after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let mut found = None;
        eventually(PATIENCE, || {
            let screen = self.screen.lock().unwrap();
            let rest = &screen[self.seen..];
            found = rest.windows(text.len()).position(|window| window == text.as_bytes());
            found.is_some()
        });
        let Some(at) = found else {
            panic!("{text:?} did not appear in {}", String::from_utf8_lossy(&self.screen()).escape_debug())
        };
        self.seen += at + text.len();
    }

    /// Presses `keys` until the program has ended: what is typed while it starts may reach no one.
    #[track_caller]
    pub fn press_until_end(mut self, keys: &str) -> Option<i32> {
        eventually(PATIENCE, || {
            self.press(keys);
            thread::sleep(Duration::from_millis(100));
            self.child.try_wait().unwrap().is_some()
        });
        self.finish()
    }

    /// Waits for the end of the program, and returns its exit status.
    #[track_caller]
    pub fn finish(self) -> Option<i32> {
        self.last_screen().1
    }

    /// Waits for the end of the program, and returns what is on the screen then, and its exit status.
    #[track_caller]
    pub fn last_screen(mut self) -> (Vec<u8>, Option<i32>) {
        let ended = eventually(PATIENCE, || self.child.try_wait().unwrap().is_some());
        assert!(ended, "it hung: {}", String::from_utf8_lossy(&self.screen()).escape_debug());
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (self.screen(), code)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
