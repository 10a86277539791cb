//! `unprotected [--seconds N]`: a sidecar without any protection. If `attack` can not win here, it proves nothing.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;

/// Sleeps, by default for a minute.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let seconds = arguments.option("--seconds")?.unwrap_or(60);
    println!("ready for {seconds} seconds");
    sleep(Duration::from_secs(seconds));
    Ok(ExitCode::SUCCESS)
}
