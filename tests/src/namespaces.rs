//! Network namespaces that a test makes, and what happens in them. They are gone with the last descriptor that leads to
//! them, also when the test is killed.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};

use crate::{Target, run};

/// A network namespace.
pub struct Namespace {
    file: Arc<File>,
}

impl Namespace {
    /// An empty one, with its loopback interface up.
    #[track_caller]
    pub fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        let namespace = Self { file: Arc::new(made.join().unwrap()) };
        namespace.ip("link set lo up");
        namespace
    }

    /// That of a container.
    #[track_caller]
    pub fn of(target: &Target) -> Self {
        let path = format!("/proc/{}/ns/net", target.inspect("{{.State.Pid}}"));
        Self { file: Arc::new(File::open(path).unwrap()) }
    }

    /// Does something in it, on a thread of its own, which ends there.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(work).join().unwrap()
    }

    fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let file = Arc::clone(&self.file);
        thread::spawn(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        })
    }

    /// Does the same in it again and again, until what is returned goes out of scope.
    pub fn meanwhile(&self, mut work: impl FnMut() + Send + 'static) -> Meanwhile {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = self.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                work();
                thread::sleep(Duration::from_millis(5));
            }
        });
        Meanwhile { over, thread: Some(thread) }
    }

    /// Runs a command in it, which must succeed, and returns what it printed.
    #[track_caller]
    pub fn command(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments);
        let ran = self.within(move || run(&mut command));
        ran.expect(0).stdout()
    }

    /// `ip` with these words.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        self.command("ip", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// Sets `/proc/sys/net/…`.
    #[track_caller]
    pub fn set(&self, path: &str, value: &str) {
        let (path, value) = (format!("/proc/sys/net/{path}"), value.to_owned());
        self.within(move || std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}")));
    }

    /// Joins it with another by a pair of interfaces, which are up.
    #[track_caller]
    pub fn join(&self, own: &str, other: &Self, others: &str) {
        let path = format!("/proc/{}/fd/{}", std::process::id(), other.file.as_raw_fd());
        self.ip(&format!("link add {own} type veth peer name {others} netns {path}"));
        self.ip(&format!("link set {own} up"));
        other.ip(&format!("link set {others} up"));
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

/// What is done again and again.
pub struct Meanwhile {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked_and_said_so = thread.join();
        }
    }
}
