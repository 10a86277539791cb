//! `cargo xtask bench`: our figures beside what one would use instead, and beside the least that is possible.
//!
//! What is compared is measured in turns, in one run, so that a busy machine slows all of it alike: read the
//! ratios, not the milliseconds.

mod attach;
mod beside;
mod disturb;
mod first_attach;
mod forward;
mod http;
mod kill;
mod names;
mod observe;
mod private_engine;
mod processes;
mod program;
mod report;
mod samples;
mod session;
mod sockets;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::ValueEnum;

use self::report::Report;
use self::tools::Tools;
use crate::container::Engine;
use crate::image::{self, Build};
use crate::{Result, bootstrap, command, engine, targets, undo};

/// What to measure, and how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure [default: everything]
    what: Vec<Subject>,

    /// Measure each thing this many times
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// How often `kill` attaches and kills
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    cycles: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// P1 to P3: the first answer of a new sidecar, loading its image, further answers
    Attach,
    /// P4: ten thousand processes; the agent's memory and its rest
    Ps,
    /// P5: the memory and the open files of ten thousand processes
    Observe,
    /// P6 to P8: a hundred thousand TCP sockets
    Sockets,
    /// P11: a look-up in a session, beside dig and a C program
    Dns,
    /// P12: what a big target feels of being watched
    Disturb,
    /// P14: a gibibyte each way through port-forward
    Forward,
    /// R1: what is left when dbgctl is killed at a random moment
    Kill,
}

/// What every benchmark needs.
struct Bench {
    workspace: PathBuf,
    dbgctl: PathBuf,
    /// The engine's Unix socket.
    socket: PathBuf,
    runs: u32,
    cycles: u32,
    tools: Tools,
}

impl Bench {
    fn dbgctl(&self) -> Command {
        Command::new(&self.dbgctl)
    }

    /// A name for a container of this run.
    fn name(&self, role: &str) -> String {
        format!("dbgctl-bench-{role}-{}", std::process::id())
    }
}

/// Builds what is measured, measures, and fails if a gate does.
pub(crate) fn bench(workspace: &Path, args: &Args) -> Result {
    undo::on_interrupt()?;
    let address = engine::address();
    let socket = address.strip_prefix("unix://").ok_or("the benchmarks need an engine on a Unix socket")?;
    bootstrap::bootstrap(workspace)?;
    image::image(workspace, Build::Shipped)?;
    targets::targets(workspace)?;
    command::run(command::cargo(workspace).args(["build", "--release", "--package", "dbgctl"]))?;
    Engine::default().load_targets(workspace)?;

    let bench = Bench {
        workspace: workspace.to_owned(),
        dbgctl: workspace.join("target/release/dbgctl"),
        socket: socket.into(),
        runs: args.runs,
        cycles: args.cycles,
        tools: Tools::make(workspace)?,
    };
    let all = [
        Subject::Attach,
        Subject::Ps,
        Subject::Observe,
        Subject::Sockets,
        Subject::Dns,
        Subject::Disturb,
        Subject::Forward,
        Subject::Kill,
    ];
    let wanted = if args.what.is_empty() { &all[..] } else { &args.what[..] };
    let mut failed = Vec::new();
    for subject in wanted {
        let report = measure(&bench, *subject)?;
        println!("\n{}", report.render());
        report.write(workspace)?;
        failed.extend(report.failed());
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("gates that failed: {}", failed.join(", ")).into()) }
}

fn measure(bench: &Bench, subject: Subject) -> Result<Report> {
    let start = Instant::now();
    let mut report = match subject {
        Subject::Attach => {
            let mut report = Report::new("attach", "One question, with and without a session");
            attach::measure(bench, &mut report)?;
            first_attach::measure(bench, &mut report)?;
            session::measure(bench, &mut report)?;
            report
        }
        Subject::Ps => {
            let mut report = Report::new("ps", "Ten thousand processes");
            processes::measure(bench, &mut report)?;
            report
        }
        Subject::Observe => {
            let mut report = Report::new("observe", "Memory and open files of ten thousand processes");
            observe::measure(bench, &mut report)?;
            report
        }
        Subject::Sockets => {
            let mut report = Report::new("sockets", "A hundred thousand sockets");
            sockets::measure(bench, &mut report)?;
            report
        }
        Subject::Dns => {
            let mut report = Report::new("dns", "Looking up a name");
            names::measure(bench, &mut report)?;
            report
        }
        Subject::Disturb => {
            let mut report = Report::new("disturb", "What a big target feels of being watched");
            disturb::measure(bench, &mut report)?;
            report
        }
        Subject::Forward => {
            let mut report = Report::new("forward", "A gibibyte each way through port-forward");
            forward::measure(bench, &mut report)?;
            report
        }
        Subject::Kill => {
            let mut report = Report::new("kill", "What is left when dbgctl is killed");
            kill::measure(bench, &mut report)?;
            report
        }
    };
    report.note(format!("measured in {:.0} s", start.elapsed().as_secs_f64()));
    Ok(report)
}
