//! P4: a target with ten thousand processes, and the agent at work and at rest.

use std::thread;
use std::time::Duration;

use super::beside::{Agent, CONFINED, Side, procfloor};
use super::program::{self, Session};
use super::report::Report;
use super::samples::Samples;
use super::{Bench, tools};
use crate::container::{Container, TARGET_IMAGE, docker};
use crate::{Result, command};

const PROCESSES: &str = "10000";
const PS: [&str; 3] = [tools::PS, "-eo", "pid,ppid,stat,rss,pcpu,comm,args"];

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
    let of_json = session.count("ps")?;
    // A table has one line that is no row, JSON has two.
    let of_table = of_json - 1;
    let agent = Agent::of(&target)?;
    let side = Side::by(bench, &target)?;
    let mut s = Measured::default();
    for run in 0..=bench.runs {
        let before = agent.cpu()?;
        let table = session.ask("ps", of_table)?;
        let cpu = agent.cpu()? - before;
        let json = session.ask("ps -o json", of_json)?;
        let walk = procfloor(&side.floor, &["walk"])?;
        let ps = procfloor(&side.peers, &[&["run"], &PS[..]].concat())?;
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

fn mib(kib: f64) -> String {
    format!("{:.1} MiB", kib / 1024.0)
}
