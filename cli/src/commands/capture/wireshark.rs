//! Wireshark, started here and given the packets.

use std::process::{Command, Stdio};

use super::file::Unwritten;
use super::sink::Way;

const PROGRAM: &str = "wireshark";

/// Starts it, ready to read.
pub(super) fn start() -> Result<Way, Unwritten> {
    let started = Command::new(PROGRAM)
        .args(["-k", "-i", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut program = started.map_err(|error| Unwritten { path: PROGRAM.into(), error })?;
    let input = program.stdin.take();
    Ok(Way::Given { program, input })
}
