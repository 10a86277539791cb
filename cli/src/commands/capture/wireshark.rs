//! Wireshark, started here and given the packets.

use std::process::{Command, Stdio};

use super::sink::Way;
use crate::commands::Failure;
use crate::error::Error;

const PROGRAM: &str = "wireshark";

/// Starts it, ready to read.
pub(super) fn start() -> Result<Way, Failure> {
    let started = Command::new(PROGRAM)
        .args(["-k", "-i", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut program = started.map_err(|error| {
        let suggestion = "install it, or write a file with -w FILE and open it where Wireshark is";
        Failure::Here(Error::new(format!("start {PROGRAM}"), error.to_string(), suggestion))
    })?;
    let input = program.stdin.take();
    Ok(Way::Given { program, input })
}
