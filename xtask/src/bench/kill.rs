//! R1: dbgctl is killed at a random moment, again and again.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Bench;
use super::report::Report;
use crate::container::{Container, TARGET_IMAGE};
use crate::{Result, command};

/// How many run at the same time.
const AT_ONCE: u32 = 20;
const LATEST_MILLIS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target =
        Container::run(&bench.name("kill"), &["--network=none", TARGET_IMAGE, "serve", "--workers", "3"])?;
    let name = target.name.as_str();
    let seed =
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() & u128::from(u64::MAX))?;
    let mut moments = Moments(seed | 1);
    let (mut killed, mut running, mut waiting, mut left) = (0, 0, 0, 0);
    while killed < bench.cycles {
        let count = AT_ONCE.min(bench.cycles - killed);
        let batch: Vec<_> = (0..count).map(|_| moments.next()).collect();
        thread::scope(|scope| {
            let kills: Vec<_> =
                batch.iter().map(|&moment| scope.spawn(move || kill(bench, name, moment))).collect();
            kills.into_iter().try_for_each(|kill| kill.join().map_err(|_| "panic".to_owned())?)
        })?;
        thread::sleep(PATIENCE);
        running += target.sidecars(true)?.len();
        waiting += target.sidecars(false)?.len();
        command::output(bench.dbgctl().arg("gc"))?;
        left += target.sidecars(false)?.len();
        killed += count;
        if killed % 100 == 0 {
            println!("{killed} killed: {running} still running after 2 s, {waiting} to sweep, {left} left");
        }
    }
    report.figure("killed between 0 and 300 ms after the start", &killed.to_string());
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
