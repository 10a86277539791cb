//! `many-open N`: one process with N open files, standard input and output among them.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// Opens files until the number is reached. Numbers of descriptors are given without gaps, from the lowest.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: i32 = arguments.required("N")?;
    let mut files = Vec::new();
    while files.last().is_none_or(|file: &File| file.as_raw_fd() + 1 < count) {
        files.push(File::open("/dev/null")?);
    }
    println!("ready {count}");
    sleep_forever()
}
