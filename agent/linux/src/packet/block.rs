//! `struct tpacket_block_desc` and what it holds: packets, one behind the other.
//!
//! Format: linux/if_packet.h, and Documentation/networking/packet_mmap.rst. Offsets are checked against the block, although
//! the kernel wrote them.

use std::time::Duration;

/// `tp_status`: `vlan_tci` holds a tag that the kernel took out of the packet.
const VLAN_VALID: u32 = 1 << 4;
/// `tp_status`: `vlan_tpid` says of which kind.
const VLAN_TPID_VALID: u32 = 1 << 6;
/// The kind of a tag if the kernel does not say: IEEE 802.1Q.
const VLAN_802_1Q: u16 = 0x8100;

/// Length of `struct tpacket3_hdr`, behind which `struct sockaddr_ll` begins.
const HEADER_BYTES: usize = 48;

/// A block that was handed over.
#[derive(Debug, Clone, Copy)]
pub struct Block<'b> {
    bytes: &'b [u8],
}

/// A packet, as far as it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'b> {
    /// When the kernel saw it, since the epoch.
    pub time: Duration,
    /// Its length on the wire, without a tag that was taken out.
    pub wire_bytes: u32,
    /// What was kept of it.
    pub data: &'b [u8],
    /// The tag that was taken out.
    pub vlan: Option<Vlan>,
    /// Whose it is.
    pub sender: Sender,
}

/// A tag of IEEE 802.1Q or 802.1ad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// The Ethernet type that says that there is a tag.
    pub kind: u16,
    /// Priority and number.
    pub control: u16,
}

/// `struct sockaddr_ll`: what is told of a packet beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sender {
    /// Ethernet type of the payload.
    pub protocol: u16,
    /// Number of the interface.
    pub index: u32,
    /// `ARPHRD_…` of the interface.
    pub hardware_type: u16,
    /// `PACKET_HOST` and others of packet(7).
    pub packet_type: u8,
    /// How much of `address` is one.
    pub address_bytes: u8,
    /// Of the sender, in the network of the interface.
    pub address: [u8; 8],
}

impl<'b> Block<'b> {
    /// Of its bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// How many packets it holds.
    pub fn len(&self) -> u32 {
        u32_at(self.bytes, 12).unwrap_or(0)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packets, each of them `None` if it is not where it should be; then there are no more.
    pub fn frames(&self) -> impl Iterator<Item = Option<Frame<'b>>> + use<'b> {
        let bytes = self.bytes;
        let mut at = u32_at(bytes, 16).and_then(|at| usize::try_from(at).ok());
        (0..self.len()).map_while(move |_| {
            let start = at?;
            let frame = bytes.get(start..).and_then(|rest| Some((Frame::parse(rest)?, u32_at(rest, 0)?)));
            at = frame.and_then(|(_, next)| start.checked_add(usize::try_from(next).ok()?));
            Some(frame.map(|(frame, _)| frame))
        })
    }
}

impl<'b> Frame<'b> {
    /// The packet whose header `bytes` begin with.
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let [seconds, nanos, kept, wire_bytes, status] =
            [4, 8, 12, 16, 20].map(|at| u32_at(header, at).unwrap_or_default());
        let start = usize::from(u16_at(header, 24)?);
        let end = start.checked_add(usize::try_from(kept).ok()?)?;
        let vlan = (status & VLAN_VALID != 0).then(|| Vlan {
            kind: match status & VLAN_TPID_VALID {
                0 => VLAN_802_1Q,
                _ => u16_at(header, 36).unwrap_or(VLAN_802_1Q),
            },
            control: u32_at(header, 32).and_then(|control| u16::try_from(control).ok()).unwrap_or_default(),
        });
        let address: &[u8; 20] = bytes.get(HEADER_BYTES..)?.first_chunk()?;
        let sender = Sender {
            protocol: u16::from_be_bytes([address[2], address[3]]),
            index: u32_at(address, 4)?,
            hardware_type: u16_at(address, 8)?,
            packet_type: address[10],
            address_bytes: address[11],
            address: *address.last_chunk()?,
        };
        let time = Duration::new(seconds.into(), nanos.min(999_999_999));
        Some(Self { time, wire_bytes, data: bytes.get(start..end)?, vlan, sender })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The data of a packet, and its tag if it has one.
    type Given<'g> = (&'g [u8], Option<(u32, u32)>);

    /// A block as the kernel writes it.
    fn block_of(packets: &[Given<'_>]) -> Vec<u8> {
        let mut block = vec![0; 48];
        let put = |block: &mut Vec<u8>, at: usize, word: u32| {
            block[at..at + 4].copy_from_slice(&word.to_ne_bytes());
        };
        put(&mut block, 12, u32::try_from(packets.len()).unwrap());
        put(&mut block, 16, 48);
        for (number, (data, vlan)) in packets.iter().enumerate() {
            let start = block.len();
            block.resize(start + HEADER_BYTES + 20, 0);
            let (status, words) = match vlan {
                Some((control, kind)) => (VLAN_VALID | VLAN_TPID_VALID, [*control, *kind]),
                None => (0, [0, 0]),
            };
            let kept = u32::try_from(data.len()).unwrap();
            for (at, word) in [(4, 7), (8, 1000), (12, kept), (16, kept + 100), (20, status), (32, words[0])]
            {
                put(&mut block, start + at, word);
            }
            put(&mut block, start + 24, u32::from_ne_bytes([68, 0, 68, 0]));
            put(&mut block, start + 36, words[1]);
            let address = &mut block[start + HEADER_BYTES..];
            address[2..4].copy_from_slice(&[0x08, 0x00]);
            address[4..8].copy_from_slice(&3_u32.to_ne_bytes());
            address[10..13].copy_from_slice(&[4, 6, 0xaa]);
            block.extend_from_slice(data);
            block.resize(block.len().next_multiple_of(8), 0);
            let is_last = number + 1 == packets.len();
            let next = if is_last { 0 } else { u32::try_from(block.len() - start).unwrap() };
            put(&mut block, start, next);
        }
        block
    }

    #[test]
    fn packets_are_found_one_behind_the_other() {
        let bytes = block_of(&[(b"first", None), (b"", None), (b"third packet", Some((0x2005, 0x88a8)))]);
        let block = Block::new(&bytes);
        let frames: Vec<_> = block.frames().map(Option::unwrap).collect();
        let seen: Vec<_> = frames.iter().map(|frame| (frame.data, frame.wire_bytes)).collect();
        assert_eq!(seen, [(&b"first"[..], 105), (b"", 100), (b"third packet", 112)]);
        assert_eq!(frames[0].time, Duration::new(7, 1000));
        assert_eq!(frames[0].vlan, None);
        assert_eq!(frames[2].vlan, Some(Vlan { kind: 0x88a8, control: 0x2005 }));
        let sender = frames[0].sender;
        assert_eq!((sender.protocol, sender.index, sender.packet_type), (0x0800, 3, 4));
        assert_eq!((sender.address_bytes, sender.address[0]), (6, 0xaa));
    }

    #[test]
    fn a_packet_that_leads_out_of_its_block_ends_it() {
        let mut bytes = block_of(&[(b"first", None), (b"second", None)]);
        bytes[48..52].copy_from_slice(&u32::MAX.to_ne_bytes());
        let seen: Vec<_> = Block::new(&bytes).frames().map(|frame| frame.map(|frame| frame.data)).collect();
        assert_eq!(seen, [Some(&b"first"[..]), None]);
    }

    proptest! {
        #[test]
        fn no_bytes_lead_out_of_themselves(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
            packets in 0_u32..20,
            first in 0_u32..320,
        ) {
            if let Some(header) = bytes.get_mut(12..20) {
                header[..4].copy_from_slice(&packets.to_ne_bytes());
                header[4..].copy_from_slice(&first.to_ne_bytes());
            }
            prop_assert!(Block::new(&bytes).frames().count() <= 20);
        }

        #[test]
        fn no_change_of_a_block_leads_out_of_it(at in 0_usize..300, byte in any::<u8>(), cut in 0_usize..300) {
            let mut bytes = block_of(&[(b"first", None), (b"second", Some((1, 2))), (b"third", None)]);
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut % 40));
            let packets = usize::from(u8::MAX);
            prop_assert!(Block::new(&bytes).frames().take(packets).count() <= packets);
        }
    }
}
