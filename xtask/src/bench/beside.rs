//! What is measured beside an answer: the agent as the host sees it, and a floor with the same rights.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::Bench;
use crate::container::{Container, docker};
use crate::{Result, command};

/// The rights of the agent: with SYS_PTRACE the kernel tells more of each process, which takes longer.
pub(super) const CONFINED: [&str; 3] =
    ["--cap-drop=ALL", "--cap-add=SYS_PTRACE", "--security-opt=no-new-privileges"];

/// The agent's limit. A look at a process costs the kernel an inode for each file, which counts against the limit of
/// whoever looks: beyond it, memory is taken back while it is used.
const LIMITED: [&str; 2] = ["--memory=64m", "--memory-swap=64m"];

const REST: Duration = Duration::from_secs(10);

/// The agent that answers, seen from the host.
pub(super) struct Agent {
    proc: PathBuf,
}

impl Agent {
    /// Of the sidecars of a session, the one that may do most answers.
    pub(super) fn of(target: &Container) -> Result<Self> {
        let format = r#"{{index .Config.Labels "dbgctl.level"}} {{.State.Pid}}"#;
        let found =
            command::output(docker().args(["inspect", "--format", format]).args(target.sidecars(true)?))?;
        let strongest = found.lines().max().and_then(|line| line.split_once(' '));
        let (_, pid) = strongest.ok_or("no sidecar runs")?;
        Ok(Self { proc: PathBuf::from("/proc").join(pid) })
    }

    /// What all its threads have used. Threads live on for some seconds, so that none is missed.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(self.proc.join("task"))? {
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += schedstat.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn context_switches(&self) -> Result<u32> {
        let mut switches = 0;
        for thread in fs::read_dir(self.proc.join("task"))? {
            switches +=
                field(&fs::read_to_string(thread?.path().join("status"))?, "voluntary_ctxt_switches")?;
        }
        Ok(switches)
    }

    pub(super) fn switches_at_rest(&self) -> Result<u32> {
        let before = self.context_switches()?;
        thread::sleep(REST);
        // A thread that ended takes its count with it.
        Ok(self.context_switches()?.saturating_sub(before))
    }

    pub(super) fn memory_kib(&self, name: &str) -> Result<f64> {
        Ok(f64::from(field(&fs::read_to_string(self.proc.join("status"))?, name)?))
    }

    /// How often its CPU limit made it wait, where the control group can be found.
    pub(super) fn throttled(&self) -> Option<String> {
        let groups = fs::read_to_string(self.proc.join("cgroup")).ok()?;
        let (controllers, path) = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            (controllers.is_empty() || controllers.split(',').any(|name| name == "cpu"))
                .then_some((controllers, path))
        })?;
        let path = format!("/sys/fs/cgroup/{controllers}{path}/cpu.stat");
        let stat = fs::read_to_string(path).ok()?;
        let figure = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Some(format!("{} of {} periods", figure("nr_throttled")?, figure("nr_periods")?))
    }
}

fn field(status: &str, name: &str) -> Result<u32> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.and_then(|value| value.split_whitespace().next()).ok_or(format!("no {name}"))?;
    Ok(value.parse()?)
}

/// What `procfloor` says about itself or its child.
pub(super) struct Floor {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

pub(super) fn procfloor(side: &Container, arguments: &[&str]) -> Result<Floor> {
    let said = command::output(docker().args(["exec", &side.id, "/procfloor"]).args(arguments))?;
    let figures: Vec<u64> = said.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let [user, system, wall, ..] = figures[..] else { return Err(format!("procfloor said {said:?}").into()) };
    Ok(Floor { cpu: Duration::from_micros(user + system), wall: Duration::from_micros(wall) })
}

/// Containers that stay beside the target with the rights that the agent has.
///
/// They must stay, as the agent in a session does: each container has a `/proc` of its own, and only the first look at
/// a process in it has to set all up.
pub(super) struct Side {
    /// Runs the floor, under the agent's memory limit.
    pub(super) floor: Container,
    /// Runs the peers, under none.
    pub(super) peers: Container,
}

impl Side {
    pub(super) fn by(bench: &Bench, target: &Container) -> Result<Self> {
        let floor = stay(bench, target, "floor", &LIMITED)?;
        Ok(Self { floor, peers: stay(bench, target, "peers", &[])? })
    }
}

fn stay(bench: &Bench, target: &Container, name: &str, limits: &[&str]) -> Result<Container> {
    let namespaces = target.namespaces();
    let mut arguments = [&CONFINED[..], limits].concat();
    arguments.extend(namespaces.iter().map(String::as_str));
    arguments.extend(["--entrypoint=/target-program", &bench.tools.image, "many", "0"]);
    Container::run(&bench.name(name), &arguments)
}
