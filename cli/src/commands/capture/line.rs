//! A packet in one line.

use std::fmt::Write as _;

use dbgctl_decode::{LinkType, Origins};
use dbgctl_proto::v1::PacketDirection;

use super::link::Link;
use super::packets::Packet;

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

/// Appends what the packet says, layer by layer, its numbers of TCP from where its connection began.
pub(super) fn describe(link: Link, packet: &Packet<'_>, origins: &mut Origins, into: &mut String) {
    let link = match link {
        Link::Ethernet => LinkType::Ethernet,
        Link::Raw => LinkType::Raw,
        Link::Cooked => LinkType::LinuxCookedV2,
    };
    let packet = dbgctl_decode::packet(link, packet.data, packet.wire_bytes);
    // Whatever is written to a String is written.
    let _ = write!(into, "{}", packet.summary().relative_to(origins.of(&packet)));
}
