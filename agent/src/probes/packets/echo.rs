//! Echo requests and replies of ICMP and ICMPv6: RFC 792, RFC 4443.
//!
//! The kernel fills in identifier and checksum, see icmp(7).

use pnet_packet::icmp::echo_reply::EchoReplyPacket;
use pnet_packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet_packet::icmp::{IcmpPacket, IcmpTypes};
use pnet_packet::icmpv6::echo_reply::EchoReplyPacket as EchoReplyPacketV6;
use pnet_packet::icmpv6::echo_request::MutableEchoRequestPacket as MutableEchoRequestPacketV6;
use pnet_packet::icmpv6::{Icmpv6Packet, Icmpv6Types};

const HEADER_BYTES: usize = 8;

/// A request with a payload of so many bytes.
pub(super) fn request(is_v6: bool, sequence: u16, payload_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES + payload_bytes];
    for (at, byte) in bytes.iter_mut().enumerate().skip(HEADER_BYTES) {
        // What damages packets often damages zeros last.
        *byte = u8::try_from(at % 251).unwrap_or_default();
    }
    if is_v6 {
        if let Some(mut packet) = MutableEchoRequestPacketV6::new(&mut bytes) {
            packet.set_icmpv6_type(Icmpv6Types::EchoRequest);
            packet.set_sequence_number(sequence);
        }
    } else if let Some(mut packet) = MutableEchoRequestPacket::new(&mut bytes) {
        packet.set_icmp_type(IcmpTypes::EchoRequest);
        packet.set_sequence_number(sequence);
    }
    bytes
}

/// The sequence number that a reply repeats. `None`: it is none.
pub(super) fn reply(is_v6: bool, bytes: &[u8]) -> Option<u16> {
    if is_v6 {
        let kind = Icmpv6Packet::new(bytes)?.get_icmpv6_type();
        return (kind == Icmpv6Types::EchoReply)
            .then(|| EchoReplyPacketV6::new(bytes).map(|packet| packet.get_sequence_number()))
            .flatten();
    }
    let kind = IcmpPacket::new(bytes)?.get_icmp_type();
    (kind == IcmpTypes::EchoReply)
        .then(|| EchoReplyPacket::new(bytes).map(|packet| packet.get_sequence_number()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_has_the_form_of_its_rfc_and_is_no_reply() {
        let bytes = request(false, 0x1234, 4);
        assert_eq!(bytes, [8, 0, 0, 0, 0, 0, 0x12, 0x34, 8, 9, 10, 11]);
        assert_eq!(request(true, 7, 0), [128, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!((reply(false, &bytes), reply(true, &request(true, 7, 0))), (None, None));
        assert_eq!(reply(false, &[0, 0, 1, 2, 3, 4, 0x12, 0x34, 9]), Some(0x1234));
        assert_eq!(reply(true, &[129, 0, 1, 2, 3, 4, 0, 7]), Some(7));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..32), is_v6: bool) {
            let _ = reply(is_v6, &bytes);
        }
    }
}
