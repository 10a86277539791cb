//! The error queue of a socket: which ICMP message, and of whom, made an operation fail.
//!
//! Format: `IP_RECVERR` in ip(7), `IPV6_RECVERR` in ipv6(7). Contrary to what the pages say, TCP has one as well while it
//! connects, since Linux 5.8.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike, recvmsg, setsockopt,
};

/// What happened to a packet on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedError {
    /// As which error it is reported.
    pub errno: Errno,
    /// Who says so.
    pub origin: Origin,
    /// What else there is to know: the MTU of the next hop, if the packet was too big for it.
    pub info: u32,
}

/// Who reports an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This kernel, without anything having been received.
    Local,
    /// An ICMP message for IPv4 or IPv6.
    Icmp {
        /// Whether it is of ICMPv6, whose numbers are others.
        is_v6: bool,
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// Who sent it. This kernel itself sends some to itself, from its own address.
        sender: Option<IpAddr>,
    },
}

/// Asks for errors to be queued. Call it before anything is sent.
///
/// # Errors
///
/// Whatever setsockopt(2) can fail with.
pub fn enable(socket: impl AsFd, peer: SocketAddr) -> nix::Result<()> {
    match peer {
        SocketAddr::V4(_) => setsockopt(&socket, Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvErr, &true),
    }
}

/// Takes the next error from the queue. `None`: there is no more.
///
/// # Errors
///
/// Whatever recvmsg(2) can fail with.
pub fn take(socket: impl AsFd, peer: SocketAddr) -> nix::Result<Option<QueuedError>> {
    match peer {
        SocketAddr::V4(_) => receive::<SockaddrIn>(socket),
        SocketAddr::V6(_) => receive::<SockaddrIn6>(socket),
    }
}

fn receive<S: SockaddrLike>(socket: impl AsFd) -> nix::Result<Option<QueuedError>> {
    // Other messages may come with it, such as time stamps.
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, [u8; 128]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    // The beginning of the packet is of no interest, and is dropped.
    let message = match recvmsg::<S>(socket.as_fd().as_raw_fd(), &mut [], Some(&mut control), flags) {
        Err(Errno::EAGAIN) => return Ok(None),
        message => message?,
    };
    let found = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, sender) => {
            Some(queued(&error, sender.map(|sender| IpAddr::V4(SockaddrIn::from(sender).ip()))))
        }
        ControlMessageOwned::Ipv6RecvErr(error, sender) => {
            Some(queued(&error, sender.map(|sender| IpAddr::V6(SockaddrIn6::from(sender).ip()))))
        }
        _ => None,
    });
    Ok(found)
}

fn queued(error: &libc::sock_extended_err, sender: Option<IpAddr>) -> QueuedError {
    let icmp = |is_v6| Origin::Icmp {
        is_v6,
        kind: error.ee_type,
        code: error.ee_code,
        sender: sender.filter(|it| !it.is_unspecified()),
    };
    let origin = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => icmp(false),
        libc::SO_EE_ORIGIN_ICMP6 => icmp(true),
        _ => Origin::Local,
    };
    let errno = i32::try_from(error.ee_errno).map_or(Errno::UnknownErrno, Errno::from_raw);
    QueuedError { errno, origin, info: error.ee_info }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_closed_port_sends_an_icmp_message_that_names_its_sender() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        enable(&socket, closed).unwrap();
        socket.connect(closed).unwrap();
        assert_eq!(take(&socket, closed), Ok(None));
        socket.send(b"").unwrap();
        let origin =
            Origin::Icmp { is_v6: false, kind: 3, code: 3, sender: Some("127.0.0.1".parse().unwrap()) };
        // On loopback the answer is there before the call returns.
        assert_eq!(
            take(&socket, closed),
            Ok(Some(QueuedError { errno: Errno::ECONNREFUSED, origin, info: 0 }))
        );
        assert_eq!(take(&socket, closed), Ok(None));
    }
}
