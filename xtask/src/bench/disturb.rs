//! P12: what a target of two gigabytes feels of being watched ten times a second.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use super::Bench;
use super::report::Report;
use super::samples::Samples;
use crate::container::{Container, TARGET_IMAGE, docker};
use crate::{Result, command};

const RESIDENT_MIB: &str = "2048";

/// Long enough for a hundred thousand measurements.
const WINDOW: Duration = Duration::from_secs(5);

/// Each question, watched at that interval.
const WATCHED: [&[&str]; 4] =
    [&["ps"], &["cpu", "--sample", "100ms"], &["io", "--sample", "100ms"], &["fds"]];

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let window = WINDOW.as_millis().to_string();
    let arguments = ["--network=none", TARGET_IMAGE, "latency", RESIDENT_MIB, "--window", &window];
    let target = Container::run(&bench.name("latency"), &arguments)?;
    let mut alone = Samples::default();
    let mut watched: Vec<_> = WATCHED.iter().map(|_| Samples::default()).collect();
    // In turns, so that a busy machine disturbs all alike.
    for _ in 0..bench.runs.min(5) {
        alone.push(next_window(&target)?);
        for (question, samples) in WATCHED.iter().zip(&mut watched) {
            let _watch = Watch::start(bench, &target, question)?;
            samples.push(next_window(&target)?);
        }
    }
    report.times("p99.99 of mapping, touching and unmapping 64 KiB, target alone", &alone);
    for (question, samples) in WATCHED.iter().zip(&watched) {
        let verb = question[0];
        report.times(&format!("the same while `{verb}` is asked ten times a second"), samples);
        let ratio = samples.times(&alone);
        report.at_most(
            "P12",
            &format!("the target's latency under `{verb}`, beside alone"),
            ratio,
            1.5,
            " x",
        );
    }
    Ok(())
}

/// p99.99 of the first window that begins after now.
fn next_window(target: &Container) -> Result<Duration> {
    let windows = || -> Result<Vec<String>> {
        let log = command::output(docker().args(["logs", &target.id]))?;
        Ok(log.lines().filter(|line| line.starts_with("window ")).map(str::to_owned).collect())
    };
    // One that has begun already, and the one that is wanted.
    let wanted = windows()?.len() + 2;
    loop {
        thread::sleep(Duration::from_millis(200));
        if let Some(line) = windows()?.get(wanted - 1) {
            let nanos = line.split(' ').nth(1).ok_or("a window without a figure")?;
            return Ok(Duration::from_nanos(nanos.parse()?));
        }
    }
}

/// A question that is asked again and again until this value goes out of scope.
struct Watch(Child);

impl Watch {
    fn start(bench: &Bench, target: &Container, question: &[&str]) -> Result<Self> {
        let (verb, options) = question.split_first().ok_or("no question")?;
        let mut watch = bench.dbgctl();
        watch.args([verb, &*target.name, "--watch", "100ms"]).args(options);
        let watch = watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self(watch))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ended_already = command::output(std::process::Command::new("kill").arg(self.0.id().to_string()));
        let _ended = self.0.wait();
    }
}
