//! From the agent's stream to rows.

use std::collections::HashMap;
use std::sync::Arc;

use dbgctl_proto::list::SocketNews;
use dbgctl_proto::v1::{self, Socket, SocketListHeader, SocketOwner};

use super::row::{Owner, Peer, Rates, SocketRow};
use super::trouble::Trouble;
use crate::commands::Failure;
use crate::commands::agent::Agent;
use crate::commands::stream::{self, Listing};

/// What the agent sent.
pub(super) struct Sockets {
    pub(super) header: Option<SocketListHeader>,
    pub(super) owners: Vec<SocketOwner>,
    pub(super) list: Listing<v1::ListSocketsResponse>,
}

/// Reads the whole stream, as far as there is room for it.
pub(super) async fn read(agent: &Agent, request: v1::ListSocketsRequest) -> Result<Sockets, Failure> {
    let (mut header, mut owners) = (None, Vec::new());
    let list = stream::read_and(agent, request, |news| match news {
        SocketNews::Header(news) => header = Some(news),
        SocketNews::Owner(owner) => owners.push(owner),
    });
    let list = list.await?;
    Ok(Sockets { header, owners, list })
}

/// A socket as it was received: it is sorted, which is cheaper if it stays in place.
type Received = Box<Socket>;

/// A socket and who holds it.
type Held = (u64, Owner);

/// Joins sockets with their owners, local ones with their peers, and all with the list before if there is to be another.
pub(super) fn rows(
    header: Option<SocketListHeader>,
    sockets: Vec<Received>,
    owners: Vec<SocketOwner>,
    history: Option<&mut History>,
) -> Vec<SocketRow> {
    let held = held(owners);
    let peers = peers(&sockets, &held);
    let mut rates = history.map(|history| history.rates(header, &sockets).into_iter());
    let row = |socket: Received| {
        let rates = rates.as_mut().and_then(Iterator::next).flatten();
        let owners = if socket.inode == 0 { Vec::new() } else { owners_of(&held, socket.inode).collect() };
        let peer_inode = socket.unix.as_ref().and_then(|unix| unix.peer_inode);
        let peer = peer_inode.and_then(|inode| peers.get(&inode).cloned());
        SocketRow { trouble: Trouble::of(&socket), socket, owners, peer, rates }
    };
    sockets.into_iter().map(row).collect()
}

/// By inode, pid and number.
fn held(owners: Vec<SocketOwner>) -> Vec<Held> {
    let mut held = Vec::new();
    for owner in owners {
        let command: Arc<[u8]> = owner.command.into();
        held.extend(
            owner.inodes.into_iter().zip(owner.numbers).map(|(inode, number)| {
                (inode, Owner { pid: owner.pid, number, command: Arc::clone(&command) })
            }),
        );
    }
    held.sort_unstable_by_key(|(inode, owner)| (*inode, owner.pid, owner.number));
    held
}

fn owners_of(held: &[Held], inode: u64) -> impl Iterator<Item = Owner> {
    let start = held.partition_point(|(other, _)| *other < inode);
    held[start..].iter().take_while(move |(other, _)| *other == inode).map(|(_, owner)| owner.clone())
}

/// What is known of local sockets as the other end of others.
fn peers(sockets: &[Received], held: &[Held]) -> HashMap<u64, Peer> {
    let is_peer = |socket: &&Received| socket.unix.as_ref().is_some_and(|unix| unix.peer_inode.is_some());
    let wanted = sockets.iter().filter(is_peer).filter_map(|socket| socket.unix.as_ref()?.peer_inode);
    let names: HashMap<_, _> = sockets
        .iter()
        .filter_map(|socket| Some((socket.inode, socket.unix.as_ref()?.name.clone())))
        .collect();
    wanted
        .map(|inode| {
            let owners = owners_of(held, inode).collect();
            (inode, Peer { name: names.get(&inode).cloned().flatten(), owners })
        })
        .collect()
}

/// The counters of the list before, by cookie. Empty before the first.
#[derive(Debug, Default)]
pub(super) struct History {
    sampled_boottime_nanos: u64,
    counters: HashMap<u64, Counters>,
}

/// What a connection has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counters {
    sent: u64,
    received: u64,
    retransmits: u32,
}

fn counters(socket: &Socket) -> Option<(u64, Counters)> {
    let tcp = socket.tcp.as_ref()?;
    let counters = Counters {
        // Before Linux 4.19 only what the peer has acknowledged is told.
        sent: tcp.bytes_sent.or(tcp.bytes_acked)?,
        received: tcp.bytes_received?,
        retransmits: tcp.total_retransmits,
    };
    Some((socket.cookie?, counters))
}

impl History {
    /// The rates of each socket since the list before, and remembers its counters for the next list.
    fn rates(&mut self, header: Option<SocketListHeader>, sockets: &[Received]) -> Vec<Option<Rates>> {
        let now = header.unwrap_or_default().sampled_boottime_nanos;
        let lasted = now.checked_sub(self.sampled_boottime_nanos).filter(|&nanos| nanos > 0);
        let rates = sockets.iter().map(|socket| {
            let (cookie, counters) = counters(socket)?;
            let before = self.counters.get(&cookie)?;
            let rate = |now: u64, then: u64| Some(now.checked_sub(then)? as f64 / (lasted? as f64 / 1e9));
            Some(Rates {
                sent_bytes: rate(counters.sent, before.sent)?,
                received_bytes: rate(counters.received, before.received)?,
                retransmits: rate(counters.retransmits.into(), before.retransmits.into())?,
            })
        });
        let rates = rates.collect();
        *self = Self {
            sampled_boottime_nanos: now,
            counters: sockets.iter().filter_map(|socket| counters(socket)).collect(),
        };
        rates
    }
}
