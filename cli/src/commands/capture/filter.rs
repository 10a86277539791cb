//! What is captured: the program that the kernel runs on each packet.

use dbgctl_proto::v1::CaptureInstruction;

use super::link::Link;
use crate::commands::Failure;

/// The program for packets of that link. Without words it is empty, which accepts every packet.
pub(super) fn program(words: &[String], _link: Link) -> Result<Vec<CaptureInstruction>, Failure> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    Err(Failure::Request {
        because: "filters are not understood yet".to_owned(),
        suggestion: "leave it out, and filter what was written: tshark -r FILE -Y FILTER".to_owned(),
    })
}
