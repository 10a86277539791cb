//! A packet in one line.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use dbgctl_proto::v1::PacketDirection;

use super::link::Link;

/// Which way a packet went.
pub(super) fn direction(direction: PacketDirection) -> &'static str {
    match direction {
        PacketDirection::In => "in",
        PacketDirection::InBroadcast => "in, broadcast",
        PacketDirection::InMulticast => "in, multicast",
        PacketDirection::Others => "others",
        PacketDirection::Out => "out",
        PacketDirection::Unspecified => "?",
    }
}

/// Appends what the packet is: its addresses and protocol, as far as they can be told.
pub(super) fn describe(link: Link, packet: &[u8], wire_bytes: u32, into: &mut String) {
    let described = match link {
        Link::Ethernet => be16(packet, 12).and_then(|kind| network(kind, packet.get(14..)?, into)),
        Link::Cooked => be16(packet, 0).and_then(|kind| network(kind, packet.get(20..)?, into)),
        Link::Raw => ip(packet, into),
    };
    if described.is_none() {
        into.push_str(link.name());
    }
    // Whatever is written to a String is written.
    let _ = write!(into, ", length {wire_bytes}");
}

fn network(kind: u16, packet: &[u8], into: &mut String) -> Option<()> {
    match kind {
        0x0800 | 0x86dd => ip(packet, into),
        0x0806 => {
            into.push_str("ARP");
            Some(())
        }
        _ => write!(into, "Ethernet type {kind:#06x}").ok(),
    }
}

fn ip(packet: &[u8], into: &mut String) -> Option<()> {
    if packet.first()? >> 4 == 4 {
        let header = usize::from(packet[0] & 0xf) * 4;
        let from = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?);
        let to = Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?);
        let is_first = be16(packet, 6)? & 0x1fff == 0;
        let ports = ports(packet[9], packet.get(header..).filter(|_| is_first));
        return tell(&from, &to, packet[9], ports, into);
    }
    let from = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?);
    let to = Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?);
    tell(&from, &to, packet[6], ports(packet[6], packet.get(40..)), into)
}

fn tell(
    from: &dyn std::fmt::Display,
    to: &dyn std::fmt::Display,
    protocol: u8,
    ports: Option<(u16, u16)>,
    into: &mut String,
) -> Option<()> {
    match ports {
        Some((sender, receiver)) => write!(into, "{from}.{sender} > {to}.{receiver}: ").ok()?,
        None => write!(into, "{from} > {to}: ").ok()?,
    }
    match protocol {
        1 => into.push_str("ICMP"),
        6 => into.push_str("TCP"),
        17 => into.push_str("UDP"),
        58 => into.push_str("ICMPv6"),
        other => write!(into, "protocol {other}").ok()?,
    }
    Some(())
}

fn ports(protocol: u8, segment: Option<&[u8]>) -> Option<(u16, u16)> {
    let segment = segment.filter(|_| matches!(protocol, 6 | 17))?;
    Some((be16(segment, 0)?, be16(segment, 2)?))
}

fn be16(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}
