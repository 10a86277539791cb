//! Ports, and ranges of them.

use super::{Generated, Generator};
use crate::condition::{Comparison, Condition, any};
use crate::error::{Fault, nearest};
use crate::layers::{From, ethertype};
use crate::names::{self, Service};
use crate::tree::{Direction, Identity, Protocol, Qualifiers};
use crate::value::Size;

const TCP: u32 = 6;
pub(super) const UDP: u32 = 17;
const SCTP: u32 = 132;

/// Which protocols a port is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Only(u32),
    Every,
}

/// From one port to another, which is not smaller.
#[derive(Clone, Copy)]
pub(super) enum Ports {
    One(u32),
    Range(u32, u32),
}

/// A port, and the protocols that know it by its name.
type Named = (u32, Transport);

impl Generator<'_> {
    pub(super) fn port(&mut self, qualifiers: Qualifiers, identity: &Identity) -> Generated {
        let (port, transport) = match identity {
            Identity::Number(number) => (in_range(*number)?, asked_for(qualifiers.protocol)?),
            Identity::Name(name) => {
                let asked = asked_for(qualifiers.protocol)?;
                let (port, found) = self.service(name)?;
                (port, agreed(name, asked, found)?)
            }
            _ => {
                return Err(
                    Fault::new("a port is a number or a name").suggest("write `host` before an address")
                );
            }
        };
        self.ports(Ports::One(port), transport, qualifiers.direction)
    }

    pub(super) fn port_range(&mut self, qualifiers: Qualifiers, identity: &Identity) -> Generated {
        let asked = asked_for(qualifiers.protocol)?;
        let (first, last, transport) = match identity {
            Identity::Number(number) => (in_range(*number)?, in_range(*number)?, asked),
            Identity::Name(name) => {
                let ((first, of_first), (last, of_last)) = self.range(name)?;
                let found = if of_first == of_last { of_first } else { Transport::Every };
                (first, last, agreed(name, asked, found)?)
            }
            _ => return Err(Fault::new("a range of ports is written as in `portrange 8000-8010`")),
        };
        self.ports(Ports::Range(first.min(last), first.max(last)), transport, qualifiers.direction)
    }

    fn range(&self, name: &str) -> Result<(Named, Named), Fault> {
        let Some((first, last)) = name.split_once('-') else {
            let fault = Fault::new(format!("`{name}` is no range of ports"));
            return Err(fault.suggest(format!("write `port {name}`, or both ends as in `8000-8010`")));
        };
        if let (Some(first), Some(last)) = (decimal(first), decimal(last)) {
            return Ok(((in_range(first)?, Transport::Every), (in_range(last)?, Transport::Every)));
        }
        Ok((self.end_of_range(first)?, self.end_of_range(last)?))
    }

    fn end_of_range(&self, end: &str) -> Result<Named, Fault> {
        match decimal(end) {
            Some(port) => Ok((in_range(port)?, Transport::Every)),
            None => self.service(end),
        }
    }

    fn service(&self, name: &str) -> Result<Named, Fault> {
        match self.names.service(name) {
            Some(Service { tcp: Some(tcp), udp: Some(udp) }) if tcp == udp => {
                Ok((tcp.into(), Transport::Every))
            }
            Some(Service { tcp: Some(tcp), .. }) => Ok((tcp.into(), Transport::Only(TCP))),
            Some(Service { udp: Some(udp), .. }) => Ok((udp.into(), Transport::Only(UDP))),
            Some(Service { tcp: None, udp: None }) | None => Err(unknown(name)),
        }
    }

    /// IPv6 is looked at first.
    pub(super) fn ports(&mut self, ports: Ports, transport: Transport, direction: Direction) -> Generated {
        let ip6 = self.ports6(ports, transport, direction)?;
        Ok(ip6.or(self.ports4(ports, transport, direction)?))
    }

    pub(super) fn ports4(&mut self, ports: Ports, transport: Transport, direction: Direction) -> Generated {
        let carried = self.fields.carries(ethertype::IP)?;
        let protocols = protocols(transport).iter().map(|protocol| {
            let is_protocol = self.fields.is(From::Network, 9, Size::Byte, *protocol);
            let whole = self.not_a_later_fragment();
            is_protocol.and(whole).and(self.directed_ports(From::BehindIp, ports, direction))
        });
        let protocols: Vec<Condition> = protocols.collect();
        Ok(carried.and(any(protocols)))
    }

    pub(super) fn ports6(&mut self, ports: Ports, transport: Transport, direction: Direction) -> Generated {
        let carried = self.fields.carries(ethertype::IP6)?;
        let protocols = protocols(transport).iter().map(|protocol| {
            let is_protocol = self.fields.is(From::Network, 6, Size::Byte, *protocol);
            is_protocol.and(self.directed_ports(From::BehindIp6, ports, direction))
        });
        let protocols: Vec<Condition> = protocols.collect();
        Ok(carried.and(any(protocols)))
    }

    /// Only the first fragment has what follows the IPv4 header.
    pub(super) fn not_a_later_fragment(&mut self) -> Condition {
        let field = self.fields.load(From::Network, 6, Size::Half);
        !self.fields.test(field, Comparison::AnyBit, 0x1fff)
    }

    fn directed_ports(&mut self, from: From, ports: Ports, direction: Direction) -> Condition {
        match direction {
            Direction::Source => self.port_at(from, 0, ports),
            Direction::Destination => self.port_at(from, 2, ports),
            Direction::Both => self.port_at(from, 0, ports).and(self.port_at(from, 2, ports)),
            Direction::Any | Direction::Either => {
                self.port_at(from, 0, ports).or(self.port_at(from, 2, ports))
            }
        }
    }

    fn port_at(&mut self, from: From, offset: u32, ports: Ports) -> Condition {
        let field = self.fields.load(from, offset, Size::Half);
        match ports {
            Ports::One(port) => self.fields.test(field, Comparison::Equal, port),
            Ports::Range(first, last) => {
                let not_below = self.fields.test(field, Comparison::GreaterOrEqual, first);
                not_below.and(!self.fields.test(field, Comparison::Greater, last))
            }
        }
    }
}

fn protocols(transport: Transport) -> &'static [u32] {
    match transport {
        Transport::Only(TCP) => &[TCP],
        Transport::Only(UDP) => &[UDP],
        Transport::Only(_) => &[SCTP],
        Transport::Every => &[SCTP, TCP, UDP],
    }
}

fn asked_for(protocol: Option<Protocol>) -> Result<Transport, Fault> {
    match protocol {
        None => Ok(Transport::Every),
        Some(Protocol::Tcp) => Ok(Transport::Only(TCP)),
        Some(Protocol::Udp) => Ok(Transport::Only(UDP)),
        Some(Protocol::Sctp) => Ok(Transport::Only(SCTP)),
        Some(other) => {
            let name = other.name();
            Err(Fault::new(format!("`{name}` has no ports")).suggest(format!("write `{name} and port …`")))
        }
    }
}

/// The transport that was asked for, if the name is one of its ports.
fn agreed(name: &str, asked: Transport, found: Transport) -> Result<Transport, Fault> {
    match (asked, found) {
        (Transport::Every, found) => Ok(found),
        (asked, Transport::Every) => Ok(asked),
        (asked, found) if asked == found => Ok(asked),
        (_, found) => {
            let found = if found == Transport::Only(TCP) { "tcp" } else { "udp" };
            let fault = Fault::new(format!("`{name}` is a port of {found}"));
            Err(fault.suggest(format!("write `{found}` before it, or the port as a number")))
        }
    }
}

fn in_range(port: u32) -> Result<u32, Fault> {
    match port {
        0..=0xffff => Ok(port),
        _ => Err(Fault::new(format!("ports end at 65535, and this is {port}"))),
    }
}

fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn unknown(name: &str) -> Fault {
    let fault = Fault::new(format!("`{name}` is no service that is known by name"));
    if let Some((first, last)) = name.split_once('-')
        && decimal(first).is_some()
        && decimal(last).is_some()
    {
        return fault.suggest(format!("did you mean `portrange {name}`?"));
    }
    match nearest(name, names::services()) {
        Some(service) => fault.suggest(format!("did you mean `{service}`?")),
        None => fault.suggest("write its number"),
    }
}
