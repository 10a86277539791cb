//! P4: a target with ten thousand processes, and the agent at work and at rest.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::program::{self, Session};
use super::report::Report;
use super::samples::Samples;
use super::{Bench, tools};
use crate::container::{Container, TARGET_IMAGE, docker};
use crate::{Result, command};

const PROCESSES: &str = "10000";
const PS: [&str; 3] = [tools::PS, "-eo", "pid,ppid,stat,rss,pcpu,comm,args"];

/// The rights of the agent: with SYS_PTRACE the kernel tells more of each process, which takes longer.
const CONFINED: [&str; 3] = ["--cap-drop=ALL", "--cap-add=SYS_PTRACE", "--security-opt=no-new-privileges"];
const REST: Duration = Duration::from_secs(10);

/// After this time the agent has ended the threads that it does not need.
const THREADS_END: Duration = Duration::from_secs(12);

/// A heartbeat each second from the CLI and one each 20 s from the agent. Each may wake the agent twice: for the
/// bytes, and for its timer.
const HEARTBEAT_SWITCHES: f64 = 22.0;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target = Container::run(
        &bench.name("many"),
        &["--network=none", "--pids-limit=-1", TARGET_IMAGE, "many", PROCESSES],
    )?;
    command::output(bench.dbgctl().args(["attach", "--detach", "--quiet", &target.name]))?;
    let at_rest = Agent::of(&target)?;
    thread::sleep(Duration::from_secs(1));
    let detached = at_rest.switches_at_rest()?;
    let fresh_rss = at_rest.memory_kib("VmRSS")?;
    command::output(bench.dbgctl().args(["detach", "--quiet", &target.name]))?;

    let mut session = Session::attach(bench.dbgctl().args(["attach", &target.name]))?;
    let lines = session.count("ps")?;
    let agent = Agent::of(&target)?;
    let side = side(bench, &target)?;
    let mut s = Measured::default();
    for run in 0..=bench.runs {
        let before = agent.cpu()?;
        let table = session.ask("ps", lines)?;
        let cpu = agent.cpu()? - before;
        let json = session.ask("ps -o json", lines)?;
        let walk = floor(&side, &["walk"])?;
        let ps = floor(&side, &[&["run"], &PS[..]].concat())?;
        let one_off = program::run(bench.dbgctl().args(["ps", &target.name]))?.answered;
        let docker_ps = program::run(
            docker()
                .args(["run", "--rm"])
                .args(CONFINED)
                .args(target.namespaces())
                .args(["--entrypoint", PS[0], &bench.tools.image])
                .args(&PS[1..]),
        )?;
        if run > 0 {
            s.cpu.push(cpu);
            s.table.push(table);
            s.json.push(json);
            s.floor.push(walk.cpu);
            s.ps_cpu.push(ps.cpu);
            s.ps.push(ps.wall);
            s.one_off.push(one_off);
            s.docker_ps.push(docker_ps.answered);
        }
    }
    let (peak, throttled) = (agent.memory_kib("VmHWM")?, agent.throttled());
    thread::sleep(THREADS_END);
    let rested = agent.memory_kib("VmRSS")?;
    let attached = agent.switches_at_rest()?;
    session.end()?;

    s.report(report);
    report.figure("agent, most memory ever resident", &mib(peak));
    report.figure("agent, resident 12 s after", &mib(rested));
    report.figure("agent, resident before the first question", &mib(fresh_rss));
    report.figure("agent at rest, detached: voluntary context switches in 10 s", &detached.to_string());
    report.figure("agent at rest, attached: voluntary context switches in 10 s", &attached.to_string());
    if let Some(throttled) = throttled {
        report.figure("agent, held back by its limit of one CPU", &throttled);
    }
    report.at_most("P4", "agent's peak of resident memory", peak / 1024.0, 24.0, " MiB");
    report.at_most("P4", "agent's resident memory at rest", rested.max(fresh_rss) / 1024.0, 8.0, " MiB");
    report.at_most("P4", "wake-ups of a detached agent in 10 s", f64::from(detached), 1.0, "");
    report.at_most(
        "P4",
        "wake-ups of an attached agent in 10 s",
        f64::from(attached),
        HEARTBEAT_SWITCHES,
        "",
    );
    Ok(())
}

#[derive(Default)]
struct Measured {
    cpu: Samples,
    floor: Samples,
    table: Samples,
    json: Samples,
    one_off: Samples,
    ps: Samples,
    ps_cpu: Samples,
    docker_ps: Samples,
}

impl Measured {
    fn report(&self, report: &mut Report) {
        report.times("agent's CPU time for one `ps`", &self.cpu);
        report.times("floor: CPU time of a C loop over the same files", &self.floor);
        report.times("`ps` in an open session, asked to the last byte of the table", &self.table);
        report.times("the same as JSON", &self.json);
        report.times("procps' `ps -eo …`, wall time of the bare program", &self.ps);
        report.times("procps' `ps -eo …`, its CPU time", &self.ps_cpu);
        report.times("`dbgctl ps` with a new sidecar, to the printed answer", &self.one_off);
        report.times("`docker run --rm` of procps' `ps -eo …`", &self.docker_ps);
        report.at_most("P4", "agent's CPU, beside the C loop", self.cpu.times(&self.floor), 1.25, " x");
        report.at_least(
            "P4",
            "procps' `ps`, beside a question in a session",
            self.ps.times(&self.table),
            2.0,
            " x",
        );
    }
}

/// The agent that answers `ps`, seen from the host.
struct Agent {
    proc: PathBuf,
}

impl Agent {
    /// Of the sidecars of a session, the one that may do most answers.
    fn of(target: &Container) -> Result<Self> {
        let format = r#"{{index .Config.Labels "dbgctl.level"}} {{.State.Pid}}"#;
        let found =
            command::output(docker().args(["inspect", "--format", format]).args(target.sidecars(true)?))?;
        let strongest = found.lines().max().and_then(|line| line.split_once(' '));
        let (_, pid) = strongest.ok_or("no sidecar runs")?;
        Ok(Self { proc: PathBuf::from("/proc").join(pid) })
    }

    /// What all its threads have used. Threads live on for some seconds, so that none is missed.
    fn cpu(&self) -> Result<Duration> {
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

    fn switches_at_rest(&self) -> Result<u32> {
        let before = self.context_switches()?;
        thread::sleep(REST);
        // A thread that ended takes its count with it.
        Ok(self.context_switches()?.saturating_sub(before))
    }

    fn memory_kib(&self, name: &str) -> Result<f64> {
        Ok(f64::from(field(&fs::read_to_string(self.proc.join("status"))?, name)?))
    }

    /// How often its CPU limit made it wait, where the control group can be found.
    fn throttled(&self) -> Option<String> {
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
struct Floor {
    cpu: Duration,
    wall: Duration,
}

fn floor(side: &Container, arguments: &[&str]) -> Result<Floor> {
    let said = command::output(docker().args(["exec", &side.id, "/procfloor"]).args(arguments))?;
    let figures: Vec<u64> = said.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let [user, system, wall, ..] = figures[..] else { return Err(format!("procfloor said {said:?}").into()) };
    Ok(Floor { cpu: Duration::from_micros(user + system), wall: Duration::from_micros(wall) })
}

/// A container that stays beside the target with the rights that the agent has.
///
/// It must stay, as the agent in a session does: each container has a `/proc` of its own, and the first look at
/// every process in it costs the kernel an inode for each file.
fn side(bench: &Bench, target: &Container) -> Result<Container> {
    let namespaces = target.namespaces();
    let mut arguments = CONFINED.to_vec();
    arguments.extend(namespaces.iter().map(String::as_str));
    arguments.extend(["--entrypoint=/target-program", &bench.tools.image, "many", "0"]);
    Container::run(&bench.name("side"), &arguments)
}

fn mib(kib: f64) -> String {
    format!("{:.1} MiB", kib / 1024.0)
}
