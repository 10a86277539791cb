//! IGMP.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use crate::decode::{Next, Step};
use crate::icmpv6::{Records, change};
use crate::packet::Layer;
use crate::span::{Fault, Span};

/// A message about groups of multicast: RFC 1112, RFC 2236, RFC 3376.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Igmp {
    /// Type of the message.
    pub kind: u8,
    /// The group; unspecified in a question about all. Of a report of version 3, the group of the first record.
    pub group: Option<Ipv4Addr>,
    /// How many records a report of version 3 has, and the kind of change of the first.
    pub records: Option<(u16, Option<u8>)>,
    /// Bytes.
    pub length: usize,
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const LENGTH: usize = 8;
    const REPORT_V3: u8 = 0x22;
    let kind = span.u8(0)?;
    let group = |at| span.array::<4>(at).map(Ipv4Addr::from);
    let length = span.wire_length();
    let layer = if kind == REPORT_V3 {
        Igmp { kind, group: group(12).ok(), records: Some((span.u16(6)?, span.u8(8).ok())), length }
    } else {
        Igmp { kind, group: Some(group(4)?), records: None, length }
    };
    Ok(Step::to(Layer::Igmp(layer), Next::Nothing, span.after(LENGTH)))
}

impl Display for Igmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IGMP ")?;
        match self.kind {
            // Version 3 asks with a longer message.
            0x11 if self.length >= 12 => f.write_str("v3 query"),
            0x11 => f.write_str("query"),
            0x12 => f.write_str("v1 report"),
            0x16 => f.write_str("v2 report"),
            0x17 => f.write_str("leave"),
            0x22 => f.write_str("v3 report"),
            0x13 => f.write_str("DVMRP"),
            0x14 => f.write_str("PIM v1"),
            kind => write!(f, "type {kind:#04x}"),
        }?;
        if let Some((count, kind)) = self.records {
            write!(f, ", {}", Records(count))?;
            if let Some(kind) = kind {
                write!(f, ", {}", change(kind))?;
            }
        }
        if let Some(group) = self.group {
            write!(f, " {group}")?;
        }
        write!(f, ", length {}", self.length)
    }
}
