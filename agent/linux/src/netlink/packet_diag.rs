//! What sock_diag tells of packet sockets.
//!
//! Format: include/uapi/linux/packet_diag.h: `struct packet_diag_msg`, then attributes.

use super::inet_diag::Memory;
use super::{attributes, u16_at, u32_at};

/// `struct packet_diag_msg`
const FIXED_BYTES: usize = 16;

/// Attributes: `PACKET_DIAG_…`
const INFO: u16 = 0;
const UID: u16 = 5;
const MEMORY: u16 = 6;

/// Flag `PDI_RUNNING`.
const RUNNING: u32 = 1;

/// A packet socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketSocket {
    /// 2 datagram, 3 raw.
    pub kind: u8,
    /// An EtherType.
    pub ethertype: u16,
    /// Its own.
    pub inode: u32,
    /// Tells it from all others, also from later ones.
    pub cookie: u64,
    /// The interface that it listens on, or 0 for all.
    pub interface: Option<u32>,
    /// Of its ring.
    pub version: Option<u32>,
    /// It receives.
    pub running: Option<bool>,
    /// Of whoever made it.
    pub uid: Option<u32>,
    /// Always asked for: the received bytes are what stands in its queue.
    pub memory: Option<Memory>,
}

impl PacketSocket {
    /// Parses a message without its header. `None`: it is too short.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let mut socket = Self {
            kind: fixed[1],
            ethertype: u16_at(fixed, 2)?,
            inode: u32_at(fixed, 4)?,
            cookie: u64::from(u32_at(fixed, 12)?) << 32 | u64::from(u32_at(fixed, 8)?),
            ..Self::default()
        };
        for (kind, value) in attributes(rest) {
            match kind {
                INFO => {
                    (socket.interface, socket.version) = (u32_at(value, 0), u32_at(value, 4));
                    socket.running = u32_at(value, 20).map(|flags| flags & RUNNING != 0);
                }
                UID => socket.uid = u32_at(value, 0),
                MEMORY => socket.memory = Memory::parse(value),
                _ => {}
            }
        }
        Some(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_and_ethertype_are_told() {
        let mut bytes = vec![17, 3];
        bytes.extend(3_u16.to_ne_bytes());
        bytes.extend([4242_u32, 5, 6].into_iter().flat_map(u32::to_ne_bytes));
        bytes.extend(28_u16.to_ne_bytes());
        bytes.extend(0_u16.to_ne_bytes());
        bytes.extend([2_u32, 1, 0, 0, 0, 3].into_iter().flat_map(u32::to_ne_bytes));
        let socket = PacketSocket::parse(&bytes).unwrap();
        assert_eq!((socket.kind, socket.ethertype, socket.inode), (3, 3, 4242));
        assert_eq!((socket.interface, socket.version, socket.running), (Some(2), Some(1), Some(true)));
        assert_eq!(PacketSocket::parse(&bytes[..15]), None);
    }
}
