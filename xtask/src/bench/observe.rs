//! P5: the memory and the open files of ten thousand processes.

use std::time::Duration;

use super::Bench;
use super::beside::{Agent, Side, procfloor};
use super::program::Session;
use super::report::Report;
use super::samples::Samples;
use super::tools;
use crate::container::{Container, TARGET_IMAGE};
use crate::{Result, command};

const PROCESSES: &str = "10000";

/// Beside the three that every process has.
const FILES: &str = "8";

const PS: [&str; 3] = [tools::PS, "-eo", "pid,pss"];

/// A question, and the least that its answer can cost.
struct Compared {
    question: &'static str,
    floor: &'static str,
    /// Of the floor's CPU time.
    most: f64,
}

const MEMORY: Compared = Compared { question: "mem", floor: "rollup", most: 1.25 };
const FILES_OPEN: Compared = Compared { question: "fds", floor: "links", most: 1.3 };

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let arguments =
        ["--network=none", "--pids-limit=-1", "--ulimit=nofile=1024", TARGET_IMAGE, "many", PROCESSES];
    let target = Container::run(&bench.name("open"), &[&arguments[..], &["--files", FILES]].concat())?;
    let side = Side::by(bench, &target)?;
    let mut session = Session::attach(bench.dbgctl().args(["attach", &target.name]))?;
    for compared in [MEMORY, FILES_OPEN] {
        let Compared { question, floor: what, most } = compared;
        // The same table as the session will print: how many lines to wait for.
        let lines =
            command::output(bench.dbgctl().args([question, &target.name, "--quiet"]))?.lines().count();
        let mut s = Measured::default();
        for run in 0..=bench.runs {
            let before = if run > 0 { Agent::of(&target)?.cpu()? } else { Duration::ZERO };
            let table = session.ask(question, lines)?;
            let cpu = Agent::of(&target)?.cpu()?.saturating_sub(before);
            let least = procfloor(&side.floor, &[what])?;
            let ps = (question == MEMORY.question)
                .then(|| procfloor(&side.peers, &[&["run"], &PS[..]].concat()))
                .transpose()?;
            // The first one raises the level.
            if run > 0 {
                s.cpu.push(cpu);
                s.table.push(table);
                s.floor.push(least.cpu);
                ps.into_iter().for_each(|ps| s.ps.push(ps.wall));
            }
        }
        report.times(&format!("agent's CPU time for one `{question}`"), &s.cpu);
        report.times(&format!("floor: CPU time of a C loop over the same files ({what})"), &s.floor);
        report.times(
            &format!("`{question}` in an open session, asked to the last byte of the table"),
            &s.table,
        );
        if s.ps.count() > 0 {
            report.times("procps' `ps -eo pid,pss`, wall time of the bare program", &s.ps);
            report.at_least(
                "P5",
                "`ps -eo pid,pss`, beside `mem` in a session",
                s.ps.times(&s.table),
                2.0,
                " x",
            );
        }
        let title = format!("agent's CPU for `{question}`, beside the C loop");
        report.at_most("P5", &title, s.cpu.times(&s.floor), most, " x");
        let peak = Agent::of(&target)?.memory_kib("VmHWM")? / 1024.0;
        report.at_most("P5", &format!("agent's peak of resident memory, `{question}`"), peak, 24.0, " MiB");
    }
    session.end()
}

#[derive(Default)]
struct Measured {
    cpu: Samples,
    floor: Samples,
    table: Samples,
    ps: Samples,
}
