//! `cache DIRECTORY`: writes a file, reads it and removes it, again and again: page cache comes and goes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::Result;
use crate::arguments::Arguments;

const FILE_MIB: usize = 24;

/// Keeps the cache busy for ever.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let directory: String = arguments.required("DIRECTORY")?;
    fs::create_dir_all(&directory)?;
    println!("ready in {directory}");
    let path = Path::new(&directory).join("busy");
    loop {
        let mut file = File::create(&path)?;
        for _ in 0..FILE_MIB {
            file.write_all(&[7; 1 << 20])?;
            thread::sleep(Duration::from_millis(50));
        }
        drop(file);
        io::copy(&mut File::open(&path)?, &mut io::sink())?;
        fs::remove_file(&path)?;
    }
}
