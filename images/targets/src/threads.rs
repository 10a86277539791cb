//! `threads N`: one process with N named threads beside its first one.

use std::process::ExitCode;
use std::thread;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// Starts the threads, named `thread-<i>`, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: u32 = arguments.required("N")?;
    for number in 0..count {
        thread::Builder::new().name(format!("thread-{number}")).spawn(|| sleep_forever())?;
    }
    println!("ready {count}");
    sleep_forever()
}
