//! One packet on its way.

use std::io::IoSliceMut;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use dbgctl_linux::error_queue::{self, Origin, QueuedError};
use dbgctl_linux::sys;
use dbgctl_proto::v1::{PacketAnswer, PacketMethod, PacketOutcome};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{Ipv4RecvTtl, Ipv4Ttl, Ipv6RecvHopLimit, Ipv6Ttl, Linger, SocketError};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, connect,
    getsockopt, recvmsg, send, setsockopt, socket,
};

use super::{Packet, echo, words};

/// Longer answers are cut: what matters stands in front.
const ANSWER_BYTES: usize = 64;

/// A packet that was sent, and its socket.
#[derive(Debug)]
pub(in crate::probes) struct Flight {
    pub(in crate::probes) packet: Packet,
    socket: OwnedFd,
    sent: Instant,
}

/// Why a packet was not sent.
#[derive(Debug)]
pub(in crate::probes) struct NotSent {
    pub(in crate::probes) errno: Errno,
    /// There is not even a socket for it.
    pub(in crate::probes) no_socket: bool,
    pub(in crate::probes) answer: PacketAnswer,
}

impl Flight {
    /// Sends a packet.
    pub(in crate::probes) fn launch(packet: Packet) -> Result<Self, NotSent> {
        let bare = |errno| NotSent { errno, no_socket: true, answer: not_sent(errno, None) };
        let socket = open(&packet).map_err(bare)?;
        let peer = SockaddrStorage::from(packet.to);
        let mut flight = Self { packet, socket, sent: Instant::now() };
        let result = match (packet.method, connect(flight.socket.as_raw_fd(), &peer)) {
            (PacketMethod::Tcp, Err(Errno::EINPROGRESS)) => Ok(()),
            (PacketMethod::Tcp, connected) => connected,
            (_, Err(errno)) => Err(errno),
            (method, Ok(())) => {
                let payload_bytes = usize::try_from(packet.size_bytes).unwrap_or_default();
                let bytes = match method {
                    PacketMethod::Icmp => echo::request(packet.to.is_ipv6(), packet.sequence, payload_bytes),
                    _ => vec![0; payload_bytes],
                };
                flight.sent = Instant::now();
                send(flight.socket.as_raw_fd(), &bytes, MsgFlags::empty()).map(drop)
            }
        };
        match result {
            Ok(()) => Ok(flight),
            // What the kernel itself knows better: the MTU.
            Err(errno) => Err(NotSent { errno, no_socket: false, answer: not_sent(errno, flight.queued()) }),
        }
    }

    /// When it was sent.
    pub(in crate::probes) fn sent(&self) -> Instant {
        self.sent
    }

    /// What came of it since it was last asked. `None`: nothing yet.
    pub(in crate::probes) fn answer(&self) -> Option<PacketAnswer> {
        let rtt = self.sent.elapsed();
        let answer = match self.queued() {
            Some(queued) => of_error(queued, self.packet.to.ip()),
            None => match self.packet.method {
                PacketMethod::Tcp => self.connected()?,
                _ => self.received()?,
            },
        };
        let rtt_nanos = Some(u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX));
        Some(PacketAnswer { rtt_nanos, ..answer })
    }

    fn queued(&self) -> Option<QueuedError> {
        error_queue::take(&self.socket, self.packet.to).ok().flatten()
    }

    fn received(&self) -> Option<PacketAnswer> {
        let mut bytes = [0; ANSWER_BYTES];
        let mut control = nix::cmsg_space!(libc::c_int, libc::c_int, [u8; 64]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<()>(self.socket.as_raw_fd(), &mut slices, Some(&mut control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return None,
            Err(errno) => return Some(failed(errno)),
        };
        let ttl = message.cmsgs().ok().and_then(|mut control| {
            control.find_map(|control| match control {
                ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                    u32::try_from(ttl).ok()
                }
                _ => None,
            })
        });
        let length = message.bytes.min(ANSWER_BYTES);
        let is_echo = self.packet.method == PacketMethod::Icmp;
        if is_echo && echo::reply(self.packet.to.is_ipv6(), &bytes[..length]) != Some(self.packet.sequence) {
            return None;
        }
        Some(PacketAnswer { ttl, ..answered(PacketOutcome::Answered, self.packet.to.ip()) })
    }

    fn connected(&self) -> Option<PacketAnswer> {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut polled, PollTimeout::ZERO).ok()? == 0 {
            return None;
        }
        match getsockopt(&self.socket, SocketError).unwrap_or_default() {
            0 => {
                // It is reset when it is closed, so that nothing of it stays behind.
                let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
                let _closed_politely = setsockopt(&self.socket, Linger, &at_once);
                Some(answered(PacketOutcome::Answered, self.packet.to.ip()))
            }
            errno => Some(match Errno::from_raw(errno) {
                Errno::ECONNREFUSED | Errno::ECONNRESET => {
                    answered(PacketOutcome::Refused, self.packet.to.ip())
                }
                errno => failed(errno),
            }),
        }
    }
}

/// Waits until something came of one of them, at most until then.
pub(in crate::probes) fn wait<'f>(flights: impl Iterator<Item = &'f Flight>, until: Instant) {
    let wanted = |flight: &Flight| match flight.packet.method {
        PacketMethod::Tcp => PollFlags::POLLOUT,
        _ => PollFlags::POLLIN,
    };
    let mut polled: Vec<_> = flights.map(|flight| PollFd::new(descriptor(flight), wanted(flight))).collect();
    let left = until.saturating_duration_since(Instant::now());
    // Up, so that it does not turn in circles for the last part of a millisecond.
    let millis = left.as_micros().div_ceil(1000);
    let timeout = PollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX));
    // Whoever waits looks at all of them afterwards.
    let _interrupted = poll(&mut polled, timeout.unwrap_or(PollTimeout::ZERO));
}

fn descriptor(flight: &Flight) -> BorrowedFd<'_> {
    flight.socket.as_fd()
}

fn open(packet: &Packet) -> nix::Result<OwnedFd> {
    let is_v6 = packet.to.is_ipv6();
    let family = if is_v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let (kind, protocol) = match packet.method {
        PacketMethod::Tcp => (SockType::Stream, None),
        PacketMethod::Icmp if is_v6 => (SockType::Datagram, Some(SockProtocol::IcmpV6)),
        PacketMethod::Icmp => (SockType::Datagram, Some(SockProtocol::Icmp)),
        _ => (SockType::Datagram, None),
    };
    let socket = socket(family, kind, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, protocol)?;
    error_queue::enable(&socket, packet.to)?;
    match is_v6 {
        false => setsockopt(&socket, Ipv4RecvTtl, &true)?,
        true => setsockopt(&socket, Ipv6RecvHopLimit, &true)?,
    }
    if let Some(ttl) = packet.ttl {
        match is_v6 {
            false => setsockopt(&socket, Ipv4Ttl, &ttl.into())?,
            true => setsockopt(&socket, Ipv6Ttl, &ttl.into())?,
        }
    }
    if packet.dont_fragment {
        sys::never_fragment(socket.as_fd(), is_v6)?;
    }
    Ok(socket)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn answered(outcome: PacketOutcome, from: IpAddr) -> PacketAnswer {
    PacketAnswer { outcome: outcome.into(), from: octets(from), ..PacketAnswer::default() }
}

/// What the kernel says of a packet without a message of anyone.
fn failed(errno: Errno) -> PacketAnswer {
    let outcome = match errno {
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => PacketOutcome::Unreachable,
        Errno::EACCES | Errno::EPERM => PacketOutcome::Prohibited,
        Errno::EMSGSIZE => PacketOutcome::TooBig,
        Errno::ETIMEDOUT => PacketOutcome::TimedOut,
        _ => PacketOutcome::Other,
    };
    PacketAnswer { outcome: outcome.into(), error: words(errno), ..PacketAnswer::default() }
}

fn not_sent(errno: Errno, queued: Option<QueuedError>) -> PacketAnswer {
    let mtu_bytes = queued.map(|queued| queued.info).filter(|&mtu| errno == Errno::EMSGSIZE && mtu > 0);
    let outcome = if errno == Errno::EMSGSIZE { PacketOutcome::TooBig } else { PacketOutcome::NotSent };
    PacketAnswer { outcome: outcome.into(), mtu_bytes, error: words(errno), ..PacketAnswer::default() }
}

/// What an error of the queue says: RFC 792, RFC 1812 and RFC 4443 for the numbers.
fn of_error(queued: QueuedError, peer: IpAddr) -> PacketAnswer {
    let QueuedError { errno, origin, info } = queued;
    let Origin::Icmp { is_v6, kind, code, sender } = origin else {
        let mtu_bytes = Some(info).filter(|&mtu| errno == Errno::EMSGSIZE && mtu > 0);
        return PacketAnswer { mtu_bytes, ..failed(errno) };
    };
    let outcome = match (is_v6, kind, code) {
        // Others than the host may say so: a firewall that rejects.
        (false, 3, 2 | 3) | (true, 1, 4) if sender == Some(peer) => PacketOutcome::Refused,
        (false, 3, 4) | (true, 2, _) => PacketOutcome::TooBig,
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => PacketOutcome::Prohibited,
        (false, 3, _) | (true, 1, _) => PacketOutcome::Unreachable,
        (false, 11, 0) | (true, 3, 0) => PacketOutcome::TimeExceeded,
        _ => PacketOutcome::Other,
    };
    PacketAnswer {
        outcome: outcome.into(),
        from: sender.map(octets).unwrap_or_default(),
        icmp_type: Some(kind.into()),
        icmp_code: Some(code.into()),
        mtu_bytes: Some(info).filter(|&mtu| outcome == PacketOutcome::TooBig && mtu > 0),
        ..PacketAnswer::default()
    }
}

/// That no answer came.
pub(in crate::probes) fn timed_out() -> PacketAnswer {
    PacketAnswer { outcome: PacketOutcome::TimedOut.into(), ..PacketAnswer::default() }
}

/// Whether the host itself told.
pub(in crate::probes) fn is_of_host(answer: &PacketAnswer) -> bool {
    matches!(answer.outcome(), PacketOutcome::Answered | PacketOutcome::Refused)
}

/// How long a wait lasts at most before it is looked whether anyone still wants to know.
pub(in crate::probes) const LOOK_UP: Duration = Duration::from_millis(100);
