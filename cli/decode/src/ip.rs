//! What both versions of IP have in common, and the names of what they and Ethernet carry.

use std::fmt::{self, Display};
use std::net::IpAddr;

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::Span;

/// Which part of a packet this is, if it was sent in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What the parts of one packet have in common.
    pub id: u32,
    /// Where this part begins, in bytes.
    pub offset: u32,
    /// Whether parts follow.
    pub more: bool,
}

impl Display for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more { ", more follow" } else { "" };
        write!(f, "fragment {} at {}{more}", self.id, self.offset)
    }
}

/// What of an IP header matters to what it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carrier {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Whether bytes are missing at the end, in other fragments or for good.
    pub(crate) is_part: bool,
}

/// A header that is known by its name only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// By its EtherType.
    EtherType(u16),
    /// By its protocol number of IP.
    Protocol(u8),
    /// The spanning tree of bridges, IEEE 802.1D.
    SpanningTree,
}

/// Ends the reading at a header that is known by name only.
pub(crate) fn unread(opaque: Opaque, span: Span<'_>) -> Step<'_> {
    Step::to(Layer::Opaque(opaque, span), Next::Nothing, span)
}

impl Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::EtherType(kind) => ethertype_name(kind).fmt(f),
            Self::Protocol(protocol) => protocol_name(protocol).fmt(f),
            Self::SpanningTree => f.write_str("STP"),
        }
    }
}

/// A word, or a number for what has none.
pub(crate) struct Name {
    word: Option<&'static str>,
    kind: &'static str,
    number: u16,
    is_hexadecimal: bool,
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word {
            Some(word) => f.write_str(word),
            None if self.is_hexadecimal => write!(f, "{} {:#06x}", self.kind, self.number),
            None => write!(f, "{} {}", self.kind, self.number),
        }
    }
}

pub(crate) fn ethertype_name(kind: u16) -> Name {
    Name { word: ethertype_word(kind), kind: "ethertype", number: kind, is_hexadecimal: true }
}

pub(crate) fn protocol_name(protocol: u8) -> Name {
    Name { word: protocol_word(protocol), kind: "protocol", number: protocol.into(), is_hexadecimal: false }
}

/// The usual name of an EtherType. Source: IANA's registry of IEEE 802 numbers.
pub(crate) fn ethertype_word(kind: u16) -> Option<&'static str> {
    Some(match kind {
        0x0800 => "IP",
        0x0806 => "ARP",
        0x0842 => "Wake-on-LAN",
        0x6558 => "Ethernet",
        0x8100 | 0x9100 => "802.1Q",
        0x86dd => "IP6",
        0x8808 => "flow control",
        0x8809 => "slow protocols",
        0x8847 | 0x8848 => "MPLS",
        0x8863 => "PPPoE discovery",
        0x8864 => "PPPoE",
        0x888e => "EAPOL",
        0x88a8 => "802.1ad",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88f7 => "PTP",
        0x9000 => "loopback test",
        _ => return None,
    })
}

/// The usual name of a protocol of IP. Source: IANA's registry of assigned internet protocol numbers.
pub(crate) fn protocol_word(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        0 => "hop-by-hop",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IP",
        6 => "TCP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IP6",
        43 => "routing",
        44 => "fragment",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMP6",
        59 => "no next header",
        60 => "destination options",
        88 => "EIGRP",
        89 => "OSPF",
        103 => "PIM",
        112 => "VRRP",
        115 => "L2TP",
        132 => "SCTP",
        135 => "mobility",
        136 => "UDP-Lite",
        _ => return None,
    })
}
