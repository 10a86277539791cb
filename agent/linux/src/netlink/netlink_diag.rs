//! What sock_diag tells of netlink sockets.
//!
//! Format: include/uapi/linux/netlink_diag.h: `struct netlink_diag_msg`, then attributes.

use super::inet_diag::Memory;
use super::{attributes, u32_at};

/// `struct netlink_diag_msg`
const FIXED_BYTES: usize = 28;

/// Attributes: `NETLINK_DIAG_…`
const MEMORY: u16 = 0;
const GROUPS: u16 = 1;

/// A netlink socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetlinkSocket {
    /// 2 datagram, 3 raw.
    pub kind: u8,
    /// `NETLINK_…`
    pub protocol: u8,
    /// Whether it is connected.
    pub connected: bool,
    /// Its address. 0: it is the kernel's own.
    pub port: u32,
    /// What it is connected to.
    pub peer_port: u32,
    /// Its own; 0 for those of the kernel.
    pub inode: u32,
    /// Tells it from all others, also from later ones.
    pub cookie: u64,
    /// Multicast groups, the first 32.
    pub groups: Option<u32>,
    /// Always asked for: the received bytes are what stands in its queue.
    pub memory: Option<Memory>,
}

impl NetlinkSocket {
    /// Parses a message without its header. `None`: it is too short.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let mut socket = Self {
            kind: fixed[1],
            protocol: fixed[2],
            connected: fixed[3] == 1,
            port: u32_at(fixed, 4)?,
            peer_port: u32_at(fixed, 8)?,
            inode: u32_at(fixed, 16)?,
            cookie: u64::from(u32_at(fixed, 24)?) << 32 | u64::from(u32_at(fixed, 20)?),
            ..Self::default()
        };
        for (kind, value) in attributes(rest) {
            match kind {
                MEMORY => socket.memory = Memory::parse(value),
                GROUPS => socket.groups = u32_at(value, 0),
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
    fn addresses_are_told() {
        let mut bytes = vec![16, 3, 4, 1];
        bytes.extend([77_u32, 0, 0, 4242, 5, 6].into_iter().flat_map(u32::to_ne_bytes));
        let socket = NetlinkSocket::parse(&bytes).unwrap();
        assert_eq!((socket.protocol, socket.connected, socket.port), (4, true, 77));
        assert_eq!((socket.inode, socket.cookie, socket.groups), (4242, 6 << 32 | 5, None));
        assert_eq!(NetlinkSocket::parse(&bytes[..27]), None);
    }
}
