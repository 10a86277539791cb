//! A packet in one line.

use std::fmt::Write as _;

use dbgctl_decode::LinkType;
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

/// Appends what the packet says, layer by layer.
pub(super) fn describe(link: Link, packet: &[u8], wire_bytes: u32, into: &mut String) {
    let link = match link {
        Link::Ethernet => LinkType::Ethernet,
        Link::Raw => LinkType::Raw,
        Link::Cooked => LinkType::LinuxCookedV2,
    };
    // Whatever is written to a String is written.
    let _ = write!(into, "{}", dbgctl_decode::packet(link, packet, wire_bytes).summary());
}
