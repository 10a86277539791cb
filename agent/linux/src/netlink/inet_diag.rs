//! What sock_diag tells of TCP, UDP, UDP-Lite and raw sockets.
//!
//! Format: sock_diag(7) and the kernel's include/uapi/linux/inet_diag.h: `struct inet_diag_msg`, then attributes.
//! Numbers are in the machine's byte order, but for ports and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::libc;

use super::tcp_info::TcpInfo;
use super::{array_at, attributes, u32_at, u64_at};

/// `struct inet_diag_msg`
const FIXED_BYTES: usize = 72;

/// Attributes: `INET_DIAG_…`
const INFO: u16 = 2;
const CONGESTION: u16 = 4;
const MEMORY: u16 = 7;
const SHUTDOWN: u16 = 8;
const V6_ONLY: u16 = 11;
const CGROUP_ID: u16 = 21;

/// An internet socket. What points into the message is not taken apart yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InetSocket<'b> {
    /// By the numbers of include/net/tcp_states.h.
    pub state: u8,
    /// Where it is bound to; of raw sockets the port is the protocol's number.
    pub local: SocketAddr,
    /// What it is connected to, or zeros.
    pub peer: SocketAddr,
    /// What it is bound to, or 0.
    pub interface: u32,
    /// Tells it from all others, also from later ones.
    pub cookie: u64,
    /// What is going to happen: 1 retransmission, 2 keepalive, 3 end of TIME-WAIT, 4 zero window probe. 0: nothing.
    pub timer: u8,
    /// How often in a row the timer has run out for the same data.
    pub retransmits: u8,
    /// When.
    pub expires_millis: u32,
    /// Bytes not read; of a listening socket, connections not accepted.
    pub recv_queue: u32,
    /// Bytes not acknowledged; of a listening socket, connections that may wait.
    pub send_queue: u32,
    /// Of whoever made it.
    pub uid: u32,
    /// 0 if no descriptor leads to it.
    pub inode: u32,
    /// Of TCP, if asked for.
    pub tcp_info: Option<TcpInfo<'b>>,
    /// If asked for.
    pub memory: Option<Memory>,
    /// A name such as `cubic`, if asked for.
    pub congestion: Option<&'b [u8]>,
    /// Bit 0: nothing more is received; bit 1: nothing more is sent. Only told of those that have a process.
    pub shutdown: Option<u8>,
    /// Only told of listening and unconnected IPv6 sockets.
    pub ipv6_only: Option<bool>,
    /// The inode number of the control group (version 2) it was made in.
    pub cgroup_id: Option<u64>,
}

impl<'b> InetSocket<'b> {
    /// Parses a message without its header. `None`: it is too short, or of another family.
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let number = |at| u32_at(fixed, at);
        let ip = |at| -> Option<IpAddr> {
            match libc::c_int::from(fixed[0]) {
                libc::AF_INET => Some(Ipv4Addr::from(array_at::<4>(fixed, at)?).into()),
                libc::AF_INET6 => Some(Ipv6Addr::from(array_at::<16>(fixed, at)?).into()),
                _ => None,
            }
        };
        let port = |at| array_at(fixed, at).map(u16::from_be_bytes);
        let mut socket = Self {
            state: fixed[1],
            timer: fixed[2],
            retransmits: fixed[3],
            local: SocketAddr::new(ip(8)?, port(4)?),
            peer: SocketAddr::new(ip(24)?, port(6)?),
            interface: number(40)?,
            cookie: u64::from(number(48)?) << 32 | u64::from(number(44)?),
            expires_millis: number(52)?,
            recv_queue: number(56)?,
            send_queue: number(60)?,
            uid: number(64)?,
            inode: number(68)?,
            tcp_info: None,
            memory: None,
            congestion: None,
            shutdown: None,
            ipv6_only: None,
            cgroup_id: None,
        };
        for (kind, value) in attributes(rest) {
            match kind {
                INFO => socket.tcp_info = Some(TcpInfo::new(value)),
                CONGESTION => socket.congestion = Some(value.strip_suffix(b"\0").unwrap_or(value)),
                MEMORY => socket.memory = Memory::parse(value),
                SHUTDOWN => socket.shutdown = value.first().copied(),
                V6_ONLY => socket.ipv6_only = value.first().map(|&only| only != 0),
                CGROUP_ID => socket.cgroup_id = u64_at(value, 0),
                _ => {}
            }
        }
        Some(socket)
    }
}

/// `SK_MEMINFO_…` of include/uapi/linux/sock_diag.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Held by what was received.
    pub receive_bytes: u32,
    /// As SO_RCVBUF.
    pub receive_buffer_bytes: u32,
    /// Held by what is being sent.
    pub send_bytes: u32,
    /// As SO_SNDBUF.
    pub send_buffer_bytes: u32,
    /// Charged in advance.
    pub forward_bytes: u32,
    /// Of data in the send queue.
    pub send_queued_bytes: u32,
    /// Of options.
    pub option_bytes: u32,
    /// Of packets that came while the socket was in use.
    pub backlog_bytes: u32,
    /// Packets dropped, or of a listening socket connections. Since Linux 4.7.
    pub drops: Option<u32>,
}

impl Memory {
    /// Parses the attribute. `None`: it is shorter than in any kernel.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let number = |nth: usize| u32_at(bytes, nth * 4);
        Some(Self {
            receive_bytes: number(0)?,
            receive_buffer_bytes: number(1)?,
            send_bytes: number(2)?,
            send_buffer_bytes: number(3)?,
            forward_bytes: number(4)?,
            send_queued_bytes: number(5)?,
            option_bytes: number(6)?,
            backlog_bytes: number(7)?,
            drops: number(8),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(family: libc::c_int) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(family).unwrap(), 1, 2, 3];
        bytes.extend(8080_u16.to_be_bytes());
        bytes.extend(54321_u16.to_be_bytes());
        for last in [1, 2] {
            let ip: [u8; 16] = match family {
                libc::AF_INET => [127, 0, 0, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                _ => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).octets(),
            };
            bytes.extend(ip);
        }
        for number in [4_u32, 5, 6, 7000, 8, 9, 1000, 4242] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn the_fixed_part_of_both_families_is_told() {
        let bytes = fixed(libc::AF_INET);
        let socket = InetSocket::parse(&bytes).unwrap();
        assert_eq!((socket.state, socket.timer, socket.retransmits, socket.expires_millis), (1, 2, 3, 7000));
        assert_eq!(socket.local, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(socket.peer, "127.0.0.2:54321".parse().unwrap());
        assert_eq!((socket.interface, socket.cookie), (4, 6 << 32 | 5));
        assert_eq!((socket.recv_queue, socket.send_queue, socket.uid, socket.inode), (8, 9, 1000, 4242));
        let bytes = fixed(libc::AF_INET6);
        assert_eq!(InetSocket::parse(&bytes).unwrap().peer, "[2001:db8::2]:54321".parse().unwrap());
        assert_eq!(InetSocket::parse(&fixed(libc::AF_UNIX)), None);
        assert_eq!(InetSocket::parse(&bytes[..71]), None);
    }

    #[test]
    fn attributes_are_told_and_those_of_later_kernels_skipped() {
        let mut bytes = fixed(libc::AF_INET);
        let memory: Vec<u8> = (1_u32..=9).flat_map(u32::to_ne_bytes).collect();
        for (kind, value) in
            [(4_u16, &b"cubic\0"[..]), (8, &[3]), (7, &memory), (21, &7_u64.to_ne_bytes()), (99, b"?")]
        {
            bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let socket = InetSocket::parse(&bytes).unwrap();
        assert_eq!(
            (socket.congestion, socket.shutdown, socket.cgroup_id),
            (Some(&b"cubic"[..]), Some(3), Some(7))
        );
        assert_eq!(socket.memory.unwrap().drops, Some(9));
        assert_eq!(Memory::parse(&memory[..32]).unwrap().drops, None);
        assert_eq!(Memory::parse(&memory[..31]), None);
    }
}
