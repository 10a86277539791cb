//! P3: the next question in an open session, and one that joins a session from outside.

use super::program::{self, Session};
use super::report::Report;
use super::samples::Samples;
use super::{Bench, tools};
use crate::container::{Container, TARGET_IMAGE, docker};
use crate::{Result, command};

/// Enough for a 99th percentile that is not the maximum.
const QUESTIONS: u32 = 500;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target =
        Container::run(&bench.name("session"), &["--network=none", TARGET_IMAGE, "serve", "--workers", "3"])?;
    let [pid, network] = target.namespaces();
    let beside = [pid.as_str(), &network, "--entrypoint", "/target-program", &bench.tools.image, "many", "0"];
    let side = Container::run(&bench.name("side"), &beside)?;

    let mut session = Session::attach(bench.dbgctl().args(["attach", &target.name]))?;
    let lines = session.count("ps")?;
    let (mut next, mut exec_ps) = (Samples::default(), Samples::default());
    for question in 0..QUESTIONS {
        next.push(session.ask("ps -o json", lines)?);
        // Far slower: a few suffice, spread over the run.
        if question % (QUESTIONS / bench.runs).max(1) == 0 {
            let ps = program::run(docker().args(["exec", &side.id, tools::PS, "aux"]))?;
            exec_ps.push(ps.ended);
        }
    }
    session.end()?;

    command::output(bench.dbgctl().args(["attach", "--detach", "--quiet", &target.name]))?;
    let (mut joined, mut exec_true) = (Samples::default(), Samples::default());
    for run in 0..=bench.runs {
        let ours = program::run(bench.dbgctl().args(["ps", &target.name]))?;
        let floor = program::run(docker().args(["exec", &side.id, "/true"]))?;
        if run > 0 {
            joined.push(ours.ended);
            exec_true.push(floor.ended);
        }
    }
    command::output(bench.dbgctl().args(["detach", "--quiet", &target.name]))?;

    report.times("next `ps -o json` in an open session", &next);
    report.times("`docker exec` of `ps aux`", &exec_ps);
    report.times("`dbgctl ps` that joins a detached session", &joined);
    report.times("`docker exec` of a static program", &exec_true);
    let milliseconds = |percent| next.percentile(percent).as_secs_f64() * 1000.0;
    report.at_most("P3", "next question, p50", milliseconds(50), 2.0, " ms");
    report.at_most("P3", "next question, p99", milliseconds(99), 5.0, " ms");
    report.at_least(
        "P3",
        "`docker exec` of `ps`, beside the next question",
        exec_ps.times(&next),
        20.0,
        " x",
    );
    report.at_most("P3", "through exec, beside `docker exec`", joined.times(&exec_true), 1.3, " x");
    Ok(())
}
