//! `many N [--files M]`: N idle children with M open files each, for measuring how an answer scales.

use std::fs::File;
use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{idle_child, sleep_forever};

/// Makes the children, named `idle-<i>`, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: u32 = arguments.required("N")?;
    let files: usize = arguments.option("--files")?.unwrap_or(0);
    // The children inherit them.
    let _files = (0..files).map(|_| File::open("/proc/self/exe")).collect::<std::io::Result<Vec<_>>>()?;
    for child in 0..count {
        idle_child(format!("idle-{child}"))?;
    }
    println!("ready {count}");
    sleep_forever()
}
