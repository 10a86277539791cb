//! Reads fields of headers and compares them: what conditions are made with.

use crate::condition::{Comparison, Condition, Test, all, any};
use crate::error::Fault;
use crate::layers::{From, Layers, Link, Place, ethertype, sap};
use crate::link::LinkType;
use crate::tree::Operator;
use crate::value::{Size, ValueId, Values};

/// The values of one program, and where they are read.
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
