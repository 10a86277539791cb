//! The file format of Wireshark: blocks, each with its length at both ends.
//!
//! Format: draft-ietf-opsawg-pcapng. Numbers are little-endian, which the first block tells; times are in nanoseconds.

use dbgctl_proto::v1::{CaptureEnd, PacketDirection};

use super::link::Place;
use super::packets::Packet;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
/// An enhanced packet block.
pub(super) const PACKET: u32 = 6;

/// What stands at the beginning of a file, and what is known of it only at the end.
#[derive(Debug, Clone)]
pub(super) struct Section<'s> {
    pub(super) place: &'s Place,
    /// As the user wrote it. Empty: none.
    pub(super) filter: &'s str,
    pub(super) snap_bytes: u32,
    /// What was captured, of whom.
    pub(super) comment: &'s str,
}

/// Appends the blocks that a file begins with.
pub(super) fn begin(section: &Section<'_>, into: &mut Vec<u8>) {
    let place = section.place;
    block(SECTION, into, |into| {
        into.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        into.extend_from_slice(&[1, 0, 0, 0]);
        // How long the section is: not known.
        into.extend_from_slice(&u64::MAX.to_le_bytes());
        let application = concat!("dbgctl ", env!("CARGO_PKG_VERSION"));
        text(1, section.comment, into);
        text(2, &place.machine, into);
        text(3, &place.system, into);
        text(4, application, into);
        option(0, &[], into);
    });
    block(INTERFACE, into, |into| {
        into.extend_from_slice(&place.link.number().to_le_bytes());
        into.extend_from_slice(&[0, 0]);
        into.extend_from_slice(&section.snap_bytes.to_le_bytes());
        text(2, &place.name, into);
        // Times are in units of 10^-9 seconds.
        option(9, &[9], into);
        if !section.filter.is_empty() {
            // 0: in the language of pcap-filter(7).
            option(11, &[&[0], section.filter.as_bytes()].concat(), into);
        }
        text(12, &place.system, into);
        option(0, &[], into);
    });
}

/// Appends a packet.
pub(super) fn packet(packet: &Packet<'_>, into: &mut Vec<u8>) {
    block(PACKET, into, |into| {
        into.extend_from_slice(&0_u32.to_le_bytes());
        time(packet.unix_nanos, into);
        into.extend_from_slice(&u32::try_from(packet.data.len()).unwrap_or(u32::MAX).to_le_bytes());
        into.extend_from_slice(&packet.wire_bytes.to_le_bytes());
        into.extend_from_slice(packet.data);
        pad(packet.data.len(), into);
        let flags = flags(packet.direction);
        if flags != 0 {
            option(2, &flags.to_le_bytes(), into);
            option(0, &[], into);
        }
    });
}

/// Appends what is known at the end.
pub(super) fn end(end: &CaptureEnd, began_unix_nanos: u64, ended_unix_nanos: u64, into: &mut Vec<u8>) {
    block(STATISTICS, into, |into| {
        into.extend_from_slice(&0_u32.to_le_bytes());
        time(ended_unix_nanos, into);
        for (code, nanos) in [(2, began_unix_nanos), (3, ended_unix_nanos)] {
            let mut value = Vec::with_capacity(8);
            time(nanos, &mut value);
            option(code, &value, into);
        }
        // Received, dropped, accepted by the filter, dropped by the system, handed on.
        let counts = [(4, end.accepted), (5, end.dropped_by_kernel), (6, end.accepted)];
        let counts = counts.into_iter().chain([(7, end.dropped_by_kernel), (8, end.sent)]);
        for (code, count) in counts {
            option(code, &count.to_le_bytes(), into);
        }
        option(0, &[], into);
    });
}

/// How many of `bytes`, which begin with a block, are whole blocks, and how many packets these hold.
pub(super) fn whole(bytes: &[u8]) -> (usize, u64) {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let (mut at, mut packets) = (0, 0);
    while let (Some(kind), Some(length)) = (word(at), word(at + 4)) {
        let next =
            usize::try_from(length).ok().filter(|&length| length >= 12).and_then(|it| at.checked_add(it));
        let Some(next) = next.filter(|&next| next <= bytes.len()) else { break };
        packets += u64::from(kind == PACKET);
        at = next;
    }
    (at, packets)
}

fn block(kind: u32, into: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&kind.to_le_bytes());
    into.extend_from_slice(&[0; 4]);
    body(into);
    let length = u32::try_from(into.len() + 4 - start).unwrap_or(u32::MAX).to_le_bytes();
    into[start + 4..start + 8].copy_from_slice(&length);
    into.extend_from_slice(&length);
}

/// A time has its higher half first, whatever the order of bytes.
fn time(unix_nanos: u64, into: &mut Vec<u8>) {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default().to_le_bytes();
    into.extend_from_slice(&half(unix_nanos >> 32));
    into.extend_from_slice(&half(unix_nanos));
}

fn text(code: u16, text: &str, into: &mut Vec<u8>) {
    if !text.is_empty() {
        option(code, text.as_bytes(), into);
    }
}

fn option(code: u16, value: &[u8], into: &mut Vec<u8>) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    into.extend_from_slice(&code.to_le_bytes());
    into.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    into.extend_from_slice(value);
    pad(value.len(), into);
}

/// What makes `length` bytes whole words.
fn pad(length: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(&[0; 3][..length.wrapping_neg() % 4]);
}

/// `epb_flags`: the direction, and to how many it went.
fn flags(direction: PacketDirection) -> u32 {
    const IN: u32 = 1;
    const OUT: u32 = 2;
    const UNICAST: u32 = 1 << 2;
    const MULTICAST: u32 = 2 << 2;
    const BROADCAST: u32 = 3 << 2;
    const PROMISCUOUS: u32 = 4 << 2;
    match direction {
        PacketDirection::Unspecified => 0,
        PacketDirection::In => IN | UNICAST,
        PacketDirection::InBroadcast => IN | BROADCAST,
        PacketDirection::InMulticast => IN | MULTICAST,
        PacketDirection::Others => IN | PROMISCUOUS,
        PacketDirection::Out => OUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet_of(data: &[u8]) -> Packet<'_> {
        let direction = PacketDirection::Out;
        Packet { unix_nanos: 0x0102_0304_0506_0708, wire_bytes: 60, direction, data }
    }

    #[test]
    fn a_packet_is_padded_and_tells_its_time_length_and_direction() {
        let mut bytes = Vec::new();
        packet(&packet_of(b"abcde"), &mut bytes);
        let words: Vec<_> =
            bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let length = u32::try_from(bytes.len()).unwrap();
        let data = [u32::from_le_bytes(*b"abcd"), u32::from(b'e')];
        assert_eq!(words[..7], [PACKET, length, 0, 0x0102_0304, 0x0506_0708, 5, 60]);
        assert_eq!(words[7..9], data);
        // An option of 4 bytes with code 2, its value, the end of options, and the length again.
        assert_eq!(words[9..], [0x0004_0002, 2, 0, length]);
    }

    #[test]
    fn what_was_cut_off_is_told_from_whole_blocks() {
        let mut bytes = Vec::new();
        packet(&packet_of(b"abc"), &mut bytes);
        let one = bytes.len();
        packet(&packet_of(b"abcdefgh"), &mut bytes);
        assert_eq!(whole(&bytes), (bytes.len(), 2));
        for cut in one..bytes.len() {
            assert_eq!(whole(&bytes[..cut]), (one, 1));
        }
        for cut in 0..one {
            assert_eq!(whole(&bytes[..cut]), (0, 0));
        }
    }
}
