//! What the tests that need a real engine share: targets, the CLI as a user runs it, and a second opinion.
//!
//! The engine is asked through the `docker` command, so that no test trusts dbgctl to check dbgctl.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "evidence, not a library")]

pub mod chain;
pub mod chance;
pub mod dns;
pub mod figures;
pub mod host;
pub mod hung_mount;
pub mod images;
pub mod network;
pub mod packets;
pub mod private_engine;
pub mod proxy;
pub mod questions;
pub mod running;
pub mod terminal;
pub mod tls;
pub mod tmux;

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The image that plays the targets, and the program in it.
pub const TARGET_IMAGE: &str = "dbgctl-test/target";
pub const TARGET_PROGRAM: &str = "/target-program";

/// The root of the tree, or wherever its build results were copied to: `DBGCTL_TREE`.
pub fn tree() -> PathBuf {
    let built_in = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    env::var_os("DBGCTL_TREE").map_or_else(built_in, PathBuf::from)
}

fn from_tree(variable: &str, path: &str) -> PathBuf {
    env::var_os(variable).map_or_else(|| tree().join(path), PathBuf::from)
}

/// The full CLI, as users have it.
pub fn dbgctl_path() -> PathBuf {
    from_tree("DBGCTL_BIN", "target/release/dbgctl")
}

/// Archives and bare binaries of the agent, by architecture.
pub fn agent_image_dir() -> PathBuf {
    from_tree("DBGCTL_AGENT_IMAGE_DIR", "target/agent-image")
}

/// Archives of the programs that play targets.
fn target_image_dir() -> PathBuf {
    from_tree("DBGCTL_TARGET_IMAGE_DIR", "target/target-image")
}

/// Says that a test could not be made on this machine, and why.
#[expect(clippy::print_stderr, reason = "whoever runs the tests shall know")]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// How much slower than a developer's machine this one is: 10 under emulation.
pub fn patience() -> u32 {
    env::var("DBGCTL_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// `duration`, stretched for slow machines.
pub fn patiently(duration: Duration) -> Duration {
    duration * patience()
}

/// What a finished command left behind.
#[derive(Clone)]
pub struct Ran {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub took: Duration,
}

impl Ran {
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Lines of JSON, each parsed.
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}\n{self:?}"))
        };
        self.stdout().lines().map(parse).collect()
    }

    /// The processes of an answer in JSON, without what stands before and after them.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        self.json().into_iter().filter(|line| line.get("pid").is_some()).collect()
    }

    /// What opens an answer in JSON, the last one if there are several.
    #[track_caller]
    pub fn header(&self) -> serde_json::Value {
        let header = self.json().into_iter().rev().find_map(|mut line| Some(line.get_mut("header")?.take()));
        header.unwrap_or_else(|| panic!("no header\n{self:?}"))
    }

    /// What closes an answer in JSON.
    pub fn summary(&self) -> serde_json::Value {
        self.json().pop().unwrap()["summary"].take()
    }

    /// Panics with everything that was said unless the exit status is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// A clear error: exit status 2, nothing on stdout, three lines, of which the second says `because`.
    #[track_caller]
    pub fn expect_error(self, because: &str) -> Self {
        assert_eq!(self.code, Some(2), "{self:?}");
        let stderr = self.stderr();
        let lines: Vec<_> = stderr.lines().skip_while(|line| !line.starts_with("dbgctl: cannot ")).collect();
        assert_eq!(lines.len(), 3, "an error has three lines\n{self:?}");
        assert!(lines[1].starts_with("  because  ") && lines[1].contains(because), "{because:?}\n{self:?}");
        assert!(lines[2].starts_with("  try      ") && lines[2].len() > 16, "{self:?}");
        self
    }
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, took, .. } = self;
        writeln!(f, "{command}: exit {code:?} after {took:?}")?;
        write!(f, "--- stdout\n{}--- stderr\n{}---", self.stdout(), self.stderr())
    }
}

/// Runs a command to its end. Panics if it can not be started, or hangs for more than a minute.
pub fn run(command: &mut Command) -> Ran {
    let began = Instant::now();
    let name = format!("{command:?}");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{name}: {error}"));
    finish(child, name, began)
}

/// Waits for a command that is running already. Panics if that takes more than a minute.
pub fn finish(child: std::process::Child, name: String, began: Instant) -> Ran {
    let pid = child.id();
    let (done, finished) = std::sync::mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        let hung = finished.recv_timeout(patiently(Duration::from_secs(60))).is_err();
        if hung {
            let _killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        hung
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let _watchdog_ended = done.send(());
    let ran = Ran { command: name, code: status.code(), stdout, stderr, took: began.elapsed() };
    assert!(!watchdog.join().unwrap(), "it hung: {ran:?}");
    ran
}

/// `dbgctl` with these arguments.
pub fn dbgctl_command(arguments: &[&str]) -> Command {
    let path = dbgctl_path();
    assert!(path.exists(), "{} is missing: run the tests with `cargo xtask test`", path.display());
    let mut command = Command::new(path);
    command.args(arguments).env_remove("DOCKER_HOST").env_remove("DBGCTL_IMAGE").env("NO_COLOR", "1");
    command
}

/// Runs `dbgctl` to its end.
pub fn dbgctl(arguments: &[&str]) -> Ran {
    run(&mut dbgctl_command(arguments))
}

/// Runs `docker` to its end, whatever comes of it.
pub fn docker(arguments: &[&str]) -> Ran {
    run(Command::new("docker").args(arguments))
}

/// Runs `docker`, which must succeed, and returns what it printed.
#[track_caller]
pub fn docker_ok(arguments: &[&str]) -> String {
    docker(arguments).expect(0).stdout().trim().to_owned()
}

/// Containers in any state that look into `target`, a container's full id.
pub fn sidecars_of(target: &str) -> Vec<String> {
    let filter = format!("label=dbgctl.target={target}");
    docker_ok(&["ps", "-aq", "--no-trunc", "--filter", &filter]).lines().map(str::to_owned).collect()
}

/// Waits until `condition` holds, at most `limit` (stretched for slow machines). Returns whether it came to hold.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() > patiently(limit) {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A container that plays the target. Removed, with all that looks into it, when it goes out of scope.
pub struct Target {
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
}

impl Target {
    /// `docker run -d OPTIONS dbgctl-test/target COMMAND`. Without a network, unless the options name one.
    #[track_caller]
    pub fn run(options: &[&str], command: &[&str]) -> Self {
        Self::make(target_image(), &["run", "-d"], options, command)
    }

    /// `docker create OPTIONS dbgctl-test/target COMMAND`. Without a network, unless the options name one.
    #[track_caller]
    pub fn create(options: &[&str], command: &[&str]) -> Self {
        Self::make(target_image(), &["create"], options, command)
    }

    /// A distroless HTTP server with three workers: read-only, not root.
    #[track_caller]
    pub fn web() -> Self {
        Self::run(&["--read-only", "--user", "1000:1000"], &["serve", "--workers", "3"]).ready()
    }

    /// A program that people really run, from Debian's packages and without a shell: `redis`, `nginx` or `postgres`.
    /// `None` where `cargo xtask programs` could not make its image.
    #[track_caller]
    pub fn of_debian(program: &str) -> Option<Self> {
        let archive = target_image_dir().join(format!("{program}-amd64.tar.gz"));
        if !archive.exists() {
            skipped(&format!("no image of {program}, see `cargo xtask programs`"));
            return None;
        }
        docker_ok(&["load", "-q", "-i", archive.to_str().unwrap()]);
        Some(Self::make(&format!("dbgctl-test/{program}"), &["run", "-d"], &[], &[]))
    }

    /// Waits until its program says that all its processes stand.
    #[track_caller]
    pub fn ready(self) -> Self {
        let ready = eventually(Duration::from_secs(30), || self.logs().contains("ready"));
        assert!(ready, "not ready: {:?}", docker(&["logs", &self.id]));
        self
    }

    #[track_caller]
    fn make(image: &str, how: &[&str], options: &[&str], command: &[&str]) -> Self {
        let name = unique("target");
        let mut before = vec!["--name", name.as_str(), "--label", "dbgctl-test=1"];
        if !options.contains(&"--network") {
            // It starts sooner, and does not depend on what others do to the engine's networks.
            before.extend(["--network", "none"]);
        }
        let arguments: Vec<_> = [how, &before[..], options, &[image], command].concat();
        let made = docker(&arguments);
        if made.code != Some(0) {
            // It may exist all the same, never started.
            docker(&["rm", "-f", &name]);
        }
        let id = made.expect(0).stdout().trim().to_owned();
        Self { name, id }
    }

    /// One field of `docker inspect`, as a Go template.
    pub fn inspect(&self, template: &str) -> String {
        docker_ok(&["inspect", "-f", template, &self.id])
    }

    /// What its program printed.
    pub fn logs(&self) -> String {
        docker(&["logs", &self.id]).expect(0).stdout()
    }

    /// Runs a command of its program in it.
    pub fn exec(&self, arguments: &[&str]) -> Ran {
        docker(&[&["exec", &self.id, TARGET_PROGRAM], arguments].concat())
    }

    pub fn sidecars(&self) -> Vec<String> {
        sidecars_of(&self.id)
    }

    /// Nothing that looks into it is left, in any state.
    #[track_caller]
    pub fn expect_nothing_left(&self) {
        let gone = eventually(Duration::from_secs(30), || self.sidecars().is_empty());
        assert!(gone, "left behind: {:?}", self.sidecars());
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for id in self.sidecars().into_iter().chain([self.id.clone()]) {
            docker(&["rm", "-f", "-v", &id]);
        }
    }
}

/// A name that no other test uses.
pub fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("dbgctl-test-{stem}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Id of the image of the targets, which is loaded once per test program.
///
/// The tag is no good name: another checkout's tests may move it to theirs at any moment.
pub fn target_image() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        load_into(None);
        docker_ok(&["inspect", "-f", "{{.Id}}", TARGET_IMAGE])
    })
}

/// Loads the image of the targets into the engine at `host`, or into the usual one.
fn load_into(host: Option<&str>) {
    let archive = target_image_dir().join("amd64.tar.gz");
    let host = host.map_or(vec![], |host| vec!["-H", host]);
    docker_ok(&[&host[..], &["load", "-q", "-i", archive.to_str().unwrap()]].concat());
}
