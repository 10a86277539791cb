//! What the other container sees: who listens there, and what arrives.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;

use dbgctl_proto::list::SocketNews;
use dbgctl_proto::v1::{self, Socket, SocketListHeader, SocketOwner, SocketProtocol, SocketState};

use crate::commands::agent::Agent;
use crate::commands::connect::peer::with_port;
use crate::commands::{Failure, network, stream};
use crate::render::cell;

/// Where Docker's own resolver listens in networks of its users' making: no program of the container does.
const ENGINES_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// A listening socket of TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) ip: IpAddr,
    pub(super) port: NonZeroU16,
    /// Takes IPv4 as well, though bound to an address of IPv6.
    pub(super) both_families: bool,
    /// Connections that wait to be accepted, and how many may.
    pub(super) queue: Option<(u32, u32)>,
    /// Who holds it, ready to be shown. Empty: not known.
    pub(super) holder: String,
}

impl Listener {
    /// Whether connections to that address come to it.
    pub(super) fn takes(&self, ip: IpAddr) -> bool {
        self.ip == ip
            || (self.ip.is_unspecified() && (self.ip.is_ipv4() == ip.is_ipv4() || self.both_families))
    }

    /// Whether one more connection has no place in the queue: it takes one more than its limit.
    pub(super) fn is_full(&self) -> bool {
        self.queue.is_some_and(|(waiting, limit)| waiting > limit)
    }

    /// `0.0.0.0:5432 (postgres, pid 7)`.
    pub(super) fn in_words(&self) -> String {
        let address = match self.both_families && self.ip.is_unspecified() {
            true => format!("*:{}", self.port),
            false => with_port(&self.ip.to_string(), self.port),
        };
        if self.holder.is_empty() { address } else { format!("{address} ({})", self.holder) }
    }
}

/// What there is to see at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FarEnd {
    /// By port.
    pub(super) listeners: Vec<Listener>,
    /// Peers whose SYN was answered and who have not confirmed it.
    pub(super) half_open: Vec<IpAddr>,
    pub(super) counters: Counters,
}

/// What its network namespace has counted since it was made. Absent: not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Connections that found an accept queue full.
    pub(super) overflows: Option<u64>,
    /// Packets of the address's version of IP, before any filter: RFC 4293, ipSystemStatsInReceives.
    pub(super) packets: Option<u64>,
    /// Segments of TCP, behind the filter: RFC 4022, tcpInSegs.
    pub(super) segments: Option<u64>,
}

impl Counters {
    /// What they grew by.
    pub(super) fn since(self, before: Self) -> Self {
        let grew = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        Self {
            overflows: grew(self.overflows, before.overflows),
            packets: grew(self.packets, before.packets),
            segments: grew(self.segments, before.segments),
        }
    }
}

/// Looks at what has to do with connections to that address. Nothing is sent.
pub(super) async fn look(agent: &Agent, ip: IpAddr) -> Result<FarEnd, Failure> {
    let sockets = v1::ListSocketsRequest {
        protocols: vec![SocketProtocol::Tcp.into()],
        states: vec![SocketState::Listen.into(), SocketState::SynRecv.into(), SocketState::NewSynRecv.into()],
        owners: true,
        ..v1::ListSocketsRequest::default()
    };
    let (mut header, mut owners) = (SocketListHeader::default(), Vec::new());
    let listing = stream::read_and::<v1::ListSocketsResponse>(agent, sockets, |news| match news {
        SocketNews::Header(news) => header = news,
        SocketNews::Owner(owner) => owners.push(owner),
    });
    let listing = agent.within_limit(listing).await?;
    let counted = network::counted_now(agent).await?.header.unwrap_or_default();
    let counter = |name: &str| {
        counted.counters.iter().find(|counter| counter.name == name).map(|counter| counter.since_start)
    };
    let (listening, half_open): (Vec<_>, Vec<_>) =
        listing.rows.iter().partition(|socket| socket.state() == SocketState::Listen);
    let mut listeners: Vec<_> =
        listening.into_iter().filter_map(|socket| listener(socket, &owners)).collect();
    listeners.retain(|listener| listener.ip != ENGINES_RESOLVER);
    listeners.sort_by_key(|listener| (listener.port, listener.ip));
    Ok(FarEnd {
        listeners,
        half_open: half_open
            .into_iter()
            .filter_map(|socket| socket.peer.as_ref()?.ip())
            .map(|ip| ip.to_canonical())
            .collect(),
        counters: Counters {
            overflows: header.listen_overflows,
            packets: counter(if ip.is_ipv4() { "IpInReceives" } else { "Ip6InReceives" }),
            segments: counter("TcpInSegs"),
        },
    })
}

fn listener(socket: &Socket, owners: &[SocketOwner]) -> Option<Listener> {
    let local = socket.local.as_ref()?;
    let holds = |owner: &&SocketOwner| socket.inode != 0 && owner.inodes.contains(&socket.inode);
    let holder = owners.iter().find(holds);
    Some(Listener {
        ip: local.ip()?,
        port: NonZeroU16::new(u16::try_from(local.port).ok()?)?,
        both_families: socket.ipv6_only == Some(false),
        queue: socket.accept_queue.zip(socket.accept_queue_limit),
        holder: holder.map_or_else(String::new, |owner| {
            format!("{}, pid {}", cell(|cell| cell.raw(&owner.command)), owner.pid)
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str, both_families: bool) -> Listener {
        Listener {
            ip: ip.parse().unwrap(),
            port: NonZeroU16::new(80).unwrap(),
            both_families,
            queue: Some((0, 128)),
            holder: String::new(),
        }
    }

    #[test]
    fn a_listener_takes_what_comes_to_its_address() {
        let (v4, v6) = ("172.18.0.3".parse().unwrap(), "fd00::3".parse().unwrap());
        let takes = |ip, both_families| {
            let listener = at(ip, both_families);
            (listener.takes(v4), listener.takes(v6))
        };
        assert_eq!(takes("0.0.0.0", false), (true, false));
        assert_eq!(takes("::", false), (false, true));
        assert_eq!(takes("::", true), (true, true));
        assert_eq!(takes("127.0.0.1", false), (false, false));
        assert_eq!(takes("172.18.0.3", false), (true, false));
    }

    #[test]
    fn a_queue_is_full_with_one_more_than_its_limit() {
        let with = |waiting| Listener { queue: Some((waiting, 2)), ..at("0.0.0.0", false) }.is_full();
        assert_eq!((with(2), with(3)), (false, true));
    }

    #[test]
    fn what_is_not_told_has_not_grown() {
        let of = |packets| Counters { packets, ..Counters::default() };
        assert_eq!(of(Some(9)).since(of(Some(2))).packets, Some(7));
        assert_eq!(of(Some(9)).since(of(None)).packets, None);
        assert_eq!(of(Some(1)).since(of(Some(2))).packets, None, "counters that began anew");
    }
}
