//! `kill-agent SIGNAL`: signals the agent from inside the target, as a hostile target would.

use std::process::ExitCode;

use nix::sys::signal::kill;

use crate::arguments::Arguments;
use crate::process::{cmdline, pids};
use crate::{Result, signal};

/// Signals every process that was started as `/agent`. Ends with 1 if there is none.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let signal = signal::parse(arguments)?;
    let mut code = ExitCode::FAILURE;
    for pid in pids()? {
        if cmdline(pid).split(' ').next() == Some("/agent") {
            kill(pid, signal)?;
            println!("{signal} sent to {pid}");
            code = ExitCode::SUCCESS;
        }
    }
    Ok(code)
}
