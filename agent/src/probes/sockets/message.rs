//! Sockets as the contract has them, but for internet sockets of sock_diag: see `encode`.

use std::net::SocketAddr;

use dbgctl_linux::netlink::inet_diag::Memory;
use dbgctl_linux::netlink::netlink_diag::NetlinkSocket;
use dbgctl_linux::netlink::packet_diag::PacketSocket;
use dbgctl_linux::netlink::unix_diag::UnixSocket;
use dbgctl_linux::procfs::sockets::{Name, Socket};
use dbgctl_proto::v1::{self, SocketFamily, SocketProtocol, SocketState};

use super::tables::Kind;

/// By the numbers of include/net/tcp_states.h, which are those of the contract. What a later kernel adds is told as it
/// is.
fn state(number: u8) -> i32 {
    number.into()
}

const LISTEN: u8 = SocketState::Listen as u8;

/// The family of an address, which is that of its table.
pub(super) fn family(address: &SocketAddr) -> SocketFamily {
    if address.is_ipv4() { SocketFamily::Ipv4 } else { SocketFamily::Ipv6 }
}

/// Whether there is no other end.
pub(super) fn is_nowhere(address: &SocketAddr) -> bool {
    address.port() == 0 && address.ip().is_unspecified()
}

fn of_memory(memory: Memory) -> v1::SocketMemory {
    v1::SocketMemory {
        receive_bytes: memory.receive_bytes,
        receive_buffer_bytes: memory.receive_buffer_bytes,
        send_bytes: memory.send_bytes,
        send_buffer_bytes: memory.send_buffer_bytes,
        forward_bytes: memory.forward_bytes,
        send_queued_bytes: memory.send_queued_bytes,
        option_bytes: memory.option_bytes,
        backlog_bytes: memory.backlog_bytes,
        drops: memory.drops,
    }
}

/// A local socket.
pub(super) fn of_unix(socket: UnixSocket<'_>) -> v1::Socket {
    let listens = socket.state == LISTEN;
    let queue = |queue: Option<u32>| queue.map(|bytes| if listens { 0 } else { bytes });
    v1::Socket {
        protocol: SocketProtocol::Unix.into(),
        state: state(socket.state),
        r#type: socket.kind.into(),
        inode: socket.inode.into(),
        cookie: Some(socket.cookie),
        uid: socket.uid,
        recv_queue_bytes: queue(socket.recv_queue),
        send_queue_bytes: queue(socket.send_queue),
        accept_queue: socket.recv_queue.filter(|_| listens),
        accept_queue_limit: socket.send_queue.filter(|_| listens),
        receive_shutdown: socket.shutdown.is_some_and(|ways| ways & 1 != 0),
        send_shutdown: socket.shutdown.is_some_and(|ways| ways & 2 != 0),
        memory: socket.memory.map(|memory| Box::new(of_memory(memory))),
        unix: Some(Box::new(v1::UnixSocket {
            name: socket.name.map(unix_name),
            peer_inode: socket.peer.filter(|&inode| inode != 0).map(u64::from),
            file_inode: socket.file.map(|(inode, _)| inode.into()),
            file_device: socket.file.map(|(_, device)| device),
        })),
        ..v1::Socket::default()
    }
}

/// As `/proc/net/unix` writes it: zero bytes of an abstract name become `@`.
fn unix_name(name: &[u8]) -> Vec<u8> {
    if name.first() != Some(&0) {
        return name.to_vec();
    }
    name.iter().map(|&byte| if byte == 0 { b'@' } else { byte }).collect()
}

/// A packet socket.
pub(super) fn of_packet(socket: PacketSocket) -> v1::Socket {
    v1::Socket {
        protocol: SocketProtocol::Packet.into(),
        state: SocketState::Unconnected.into(),
        r#type: socket.kind.into(),
        inode: socket.inode.into(),
        cookie: Some(socket.cookie),
        uid: socket.uid,
        recv_queue_bytes: socket.memory.map(|memory| memory.receive_bytes),
        send_queue_bytes: socket.memory.map(|memory| memory.send_bytes),
        interface: socket.interface.unwrap_or(0),
        memory: socket.memory.map(|memory| Box::new(of_memory(memory))),
        packet: Some(Box::new(v1::PacketSocket {
            ethertype: socket.ethertype.into(),
            ring_version: socket.version,
            running: socket.running,
        })),
        ..v1::Socket::default()
    }
}

/// A netlink socket.
pub(super) fn of_netlink(socket: NetlinkSocket) -> v1::Socket {
    let state = if socket.connected { SocketState::Established } else { SocketState::Unconnected };
    v1::Socket {
        protocol: SocketProtocol::Netlink.into(),
        state: state.into(),
        r#type: socket.kind.into(),
        inode: socket.inode.into(),
        cookie: Some(socket.cookie),
        recv_queue_bytes: socket.memory.map(|memory| memory.receive_bytes),
        send_queue_bytes: socket.memory.map(|memory| memory.send_bytes),
        memory: socket.memory.map(|memory| Box::new(of_memory(memory))),
        netlink: Some(Box::new(v1::NetlinkSocket {
            protocol: socket.protocol.into(),
            port_id: socket.port,
            peer_port_id: socket.peer_port,
            groups: socket.groups,
        })),
        ..v1::Socket::default()
    }
}

/// A socket as `/proc/net` tells it.
pub(super) fn of_procfs(kind: &Kind, socket: &Socket) -> v1::Socket {
    let listens = socket.state == LISTEN;
    let queue = |queue: Option<u32>| queue.map(|bytes| if listens { 0 } else { bytes });
    let mut message = v1::Socket {
        protocol: kind.protocol.into(),
        state: state(socket.state),
        r#type: socket.kind.unwrap_or(0).into(),
        inode: socket.inode,
        uid: socket.uid.filter(|_| socket.inode != 0),
        recv_queue_bytes: queue(socket.recv_queue),
        send_queue_bytes: queue(socket.send_queue),
        // The limit is not told there.
        accept_queue: socket.recv_queue.filter(|_| listens),
        ..v1::Socket::default()
    };
    match &socket.local {
        Name::Internet(local) => {
            message.family = family(local).into();
            // Its second character tells IPv6 tables from the others, whose addresses may be IPv4 in IPv6.
            if kind.file.ends_with('6') {
                message.family = SocketFamily::Ipv6.into();
            }
            message.local = Some((*local).into());
            message.peer = socket.remote.map(Into::into);
        }
        Name::Local(name) => {
            let name = Some(name.to_vec());
            message.unix = Some(Box::new(v1::UnixSocket { name, ..v1::UnixSocket::default() }));
        }
        Name::None if kind.protocol == SocketProtocol::Unix => message.unix = Some(Box::default()),
        Name::None => {}
    }
    message
}
