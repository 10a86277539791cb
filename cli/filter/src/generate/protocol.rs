//! Protocols: by what the header below them says.

use super::{Generated, Generator};
use crate::condition::any;
use crate::error::Fault;
use crate::layers::{From, ethertype, sap};
use crate::names;
use crate::tree::{Identity, Protocol};
use crate::value::Size;

/// Protocols that IPv6 may announce behind a fragment header.
const FRAGMENT: u32 = 44;

/// OSI network layer protocols (ISO/IEC TR 9577).
mod osi {
    pub(super) const CLNP: u32 = 0x81;
    pub(super) const ESIS: u32 = 0x82;
    pub(super) const ISIS: u32 = 0x83;
}

/// Types of IS-IS packets (ISO/IEC 10589).
mod isis {
    pub(super) const LEVEL_1_HELLO: u32 = 15;
    pub(super) const LEVEL_2_HELLO: u32 = 16;
    pub(super) const POINT_TO_POINT_HELLO: u32 = 17;
    pub(super) const LEVEL_1_STATE: u32 = 18;
    pub(super) const LEVEL_2_STATE: u32 = 20;
    pub(super) const LEVEL_1_COMPLETE: u32 = 24;
    pub(super) const LEVEL_2_COMPLETE: u32 = 25;
    pub(super) const LEVEL_1_PARTIAL: u32 = 26;
    pub(super) const LEVEL_2_PARTIAL: u32 = 27;
}

impl Generator<'_> {
    /// A protocol that stands for itself.
    pub(super) fn protocol(&mut self, protocol: Protocol) -> Generated {
        use Protocol as P;
        match protocol {
            P::Sctp => self.above_ip(None, 132),
            P::Tcp => self.above_ip(None, 6),
            P::Udp => self.above_ip(None, 17),
            P::Pim => self.above_ip(None, 103),
            P::Ah => self.above_ip(None, 51),
            P::Esp => self.above_ip(None, 50),
            P::Icmp => self.above_ip(Some(P::Ip), 1),
            P::Igmp => self.above_ip(Some(P::Ip), 2),
            P::Igrp => self.above_ip(Some(P::Ip), 9),
            P::Vrrp | P::Carp => self.above_ip(Some(P::Ip), 112),
            P::Icmp6 => self.above_ip(Some(P::Ip6), 58),
            P::Ip => self.fields.carries(ethertype::IP),
            P::Ip6 => self.fields.carries(ethertype::IP6),
            P::Arp => self.fields.carries(ethertype::ARP),
            P::Rarp => self.fields.carries(ethertype::RARP),
            P::Atalk => self.fields.carries(ethertype::APPLETALK),
            P::Aarp => self.fields.carries(ethertype::APPLETALK_ARP),
            P::Decnet => self.fields.carries(ethertype::DECNET),
            P::Sca => self.fields.carries(ethertype::SCA),
            P::Lat => self.fields.carries(ethertype::LAT),
            P::Mopdl => self.fields.carries(ethertype::MOPDL),
            P::Moprc => self.fields.carries(ethertype::MOPRC),
            P::Iso => self.fields.carries(sap::ISO),
            P::Stp => self.fields.carries(sap::STP),
            P::Ipx => self.fields.carries(sap::IPX),
            P::Netbeui => self.fields.carries(sap::NETBEUI),
            P::Esis => self.osi(osi::ESIS),
            P::Clnp => self.osi(osi::CLNP),
            P::Isis => self.osi(osi::ISIS),
            P::IsisLevel1 => self.isis(&[
                isis::LEVEL_1_PARTIAL,
                isis::LEVEL_1_COMPLETE,
                isis::LEVEL_1_STATE,
                isis::LEVEL_1_HELLO,
                isis::POINT_TO_POINT_HELLO,
            ]),
            P::IsisLevel2 => self.isis(&[
                isis::LEVEL_2_PARTIAL,
                isis::LEVEL_2_COMPLETE,
                isis::LEVEL_2_STATE,
                isis::LEVEL_2_HELLO,
                isis::POINT_TO_POINT_HELLO,
            ]),
            P::IsisHello => {
                self.isis(&[isis::POINT_TO_POINT_HELLO, isis::LEVEL_1_HELLO, isis::LEVEL_2_HELLO])
            }
            P::IsisLinkState => self.isis(&[isis::LEVEL_1_STATE, isis::LEVEL_2_STATE]),
            P::IsisSequence => self.isis(&[
                isis::LEVEL_2_PARTIAL,
                isis::LEVEL_1_PARTIAL,
                isis::LEVEL_1_COMPLETE,
                isis::LEVEL_2_COMPLETE,
            ]),
            P::IsisCompleteSequence => self.isis(&[isis::LEVEL_1_COMPLETE, isis::LEVEL_2_COMPLETE]),
            P::IsisPartialSequence => self.isis(&[isis::LEVEL_1_PARTIAL, isis::LEVEL_2_PARTIAL]),
            P::Link => Err(Fault::new("`ether` alone does not say what to look for")),
        }
    }

    /// `ip proto 6`: what a protocol carries.
    pub(super) fn encapsulated(&mut self, protocol: Option<Protocol>, identity: &Identity) -> Generated {
        let number = self.protocol_number(protocol, identity)?;
        match protocol {
            None | Some(Protocol::Ip | Protocol::Ip6) => self.above_ip(protocol, number),
            Some(Protocol::Link) => self.fields.carries(number),
            Some(Protocol::Iso) => self.osi(number),
            Some(Protocol::Isis) => self.isis(&[number]),
            Some(other) => Err(carries_nothing(other)),
        }
    }

    pub(super) fn protocol_number(
        &self,
        protocol: Option<Protocol>,
        identity: &Identity,
    ) -> Result<u32, Fault> {
        let name = match identity {
            Identity::Number(number) => return Ok(*number),
            Identity::Name(name) => name,
            _ => return Err(Fault::new("a protocol is a name or a number")),
        };
        let known = match protocol {
            None | Some(Protocol::Ip | Protocol::Ip6) => self.names.protocol(name).map(u32::from),
            Some(Protocol::Link) => find(LINK_PROTOCOLS, name),
            Some(Protocol::Iso) => find(OSI_PROTOCOLS, name),
            Some(other) => return Err(carries_nothing(other)),
        };
        known.ok_or_else(|| {
            let fault = Fault::new(format!("`{name}` is no protocol that is known by name"));
            match protocol {
                Some(Protocol::Link) => {
                    fault.suggest_nearest(name, LINK_PROTOCOLS.iter().map(|known| known.0))
                }
                Some(Protocol::Iso) => fault.suggest_nearest(name, OSI_PROTOCOLS.iter().map(|known| known.0)),
                _ => fault.suggest_nearest(name, names::protocols()),
            }
        })
    }

    /// What IP of either version carries. Behind a fragment header of IPv6 as well.
    pub(super) fn above_ip(&mut self, version: Option<Protocol>, number: u32) -> Generated {
        match version {
            Some(Protocol::Ip) => {
                let carried = self.fields.carries(ethertype::IP)?;
                Ok(carried.and(self.fields.is(From::Network, 9, Size::Byte, number)))
            }
            Some(Protocol::Ip6) => {
                let carried = self.fields.carries(ethertype::IP6)?;
                let direct = self.fields.is(From::Network, 6, Size::Byte, number);
                let fragment = self.fields.is(From::Network, 6, Size::Byte, FRAGMENT);
                let fragment = fragment.and(self.fields.is(From::Network, 40, Size::Byte, number));
                Ok(carried.and(direct.or(fragment)))
            }
            _ => {
                let ip = self.above_ip(Some(Protocol::Ip), number)?;
                Ok(ip.or(self.above_ip(Some(Protocol::Ip6), number)?))
            }
        }
    }

    fn osi(&mut self, number: u32) -> Generated {
        let carried = self.fields.carries(sap::ISO)?;
        Ok(carried.and(self.fields.is(From::NetworkBehindLlc, 0, Size::Byte, number)))
    }

    fn isis(&mut self, types: &[u32]) -> Generated {
        let mut conditions = Vec::new();
        for kind in types {
            let carried = self.osi(osi::ISIS)?;
            conditions.push(carried.and(self.fields.is(From::NetworkBehindLlc, 4, Size::Byte, *kind)));
        }
        Ok(any(conditions))
    }
}

fn find(table: &[(&str, u32)], name: &str) -> Option<u32> {
    table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

fn carries_nothing(protocol: Protocol) -> Fault {
    Fault::new(format!("what `{}` carries has no number that could be told", protocol.name()))
        .suggest("`ip proto`, `ip6 proto`, `ether proto`, `iso proto` and `isis proto` have")
}

/// Names that can follow `ether proto`.
const LINK_PROTOCOLS: &[(&str, u32)] = &[
    ("aarp", ethertype::APPLETALK_ARP),
    ("arp", ethertype::ARP),
    ("atalk", ethertype::APPLETALK),
    ("decnet", ethertype::DECNET),
    ("ip", ethertype::IP),
    ("ip6", ethertype::IP6),
    ("lat", ethertype::LAT),
    ("loopback", ethertype::LOOPBACK),
    ("mopdl", ethertype::MOPDL),
    ("moprc", ethertype::MOPRC),
    ("rarp", ethertype::RARP),
    ("sca", ethertype::SCA),
    ("iso", sap::ISO),
    ("stp", sap::STP),
    ("ipx", sap::IPX),
    ("netbeui", sap::NETBEUI),
];

/// Names that can follow `iso proto`.
const OSI_PROTOCOLS: &[(&str, u32)] = &[("esis", osi::ESIS), ("isis", osi::ISIS), ("clnp", osi::CLNP)];
