//! `many N`: N idle children, for measuring how an answer scales.

use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{idle_child, sleep_forever};

/// Makes the children, named `idle-<i>`, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: u32 = arguments.required("N")?;
    for child in 0..count {
        idle_child(format!("idle-{child}"))?;
    }
    println!("ready {count}");
    sleep_forever()
}
