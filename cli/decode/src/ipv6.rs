//! IPv6 and its extension headers.

use std::fmt::{self, Display};
use std::net::Ipv6Addr;

use pnet_packet::ipv6::Ipv6Packet;

use crate::decode::{Next, Step};
use crate::ip::{Carrier, Fragment, Opaque, protocol_name};
use crate::packet::Layer;
use crate::span::{Fault, Span};

const LENGTH: usize = 40;

/// Number of the extension header of a packet that is sent in parts.
const FRAGMENT: u8 = 44;

/// Extension headers that are read of one packet.
const MOST_EXTENSIONS: usize = 8;

/// An IPv6 header with its extension headers: RFC 8200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Whom it is for.
    pub destination: Ipv6Addr,
    /// Number of the protocol it carries, after the extension headers.
    pub protocol: u8,
    /// Hops that it may still take.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
    /// Flow label.
    pub flow_label: u32,
    /// Bytes after the header, extension headers included. 0 in the header stands for a packet that is longer than the
    /// field can say; it is then as long as the frame says.
    pub payload_length: u32,
    /// Bytes that the frame was too short for.
    pub missing: u32,
    /// Which part this is, if it was sent in parts.
    pub fragment: Option<Fragment>,
    /// Numbers of the extension headers, in their order, but for the one that makes it a fragment.
    pub extensions: Extensions,
}

/// Extension headers, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    numbers: [u8; MOST_EXTENSIONS],
    count: u8,
}

impl Extensions {
    /// Their numbers, in the order of the packet.
    pub fn numbers(&self) -> &[u8] {
        self.numbers.get(..self.count.into()).unwrap_or_default()
    }

    fn push(&mut self, number: u8) -> Result<(), Fault> {
        let place = self.numbers.get_mut(usize::from(self.count));
        *place.ok_or(Fault::Bad("too many extension headers"))? = number;
        self.count += 1;
        Ok(())
    }
}

impl Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, &number) in self.numbers().iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", protocol_name(number))?;
        }
        Ok(())
    }
}

impl Ipv6 {
    /// Reads the header and its extension headers, and returns what they carry.
    pub(crate) fn parse(span: Span<'_>) -> Result<(Self, Span<'_>), Fault> {
        let packet = Ipv6Packet::new(span.slice(0, LENGTH)?).ok_or(Fault::Cut)?;
        if packet.get_version() != 6 {
            return Err(Fault::Bad("version"));
        }
        let available = span.wire_length().saturating_sub(LENGTH);
        let payload_length = match usize::from(packet.get_payload_length()) {
            0 => available,
            length => length,
        };
        let mut layer = Self {
            source: packet.get_source(),
            destination: packet.get_destination(),
            protocol: packet.get_next_header().0,
            hop_limit: packet.get_hop_limit(),
            traffic_class: packet.get_traffic_class(),
            flow_label: packet.get_flow_label(),
            payload_length: u32::try_from(payload_length).unwrap_or(u32::MAX),
            missing: u32::try_from(payload_length.saturating_sub(available)).unwrap_or(u32::MAX),
            fragment: None,
            extensions: Extensions::default(),
        };
        let rest = layer.read_extensions(span.after(LENGTH).first(payload_length))?;
        Ok((layer, rest))
    }

    fn read_extensions<'a>(&mut self, mut rest: Span<'a>) -> Result<Span<'a>, Fault> {
        // Of a later part of a packet, only the first extension headers are there.
        while self.fragment.is_none_or(|fragment| fragment.offset == 0) {
            let length = match self.protocol {
                // Hop-by-hop, routing, destination options, mobility, host identity, shim6.
                0 | 43 | 60 | 135 | 139 | 140 => (usize::from(rest.u8(1)?) + 1) * 8,
                FRAGMENT => 8,
                // Authentication counts in units of four bytes (RFC 4302).
                51 => (usize::from(rest.u8(1)?) + 2) * 4,
                _ => break,
            };
            if self.protocol == FRAGMENT {
                if self.fragment.is_some() {
                    return Err(Fault::Bad("second fragment header"));
                }
                let place = u32::from(rest.u16(2)?);
                self.fragment = Some(Fragment { id: rest.u32(4)?, offset: place & !7, more: place & 1 != 0 });
            } else {
                self.extensions.push(self.protocol)?;
            }
            self.protocol = rest.u8(0)?;
            rest.slice(0, length)?;
            rest = rest.after(length);
        }
        Ok(rest)
    }

    fn next(&self) -> Next {
        let carrier = Carrier {
            source: self.source.into(),
            destination: self.destination.into(),
            is_part: self.fragment.is_some() || self.missing > 0,
        };
        Next::Protocol(self.protocol, carrier)
    }
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let (layer, rest) = Ipv6::parse(span)?;
    let next = match layer.fragment {
        Some(Fragment { offset: 1.., .. }) => Next::Unread(Opaque::Protocol(layer.protocol)),
        _ => layer.next(),
    };
    Ok(Step::to(Layer::Ipv6(layer), next, rest))
}
