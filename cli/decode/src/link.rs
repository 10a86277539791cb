//! What frames begin with: Ethernet, VLAN tags, LLC and SNAP, and the headers that Linux and BSD put in their place.

use std::fmt::{self, Display};

use pnet_packet::ethernet::EthernetPacket;
use pnet_packet::vlan::VlanPacket;

use crate::decode::{Next, Step};
use crate::escape::Hardware;
use crate::packet::Layer;
use crate::span::{Fault, Span};

/// What kind of header the frames of a capture begin with.
///
/// Source: the list of link-layer header types of tcpdump.org.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet.
    Ethernet,
    /// The second version of the header that Linux gives frames of any interface.
    LinuxCookedV2,
    /// The first version of it.
    LinuxCookedV1,
    /// A protocol family of BSD, in the byte order of whoever captured.
    Loopback,
    /// No header: an IP packet, whose version is its first four bits.
    Raw,
}

impl LinkType {
    /// The link type of a number in a capture file, or a DLT of Linux; `None` if it is one that is not decoded.
    pub fn from_dlt(dlt: u16) -> Option<Self> {
        match dlt {
            1 => Some(Self::Ethernet),
            276 => Some(Self::LinuxCookedV2),
            113 => Some(Self::LinuxCookedV1),
            0 | 108 => Some(Self::Loopback),
            12 | 101 | 228 | 229 => Some(Self::Raw),
            _ => None,
        }
    }
}

/// An Ethernet II or IEEE 802.3 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Who sent it.
    pub source: [u8; 6],
    /// Whom it is for.
    pub destination: [u8; 6],
    /// EtherType; below 0x600 it is the length of an IEEE 802.3 frame.
    pub kind: u16,
}

/// A tag of IEEE 802.1Q or 802.1ad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Which virtual network.
    pub id: u16,
    /// Priority, 0 to 7.
    pub priority: u8,
    /// May be dropped first.
    pub drop_eligible: bool,
}

/// An IEEE 802.2 header, with the SNAP header that may follow it (RFC 1042).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Llc {
    /// Destination service access point.
    pub dsap: u8,
    /// Source service access point.
    pub ssap: u8,
    /// Control field.
    pub control: u8,
    /// Organization and protocol of a SNAP header.
    pub snap: Option<([u8; 3], u16)>,
}

/// Linux' header for frames of any interface. Source: LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2 of tcpdump.org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooked<'a> {
    /// `PACKET_HOST` and so on, as in packet(7).
    pub packet_type: u16,
    /// Number of the interface; version 1 does not say it.
    pub interface: Option<u32>,
    /// Address of the sender, as far as there is one.
    pub source: &'a [u8],
    /// EtherType.
    pub kind: u16,
}

pub(crate) fn ethernet(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const LENGTH: usize = 14;
    let packet = EthernetPacket::new(span.slice(0, LENGTH)?).ok_or(Fault::Cut)?;
    let kind = packet.get_ethertype().0;
    let layer = Ethernet {
        source: packet.get_source().octets(),
        destination: packet.get_destination().octets(),
        kind,
    };
    let rest = span.after(LENGTH);
    Ok(Step::to(
        Layer::Ethernet(layer),
        after_type(kind),
        if kind < 0x600 { rest.first(kind.into()) } else { rest },
    ))
}

/// What follows a field that is an EtherType or a length.
fn after_type(kind: u16) -> Next {
    if kind < 0x600 { Next::Llc } else { Next::EtherType(kind) }
}

pub(crate) fn vlan(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const LENGTH: usize = 4;
    let packet = VlanPacket::new(span.slice(0, LENGTH)?).ok_or(Fault::Cut)?;
    let layer = Vlan {
        id: packet.get_vlan_identifier(),
        priority: packet.get_priority_code_point().0,
        drop_eligible: packet.get_drop_eligible_indicator() != 0,
    };
    Ok(Step::to(Layer::Vlan(layer), after_type(packet.get_ethertype().0), span.after(LENGTH)))
}

pub(crate) fn llc(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const SNAP: u8 = 0xaa;
    let [dsap, ssap, control] = span.array(0)?;
    let mut layer = Llc { dsap, ssap, control, snap: None };
    if (dsap, ssap) != (SNAP, SNAP) {
        let next = if (dsap, ssap) == (0x42, 0x42) { Next::SpanningTree } else { Next::Nothing };
        return Ok(Step::to(Layer::Llc(layer), next, span.after(3)));
    }
    let organization = span.array(3)?;
    let protocol = span.u16(6)?;
    layer.snap = Some((organization, protocol));
    let next = if organization == [0; 3] { Next::EtherType(protocol) } else { Next::Nothing };
    Ok(Step::to(Layer::Llc(layer), next, span.after(8)))
}

pub(crate) fn cooked_v1(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let length = usize::from(span.u16(4)?).min(8);
    let kind = span.u16(14)?;
    let layer = Cooked { packet_type: span.u16(0)?, interface: None, source: span.slice(6, length)?, kind };
    Ok(Step::to(Layer::Cooked(layer), after_cooked(kind), span.after(16)))
}

pub(crate) fn cooked_v2(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let kind = span.u16(0)?;
    let length = usize::from(span.u8(11)?).min(8);
    let source = span.slice(12, 8)?.get(..length).unwrap_or_default();
    let layer = Cooked { packet_type: span.u8(10)?.into(), interface: Some(span.u32(4)?), source, kind };
    Ok(Step::to(Layer::Cooked(layer), after_cooked(kind), span.after(20)))
}

/// What follows a cooked header, whose protocol may also be one of Linux' own numbers (`linux/if_ether.h`).
fn after_cooked(kind: u16) -> Next {
    match kind {
        0x0001 => Next::Nothing,
        0x0004 => Next::Llc,
        _ => Next::EtherType(kind),
    }
}

pub(crate) fn loopback(span: Span<'_>) -> Result<(Next, Span<'_>), Fault> {
    let family: [u8; 4] = span.array(0)?;
    let family = match u32::from_be_bytes(family) {
        small @ 0..=0xffff => small,
        _ => u32::from_le_bytes(family),
    };
    match family {
        // Linux, and three BSDs that could not agree on a number for IPv6.
        2 | 10 | 24 | 28 | 30 => Ok((Next::Ip, span.after(4))),
        _ => Err(Fault::Bad("protocol family")),
    }
}

impl Display for Ethernet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", Hardware(&self.source), Hardware(&self.destination))
    }
}

impl Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vlan {}", self.id)?;
        if self.priority != 0 {
            write!(f, " priority {}", self.priority)?;
        }
        if self.drop_eligible { f.write_str(" drop eligible") } else { Ok(()) }
    }
}

impl Display for Llc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.snap {
            Some(([0, 0, 0], _)) => f.write_str("SNAP"),
            Some((organization, protocol)) => {
                write!(f, "SNAP organization {} protocol {protocol:#06x}", Hardware(&organization))
            }
            None => write!(f, "LLC {:#04x} > {:#04x} control {:#04x}", self.ssap, self.dsap, self.control),
        }
    }
}

impl Display for Cooked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.packet_type {
            0 => "in",
            1 => "broadcast",
            2 => "multicast",
            3 => "for another host",
            4 => "out",
            _ => "of unknown direction",
        })?;
        if let Some(interface) = self.interface {
            write!(f, " interface {interface}")?;
        }
        if self.source.is_empty() { Ok(()) } else { write!(f, " from {}", Hardware(self.source)) }
    }
}
