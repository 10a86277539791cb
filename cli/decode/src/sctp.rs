//! SCTP.

use std::fmt::{self, Display};

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::{Fault, Span};

/// Chunks that are named of one packet.
const MOST_CHUNKS: usize = 6;

/// A packet of SCTP: RFC 9260.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp<'a> {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Tells an association's packets from those of others.
    pub tag: u32,
    chunks: Span<'a>,
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const LENGTH: usize = 12;
    span.slice(0, LENGTH)?;
    let chunks = span.after(LENGTH);
    let layer = Sctp { source: span.u16(0)?, destination: span.u16(2)?, tag: span.u32(4)?, chunks };
    Ok(Step::to(Layer::Sctp(layer), Next::Nothing, chunks))
}

impl Sctp<'_> {
    /// Types of the chunks, as far as they were captured.
    pub fn chunks(&self) -> impl Iterator<Item = u8> {
        let mut rest = self.chunks;
        std::iter::from_fn(move || {
            let kind = rest.u8(0).ok()?;
            // A length of less than the chunk's header is wrong; the next chunk begins at a multiple of four.
            let length = usize::from(rest.u16(2).ok()?).max(4).next_multiple_of(4);
            rest = rest.after(length);
            Some(kind)
        })
    }
}

impl Display for Sctp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SCTP")?;
        for (at, kind) in self.chunks().enumerate() {
            f.write_str(if at == 0 { " [" } else { ", " })?;
            if at == MOST_CHUNKS {
                f.write_str("…")?;
                break;
            }
            chunk(kind, f)?;
        }
        if self.chunks().next().is_some() {
            f.write_str("]")?;
        }
        write!(f, ", tag {:#010x}, length {}", self.tag, self.chunks.wire_length())
    }
}

/// Source: IANA's registry of SCTP chunk types.
fn chunk(kind: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match kind {
        0 => "DATA",
        1 => "INIT",
        2 => "INIT ACK",
        3 => "SACK",
        4 => "HEARTBEAT",
        5 => "HEARTBEAT ACK",
        6 => "ABORT",
        7 => "SHUTDOWN",
        8 => "SHUTDOWN ACK",
        9 => "ERROR",
        10 => "COOKIE ECHO",
        11 => "COOKIE ACK",
        14 => "SHUTDOWN COMPLETE",
        64 => "I-DATA",
        192 => "FORWARD TSN",
        kind => return write!(f, "chunk {kind}"),
    })
}
