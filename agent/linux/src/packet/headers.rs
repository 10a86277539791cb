//! Where the headers of a packet end, and what it carries begins.
//!
//! What is not understood counts as carried: then the packet ends behind the last header that was.

use super::frame::LinkType;

/// Tunnels within tunnels are followed so far.
const MOST_TUNNELS: u8 = 2;

/// Extension headers of IPv6 that are followed.
const MOST_EXTENSIONS: usize = 8;

/// Tags of VLANs that are followed.
const MOST_TAGS: usize = 4;

/// How many bytes of `packet` are headers.
pub(super) fn length(link: LinkType, packet: &[u8]) -> usize {
    let end = match link {
        LinkType::Ethernet => ethernet(packet),
        LinkType::Cooked => match be16(packet, 0) {
            Some(protocol) => network(packet, 20, protocol),
            None => packet.len(),
        },
        LinkType::Raw => ip(packet, 0, 0),
    };
    end.min(packet.len())
}

/// IEEE 802.3, 802.1Q and 802.1ad.
fn ethernet(packet: &[u8]) -> usize {
    let mut at = 12;
    for _ in 0..MOST_TAGS {
        match be16(packet, at) {
            Some(0x8100 | 0x88a8 | 0x9100) => at += 4,
            Some(kind) => return network(packet, at + 2, kind),
            None => break,
        }
    }
    at + 2
}

/// What begins at `at` and has this Ethernet type.
fn network(packet: &[u8], at: usize, kind: u16) -> usize {
    match kind {
        0x0800 | 0x86dd => ip(packet, at, 0),
        // RFC 826: nothing but a header, whose addresses say how long they are.
        0x0806 => match (byte(packet, at + 4), byte(packet, at + 5)) {
            // No address is longer than that of InfiniBand, or of IPv6.
            (Some(hardware @ ..=20), Some(protocol @ ..=16)) => {
                at + 8 + 2 * (usize::from(hardware) + usize::from(protocol))
            }
            _ => at,
        },
        _ => at,
    }
}

fn ip(packet: &[u8], at: usize, tunnels: u8) -> usize {
    match byte(packet, at).map(|first| first >> 4) {
        Some(4) => ipv4(packet, at, tunnels),
        Some(6) => ipv6(packet, at, tunnels),
        _ => at,
    }
}

/// RFC 791
fn ipv4(packet: &[u8], at: usize, tunnels: u8) -> usize {
    let header = byte(packet, at).map_or(0, |first| usize::from(first & 0xf) * 4);
    let (Some(total), Some(fragment), Some(protocol)) =
        (be16(packet, at + 2), be16(packet, at + 6), byte(packet, at + 9))
    else {
        return at;
    };
    if header < 20 {
        return at;
    }
    if fragment & 0x1fff != 0 {
        return at + header;
    }
    // 0: the interface cuts it into packets later.
    let packet = if total == 0 { packet } else { cut(packet, at + usize::from(total)) };
    transport(packet, at + header, protocol, tunnels)
}

/// RFC 8200, with the extension headers that say how long they are.
fn ipv6(packet: &[u8], at: usize, tunnels: u8) -> usize {
    let (Some(payload), Some(mut next)) = (be16(packet, at + 4), byte(packet, at + 6)) else { return at };
    let packet = if payload == 0 { packet } else { cut(packet, at + 40 + usize::from(payload)) };
    let mut at = at + 40;
    for _ in 0..MOST_EXTENSIONS {
        let (Some(following), Some(length)) = (byte(packet, at), byte(packet, at + 1)) else { break };
        let length = usize::from(length);
        at += match next {
            0 | 43 | 60 | 135 => (length + 1) * 8,
            // Authentication, RFC 4302
            51 => (length + 2) * 4,
            44 => {
                let later_part = be16(packet, at + 2).is_none_or(|offset| offset & 0xfff8 != 0);
                if later_part {
                    return at + 8;
                }
                8
            }
            _ => return transport(packet, at, next, tunnels),
        };
        next = following;
    }
    at
}

/// What begins at `at` and has this number among the protocols of the internet.
fn transport(packet: &[u8], at: usize, protocol: u8, tunnels: u8) -> usize {
    let end = match protocol {
        // TCP, RFC 9293
        6 => at + byte(packet, at + 12).map_or(0, |offset| usize::from(offset >> 4) * 4).max(20),
        // UDP and UDP-Lite, RFC 768 and 3828. ICMP, IGMP and ICMPv6: what follows may quote what others sent.
        17 | 136 | 1 | 2 | 58 => at + 8,
        // SCTP, RFC 9260
        132 => at + 12,
        4 | 41 if tunnels < MOST_TUNNELS => ip(packet, at, tunnels + 1),
        _ => at,
    };
    end.min(packet.len())
}

/// What is in front of `end`: padding of the link carries what it likes.
fn cut(packet: &[u8], end: usize) -> &[u8] {
    packet.get(..end).unwrap_or(packet)
}

fn byte(packet: &[u8], at: usize) -> Option<u8> {
    packet.get(at).copied()
}

fn be16(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*packet.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An Ethernet header of that type.
    fn ethernet_of(kind: u16) -> Vec<u8> {
        [&[0xaa; 12][..], &kind.to_be_bytes()].concat()
    }

    fn ipv4_of(protocol: u8, header_words: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
        let header = usize::from(header_words) * 4;
        let total = u16::try_from(header + payload.len()).unwrap();
        let mut packet = vec![0; header];
        packet[0] = 0x40 | header_words;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet[9] = protocol;
        packet.extend(payload);
        packet
    }

    fn tcp(words: u8, payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0; usize::from(words) * 4];
        segment[12] = words << 4;
        segment.extend(payload);
        segment
    }

    #[test]
    fn a_packet_ends_where_what_it_carries_begins() {
        let packet = [ethernet_of(0x0800), ipv4_of(6, 6, 0, &tcp(8, b"MARKER"))].concat();
        assert_eq!(length(LinkType::Ethernet, &packet), 14 + 24 + 32);
        let datagram = [&[0; 8][..], b"MARKER"].concat();
        let tagged = [&ethernet_of(0x8100)[..], &[0, 7, 0x08, 0x00], &ipv4_of(17, 5, 0, &datagram)].concat();
        assert_eq!(length(LinkType::Ethernet, &tagged), 18 + 20 + 8);
        assert_eq!(length(LinkType::Raw, &ipv4_of(17, 5, 0, &datagram)), 28);
        let mut cooked = vec![0; 20];
        cooked[0] = 0x08;
        cooked.extend(ipv4_of(1, 5, 0, &datagram));
        assert_eq!(length(LinkType::Cooked, &cooked), 20 + 20 + 8);
    }

    #[test]
    fn a_later_fragment_has_no_header_of_its_own() {
        assert_eq!(length(LinkType::Raw, &ipv4_of(6, 5, 7, b"MARKERMARKERMARKERMARKER")), 20);
    }

    #[test]
    fn a_header_that_says_it_is_longer_than_its_packet_does_not_reach_into_the_padding() {
        let mut packet = ipv4_of(6, 5, 0, &tcp(5, b""));
        packet[32] = 0xf0;
        packet.extend(b"MARKER");
        assert_eq!(length(LinkType::Raw, &packet), 40);
    }

    #[test]
    fn what_is_not_understood_counts_as_carried() {
        assert_eq!(length(LinkType::Ethernet, &[&ethernet_of(0x1234)[..], b"MARKER"].concat()), 14);
        assert_eq!(length(LinkType::Raw, &ipv4_of(253, 5, 0, b"MARKER")), 20);
        assert_eq!(length(LinkType::Raw, b"MARKER"), 0);
    }

    #[test]
    fn extension_headers_are_headers() {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[6] = 60;
        packet.extend([17, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend([0; 8]);
        packet.extend(b"MARKER");
        let payload = u8::try_from(packet.len() - 40).unwrap();
        packet[5] = payload;
        assert_eq!(length(LinkType::Raw, &packet), 40 + 8 + 8);
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_it_is(
            link in prop_oneof![Just(LinkType::Ethernet), Just(LinkType::Raw), Just(LinkType::Cooked)],
            packet in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            prop_assert!(length(link, &packet) <= packet.len());
        }
    }
}
