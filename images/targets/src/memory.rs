//! `memory MIB`: holds that much anonymous memory, every page of it touched.

use std::hint::black_box;
use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// Fills the memory and sleeps. Where the container may not have that much, the kernel kills it half-way.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let mib: usize = arguments.required("MIB")?;
    // Not zero: zeroed memory comes untouched from the kernel.
    let memory = vec![1_u8; mib << 20];
    // Otherwise the compiler sees that nobody reads it, and leaves it out.
    black_box(&memory);
    println!("ready {mib}");
    sleep_forever()
}
