//! `leak --mib-per-minute N`: takes that much more anonymous memory every minute, and gives none back.

use std::hint::black_box;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;

use crate::Result;
use crate::arguments::Arguments;

const TICK: Duration = Duration::from_millis(100);

/// Leaks evenly, by the clock, for ever.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let mib_per_minute: f64 = arguments.option("--mib-per-minute")?.unwrap_or(60.0);
    // Otherwise the kernel rounds up to 2 MiB.
    prctl::set_thp_disable(true)?;
    println!("ready to leak {mib_per_minute} MiB/min");
    let began = Instant::now();
    let mut leaked = 0;
    loop {
        thread::sleep(TICK);
        let due = began.elapsed().as_secs_f64() / 60.0 * mib_per_minute * f64::from(1 << 20);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and far below 2^64"
        )]
        let due = due as usize;
        // Not zero: zeroed memory comes untouched from the kernel.
        black_box(vec![1_u8; due - leaked].leak());
        leaked = due;
    }
}
