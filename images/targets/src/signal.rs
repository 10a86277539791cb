//! `signal PID SIGNAL`: sends a signal, for targets without a shell.

use std::process::ExitCode;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::arguments::Arguments;

/// Sends it once.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let pid = Pid::from_raw(arguments.required("PID")?);
    kill(pid, parse(arguments)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The next argument as a signal, for example `KILL` or `SIGKILL`.
pub(crate) fn parse(arguments: &mut Arguments) -> Result<Signal> {
    let name: String = arguments.required("SIGNAL")?;
    Ok(if name.starts_with("SIG") { name.parse()? } else { format!("SIG{name}").parse()? })
}
