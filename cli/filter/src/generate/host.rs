//! Hosts and networks, by their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Generated, Generator};
use crate::condition::{Condition, all, any};
use crate::error::Fault;
use crate::layers::{From, ethertype};
use crate::tree::{Direction, Identity, Kind, Protocol, Qualifiers};
use crate::value::Size;

impl Generator<'_> {
    pub(super) fn address(&mut self, qualifiers: Qualifiers, identity: &Identity) -> Generated {
        match *identity {
            Identity::Mac(address) => match (qualifiers.protocol, qualifiers.kind) {
                (Some(Protocol::Link), Kind::Any | Kind::Host) => {
                    self.ethernet_address(address, qualifiers.direction)
                }
                _ => Err(Fault::new("this is a MAC address").suggest("write `ether host` before it")),
            },
            Identity::Number(number) => self.number(qualifiers, number),
            Identity::Dotted(address, bits) => {
                if qualifiers.protocol == Some(Protocol::Decnet) {
                    let [area, node, ..] = address.octets().map(u32::from);
                    return self.decnet_address(area << 10 | node, qualifiers.direction);
                }
                let mask = u32::MAX << (32 - bits);
                self.ipv4(qualifiers, address.into(), mask)
            }
            Identity::Masked(address, mask) => match qualifiers.kind {
                Kind::Network => self.ipv4(qualifiers, address.into(), mask.into()),
                _ => Err(Fault::new("this is a network, not a host").suggest("write `net` before it")),
            },
            Identity::Ipv6(address, prefix) => match (qualifiers.kind, prefix.unwrap_or(128)) {
                (Kind::Network, prefix) => self.ipv6(qualifiers, address, prefix),
                (_, 128) => self.ipv6(qualifiers, address, 128),
                _ => Err(Fault::new("this is a network, not a host").suggest("write `net` before it")),
            },
            Identity::Name(ref name) => self.named_host(qualifiers, name),
        }
    }

    /// A network may be told by its first bytes only; a host is then all but zero.
    fn number(&mut self, qualifiers: Qualifiers, number: u32) -> Generated {
        if qualifiers.protocol == Some(Protocol::Link) {
            return Err(Fault::new("a MAC address has six bytes"));
        }
        let shift = match qualifiers.kind {
            Kind::Network if number != 0 => number.leading_zeros() / 8 * 8,
            _ => 0,
        };
        match qualifiers.protocol {
            Some(Protocol::Decnet) => self.decnet_address(number, qualifiers.direction),
            _ => self.ipv4(qualifiers, number << shift, u32::MAX << shift),
        }
    }

    fn named_host(&mut self, qualifiers: Qualifiers, name: &str) -> Generated {
        match (qualifiers.kind, qualifiers.protocol) {
            (Kind::Network, _) => {
                return Err(Fault::new(format!("`{name}` is no network: networks have no names here"))
                    .suggest("write its address, as in `net 10.0.0.0/8`"));
            }
            (_, Some(Protocol::Link | Protocol::Decnet)) => {
                return Err(Fault::new(format!("`{name}` is no address: only IP hosts have names here")));
            }
            _ => {}
        }
        let addresses = self
            .names
            .host(name)
            .map_err(|reason| Fault::new(format!("no address of `{name}` is known: {reason}")))?;
        let mut conditions = Vec::new();
        for address in addresses {
            match (address, qualifiers.protocol) {
                (IpAddr::V4(_), Some(Protocol::Ip6)) | (IpAddr::V6(_), Some(Protocol::Ip)) => {}
                (IpAddr::V4(address), _) => {
                    conditions.push(self.ipv4(qualifiers, address.into(), u32::MAX)?)
                }
                (IpAddr::V6(address), _) => conditions.push(self.ipv6(qualifiers, address, 128)?),
            }
        }
        match conditions.is_empty() {
            true => Err(Fault::new(format!("`{name}` has no address of that family"))),
            false => Ok(any(conditions)),
        }
    }

    /// Where the two addresses of a header are compared: in one, in either, in both.
    fn directed(
        &mut self,
        direction: Direction,
        mut compare: impl FnMut(&mut Self, Direction) -> Generated,
    ) -> Generated {
        Ok(match direction {
            Direction::Source | Direction::Destination => compare(self, direction)?,
            Direction::Both => compare(self, Direction::Source)?.and(compare(self, Direction::Destination)?),
            Direction::Any | Direction::Either => {
                compare(self, Direction::Source)?.or(compare(self, Direction::Destination)?)
            }
        })
    }

    pub(super) fn ipv4(&mut self, qualifiers: Qualifiers, address: u32, mask: u32) -> Generated {
        let direction = qualifiers.direction;
        match qualifiers.protocol {
            None if self.fields.layers.labels > 0 => {
                self.ipv4_in(ethertype::IP, (12, 16), direction, address, mask)
            }
            None => {
                let ip = self.ipv4_in(ethertype::IP, (12, 16), direction, address, mask)?;
                let arp = self.ipv4_in(ethertype::ARP, (14, 24), direction, address, mask)?;
                let rarp = self.ipv4_in(ethertype::RARP, (14, 24), direction, address, mask)?;
                Ok(any([ip, arp, rarp]))
            }
            Some(Protocol::Ip) => self.ipv4_in(ethertype::IP, (12, 16), direction, address, mask),
            Some(Protocol::Arp) => self.ipv4_in(ethertype::ARP, (14, 24), direction, address, mask),
            Some(Protocol::Rarp) => self.ipv4_in(ethertype::RARP, (14, 24), direction, address, mask),
            Some(Protocol::Decnet) => self.decnet_address(address, direction),
            Some(other) => Err(not_addressed(other, &Ipv4Addr::from(address))),
        }
    }

    fn ipv4_in(
        &mut self,
        protocol: u32,
        (source, destination): (u32, u32),
        direction: Direction,
        address: u32,
        mask: u32,
    ) -> Generated {
        self.directed(direction, |generator, direction| {
            let offset = if direction == Direction::Source { source } else { destination };
            let carried = generator.fields.carries(protocol)?;
            Ok(carried.and(generator.fields.is_masked(From::Network, offset, Size::Word, address, mask)))
        })
    }

    pub(super) fn ipv6(&mut self, qualifiers: Qualifiers, address: Ipv6Addr, prefix: u32) -> Generated {
        if let Some(other) = qualifiers.protocol.filter(|protocol| *protocol != Protocol::Ip6) {
            return Err(not_addressed(other, &address));
        }
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        self.directed(qualifiers.direction, |generator, direction| {
            let start = if direction == Direction::Source { 8 } else { 24 };
            let carried = generator.fields.carries(ethertype::IP6)?;
            let words = (0_u32..4).map(|word| {
                let shift = 96 - 32 * word;
                let part =
                    |bits: u128| u32::try_from(bits >> shift & u128::from(u32::MAX)).unwrap_or(u32::MAX);
                let (value, mask) = (part(address.into()), part(mask));
                generator.fields.is_masked(From::Network, start + 4 * word, Size::Word, value, mask)
            });
            let words: Vec<Condition> = words.collect();
            Ok(carried.and(all(words)))
        })
    }

    pub(super) fn ethernet_address(&mut self, address: [u8; 6], direction: Direction) -> Generated {
        self.only_ethernet("ether")?;
        let inside = self.inside_ethernet();
        let compared = self.directed(direction, |generator, direction| {
            let offset = if direction == Direction::Source { 6 } else { 0 };
            Ok(generator.fields.are(From::LinkHeader, offset, &address))
        })?;
        Ok(inside.and(compared))
    }

    /// DECnet's routing header is short or long, and may be padded: the bits of its first byte tell. Numbers are
    /// little-endian (DECnet Phase IV, routing layer).
    fn decnet_address(&mut self, address: u32, direction: Direction) -> Generated {
        let [low, high, ..] = address.to_le_bytes();
        let address = u32::from(u16::from_be_bytes([low, high]));
        self.directed(direction, |generator, direction| {
            let (short, long) = if direction == Direction::Source { (3, 15) } else { (1, 7) };
            let fields = &mut generator.fields;
            let carried = fields.carries(ethertype::DECNET)?;
            let padded_long = fields.is_masked(From::Network, 2, Size::Half, 0x8106, 0xff07);
            let padded_long = padded_long.and(fields.is(From::Network, 3 + long, Size::Half, address));
            let plain_long = fields.is_masked(From::Network, 2, Size::Byte, 0x06, 0x07);
            let plain_long = plain_long.and(fields.is(From::Network, 2 + long, Size::Half, address));
            let padded_short = fields.is_masked(From::Network, 2, Size::Half, 0x8102, 0xff07);
            let padded_short = padded_short.and(fields.is(From::Network, 3 + short, Size::Half, address));
            let plain_short = fields.is_masked(From::Network, 2, Size::Byte, 0x02, 0x07);
            let plain_short = plain_short.and(fields.is(From::Network, 2 + short, Size::Half, address));
            Ok(carried.and(any([plain_short, padded_short, plain_long, padded_long])))
        })
    }
}

fn not_addressed(protocol: Protocol, address: &dyn std::fmt::Display) -> Fault {
    let name = protocol.name();
    let fault = Fault::new(format!("`{name}` has no address {address}"));
    match protocol {
        Protocol::Link => fault.suggest("an IP address has no `ether` before it"),
        Protocol::Ip => fault.suggest("write `ip6`, or nothing, before an IPv6 address"),
        Protocol::Ip6 => fault.suggest("write `ip`, or nothing, before an IPv4 address"),
        _ => fault.suggest(format!("write `{name} and host {address}`")),
    }
}
