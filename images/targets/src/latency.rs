//! `latency MIB [--window MILLIS]`: holds that much memory in small pages, and measures how long it takes to map, touch
//! and unmap some more: what whoever reads its memory map disturbs.

use std::hint::black_box;
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, Instant};

use crate::Result;
use crate::arguments::Arguments;
use crate::sys;

/// What is mapped each time.
const BYTES: usize = 64 << 10;

const PAGE_BYTES: usize = 4096;

/// Prints a line for each window: `window P99.99 MAX COUNT`, times in nanoseconds.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let window = Duration::from_millis(arguments.option("--window")?.unwrap_or(5000));
    let mib: usize = arguments.required("MIB")?;
    let held = sys::small_pages(mib << 20)?;
    for page in held.chunks_mut(PAGE_BYTES) {
        page[0] = 1;
    }
    black_box(ptr::from_ref(held));
    println!("ready {mib}");
    let mut nanos = Vec::new();
    loop {
        nanos.clear();
        let began = Instant::now();
        while began.elapsed() < window {
            let start = Instant::now();
            sys::map_touch_unmap(BYTES, PAGE_BYTES)?;
            nanos.push(start.elapsed().as_nanos());
        }
        nanos.sort_unstable();
        let (most, count) = (nanos.last().copied().unwrap_or_default(), nanos.len());
        // Of ten thousand, the one before the last.
        let p9999 = nanos.get(count - count.div_ceil(10_000)).copied().unwrap_or_default();
        println!("window {p9999} {most} {count}");
    }
}
