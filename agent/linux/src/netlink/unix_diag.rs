//! What sock_diag tells of local sockets.
//!
//! Format: sock_diag(7) and include/uapi/linux/unix_diag.h: `struct unix_diag_msg`, then attributes.

use super::inet_diag::Memory;
use super::{attributes, u32_at};

/// `struct unix_diag_msg`
const FIXED_BYTES: usize = 16;

/// Attributes: `UNIX_DIAG_…`
const NAME: u16 = 0;
const FILE: u16 = 1;
const PEER: u16 = 2;
const QUEUES: u16 = 4;
const MEMORY: u16 = 5;
const SHUTDOWN: u16 = 6;
const UID: u16 = 7;

/// A local socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnixSocket<'b> {
    /// 1 stream, 2 datagram, 5 sequenced packets.
    pub kind: u8,
    /// 1 connected, 7 not, 10 listening.
    pub state: u8,
    /// Its own.
    pub inode: u32,
    /// Tells it from all others, also from later ones.
    pub cookie: u64,
    /// The path that it is bound to, or a zero byte and an abstract name. Any bytes at all.
    pub name: Option<&'b [u8]>,
    /// Inode and device of its file.
    pub file: Option<(u32, u32)>,
    /// Inode of the other end.
    pub peer: Option<u32>,
    /// Bytes not read; of a listening socket, connections not accepted.
    pub recv_queue: Option<u32>,
    /// Bytes not read by the peer; of a listening socket, connections that may wait.
    pub send_queue: Option<u32>,
    /// If asked for.
    pub memory: Option<Memory>,
    /// Bit 0: nothing more is received; bit 1: nothing more is sent.
    pub shutdown: Option<u8>,
    /// Of whoever made it. Since Linux 5.3.
    pub uid: Option<u32>,
}

impl<'b> UnixSocket<'b> {
    /// Parses a message without its header. `None`: it is too short.
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let mut socket = Self {
            kind: fixed[1],
            state: fixed[2],
            inode: u32_at(fixed, 4)?,
            cookie: u64::from(u32_at(fixed, 12)?) << 32 | u64::from(u32_at(fixed, 8)?),
            ..Self::default()
        };
        for (kind, value) in attributes(rest) {
            match kind {
                NAME => socket.name = Some(name(value)),
                FILE => socket.file = u32_at(value, 0).zip(u32_at(value, 4)),
                PEER => socket.peer = u32_at(value, 0),
                QUEUES => (socket.recv_queue, socket.send_queue) = (u32_at(value, 0), u32_at(value, 4)),
                MEMORY => socket.memory = Memory::parse(value),
                SHUTDOWN => socket.shutdown = value.first().copied(),
                UID => socket.uid = u32_at(value, 0),
                _ => {}
            }
        }
        Some(socket)
    }
}

/// A path may end in zero bytes, which are not part of it; an abstract name begins with one, and those are.
fn name(value: &[u8]) -> &[u8] {
    if value.first() == Some(&0) {
        return value;
    }
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_peers_and_queues_are_told() {
        let mut bytes = vec![1, 1, 10, 0];
        for number in [4242_u32, 5, 6] {
            bytes.extend(number.to_ne_bytes());
        }
        let queues: Vec<u8> = [3_u32, 128].into_iter().flat_map(u32::to_ne_bytes).collect();
        for (kind, value) in [(0_u16, &b"/run/a b\0\0"[..]), (2, &7_u32.to_ne_bytes()), (4, &queues)] {
            bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let socket = UnixSocket::parse(&bytes).unwrap();
        assert_eq!((socket.kind, socket.state, socket.inode, socket.cookie), (1, 10, 4242, 6 << 32 | 5));
        assert_eq!((socket.name, socket.peer), (Some(&b"/run/a b"[..]), Some(7)));
        assert_eq!((socket.recv_queue, socket.send_queue, socket.uid), (Some(3), Some(128), None));
        assert_eq!(UnixSocket::parse(&bytes[..15]), None);
        assert_eq!(name(b"\0abs\0\0tract"), b"\0abs\0\0tract");
    }
}
