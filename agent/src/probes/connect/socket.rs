//! Sockets that try to reach one address, and what they know when that is over.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use dbgctl_linux::error_queue::{self, QueuedError};
use dbgctl_linux::netlink::tcp_info::{Field, TcpInfo};
use dbgctl_linux::sys;
use dbgctl_proto::v1::{ConnectAttempt, ConnectOutcome};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::BindToDevice;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect as connect_to, getsockname, setsockopt,
    socket,
};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use super::nanos;
use super::outcome::{Failing, classify, describe, errno, icmp, oddity};

/// Where to come from.
#[derive(Debug, Default)]
pub(super) struct From {
    pub(super) source: Option<IpAddr>,
    pub(super) interface: Option<String>,
}

/// `struct tcp_info` of kernels to come may be longer; what is used of it stands in front.
const TCP_INFO_BYTES: usize = 256;

/// Makes a connection.
pub(super) async fn connect(
    address: SocketAddr,
    from: &From,
    limit: Duration,
) -> (ConnectAttempt, Option<TcpStream>) {
    let mut trial = Trial::new(address);
    let begun = trial.begin(SockType::Stream, from);
    let stream = match begun.and_then(|socket| TcpStream::from_std(socket.into())) {
        Ok(stream) => stream,
        Err(error) => return (trial.failed(errno(&error), true, None), None),
    };
    let ready = timeout(limit, stream.writable()).await;
    trial.over();
    trial.measure(&stream);
    let error = match ready {
        Err(_) => return (trial.timed_out(ConnectOutcome::TimedOut, limit), None),
        Ok(ready) => ready.and_then(|()| stream.take_error()),
    };
    match error {
        Ok(None) => (trial.succeeded(ConnectOutcome::Connected), Some(stream)),
        Ok(Some(error)) | Err(error) => {
            let queued = last_error(stream.as_fd(), address);
            (trial.failed(errno(&error), false, queued), None)
        }
    }
}

/// Sends an empty datagram and waits for what comes back.
pub(super) async fn send(address: SocketAddr, from: &From, limit: Duration) -> ConnectAttempt {
    let mut trial = Trial::new(address);
    let begun = trial.begin(SockType::Datagram, from);
    let socket = match begun.and_then(|socket| UdpSocket::from_std(socket.into())) {
        Ok(socket) => socket,
        Err(error) => return trial.failed(errno(&error), true, None),
    };
    if let Err(error) = socket.send(&[]).await {
        let queued = last_error(socket.as_fd(), address);
        return trial.failed(errno(&error), queued.is_none(), queued);
    }
    let answer = timeout(limit, socket.recv(&mut [0; 1])).await;
    trial.over();
    match answer {
        Err(_) => trial.timed_out(ConnectOutcome::Silent, limit),
        Ok(Ok(_)) => trial.succeeded(ConnectOutcome::Answered),
        Ok(Err(error)) => {
            let queued = last_error(socket.as_fd(), address);
            trial.failed(errno(&error), false, queued)
        }
    }
}

/// Whether `peer` is an address of the target itself, as far as the attempt tells: it came from there, or from loopback.
pub(super) fn is_own(attempt: &ConnectAttempt, peer: IpAddr) -> bool {
    let local = attempt.local.as_deref().and_then(|local| local.parse::<SocketAddr>().ok());
    peer.is_loopback() || local.is_some_and(|local| local.ip() == peer)
}

/// One address that is being tried.
struct Trial {
    address: SocketAddr,
    started: Instant,
    own: Option<IpAddr>,
    attempt: ConnectAttempt,
}

impl Trial {
    fn new(address: SocketAddr) -> Self {
        let attempt = ConnectAttempt { address: shown(address), ..ConnectAttempt::default() };
        Self { address, started: Instant::now(), own: None, attempt }
    }

    /// A socket that is on its way there.
    fn begin(&mut self, kind: SockType, from: &From) -> std::io::Result<OwnedFd> {
        let socket = prepared(self.address, kind, from)?;
        self.started = Instant::now();
        match connect_to(socket.as_raw_fd(), &SockaddrStorage::from(self.address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        // When it has failed the kernel has forgotten it.
        if let Some(local) = getsockname(socket.as_raw_fd()).ok().as_ref().and_then(address_of) {
            self.own = Some(local.ip());
            self.attempt.local = Some(local.to_string());
        }
        Ok(socket)
    }

    /// The outcome is known.
    fn over(&mut self) {
        self.attempt.nanos = nanos(self.started.elapsed());
    }

    fn measure(&mut self, stream: &TcpStream) {
        let mut bytes = [0; TCP_INFO_BYTES];
        let Ok(length) = sys::tcp_info(stream.as_fd(), &mut bytes) else { return };
        let info = TcpInfo::new(&bytes[..length.min(TCP_INFO_BYTES)]);
        let number = |field| info.get(field).and_then(|value| u32::try_from(value).ok());
        self.attempt.syn_retransmits = number(Field::TOTAL_RETRANS);
        // Not before the SYN-ACK, and after a second SYN nobody knows which one was answered.
        let rtt = info.get(Field::RTT).filter(|&micros| micros > 0);
        self.attempt.rtt_nanos =
            rtt.filter(|_| self.attempt.syn_retransmits == Some(0)).map(|micros| micros.saturating_mul(1000));
        self.attempt.mss_bytes = number(Field::SND_MSS);
        self.attempt.path_mtu_bytes = number(Field::PMTU);
    }

    fn succeeded(self, outcome: ConnectOutcome) -> ConnectAttempt {
        self.finished(outcome, String::new())
    }

    fn timed_out(self, outcome: ConnectOutcome, limit: Duration) -> ConnectAttempt {
        self.finished(outcome, format!("no answer within {limit:?}"))
    }

    fn failed(mut self, errno: Errno, at_once: bool, queued: Option<QueuedError>) -> ConnectAttempt {
        if at_once {
            self.over();
        }
        self.attempt.icmp = queued.and_then(|queued| icmp(queued, self.own));
        match oddity(errno, self.address) {
            Some(oddity) => self.finished(ConnectOutcome::Failed, oddity.to_owned()),
            None => {
                let outcome = classify(Failing { errno, at_once, queued }, self.own);
                self.finished(outcome, describe(errno))
            }
        }
    }

    fn finished(mut self, outcome: ConnectOutcome, error: String) -> ConnectAttempt {
        let interface = self.own.and_then(|own| interface(own, self.address.ip()));
        self.attempt.interface = interface.unwrap_or_default();
        self.attempt.outcome = outcome.into();
        self.attempt.error = error;
        if outcome != ConnectOutcome::Connected {
            // They are guesses until there is a connection.
            (self.attempt.rtt_nanos, self.attempt.mss_bytes, self.attempt.path_mtu_bytes) =
                (None, None, None);
        }
        self.attempt
    }
}

/// The address with its zone, but without its port.
fn shown(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => address.ip().to_string(),
    }
}

fn prepared(address: SocketAddr, kind: SockType, from: &From) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, kind, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)?;
    // Without it there is an error and no reason.
    let _less_is_known = error_queue::enable(&socket, address);
    if let Some(interface) = &from.interface {
        setsockopt(&socket, BindToDevice, &interface.into())?;
    }
    if let Some(source) = from.source {
        bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, 0)))?;
    }
    Ok(socket)
}

/// The last of the errors that were queued: the one that ended it.
fn last_error(socket: BorrowedFd<'_>, address: SocketAddr) -> Option<QueuedError> {
    /// Whoever floods the target with messages is not read to the end.
    const MOST: usize = 64;
    (0..MOST).map_while(|_| error_queue::take(socket, address).ok().flatten()).last()
}

/// The interface that packets from `local` to `peer` leave through, as far as addresses tell.
fn interface(local: IpAddr, peer: IpAddr) -> Option<String> {
    let wanted = if local == peer { Ipv4Addr::LOCALHOST.into() } else { local };
    let found = getifaddrs().ok()?.find(|interface| {
        let address = interface.address.as_ref().and_then(address_of).map(|address| address.ip());
        // All of 127.0.0.0/8 is loopback's.
        address.is_some_and(|it| it == wanted || (it.is_loopback() && wanted.is_loopback()))
    });
    found.map(|interface| interface.interface_name)
}

/// `None`: it is of another family, or not yet bound to an address.
fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
    let v6 = storage.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into());
    v4.or(v6).filter(|address: &SocketAddr| !address.ip().is_unspecified())
}
