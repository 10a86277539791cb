//! `fill PATH MIB`: a file of that size, and nothing more: on a tmpfs it is memory that no process maps.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// Writes the file and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let path: String = arguments.required("PATH")?;
    let mib: usize = arguments.required("MIB")?;
    let mut file = File::create(&path)?;
    for _ in 0..mib {
        file.write_all(&[7; 1 << 20])?;
    }
    println!("ready {mib} in {path}");
    sleep_forever()
}
