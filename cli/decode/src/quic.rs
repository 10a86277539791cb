//! QUIC: the headers that open a connection. All others say nothing to outsiders.

use std::fmt::{self, Display};

use crate::decode::{Next, Step};
use crate::escape::Hardware;
use crate::packet::Layer;
use crate::span::Span;

/// A long header: RFC 8999, RFC 9000, RFC 9369.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quic<'a> {
    /// Version; 0 is a server's offer of others.
    pub version: u32,
    /// What the packet is for.
    pub kind: &'static str,
    /// Connection id of who receives.
    pub destination: &'a [u8],
    /// Connection id of who sends.
    pub source: &'a [u8],
}

/// Reads a long header if it is one of a version that is known.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    const VERSION_2: u32 = 0x6b33_43cf;
    const LONGEST_ID: usize = 20;
    let first = span.u8(0).ok()?;
    let version = span.u32(1).ok()?;
    let is_known = matches!(version, 0 | 1 | VERSION_2 | 0xff00_0000..=0xff00_00ff);
    if first & 0x80 == 0 || !is_known || (version != 0 && first & 0x40 == 0) {
        return None;
    }
    let length = usize::from(span.u8(5).ok()?);
    let destination = span.slice(6, length).ok()?;
    let source_length = usize::from(span.u8(6 + length).ok()?);
    let source = span.slice(7 + length, source_length).ok()?;
    if length > LONGEST_ID || source_length > LONGEST_ID {
        return None;
    }
    // Version 2 numbers its types anew, so that no one relies on those of version 1.
    let number = if version == VERSION_2 { (first >> 4).wrapping_sub(1) & 3 } else { first >> 4 & 3 };
    let kind = match number {
        _ if version == 0 => "version negotiation",
        0 => "initial",
        1 => "0-RTT",
        2 => "handshake",
        _ => "retry",
    };
    let layer = Quic { version, kind, destination, source };
    Some(Step::to(Layer::Quic(layer), Next::Nothing, span.after(7 + length + source_length)))
}

impl Display for Quic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QUIC {}", self.kind)?;
        match self.version {
            0 => {}
            1 => f.write_str(", version 1")?,
            0x6b33_43cf => f.write_str(", version 2")?,
            version => write!(f, ", version {version:#010x}")?,
        }
        for (word, id) in [("to", self.destination), ("from", self.source)] {
            if !id.is_empty() {
                write!(f, ", {word} {}", Hardware(id))?;
            }
        }
        Ok(())
    }
}
