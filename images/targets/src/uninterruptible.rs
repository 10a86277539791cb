//! `uninterruptible`: a process in state D, as whoever waits for a disk that does not answer.

use std::process::ExitCode;

use crate::process::{child, set_name, sleep_forever};
use crate::{Result, sys};

/// Makes the process and the one that it waits for, and sleeps.
pub(crate) fn run() -> Result<ExitCode> {
    child("waits", || {
        sys::fork_child_uninterruptibly(|| match set_name("waited-for") {
            Ok(()) => sleep_forever(),
            Err(_) => 1,
        })
    })?;
    println!("ready");
    sleep_forever()
}
