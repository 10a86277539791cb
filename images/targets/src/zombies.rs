//! `zombies N`: N children that have ended and are never reaped, and one that sleeps.

use std::process::ExitCode;

use nix::sys::wait::{Id, WaitPidFlag, waitid};

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{child, idle_child, sleep_forever};

/// Makes the zombies, waits until each of them is one, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: u32 = arguments.required("N")?;
    for zombie in 0..count {
        let pid = child(format!("zombie-{zombie}"), || Ok(()))?;
        // Waits for the end, but leaves the zombie.
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    }
    idle_child("sleeper")?;
    println!("ready {count}");
    sleep_forever()
}
