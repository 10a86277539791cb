//! A `dbgctl` that runs while the test looks at what it does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Ran, patiently, run};

/// How long a line may take. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Its lines arrive one by one; questions can be written to it.
pub struct Running {
    name: String,
    began: Instant,
    child: Child,
    stdin: Option<ChildStdin>,
    /// `None`: no one reads any more.
    lines: Option<Receiver<String>>,
    seen: String,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (line, lines) = channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while stdout.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
                bytes.clear();
                // The end of the test is the end of the pipe.
                if line.send(text).is_err() {
                    return;
                }
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut said = Vec::new();
            stderr.read_to_end(&mut said).unwrap();
            said
        });
        let stdin = child.stdin.take();
        Self {
            name,
            began: Instant::now(),
            child,
            stdin,
            lines: Some(lines),
            seen: String::new(),
            stderr: Some(stderr),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of stdout that satisfies `wanted`.
    #[track_caller]
    pub fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(line) = self.lines.as_ref().unwrap().recv_timeout(patiently(PATIENCE)) else {
                let _killed = self.child.kill();
                let stderr = self.stderr.take().unwrap().join().unwrap();
                let stderr = String::from_utf8_lossy(&stderr);
                panic!("{}: no such line in\n{}--- stderr\n{stderr}", self.name, self.seen);
            };
            self.seen.push_str(&line);
            self.seen.push('\n');
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Writes a line to its standard input.
    pub fn ask(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        run(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()])).expect(0);
    }

    /// Ends its standard input.
    pub fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Closes the other end of its stdout, as `head` does, and returns its exit status.
    pub fn stop_reading(mut self) -> Option<i32> {
        self.lines = None;
        self.finish().code
    }

    /// Waits for its end. Standard input stays as it is.
    pub fn finish(mut self) -> Ran {
        let stdin = self.stdin.take();
        let hung = !crate::eventually(Duration::from_secs(60), || self.child.try_wait().unwrap().is_some());
        if hung {
            let _killed = self.child.kill();
        }
        let status = self.child.wait().unwrap();
        drop(stdin);
        for line in self.lines.take().into_iter().flatten() {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let (name, seen) = (std::mem::take(&mut self.name), std::mem::take(&mut self.seen));
        let took = self.began.elapsed();
        let ran = Ran { command: name, code: status.code(), stdout: seen.into_bytes(), stderr, took };
        assert!(!hung, "it hung: {ran:?}");
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
