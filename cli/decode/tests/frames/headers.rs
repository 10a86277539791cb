//! Links, IP and transports, with checksums that are right.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Dice;

pub(crate) const HARDWARE: [[u8; 6]; 3] = [[2, 0x42, 0xac, 17, 0, 2], [2, 0x42, 0xac, 17, 0, 3], [0xff; 6]];

pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&HARDWARE[1][..], &HARDWARE[0], &kind.to_be_bytes(), payload].concat()
}

/// A frame of IEEE 802.3, which has its length where others have a type.
pub(crate) fn ethernet_802_3(destination: [u8; 6], payload: &[u8]) -> Vec<u8> {
    [&destination[..], &HARDWARE[0], &length(payload.len()), payload].concat()
}

pub(crate) fn vlan(kind: u16, tag: u16, payload: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &kind.to_be_bytes(), payload].concat()
}

pub(crate) fn cooked_v1(direction: u8, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, direction, 0, 1, 0, 6][..], &HARDWARE[0], &[0, 0], &kind.to_be_bytes(), payload].concat()
}

pub(crate) fn cooked_v2(direction: u8, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &[0, 0, 0, 0, 0, 7, 0, 1, direction, 6], &HARDWARE[0], &[0, 0], payload]
        .concat()
}

pub(crate) fn arp(operation: u16, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let target_hardware = if operation == 1 { [0; 6] } else { HARDWARE[1] };
    [
        &[0, 1, 8, 0, 6, 4][..],
        &operation.to_be_bytes(),
        &HARDWARE[0],
        &sender.octets(),
        &target_hardware,
        &target.octets(),
    ]
    .concat()
}

#[derive(Clone, Copy)]
pub(crate) struct V4 {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) id: u16,
    /// Flags and offset, as in the header.
    pub(crate) fragment: u16,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
}

impl V4 {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        Self {
            source: Ipv4Addr::new(10, dice.byte(), dice.byte(), 1 + dice.byte() % 254),
            destination: Ipv4Addr::new(172, 16 + dice.byte() % 16, dice.byte(), 1 + dice.byte() % 254),
            id: dice.word(),
            fragment: 0x4000,
            ttl: 1 + dice.byte() % 254,
            tos: 0,
        }
    }

    pub(crate) fn packet(&self, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
        let words = u8::try_from(5 + options.len() / 4).unwrap();
        let total = length(usize::from(words) * 4 + payload.len());
        let mut header = [
            &[0x40 | words, self.tos][..],
            &total,
            &self.id.to_be_bytes(),
            &self.fragment.to_be_bytes(),
            &[self.ttl, protocol, 0, 0],
            &self.source.octets(),
            &self.destination.octets(),
            options,
        ]
        .concat();
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum);
        header.extend_from_slice(payload);
        header
    }

    fn pseudo(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        [&self.source.octets()[..], &self.destination.octets(), &[0, protocol], &length(payload.len())]
            .concat()
    }
}

#[derive(Clone, Copy)]
pub(crate) struct V6 {
    pub(crate) source: Ipv6Addr,
    pub(crate) destination: Ipv6Addr,
    pub(crate) label: u32,
    pub(crate) hop_limit: u8,
}

impl V6 {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let mut address = |prefix: u16| {
            let [a, b, c, d] = [dice.word(), dice.word(), dice.word(), dice.word()];
            Ipv6Addr::new(prefix, 0xdb8, 0, 0, a, if b & 1 == 0 { 0 } else { b }, c, d)
        };
        let (source, destination) = (address(0x2001), address(0x2001));
        Self { source, destination, label: dice.long() & 0xf_ffff, hop_limit: 1 + dice.byte() % 254 }
    }

    pub(crate) fn packet(&self, next_header: u8, payload: &[u8]) -> Vec<u8> {
        [
            &(0x6000_0000 | self.label).to_be_bytes()[..],
            &length(payload.len()),
            &[next_header, self.hop_limit],
            &self.source.octets(),
            &self.destination.octets(),
            payload,
        ]
        .concat()
    }

    fn pseudo(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&self.source.octets()[..], &self.destination.octets(), &total, &[0, 0, 0, protocol]].concat()
    }
}

/// A network header of either version.
#[derive(Clone, Copy)]
pub(crate) enum Network {
    V4(V4),
    V6(V6),
}

impl Network {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        if dice.is_one_in(3) { Self::V6(V6::any(dice)) } else { Self::V4(V4::any(dice)) }
    }

    /// From the other side.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::V4(ip) => Self::V4(V4 { source: ip.destination, destination: ip.source, ..ip }),
            Self::V6(ip) => Self::V6(V6 { source: ip.destination, destination: ip.source, ..ip }),
        }
    }

    pub(crate) fn kind(&self) -> u16 {
        match self {
            Self::V4(_) => 0x0800,
            Self::V6(_) => 0x86dd,
        }
    }

    pub(crate) fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::V4(ip) => ip.packet(protocol, &[], payload),
            Self::V6(ip) => ip.packet(protocol, payload),
        }
    }

    /// The same with the checksum of a transport, which stands at `at` in its header.
    pub(crate) fn summed(&self, protocol: u8, mut payload: Vec<u8>, at: usize) -> Vec<u8> {
        let pseudo = match self {
            Self::V4(ip) => ip.pseudo(protocol, &payload),
            Self::V6(ip) => ip.pseudo(protocol, &payload),
        };
        let sum = checksum(&[&pseudo, &payload]);
        payload[at..at + 2].copy_from_slice(&sum);
        self.packet(protocol, &payload)
    }

    pub(crate) fn udp(&self, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
        self.summed(17, udp(source, destination, payload), 6)
    }

    pub(crate) fn tcp(&self, segment: &Segment, payload: &[u8]) -> Vec<u8> {
        self.summed(6, segment.header(payload), 16)
    }
}

pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let total = length(8 + payload.len());
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &total, &[0, 0], payload].concat()
}

#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    /// A multiple of four bytes.
    pub(crate) options: Vec<u8>,
}

impl Segment {
    pub(crate) fn any(dice: &mut Dice) -> Self {
        Self {
            // Ports that no reader takes for those of a protocol.
            source: 40_000 + dice.word() % 2_000,
            destination: 42_000 + dice.word() % 2_000,
            sequence: dice.long(),
            acknowledgement: dice.long(),
            flags: 0x18,
            window: dice.word(),
            urgent: 0,
            options: Vec::new(),
        }
    }

    pub(crate) fn header(&self, payload: &[u8]) -> Vec<u8> {
        let words = u8::try_from(5 + self.options.len() / 4).unwrap();
        [
            &self.source.to_be_bytes()[..],
            &self.destination.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.acknowledgement.to_be_bytes(),
            &[words << 4, self.flags],
            &self.window.to_be_bytes(),
            &[0, 0],
            &self.urgent.to_be_bytes(),
            &self.options,
            payload,
        ]
        .concat()
    }
}

/// A message of ICMP.
pub(crate) fn icmp(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0][..], &rest, payload].concat();
    let sum = checksum(&[&message]);
    message[2..4].copy_from_slice(&sum);
    message
}

/// A message of ICMPv6 in its packet.
pub(crate) fn icmpv6(ip: &V6, kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    Network::V6(*ip).summed(58, [&[kind, code, 0, 0][..], &rest, payload].concat(), 2)
}

pub(crate) fn sctp(source: u16, destination: u16, tag: u32, chunks: &[u8]) -> Vec<u8> {
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &tag.to_be_bytes(), &[0; 4], chunks].concat()
}

pub(crate) fn gre(flags: u16, protocol: u16, optional: &[u8], payload: &[u8]) -> Vec<u8> {
    [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), optional, payload].concat()
}

pub(crate) fn vxlan(network: u32, frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0][..], &(network << 8).to_be_bytes(), frame].concat()
}

pub(crate) fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap().to_be_bytes()
}

/// The sum of RFC 1071. Parts but the last must have an even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 =
        words.map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}
