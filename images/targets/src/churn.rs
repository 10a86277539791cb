//! `churn PER_SECOND`: children that come and go at a rate, beside one that stays.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{child, idle_child};

/// How long a child lives: long enough that whoever lists the processes always meets some.
const LIFE: Duration = Duration::from_millis(20);

/// Forks in small batches, so that the rate holds although sleeping is coarse.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let per_second: u32 = arguments.required("PER_SECOND")?;
    let stays = idle_child("long-lived")?;
    println!("ready {per_second} per second, long-lived pid {stays}");
    let start = Instant::now();
    let mut forked = 0.0;
    loop {
        let due = start.elapsed().as_secs_f64() * f64::from(per_second);
        while forked < due {
            child("short-lived", || {
                sleep(LIFE);
                Ok(())
            })?;
            forked += 1.0;
            reap()?;
        }
        reap()?;
        sleep(Duration::from_millis(1));
    }
}

/// Reaps every child that has ended.
fn reap() -> Result {
    while waitpid(None, Some(WaitPidFlag::WNOHANG))? != WaitStatus::StillAlive {}
    Ok(())
}
