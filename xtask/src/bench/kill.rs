//! R1: dbgctl is killed at a random moment, again and again.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Bench;
use super::report::Report;
use crate::container::{Container, TARGET_IMAGE, docker};
use crate::{Result, command};

/// How many run at the same time. With more, hardly any would have created its sidecar when it is killed.
const AT_ONCE: usize = 2;
/// How many are killed before it is looked at what they have left.
const BATCH: u32 = 20;
const LATEST_MILLIS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target =
        Container::run(&bench.name("kill"), &["--network=none", TARGET_IMAGE, "serve", "--workers", "3"])?;
    let name = target.name.as_str();
    let seed =
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() & u128::from(u64::MAX))?;
    let events = Events::of(&target)?;
    let mut moments = Moments(seed | 1);
    let (mut killed, mut running, mut waiting, mut left) = (0, 0, 0, 0);
    while killed < bench.cycles {
        let count = BATCH.min(bench.cycles - killed);
        let batch: Vec<_> = (0..count).map(|_| moments.next()).collect();
        thread::scope(|scope| {
            let share = batch.len().div_ceil(AT_ONCE);
            let kills: Vec<_> = batch
                .chunks(share)
                .map(|moments| {
                    scope.spawn(|| moments.iter().try_for_each(|&moment| kill(bench, name, moment)))
                })
                .collect();
            kills.into_iter().try_for_each(|kill| kill.join().map_err(|_| "panic".to_owned())?)
        })?;
        thread::sleep(PATIENCE);
        running += target.sidecars(true)?.len();
        waiting += target.sidecars(false)?.len();
        command::output(bench.dbgctl().arg("gc"))?;
        left += target.sidecars(false)?.len();
        killed += count;
        if killed % (5 * BATCH) == 0 {
            println!("{killed} killed: {running} still running after 2 s, {waiting} to sweep, {left} left");
        }
    }
    report.figure("killed between 0 and 300 ms after the start", &killed.to_string());
    let [created, started] = events.count(["create", "start"])?;
    report.figure("of these, after their sidecar was created", &created.to_string());
    report.figure("of these, after it was started", &started.to_string());
    report.figure("not removed by the engine itself, for the next command to sweep", &waiting.to_string());
    report.at_most("R1", "sidecars that run 2 s later", count(running), 0.0, "");
    report.at_most("R1", "containers in any state after the next command", count(left), 0.0, "");
    report.note(format!("{AT_ONCE} at a time; seed {seed}"));
    Ok(())
}

fn kill(bench: &Bench, target: &str, moment: Duration) -> std::result::Result<(), String> {
    let mut attach = Command::new(&bench.dbgctl);
    attach.args(["attach", target]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut attach = attach.spawn().map_err(|error| error.to_string())?;
    thread::sleep(moment);
    attach.kill().and_then(|()| attach.wait()).map_err(|error| error.to_string())?;
    Ok(())
}

/// What happens to the sidecars of a target. The engine remembers no more than a few hundred events.
struct Events {
    listener: Child,
}

impl Events {
    fn of(target: &Container) -> Result<Self> {
        let mut events = docker();
        events.args([
            "events",
            "--format",
            "{{.Action}}",
            "--filter",
            "event=create",
            "--filter",
            "event=start",
        ]);
        events.args(["--filter", &format!("label=dbgctl.target={}", target.id)]);
        let listener = events.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        // It does not say when it listens.
        thread::sleep(Duration::from_secs(1));
        Ok(Self { listener })
    }

    /// How often each of `names` happened. The pipe holds far more than what is not read until now.
    fn count(mut self, names: [&str; 2]) -> Result<[usize; 2]> {
        self.listener.kill()?;
        let mut seen = String::new();
        self.listener.stdout.take().ok_or("no standard output")?.read_to_string(&mut seen)?;
        Ok(names.map(|name| seen.lines().filter(|line| *line == name).count()))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ended = self.listener.kill().and_then(|()| self.listener.wait());
    }
}

fn count(containers: usize) -> f64 {
    u32::try_from(containers).map_or(f64::INFINITY, f64::from)
}

/// Random moments; the generator is Marsaglia's xorshift with 64 bits.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(self.0 % (LATEST_MILLIS * 1000))
    }
}
