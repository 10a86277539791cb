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
