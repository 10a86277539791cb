//! P6 to P8: a hundred thousand TCP sockets.

use std::time::Duration;

use super::beside::{Agent, Side, procfloor};
use super::program::Session;
use super::report::Report;
use super::samples::Samples;
use super::{Bench, tools};
use crate::container::{Container, TARGET_IMAGE};
use crate::{Result, command};

const SOCKETS: &str = "100000";

/// How much longer than its floor the list of what listens may take.
const LISTENING_MILLIS: f64 = 2.0;

/// A question, the least that its answer can cost, and what else answers it.
struct Compared {
    gate: &'static str,
    question: &'static str,
    floor: &'static str,
    ss: &'static str,
    gates: Gates,
}

enum Gates {
    /// The agent's CPU time of the floor's at most, and the wall time of `ss` at least.
    Times {
        floor: f64,
        ss: f64,
    },
    /// At most so much longer than the floor, in milliseconds.
    Beyond(f64),
    None,
}

const COMPARED: [Compared; 4] = [
    Compared {
        gate: "P6",
        question: "sockets --type tcp --no-owners",
        floor: "tcp",
        ss: "-tani",
        gates: Gates::Times { floor: 1.3, ss: 2.5 },
    },
    Compared {
        gate: "P6",
        question: "sockets --type tcp --no-owners -o wide",
        floor: "memory",
        ss: "-tanim",
        gates: Gates::None,
    },
    Compared {
        gate: "P7",
        question: "sockets --type tcp",
        floor: "owners",
        ss: "-tanp",
        gates: Gates::Times { floor: 1.3, ss: 2.0 },
    },
    Compared {
        gate: "P8",
        question: "sockets --type tcp --listening --no-owners",
        floor: "listening",
        ss: "-tlni",
        gates: Gates::Beyond(LISTENING_MILLIS),
    },
];

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let arguments = ["--network=none", TARGET_IMAGE, "connections", SOCKETS];
    let target = Container::run(&bench.name("connected"), &arguments)?;
    let side = Side::by(bench, &target)?;
    let mut session = Session::attach(bench.dbgctl().args(["attach", &target.name]))?;
    for compared in &COMPARED {
        let samples = compared.measure(bench, &target, &side, &mut session)?;
        compared.report(&samples, report);
        let peak = Agent::of(&target)?.memory_kib("VmHWM")? / 1024.0;
        report.at_most(compared.gate, "agent's peak of resident memory so far", peak, 24.0, " MiB");
    }
    session.end()
}

#[derive(Default)]
struct Measured {
    cpu: Samples,
    table: Samples,
    floor_cpu: Samples,
    floor: Samples,
    ss: Samples,
}

impl Compared {
    fn measure(
        &self,
        bench: &Bench,
        target: &Container,
        side: &Side,
        session: &mut Session,
    ) -> Result<Measured> {
        let words = self.question.split(' ').collect::<Vec<_>>();
        let mut once = bench.dbgctl();
        once.arg(words[0]).arg(&target.name).args(&words[1..]).arg("--quiet");
        // The same table as the session will print: how many lines to wait for.
        let lines = command::output(&mut once)?.lines().count();
        let mut s = Measured::default();
        for run in 0..=bench.runs {
            let before = if run > 0 { Agent::of(target)?.cpu()? } else { Duration::ZERO };
            let table = session.ask(self.question, lines)?;
            let cpu = Agent::of(target)?.cpu()?.saturating_sub(before);
            let floor = procfloor(&side.floor, &[self.floor])?;
            let ss = procfloor(&side.peers, &["run", tools::SS, self.ss])?;
            // The first one raises the level.
            if run > 0 {
                s.cpu.push(cpu);
                s.table.push(table);
                s.floor_cpu.push(floor.cpu);
                s.floor.push(floor.wall);
                s.ss.push(ss.wall);
            }
        }
        Ok(s)
    }

    fn report(&self, s: &Measured, report: &mut Report) {
        let Self { gate, question, floor: what, ss, .. } = self;
        report.times(&format!("agent's CPU time for one `{question}`"), &s.cpu);
        report.times(&format!("floor: CPU time of a C program that asks the same ({what})"), &s.floor_cpu);
        report.times(
            &format!("`{question}` in an open session, asked to the last byte of the table"),
            &s.table,
        );
        report.times(&format!("`ss {ss}`, wall time of the bare program"), &s.ss);
        match self.gates {
            Gates::Times { floor, ss: least } => {
                let claim = format!("agent's CPU for `{question}`, beside the C program");
                report.at_most(gate, &claim, s.cpu.times(&s.floor_cpu), floor, " x");
                let claim = format!("`ss {ss}`, beside `{question}` in a session");
                report.at_least(gate, &claim, s.ss.times(&s.table), least, " x");
            }
            Gates::Beyond(most) => {
                let beyond = s.table.median().saturating_sub(s.floor.median()).as_secs_f64() * 1000.0;
                report.at_most(gate, &format!("`{question}`, beyond its floor"), beyond, most, " ms");
            }
            Gates::None => {}
        }
    }
}
