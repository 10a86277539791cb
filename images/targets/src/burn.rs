//! `burn [--user 1] [--system 0]`: threads that use all the CPU they get, in the program or in the kernel.

use std::fs::File;
use std::hint::{black_box, spin_loop};
use std::io::Read as _;
use std::process::ExitCode;
use std::thread;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::sleep_forever;

/// What one call keeps the kernel busy with.
const CHUNK_BYTES: usize = 1 << 20;

/// Starts the threads, named `user-<i>` and `system-<i>`, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let user: u32 = arguments.option("--user")?.unwrap_or(1);
    let system: u32 = arguments.option("--system")?.unwrap_or(0);
    for number in 0..user {
        thread::Builder::new().name(format!("user-{number}")).spawn(compute)?;
    }
    for number in 0..system {
        let zeros = File::open("/dev/zero")?;
        thread::Builder::new().name(format!("system-{number}")).spawn(|| read(zeros))?;
    }
    println!("ready {user} {system}");
    sleep_forever()
}

fn compute() {
    loop {
        spin_loop();
    }
}

fn read(mut zeros: File) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while zeros.read_exact(&mut chunk).is_ok() {
        black_box(&chunk);
    }
}
