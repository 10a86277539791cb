//! A command that runs while the test does something to it, or to what it looks at.

use std::fs;
use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Ran, patiently};

/// Longer than this, and it hangs.
const HANG: Duration = Duration::from_secs(60);

/// A command that runs. Its standard input stays open. Killed when it goes out of scope.
pub struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    began: Instant,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    /// How much of standard output [`Running::line`] has returned.
    returned: usize,
    /// Whether standard output is still read.
    reads: Arc<AtomicBool>,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let began = Instant::now();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdin = child.stdin.take();
        let reads = Arc::new(AtomicBool::new(true));
        let (stdout, first) = collect(child.stdout.take().unwrap(), reads.clone());
        let (stderr, second) = collect(child.stderr.take().unwrap(), Arc::new(AtomicBool::new(true)));
        let readers = vec![first, second];
        Self { name, child, stdin, began, stdout, stderr, readers, returned: 0, reads }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types a line, as a person or a program at the other end of its standard input.
    pub fn ask(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Nothing more will come on its standard input.
    pub fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// The next line of standard output that satisfies `wanted`. Waits for it.
    #[track_caller]
    pub fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let start = self.returned;
            let end = |running: &Self| {
                let stdout = running.stdout.lock().unwrap();
                stdout[start..].iter().position(|&byte| byte == b'\n').map(|length| start + length)
            };
            self.wait_until("a line", |running| end(running).is_some());
            let end = end(self).unwrap();
            self.returned = end + 1;
            let line = String::from_utf8_lossy(&self.stdout.lock().unwrap()[start..end]).into_owned();
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Closes the other end of its standard output, as `head` does, and returns its exit status.
    pub fn stop_reading(self) -> Option<i32> {
        self.reads.store(false, Ordering::Relaxed);
        self.finish().code
    }

    /// How many bytes it has written to standard output so far.
    pub fn output_bytes(&self) -> usize {
        self.stdout.lock().unwrap().len()
    }

    /// Waits until it has written more than `bytes` bytes to standard output.
    #[track_caller]
    pub fn expect_more_than(&self, bytes: usize) {
        self.wait_until("more output", |running| running.output_bytes() > bytes);
    }

    /// Waits until the first answer is there.
    #[track_caller]
    pub fn expect_answer(&self) {
        self.expect_more_than(0);
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub fn expect_talk(&self, text: &str) {
        self.wait_until(text, |running| {
            String::from_utf8_lossy(&running.stderr.lock().unwrap()).contains(text)
        });
    }

    /// Waits until it has a handler for the signal: before that, a signal ends it as it ends any program.
    #[track_caller]
    pub fn expect_handler(&self, signal: Signal) {
        self.wait_until("a signal handler", |running| {
            let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
            caught & (1 << (signal as i32 - 1)) != 0
        });
    }

    #[track_caller]
    fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        loop {
            // In this order: what it wrote last is read before it counts as silent.
            let ended = self.readers.iter().all(JoinHandle::is_finished);
            if condition(self) {
                return;
            }
            assert!(!ended && began.elapsed() < patiently(HANG), "waited for {what:?}: {:?}", self.so_far());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal, unless it has ended already.
    pub fn signal(&self, signal: Signal) {
        let _ended_already = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal);
    }

    /// Waits for its end. Panics if that takes more than a minute.
    #[track_caller]
    pub fn finish(mut self) -> Ran {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Whoever holds the pipes open now would be a leftover too.
                self.readers.drain(..).for_each(|reader| reader.join().unwrap());
                return Ran { code: status.code(), ..self.so_far() };
            }
            assert!(began.elapsed() < patiently(HANG), "it hangs: {:?}", self.so_far());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it the hard way, as the kernel does when memory runs out.
    pub fn kill(self) -> Ran {
        self.signal(Signal::SIGKILL);
        self.finish()
    }

    fn so_far(&self) -> Ran {
        Ran {
            command: self.name.clone(),
            code: None,
            stdout: self.stdout.lock().unwrap().clone(),
            stderr: self.stderr.lock().unwrap().clone(),
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ended_meanwhile = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}

/// Reads on a thread of its own until the end, or until no more is wanted and a last bit has come.
fn collect(
    mut from: impl Read + Send + 'static,
    reads: Arc<AtomicBool>,
) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let collected = Arc::new(Mutex::new(Vec::new()));
    let into = collected.clone();
    let reader = thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(bytes @ 1..) = from.read(&mut buffer)
            && reads.load(Ordering::Relaxed)
        {
            into.lock().unwrap().extend_from_slice(&buffer[..bytes]);
        }
    });
    (collected, reader)
}
