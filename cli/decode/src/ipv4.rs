//! IPv4.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use pnet_packet::ipv4::Ipv4Packet;

use crate::decode::{Next, Step};
use crate::ip::{Carrier, Fragment, Opaque};
use crate::packet::Layer;
use crate::span::{Fault, Span};

const LEAST_LENGTH: usize = 20;

/// An IPv4 header: RFC 791, with the traffic class of RFC 2474 and RFC 3168.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4<'a> {
    /// Who sent it.
    pub source: Ipv4Addr,
    /// Whom it is for.
    pub destination: Ipv4Addr,
    /// Number of the protocol it carries.
    pub protocol: u8,
    /// Hops that it may still take.
    pub time_to_live: u8,
    /// Differentiated services and congestion notification, as one byte.
    pub traffic_class: u8,
    /// Identification.
    pub id: u16,
    /// Must not be sent in parts.
    pub dont_fragment: bool,
    /// Which part this is, if it was sent in parts.
    pub fragment: Option<Fragment>,
    /// Bytes of the header, options included.
    pub header_length: u8,
    /// Bytes of header and payload. 0 in the header stands for a packet that the network card was about to split
    /// (segmentation offload); it is then as long as the frame says.
    pub total_length: u32,
    /// Bytes that the frame was too short for.
    pub missing: u32,
    /// Options, as they stand.
    pub options: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Reads the header, and returns what it carries.
    pub(crate) fn parse(span: Span<'a>) -> Result<(Self, Span<'a>), Fault> {
        let packet = Ipv4Packet::new(span.slice(0, LEAST_LENGTH)?).ok_or(Fault::Cut)?;
        if packet.get_version() != 4 {
            return Err(Fault::Bad("version"));
        }
        let header_length = packet.get_header_length() * 4;
        let options =
            usize::from(header_length).checked_sub(LEAST_LENGTH).ok_or(Fault::Bad("header length"))?;
        let total_length = match usize::from(packet.get_total_length()) {
            0 => span.wire_length(),
            length => length,
        };
        if total_length < header_length.into() {
            return Err(Fault::Bad("total length"));
        }
        let flags = packet.get_flags();
        let (more, offset) = (flags & 1 != 0, u32::from(packet.get_fragment_offset()) * 8);
        let id = packet.get_identification();
        let is_fragment = more || offset != 0;
        let missing = total_length.saturating_sub(span.wire_length());
        let layer = Self {
            source: packet.get_source(),
            destination: packet.get_destination(),
            protocol: packet.get_next_level_protocol().0,
            time_to_live: packet.get_ttl(),
            traffic_class: packet.get_dscp() << 2 | packet.get_ecn(),
            id,
            dont_fragment: flags & 2 != 0,
            fragment: is_fragment.then_some(Fragment { id: id.into(), offset, more }),
            header_length,
            total_length: u32::try_from(total_length).unwrap_or(u32::MAX),
            missing: u32::try_from(missing).unwrap_or(u32::MAX),
            options: span.slice(LEAST_LENGTH, options)?,
        };
        Ok((layer, span.first(total_length).after(header_length.into())))
    }

    /// What it carries, if that begins here.
    pub(crate) fn next(&self) -> Next {
        let carrier = Carrier {
            source: self.source.into(),
            destination: self.destination.into(),
            is_part: self.fragment.is_some() || self.missing > 0,
        };
        Next::Protocol(self.protocol, carrier)
    }
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let (layer, rest) = Ipv4::parse(span)?;
    if layer.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return Ok(Step::to(Layer::Ipv4(layer), Next::Unread(Opaque::Protocol(layer.protocol)), rest));
    }
    Ok(Step::to(Layer::Ipv4(layer), layer.next(), rest))
}

/// Options, by name. Source: IANA's registry of IP option numbers.
pub(crate) struct Options<'a>(pub(crate) &'a [u8]);

impl Display for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut comma = "";
        while let [kind, after @ ..] = rest {
            f.write_str(comma)?;
            comma = ", ";
            let name = match kind {
                0 => return f.write_str("end"),
                1 => "nop",
                7 => "record route",
                68 => "timestamp",
                131 => "loose source route",
                137 => "strict source route",
                148 => "router alert",
                _ => "",
            };
            if name.is_empty() {
                write!(f, "option {kind}")?
            } else {
                f.write_str(name)?
            }
            rest = match after {
                _ if *kind == 1 => after,
                [length @ 2..=255, ..] => match rest.get(usize::from(*length)..) {
                    Some(after) => after,
                    None => return f.write_str(" [bad length]"),
                },
                _ => return f.write_str(" [bad length]"),
            };
        }
        Ok(())
    }
}
