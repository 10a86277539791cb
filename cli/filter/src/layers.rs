//! Where the headers of a packet are, as far as the expression has told.
//!
//! `vlan`, `mpls`, `pppoes` and `geneve` say that the packet has one more header. What is written to the right of them is
//! about what that header carries, wherever the parentheses are: so pcap-filter(7) has it.

use crate::condition::{Comparison, Condition, Test, all, any};
use crate::error::Fault;
use crate::link::{LinkType, Mode, beside};
use crate::tree::Operator;
use crate::value::{Size, ValueId, Values};

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

/// Reads fields and compares them: what conditions are made with.
pub(crate) struct Fields {
    pub(crate) values: Values,
    pub(crate) layers: Layers,
}

impl Fields {
    pub(crate) fn at(&mut self, place: Place, size: Size) -> ValueId {
        self.values.load(size, place.base, place.offset)
    }

    pub(crate) fn load(&mut self, from: From, offset: u32, size: Size) -> ValueId {
        let layers = &self.layers;
        let place = match from {
            From::LinkHeader => layers.link_header,
            From::LinkType => layers.link_type,
            From::LinkPayload => layers.link_payload,
            From::Network => layers.network_place(),
            From::NetworkBehindLlc => layers.link_payload.plus(layers.network_behind_llc),
            From::LastLabel => layers.network_place().plus(4_u32.wrapping_neg()),
            From::BehindIp => self.behind_ip(),
            From::BehindIp6 => layers.network_place().plus(40),
        };
        self.at(place.plus(offset), size)
    }

    /// Behind the IPv4 header, which says how long it is.
    pub(crate) fn behind_ip(&mut self) -> Place {
        let network = self.layers.network_place();
        let first = self.at(network, Size::Byte);
        let words = self.calculate(Operator::And, first, 0x0f);
        let length = self.calculate(Operator::ShiftLeft, words, 2);
        let base = match network.base {
            Some(base) => self.combine(Operator::Add, base, length),
            None => length,
        };
        Place { base: Some(base), offset: network.offset }
    }

    /// For calculations of our own, which have a result.
    pub(crate) fn calculate(&mut self, operator: Operator, left: ValueId, right: u32) -> ValueId {
        let right = self.values.constant(right);
        self.combine(operator, left, right)
    }

    pub(crate) fn combine(&mut self, operator: Operator, left: ValueId, right: ValueId) -> ValueId {
        self.values.binary(operator, left, right).unwrap_or(left)
    }

    pub(crate) fn test(&mut self, left: ValueId, comparison: Comparison, right: u32) -> Condition {
        let right = self.values.constant(right);
        Condition::Test(Test { left, comparison, right })
    }

    pub(crate) fn is(&mut self, from: From, offset: u32, size: Size, value: u32) -> Condition {
        let field = self.load(from, offset, size);
        self.test(field, Comparison::Equal, value)
    }

    /// Compares what the mask leaves of a field.
    pub(crate) fn is_masked(
        &mut self,
        from: From,
        offset: u32,
        size: Size,
        value: u32,
        mask: u32,
    ) -> Condition {
        let field = self.load(from, offset, size);
        let masked = match mask {
            u32::MAX => field,
            mask => self.calculate(Operator::And, field, mask),
        };
        self.test(masked, Comparison::Equal, value)
    }

    /// Compares bytes, the last of them first: four at a time, then two, then one.
    pub(crate) fn are(&mut self, from: From, offset: u32, bytes: &[u8]) -> Condition {
        let mut conditions = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (size, length) = match rest.len() {
                4.. => (Size::Word, 4),
                2..=3 => (Size::Half, 2),
                _ => (Size::Byte, 1),
            };
            let (before, last) = rest.split_at(rest.len() - length);
            let value = last.iter().fold(0, |value, byte| value << 8 | u32::from(*byte));
            let position = u32::try_from(before.len()).unwrap_or(u32::MAX);
            conditions.push(self.is(from, offset + position, size, value));
            rest = before;
        }
        all(conditions)
    }

    /// Whether the link header says that it carries `protocol`: an [`ethertype`] or a [`sap`].
    pub(crate) fn carries(&mut self, protocol: u32) -> Result<Condition, Fault> {
        if self.layers.labels > 0 {
            return self.labels_carry(protocol);
        }
        Ok(match self.layers.link {
            Link::Plain(LinkType::Ethernet) => self.ethernet_carries(protocol),
            Link::Plain(LinkType::LinuxCookedV1) => self.cooked_carries(protocol),
            Link::Plain(LinkType::LinuxCookedV2) => self.is(From::LinkType, 0, Size::Half, protocol),
            Link::Plain(LinkType::Loopback) => match protocol {
                // AF_INET and AF_INET6 of Linux, in little-endian order.
                ethertype::IP => self.is(From::LinkHeader, 0, Size::Word, 2_u32.swap_bytes()),
                ethertype::IP6 => self.is(From::LinkHeader, 0, Size::Word, 10_u32.swap_bytes()),
                _ => Condition::Never,
            },
            Link::Plain(LinkType::Raw) => match protocol {
                ethertype::IP => self.is_masked(From::LinkHeader, 0, Size::Byte, 0x40, 0xf0),
                ethertype::IP6 => self.is_masked(From::LinkHeader, 0, Size::Byte, 0x60, 0xf0),
                _ => Condition::Never,
            },
            Link::Ppp => self.is(From::LinkType, 0, Size::Half, ppp(protocol)),
        })
    }

    /// MPLS does not say what it carries. Behind the last label, IP is known by its version.
    fn labels_carry(&mut self, protocol: u32) -> Result<Condition, Fault> {
        let version = match protocol {
            ethertype::IP => 0x40,
            ethertype::IP6 => 0x60,
            _ => return Err(Fault::new("behind an MPLS label only IP can be told")),
        };
        let is_last = self.is_masked(From::LastLabel, 2, Size::Byte, 1, 1);
        Ok(is_last.and(self.is_masked(From::Network, 0, Size::Byte, version, 0xf0)))
    }

    fn is_802_3(&mut self) -> Condition {
        let field = self.load(From::LinkType, 0, Size::Half);
        !self.test(field, Comparison::Greater, ethertype::LONGEST_FRAME)
    }

    fn ethernet_carries(&mut self, protocol: u32) -> Condition {
        match protocol {
            sap::ISO | sap::IP | sap::NETBEUI => {
                let framed = self.is_802_3();
                framed.and(self.is(From::LinkPayload, 0, Size::Half, protocol << 8 | protocol))
            }
            sap::IPX => {
                let typed = self.is(From::LinkType, 0, Size::Half, ethertype::IPX);
                let framed = self.is_802_3();
                let snap = self.snap(0, ethertype::IPX);
                let llc = self.is(From::LinkPayload, 0, Size::Byte, sap::IPX);
                let bare = self.is(From::LinkPayload, 0, Size::Half, 0xffff);
                typed.or(framed.and(any([snap, llc, bare])))
            }
            ethertype::APPLETALK | ethertype::APPLETALK_ARP => {
                let typed = self.is(From::LinkType, 0, Size::Half, protocol);
                let framed = self.is_802_3();
                typed.or(framed.and(self.appletalk_snap(protocol)))
            }
            0..=ethertype::LONGEST_FRAME => {
                let framed = self.is_802_3();
                framed.and(self.is(From::LinkType, 2, Size::Byte, protocol))
            }
            _ => self.is(From::LinkType, 0, Size::Half, protocol),
        }
    }

    /// A cooked header has numbers of its own for frames of IEEE 802.3 (linux/if_ether.h).
    fn cooked_carries(&mut self, protocol: u32) -> Condition {
        const BARE_802_3: u32 = 1;
        const LLC: u32 = 4;
        match protocol {
            sap::ISO | sap::IP | sap::NETBEUI => {
                let framed = self.is(From::LinkType, 0, Size::Half, LLC);
                framed.and(self.is(From::LinkPayload, 0, Size::Half, protocol << 8 | protocol))
            }
            sap::IPX => {
                let typed = self.is(From::LinkType, 0, Size::Half, ethertype::IPX);
                let bare = self.is(From::LinkType, 0, Size::Half, BARE_802_3);
                let framed = self.is(From::LinkType, 0, Size::Half, LLC);
                let llc = self.is(From::LinkPayload, 0, Size::Byte, sap::IPX);
                let snap = self.snap(0, ethertype::IPX);
                any([typed, bare, framed.and(llc.or(snap))])
            }
            ethertype::APPLETALK | ethertype::APPLETALK_ARP => {
                let typed = self.is(From::LinkType, 0, Size::Half, protocol);
                let framed = self.is(From::LinkType, 0, Size::Half, LLC);
                typed.or(framed.and(self.appletalk_snap(protocol)))
            }
            0..=ethertype::LONGEST_FRAME => {
                let framed = self.is(From::LinkType, 0, Size::Half, LLC);
                framed.and(self.is(From::LinkPayload, 0, Size::Byte, protocol))
            }
            _ => self.is(From::LinkType, 0, Size::Half, protocol),
        }
    }

    fn appletalk_snap(&mut self, protocol: u32) -> Condition {
        const APPLE: u32 = 0x08_0007;
        self.snap(if protocol == ethertype::APPLETALK { APPLE } else { 0 }, protocol)
    }

    fn snap(&mut self, organisation: u32, protocol: u32) -> Condition {
        let [_, o1, o2, o3] = organisation.to_be_bytes();
        let [_, _, p1, p2] = protocol.to_be_bytes();
        let [.., sap] = sap::SNAP.to_be_bytes();
        self.are(From::LinkPayload, 0, &[sap, sap, 0x03, o1, o2, o3, p1, p2])
    }
}

/// The number that PPP has for a protocol (IANA, PPP DLL protocol numbers).
fn ppp(protocol: u32) -> u32 {
    match protocol {
        ethertype::IP => 0x0021,
        ethertype::IP6 => 0x0057,
        ethertype::DECNET => 0x0027,
        ethertype::APPLETALK => 0x0029,
        ethertype::XNS => 0x0025,
        sap::ISO => 0x0023,
        sap::STP => 0x0031,
        sap::IPX => 0x002b,
        other => other,
    }
}
