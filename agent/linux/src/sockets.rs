//! The sockets of the network namespace by inode: from sock_diag, or from `/proc/net` what that does not tell.

use std::net::SocketAddr;

use crate::netlink::inet_diag::InetSocket;
use crate::netlink::netlink_diag::NetlinkSocket;
use crate::netlink::packet_diag::PacketSocket;
use crate::netlink::sock_diag::{Request, SockDiag, States, Table};
use crate::netlink::unix_diag::UnixSocket;
pub use crate::procfs::sockets::{MOST_SOCKETS, Name, Socket, Sockets};
use crate::procfs::sockets::{each, protocols};
use crate::{ReadError, Root};

/// Reads all tables. One that this kernel does not have is left out.
///
/// # Errors
///
/// [`ReadError::Io`].
pub fn read(root: &Root) -> Result<Sockets, ReadError> {
    let mut diag = SockDiag::open(root).ok();
    let mut kept = Kept::default();
    for protocol in protocols() {
        let table = Table::ALL.into_iter().find(|table| table.name() == protocol);
        let told = diag.as_mut().zip(table).and_then(|(diag, table)| {
            let request = Request { table, states: States::ALL, tcp_info: false, details: false };
            diag.dump(request, |payload| parse(protocol, table, payload).is_none_or(|it| kept.keep(it))).ok()
        });
        if told.is_none() {
            match each(root, protocol, |socket| kept.keep(socket)) {
                Err(error) if !error.is_gone() => return Err(error),
                _ => {}
            }
        }
        if kept.cut {
            break;
        }
    }
    Ok(Sockets::of(kept.sockets, kept.cut))
}

#[derive(Default)]
struct Kept {
    sockets: Vec<Socket>,
    cut: bool,
}

impl Kept {
    /// Keeps a socket that a descriptor may lead to. Returns false if there is no room for it.
    fn keep(&mut self, socket: Socket) -> bool {
        if socket.inode != 0 {
            self.cut = self.sockets.len() == MOST_SOCKETS;
            if !self.cut {
                self.sockets.push(socket);
            }
        }
        !self.cut
    }
}

fn parse(protocol: &'static str, table: Table, payload: &[u8]) -> Option<Socket> {
    match table {
        Table::Unix => {
            let socket = UnixSocket::parse(payload)?;
            // As `/proc/net/unix` writes it: zero bytes of an abstract name become `@`.
            let is_abstract = socket.name.is_some_and(|name| name.starts_with(b"\0"));
            let byte = |&byte: &u8| if is_abstract && byte == 0 { b'@' } else { byte };
            let local = socket.name.map_or(Name::None, |name| Name::Local(name.iter().map(byte).collect()));
            let kind = Some(socket.kind);
            Some(Socket { local, state: socket.state, kind, ..Socket::new(protocol, socket.inode.into()) })
        }
        Table::Packet => Some(Socket::new(protocol, PacketSocket::parse(payload)?.inode.into())),
        Table::Netlink => Some(Socket::new(protocol, NetlinkSocket::parse(payload)?.inode.into())),
        _ => {
            let socket = InetSocket::parse(payload)?;
            let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
            let is_somewhere = |peer: &SocketAddr| peer.port() != 0 || !peer.ip().is_unspecified();
            Some(Socket {
                local: Name::Internet(canonical(socket.local)),
                remote: Some(canonical(socket.peer)).filter(is_somewhere),
                state: socket.state,
                ..Socket::new(protocol, socket.inode.into())
            })
        }
    }
}
