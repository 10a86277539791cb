//! From what the kernel says to what happened.

use std::io;
use std::net::{IpAddr, SocketAddr};

use dbgctl_linux::error_queue::{Origin, QueuedError};
use dbgctl_proto::v1;
use dbgctl_proto::v1::ConnectOutcome;
use nix::errno::Errno;

/// How connecting or sending failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failing {
    pub(super) errno: Errno,
    /// The call itself failed: nothing was sent.
    pub(super) at_once: bool,
    pub(super) queued: Option<QueuedError>,
}

/// Codes by which a packet filter or router says that it forbids something: RFC 1812 5.2.7.1, RFC 4443 3.1.
const PROHIBITED_V4: [u8; 3] = [9, 10, 13];
const PROHIBITED_V6: [u8; 3] = [1, 5, 6];

/// Type and code of "there is no such neighbour", as this kernel sends it to itself.
const NO_NEIGHBOUR_V4: (u8, u8) = (3, 1);
const NO_NEIGHBOUR_V6: (u8, u8) = (1, 3);

/// Which of the ways to fail it was.
pub(super) fn classify(failing: Failing, own: Option<IpAddr>) -> ConnectOutcome {
    if let Some(Origin::Icmp { is_v6, kind, code, sender }) = failing.queued.map(|queued| queued.origin) {
        let (unreachable, prohibited, no_neighbour) =
            if is_v6 { (1, PROHIBITED_V6, NO_NEIGHBOUR_V6) } else { (3, PROHIBITED_V4, NO_NEIGHBOUR_V4) };
        if kind == unreachable && prohibited.contains(&code) {
            return ConnectOutcome::Prohibited;
        }
        if (kind, code) == no_neighbour && own.is_some() && sender == own {
            return ConnectOutcome::NoNeighbour;
        }
        if failing.errno != Errno::ECONNREFUSED {
            return ConnectOutcome::Unreachable;
        }
    }
    match failing.errno {
        Errno::ECONNREFUSED => ConnectOutcome::Refused,
        Errno::ECONNRESET => ConnectOutcome::Reset,
        Errno::ETIMEDOUT => ConnectOutcome::TimedOut,
        Errno::EADDRNOTAVAIL | Errno::EADDRINUSE => ConnectOutcome::NoLocalAddress,
        Errno::EACCES | Errno::EPERM => ConnectOutcome::Prohibited,
        Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EINVAL if failing.at_once => {
            ConnectOutcome::NoRoute
        }
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => ConnectOutcome::Unreachable,
        _ => ConnectOutcome::Failed,
    }
}

/// The message, if it was one that made it fail.
pub(super) fn icmp(queued: QueuedError, own: Option<IpAddr>) -> Option<v1::Icmp> {
    let Origin::Icmp { is_v6, kind, code, sender } = queued.origin else { return None };
    let too_big = (is_v6, kind, code) == (false, 3, 4) || (is_v6, kind) == (true, 2);
    Some(v1::Icmp {
        v6: is_v6,
        r#type: kind.into(),
        code: code.into(),
        sender: sender.map(|sender| sender.to_string()).unwrap_or_default(),
        sent_by_target: sender.is_some_and(|sender| own == Some(sender) || sender.is_loopback()),
        mtu_bytes: if too_big { queued.info } else { 0 },
    })
}

/// What is odd about the address itself.
pub(super) fn oddity(errno: Errno, address: SocketAddr) -> Option<&'static str> {
    match address {
        SocketAddr::V6(v6)
            if errno == Errno::EINVAL && v6.ip().is_unicast_link_local() && v6.scope_id() == 0 =>
        {
            Some("a link-local address needs its interface, as in fe80::1%eth0")
        }
        _ => None,
    }
}

/// The kernel's words with the name that manual pages use.
pub(super) fn describe(errno: Errno) -> String {
    format!("{} ({errno:?})", errno.desc().to_lowercase())
}

/// The number of an error that came from the kernel.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_it_decides_what_it_means() {
        let own: IpAddr = "10.0.0.2".parse().unwrap();
        let router: IpAddr = "10.0.0.1".parse().unwrap();
        let outcome = |errno, at_once, icmp: Option<(u8, u8, IpAddr)>| {
            let queued = icmp.map(|(kind, code, sender)| QueuedError {
                errno,
                origin: Origin::Icmp { is_v6: false, kind, code, sender: Some(sender) },
                info: 0,
            });
            classify(Failing { errno, at_once, queued }, Some(own))
        };
        assert_eq!(outcome(Errno::ENETUNREACH, true, None), ConnectOutcome::NoRoute);
        assert_eq!(outcome(Errno::EINVAL, true, None), ConnectOutcome::NoRoute);
        assert_eq!(outcome(Errno::EACCES, true, None), ConnectOutcome::Prohibited);
        assert_eq!(outcome(Errno::EHOSTUNREACH, false, Some((3, 1, own))), ConnectOutcome::NoNeighbour);
        assert_eq!(outcome(Errno::EHOSTUNREACH, false, Some((3, 1, router))), ConnectOutcome::Unreachable);
        assert_eq!(outcome(Errno::EHOSTUNREACH, false, Some((3, 13, router))), ConnectOutcome::Prohibited);
        assert_eq!(outcome(Errno::EHOSTUNREACH, false, Some((11, 0, router))), ConnectOutcome::Unreachable);
        assert_eq!(outcome(Errno::ECONNREFUSED, false, Some((3, 3, router))), ConnectOutcome::Refused);
        assert_eq!(outcome(Errno::ECONNREFUSED, false, None), ConnectOutcome::Refused);
    }
}
