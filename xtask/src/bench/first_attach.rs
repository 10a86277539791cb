//! P2: the very first question, for which the agent's image has to be loaded.

use std::fs;
use std::time::Instant;

use super::attach::shared;
use super::private_engine::PrivateEngine;
use super::report::Report;
use super::samples::Samples;
use super::{Bench, http, program};
use crate::arch::Arch;
use crate::container::{Container, TARGET_IMAGE, TRUE_IMAGE};
use crate::{Result, command, image};

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let private = match PrivateEngine::start(&bench.workspace) {
        Ok(private) => private,
        Err(error) => {
            report.note(format!("P2 was not measured: {error}"));
            return Ok(());
        }
    };
    let engine = &private.engine;
    engine.load_targets(&bench.workspace)?;
    let name = bench.name("first");
    let target =
        Container::run_in(engine, &name, &["--network=none", TARGET_IMAGE, "serve", "--workers", "3"])?;
    let archive = image::directory(&bench.workspace).join(format!("{}.tar.gz", Arch::host().docker()));
    let archive = fs::read(archive)?;
    let tag = format!("dbgctl/agent:{}", env!("CARGO_PKG_VERSION"));
    let host = format!("unix://{}", private.socket.display());

    let (mut ours, mut start, mut load) = (Samples::default(), Samples::default(), Samples::default());
    for run in 0..=bench.runs {
        let answered = program::run(bench.dbgctl().args(["--host", &host, "ps", &target.name]))?.answered;
        remove(engine, &tag)?;
        let began = Instant::now();
        http::request(&private.socket, "POST", "/images/load?quiet=1", http::ARCHIVE, &archive)?;
        let loaded = began.elapsed();
        remove(engine, &tag)?;
        let started = http::first_byte(&private.socket, TRUE_IMAGE, &shared(&target))?;
        if run > 0 {
            ours.push(answered);
            load.push(loaded);
            start.push(started);
        }
    }
    report.times("`dbgctl ps` that has to load its image, to the printed answer", &ours);
    report.times("floor: engine API, loading the same archive", &load);
    report.times("floor: engine API, create to the first byte, in that engine", &start);
    let floor = (load.median() + start.median()).as_secs_f64();
    let ratio = ours.median().as_secs_f64() / floor;
    report.at_most("P2", "first answer ever, beside the sum of both floors", ratio, 1.25, " x");
    report.note(
        "P2 was measured in a private engine with the same storage driver, its target without a network",
    );
    Ok(())
}

fn remove(engine: &crate::container::Engine, tag: &str) -> Result {
    command::output(engine.docker().args(["image", "rm", tag])).map(drop)
}
