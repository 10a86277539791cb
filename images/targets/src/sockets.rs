//! `sockets [--pairs 4] [--close-wait 0] [--time-wait 0] [--full] [--ipv6-only]`: one process with sockets of every kind and
//! in every state that lasts, and a child that shares some of them.

use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, NetlinkAddr, SockFlag, SockType, SockaddrIn, bind, connect, listen, socket,
    socketpair,
};

use crate::arguments::Arguments;
use crate::process::{idle_child, sleep_forever};
use crate::{Result, sys};

/// Where those with a name have it.
const DIRECTORY: &str = "/files";
/// A name that attacks whoever prints it: blanks, a newline and a line like those of `/proc/net/unix`, an escape code.
const HOSTILE: &[u8] = b"a b\n00000000fa9bd5f9: 00000002 00000000 00010000 0001 01  1 /forged\x1b[31m\xff";

/// Of the listener whose queue is full, and of those that its programs forget.
const FULL_PORT: u16 = 7001;
const FORGOTTEN_PORT: u16 = 7002;
const CLOSED_PORT: u16 = 7003;
/// One of many connections that wait, or that are tried.
const MORE_THAN_FIT: usize = 4;

/// Opens them and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let pairs: usize = arguments.option("--pairs")?.unwrap_or(4);
    let forgotten: usize = arguments.option("--close-wait")?.unwrap_or(0);
    let closed: usize = arguments.option("--time-wait")?.unwrap_or(0);
    let mut flags = Vec::from_iter(std::iter::from_fn(|| arguments.next()));
    let mut flag =
        |name: &str| flags.iter().position(|flag| flag == name).map(|at| flags.remove(at)).is_some();
    let (full, ipv6_only) = (flag("--full"), flag("--ipv6-only"));
    let mut kept = Vec::<OwnedFd>::new();

    connections(pairs, Ipv6Addr::LOCALHOST.into(), &mut kept)?;
    if !ipv6_only {
        connections(pairs, Ipv4Addr::LOCALHOST.into(), &mut kept)?;
        // IPv4 through a socket of IPv6, which takes both.
        let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let client = TcpStream::connect((mapped, both.local_addr()?.port()))?;
        kept.extend([both.accept()?.0.into(), client.into(), both.into()]);
        ipv4(&mut kept)?;
    }
    for _ in 0..pairs {
        let udp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
        let connected = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
        connected.connect(udp.local_addr()?)?;
        // It is never read.
        connected.send(&[7; 100])?;
        kept.extend([udp.into(), connected.into()]);
    }
    local(pairs, &mut kept)?;
    if full {
        kept.extend(overflow()?);
    }
    if forgotten > 0 {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, FORGOTTEN_PORT))?;
        for _ in 0..forgotten {
            let client = TcpStream::connect(listener.local_addr()?)?;
            kept.push(listener.accept()?.0.into());
            drop(client);
        }
        kept.push(listener.into());
    }
    if closed > 0 {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, CLOSED_PORT))?;
        for _ in 0..closed {
            let client = TcpStream::connect(listener.local_addr()?)?;
            // Whoever closes first waits.
            drop(listener.accept()?);
            drop(client);
        }
        kept.push(listener.into());
    }
    idle_child("shares")?;
    println!("ready with {}", kept.len());
    sleep_forever()
}

/// A listener, and connections to it of which each carries some bytes that are not read.
fn connections(count: usize, ip: std::net::IpAddr, kept: &mut Vec<OwnedFd>) -> Result {
    let listener = TcpListener::bind(SocketAddr::new(ip, 0))?;
    for nth in 0..count {
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (mut server, _) = listener.accept()?;
        server.write_all(&vec![7; nth % 7 * 1000])?;
        kept.extend([client.into(), server.into()]);
    }
    kept.push(listener.into());
    Ok(())
}

/// What there is of IPv4 besides. Raw and packet sockets take a capability that is not always there.
fn ipv4(kept: &mut Vec<OwnedFd>) -> Result {
    kept.push(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353))?.into());
    for (family, kind, protocol) in [
        (libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        (libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6),
        (libc::AF_PACKET, libc::SOCK_RAW, i32::from(0x0003_u16.to_be())),
    ] {
        match sys::socket(family, kind, protocol) {
            Ok(socket) => kept.push(socket),
            Err(Errno::EPERM | Errno::EACCES) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // The kernel tells of these only once they are bound.
    for (protocol, port) in [(libc::IPPROTO_UDPLITE, 5354), (libc::IPPROTO_ICMP, 77)] {
        let bound = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, protocol)?;
        bind(bound.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port))?;
        kept.push(bound);
    }
    let netlink = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    bind(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    kept.push(netlink);
    Ok(())
}

fn local(pairs: usize, kept: &mut Vec<OwnedFd>) -> Result {
    for _ in 0..pairs {
        let (mut one, other) = UnixStream::pair()?;
        one.write_all(&[7; 100])?;
        kept.extend([one.into(), other.into()]);
    }
    std::fs::create_dir_all(DIRECTORY)?;
    let path = format!("{DIRECTORY}/so cket");
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path)?;
    kept.extend([listener.accept()?.0.into(), client.into()]);
    // It is never accepted.
    kept.push(UnixStream::connect(&path)?.into());
    kept.push(listener.into());
    kept.push(UnixListener::bind_addr(&UnixAddr::from_abstract_name(HOSTILE)?)?.into());
    kept.push(UnixDatagram::bind_addr(&UnixAddr::from_abstract_name("datagrams")?)?.into());
    let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty())?;
    kept.extend([one, other]);
    Ok(())
}

/// A listener that nobody accepts from, and more connections than may wait.
fn overflow() -> Result<Vec<OwnedFd>> {
    let stream = || socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None);
    let address = SockaddrIn::new(127, 0, 0, 1, FULL_PORT);
    let listener = stream()?;
    bind(listener.as_raw_fd(), &address)?;
    listen(&listener, Backlog::new(1)?)?;
    let mut kept = vec![listener];
    for _ in 0..MORE_THAN_FIT {
        let client = stream()?;
        match connect(client.as_raw_fd(), &address) {
            Ok(()) | Err(Errno::EINPROGRESS) => kept.push(client),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(kept)
}
