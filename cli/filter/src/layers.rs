//! Where the headers of a packet are, as far as the expression has told.
//!
//! `vlan`, `mpls`, `pppoes` and `geneve` say that the packet has one more header. What is written to the right of them is
//! about what that header carries, wherever the parentheses are: so pcap-filter(7) has it.

use crate::link::{LinkType, Mode, beside};
use crate::value::ValueId;

/// Numbers of protocols in Ethernet's type field (IEEE registration authority).
pub(crate) mod ethertype {
    pub(crate) const IP: u32 = 0x0800;
    pub(crate) const ARP: u32 = 0x0806;
    pub(crate) const MOPDL: u32 = 0x6001;
    pub(crate) const MOPRC: u32 = 0x6002;
    pub(crate) const DECNET: u32 = 0x6003;
    pub(crate) const LAT: u32 = 0x6004;
    pub(crate) const SCA: u32 = 0x6007;
    pub(crate) const XNS: u32 = 0x0600;
    pub(crate) const ETHERNET: u32 = 0x6558;
    pub(crate) const RARP: u32 = 0x8035;
    pub(crate) const APPLETALK: u32 = 0x809b;
    pub(crate) const APPLETALK_ARP: u32 = 0x80f3;
    pub(crate) const VLAN: u32 = 0x8100;
    pub(crate) const IPX: u32 = 0x8137;
    pub(crate) const IP6: u32 = 0x86dd;
    pub(crate) const MPLS: u32 = 0x8847;
    pub(crate) const PPPOE_DISCOVERY: u32 = 0x8863;
    pub(crate) const PPPOE_SESSION: u32 = 0x8864;
    pub(crate) const PROVIDER_VLAN: u32 = 0x88a8;
    pub(crate) const OLD_PROVIDER_VLAN: u32 = 0x9100;
    pub(crate) const LOOPBACK: u32 = 0x9000;
    /// What is not above this is the length of an IEEE 802.3 frame.
    pub(crate) const LONGEST_FRAME: u32 = 1500;
}

/// Service access points of IEEE 802.2. They share a number space with [`ethertype`], below its smallest.
pub(crate) mod sap {
    pub(crate) const IP: u32 = 0x06;
    pub(crate) const STP: u32 = 0x42;
    pub(crate) const SNAP: u32 = 0xaa;
    pub(crate) const IPX: u32 = 0xe0;
    pub(crate) const NETBEUI: u32 = 0xf0;
    pub(crate) const ISO: u32 = 0xfe;
}

/// The innermost link header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Plain(LinkType),
    /// Inside of PPPoE: a protocol number of PPP.
    Ppp,
}

/// A place in the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// `None` if the place is known.
    pub(crate) base: Option<ValueId>,
    pub(crate) offset: u32,
}

impl Place {
    pub(crate) fn known(offset: u32) -> Self {
        Self { base: None, offset }
    }

    pub(crate) fn plus(self, bytes: u32) -> Self {
        Self { offset: self.offset.wrapping_add(bytes), ..self }
    }
}

/// What a field's offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    LinkHeader,
    LinkType,
    /// Behind the link header: an LLC header, if there is one.
    LinkPayload,
    /// The header of the network protocol.
    Network,
    /// What follows an LLC header without SNAP.
    NetworkBehindLlc,
    /// The last of the MPLS labels.
    LastLabel,
    /// What follows an IPv4 header.
    BehindIp,
    /// What follows an IPv6 header without extensions.
    BehindIp6,
}

/// Where the headers are.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) link: Link,
    pub(crate) link_header: Place,
    pub(crate) link_type: Place,
    pub(crate) link_payload: Place,
    /// From the payload to the network header: after labels.
    pub(crate) network: u32,
    pub(crate) network_behind_llc: u32,
    pub(crate) labels: u32,
    pub(crate) tags: u32,
    pub(crate) in_geneve: bool,
}

impl Layers {
    pub(crate) fn of(link: LinkType, mode: Mode) -> Self {
        let (link_type, payload, behind_llc) = match link {
            _ if mode == Mode::Live && link.is_cooked() => (beside::PROTOCOL, 0, 0),
            LinkType::Ethernet => (12, 14, 3),
            LinkType::LinuxCookedV1 => (14, 16, 0),
            LinkType::LinuxCookedV2 => (0, 20, 0),
            LinkType::Loopback => (0, 4, 0),
            LinkType::Raw => (0, 0, 0),
        };
        Self {
            link: Link::Plain(link),
            link_header: Place::known(0),
            link_type: Place::known(link_type),
            link_payload: Place::known(payload),
            network: 0,
            network_behind_llc: behind_llc,
            labels: 0,
            tags: 0,
            in_geneve: false,
        }
    }

    pub(crate) fn network_place(&self) -> Place {
        self.link_payload.plus(self.network)
    }

    pub(crate) fn link_name(&self) -> &'static str {
        match self.link {
            Link::Plain(link) => link.name(),
            Link::Ppp => "PPP",
        }
    }
}
