//! `crash`: ends by abort.
//!
//! The kernel shields PID 1 from its own SIGABRT, and the C library then ends it the hard way. As PID 1 the exit
//! code is therefore 139 (SIGSEGV); under `docker run --init` it is 134 (SIGABRT).

use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;

/// Aborts.
pub(crate) fn run(_arguments: &mut Arguments) -> Result<ExitCode> {
    eprintln!("fatal: this program always crashes");
    std::process::abort()
}
