//! `exit CODE [--after SECONDS]`: ends with that code; a target that is dead, or restarts over and over.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;

/// Says goodbye on stderr, so that there is a log to look at.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let after_seconds: f64 = arguments.option("--after")?.unwrap_or(0.0);
    let code: u8 = arguments.required("CODE")?;
    sleep(Duration::try_from_secs_f64(after_seconds)?);
    eprintln!("exiting with code {code}");
    Ok(ExitCode::from(code))
}
