//! What all sockets together amount to, in sentences.

use std::collections::BTreeMap;
use std::time::Duration;

use dbgctl_proto::v1::{SocketListHeader, SocketState};

use super::row::{Owner, SocketRow};
use super::trouble::Trouble;
use super::words;
use crate::render::cell;
use crate::render::human::{Bytes, Elapsed};

/// So many of one kind are told one by one.
const MOST_OF_A_KIND: usize = 3;
/// Fewer than this may just be about to be closed.
const MANY_CLOSE_WAIT: usize = 5;
/// Less than this is read in a moment.
const MUCH_UNREAD_BYTES: u64 = 64 << 10;

/// `31 sockets: 12 tcp (2 LISTEN, 10 ESTAB), 19 unix`
pub(super) fn totals(rows: &[SocketRow], all: usize) -> String {
    let mut protocols = BTreeMap::<_, BTreeMap<_, usize>>::new();
    for row in rows {
        let (protocol, state) = (row.socket.protocol, row.socket.state);
        let states = protocols.entry((words::protocol_rank(protocol), protocol)).or_default();
        *states.entry((words::state_rank(state), state)).or_default() += 1;
    }
    let counted = protocols.into_iter().map(|((_, protocol), states)| {
        let count: usize = states.values().sum();
        let states = states
            .into_iter()
            .filter_map(|((_, state), count)| Some(format!("{count} {}", words::state(state)?)));
        let states: Vec<_> = states.collect();
        let inside = if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
        format!("{count} {}{inside}", words::protocol(protocol))
    });
    let counted: Vec<_> = counted.collect();
    let of = if rows.len() == all { String::new() } else { format!(" of {all}") };
    let nouns = if all == 1 { "socket" } else { "sockets" };
    let colon = if counted.is_empty() { "" } else { ": " };
    format!("{}{of} {nouns}{colon}{}", rows.len(), counted.join(", "))
}

/// What is wrong, the worst first.
pub(super) fn of(rows: &[SocketRow], header: Option<&SocketListHeader>) -> Vec<String> {
    let mut lines = Vec::new();
    full_queues(rows, header, &mut lines);
    unanswered(rows, &mut lines);
    close_wait(rows, &mut lines);
    unread(rows, &mut lines);
    lines
}

fn full_queues(rows: &[SocketRow], header: Option<&SocketListHeader>, lines: &mut Vec<String>) {
    let full: Vec<_> = rows.iter().filter(|row| matches!(row.trouble, Trouble::Full(_))).collect();
    for row in full.iter().take(MOST_OF_A_KIND) {
        let (waiting, limit) =
            (row.socket.accept_queue.unwrap_or(0), row.socket.accept_queue_limit.unwrap_or(0));
        lines.push(format!(
            "the accept queue of {}{} is full: {waiting} connections wait and {limit} may, so that new ones are \
             dropped",
            cell(|cell| row.write_local(cell)),
            by(&row.owners),
        ));
    }
    more(full.len(), "full accept queues", lines);
    let overflows = header.and_then(|header| header.listen_overflows).filter(|&count| count > 0);
    if let Some(overflows) = overflows {
        let drops = header.and_then(|header| header.listen_drops).unwrap_or(overflows);
        let listening: Vec<_> = rows.iter().filter(|row| dropped(row) > 0).collect();
        let whose = listening.iter().take(MOST_OF_A_KIND).map(|row| {
            format!("{} by {}{}", dropped(row), cell(|cell| row.write_local(cell)), by(&row.owners))
        });
        let whose: Vec<_> = whose.collect();
        let colon = if whose.is_empty() { "" } else { ": " };
        lines.push(format!(
            "since the network namespace was made, {overflows} connections found an accept queue full and {drops} were \
             dropped{colon}{}",
            whose.join(", ")
        ));
    }
}

/// Connections that a listening socket has dropped.
fn dropped(row: &SocketRow) -> u32 {
    match row.socket.accept_queue {
        Some(_) => row.memory().and_then(|memory| memory.drops).unwrap_or(0),
        None => 0,
    }
}

fn unanswered(rows: &[SocketRow], lines: &mut Vec<String>) {
    let mut peers = BTreeMap::<_, (usize, u32)>::new();
    for row in rows {
        if let Trouble::Unanswered(times) = row.trouble {
            let connects = row.socket.state == i32::from(SocketState::SynSent);
            let peer = peers.entry((connects, cell(|cell| row.write_peer(cell)))).or_default();
            *peer = (peer.0 + 1, peer.1.max(times));
        }
    }
    let mut found: Vec<_> = peers.into_iter().collect();
    found.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for ((connects, peer), (count, times)) in found.iter().take(MOST_OF_A_KIND) {
        let (what, are) = match (connects, *count) {
            (true, 1) => ("attempt to connect", "is"),
            (true, _) => ("attempts to connect", "are"),
            (false, 1) => ("connection", "is"),
            (false, _) => ("connections", "are"),
        };
        lines.push(format!(
            "{count} {what} to {peer} {are} not answered, after {times} retransmissions in a row"
        ));
    }
    more(found.len(), "peers that do not answer", lines);
    let stuck: Vec<_> = rows.iter().filter(|row| matches!(row.trouble, Trouble::Stuck(_))).collect();
    for row in stuck.iter().take(MOST_OF_A_KIND) {
        let bytes = Bytes(row.socket.send_queue_bytes.unwrap_or(0).into());
        lines.push(format!(
            "{} takes no more: {bytes} wait to be sent{}",
            cell(|cell| row.write_peer(cell)),
            by(&row.owners)
        ));
    }
    more(stuck.len(), "peers that take no more", lines);
}

/// A program that does not close what its peers have closed runs out of descriptors.
fn close_wait(rows: &[SocketRow], lines: &mut Vec<String>) {
    let mut holders = BTreeMap::<_, (usize, u32)>::new();
    for row in rows.iter().filter(|row| row.socket.state == i32::from(SocketState::CloseWait)) {
        let quiet = row.tcp().map_or(0, |tcp| tcp.last_ack_received_millis);
        let holder = holders.entry(by(&row.owners)).or_default();
        *holder = (holder.0 + 1, holder.1.max(quiet));
    }
    let mut found: Vec<_> = holders.into_iter().filter(|(_, (count, _))| *count >= MANY_CLOSE_WAIT).collect();
    found.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (holder, (count, quiet)) in found.iter().take(MOST_OF_A_KIND) {
        let quiet = Elapsed(Duration::from_millis((*quiet).into()));
        lines.push(format!(
            "{count} connections{holder} are in CLOSE-WAIT: the peers have closed them and the program has not, one for \
             {quiet}"
        ));
    }
    more(found.len(), "processes with many connections in CLOSE-WAIT", lines);
}

fn unread(rows: &[SocketRow], lines: &mut Vec<String>) {
    let mut holders = BTreeMap::<_, (usize, u64)>::new();
    for row in rows {
        if let Trouble::Unread(bytes) = row.trouble {
            let holder = holders.entry(by(&row.owners)).or_default();
            *holder = (holder.0 + 1, holder.1.saturating_add(bytes.into()));
        }
    }
    let mut found: Vec<_> =
        holders.into_iter().filter(|(_, (_, bytes))| *bytes >= MUCH_UNREAD_BYTES).collect();
    found.sort_by_key(|(_, (_, bytes))| std::cmp::Reverse(*bytes));
    for (holder, (count, bytes)) in found.iter().take(MOST_OF_A_KIND) {
        let nouns = if *count == 1 { "socket" } else { "sockets" };
        lines.push(format!("{} were received on {count} {nouns}{holder} and are not read", Bytes(*bytes)));
    }
    more(found.len(), "processes with much unread data", lines);
}

fn more(found: usize, what: &str, lines: &mut Vec<String>) {
    if found > MOST_OF_A_KIND {
        lines.push(format!("{} more {what}", found - MOST_OF_A_KIND));
    }
}

/// ` of process 7 (web)`, or nothing if that is not known.
fn by(owners: &[Owner]) -> String {
    let Some(owner) = owners.first() else { return String::new() };
    let command = cell(|cell| cell.raw(&owner.command));
    let others = owners.iter().filter(|other| other.pid != owner.pid).count();
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    format!(" of process {} ({command}){others}", owner.pid)
}
