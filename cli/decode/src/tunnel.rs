//! Packets within packets: GRE and VXLAN. IP within IP has no header of its own.

use std::fmt::{self, Display};

use pnet_packet::vxlan::VxlanPacket;

use crate::LinkType;
use crate::decode::{Next, Step};
use crate::ip::ethertype_name;
use crate::packet::Layer;
use crate::span::{Fault, Span};

/// A header of generic routing encapsulation: RFC 2784, RFC 2890.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gre {
    /// EtherType of what is inside.
    pub protocol: u16,
    /// Which of several tunnels.
    pub key: Option<u32>,
    /// Which packet.
    pub sequence: Option<u32>,
}

/// A header of a virtual extensible network: RFC 7348.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Which virtual network; `None` if the header does not say.
    pub network: Option<u32>,
}

pub(crate) fn gre(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let (flags, protocol) = (span.u16(0)?, span.u16(2)?);
    // Version 1 is PPTP's, and routing (RFC 1701) is not used any more.
    if flags & 0x4007 != 0 {
        let layer = Gre { protocol, key: None, sequence: None };
        return Ok(Step::to(Layer::Gre(layer), Next::Nothing, span.after(4)));
    }
    let mut at = if flags & 0x8000 != 0 { 8 } else { 4 };
    let mut optional = |flag| -> Result<Option<u32>, Fault> {
        if flags & flag == 0 {
            return Ok(None);
        }
        let word = span.u32(at)?;
        at += 4;
        Ok(Some(word))
    };
    let layer = Gre { protocol, key: optional(0x2000)?, sequence: optional(0x1000)? };
    let next = match protocol {
        0x6558 => Next::Link(LinkType::Ethernet),
        kind => Next::EtherType(kind),
    };
    Ok(Step::to(Layer::Gre(layer), next, span.after(at)))
}

/// Reads a header if it looks like one.
pub(crate) fn vxlan(span: Span<'_>) -> Option<Step<'_>> {
    const LENGTH: usize = 8;
    let packet = VxlanPacket::new(span.slice(0, LENGTH).ok()?)?;
    let layer = Vxlan { network: (packet.get_flags() & 0x08 != 0).then(|| packet.get_vni()) };
    Some(Step::to(Layer::Vxlan(layer), Next::Link(LinkType::Ethernet), span.after(LENGTH)))
}

impl Display for Gre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GRE {}", ethertype_name(self.protocol))?;
        if let Some(key) = self.key {
            write!(f, ", key {key:#x}")?;
        }
        self.sequence.map_or(Ok(()), |sequence| write!(f, ", seq {sequence}"))
    }
}

impl Display for Vxlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VXLAN")?;
        self.network.map_or(Ok(()), |network| write!(f, " vni {network}"))
    }
}
