//! A sidecar that is looking into a target right now, as the kernel and the engine see it.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use dbgctl_tests::{Target, dbgctl, dbgctl_command, docker, docker_ok, eventually};
use serde_json::Value;

/// All levels there are.
pub(crate) const LEVELS: [&str; 4] = ["0", "1", "1b", "2"];

/// A question whose whole answer needs that level, and which is soon answered. The container's name follows.
pub(crate) fn question(level: &str) -> &'static [&'static str] {
    match level {
        "1b" => &["fds"],
        "2" => &["--allow", "capture", "capture", "--duration", "100ms"],
        _ => &["ps"],
    }
}

/// The same, without an end.
fn endless_question(level: &str) -> &'static [&'static str] {
    match level {
        "1b" => &["fds", "--watch", "200ms"],
        "2" => &["--allow", "capture", "capture"],
        _ => &["ps", "--watch", "200ms"],
    }
}

/// A target of root with the engine's default capabilities.
#[track_caller]
pub(crate) fn alone(command: &[&str]) -> Target {
    Target::run(&[], command).ready()
}

/// Leaves a session in the target.
#[track_caller]
pub(crate) fn begin_session(target: &Target, level: &str) {
    let allowed: &[&str] = if level == "2" { &["--allow", "capture"] } else { &[] };
    dbgctl(&[allowed, &["--level", level, "attach", &target.name, "--detach"]].concat()).expect(0);
}

/// A running sidecar of a test's own target.
pub(crate) struct Live {
    pub(crate) id: String,
    /// Of its first process, in the namespace of the tests.
    pub(crate) host_pid: u32,
    /// The dbgctl that keeps it, unless it is a session.
    watcher: Option<Child>,
}

impl Live {
    /// The sidecar of a question that is asked again and again.
    #[track_caller]
    pub(crate) fn question(target: &Target, level: &str) -> Self {
        let arguments = [&["--level", level], endless_question(level), &[&target.name]].concat();
        let mut command = dbgctl_command(&arguments);
        let watcher =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self::of(target, Some(watcher))
    }

    /// The sidecar of a detached session.
    #[track_caller]
    pub(crate) fn session(target: &Target, level: &str) -> Self {
        begin_session(target, level);
        Self::of(target, None)
    }

    #[track_caller]
    fn of(target: &Target, watcher: Option<Child>) -> Self {
        let mut found = None;
        let stands = eventually(Duration::from_secs(20), || {
            let Some(id) = target.sidecars().into_iter().next() else { return false };
            let inspected = docker(&["inspect", "-f", "{{.State.Pid}}", &id]);
            let Ok(pid) = inspected.stdout().trim().parse::<u32>() else { return false };
            // The filter is the last that the agent puts on, before it answers anyone.
            let is_confined = pid != 0 && statuses(pid).iter().any(|status| status["Seccomp_filters"] == "2");
            found = Some((id, pid));
            is_confined
        });
        assert!(stands, "no confined agent: {found:?}\n{:?}", docker(&["ps", "-a"]));
        let (id, host_pid) = found.unwrap();
        Self { id, host_pid, watcher }
    }

    /// `docker inspect`.
    pub(crate) fn inspect(&self) -> Value {
        let all: Value = serde_json::from_str(&docker_ok(&["inspect", &self.id])).unwrap();
        all[0].clone()
    }

    /// The kernel's account of each of its threads.
    pub(crate) fn threads(&self) -> Vec<BTreeMap<String, String>> {
        statuses(self.host_pid)
    }

    /// Its pid in the namespace that it shares with the target.
    pub(crate) fn pid(&self) -> String {
        let status = self.threads().remove(0);
        status["NSpid"].split_whitespace().last().unwrap().to_owned()
    }

    /// A file below its `/proc/<pid>`.
    pub(crate) fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.host_pid)).unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            let _interrupted =
                std::process::Command::new("kill").args(["-INT", &watcher.id().to_string()]).status();
            let _ended = watcher.wait();
        }
    }
}

/// `/proc/<pid>/task/*/status`, by key. Threads that end meanwhile are left out.
fn statuses(host_pid: u32) -> Vec<BTreeMap<String, String>> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{host_pid}/task")) else { return Vec::new() };
    let texts = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let keys = |text: String| {
        let line =
            |line: &str| line.split_once(':').map(|(key, value)| (key.to_owned(), value.trim().to_owned()));
        text.lines().filter_map(line).collect()
    };
    texts.map(keys).collect()
}
