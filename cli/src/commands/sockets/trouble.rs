//! What is wrong with a socket, and how wrong.

use std::cmp::Reverse;

use dbgctl_proto::v1::{Socket, SocketAddress, SocketProtocol, SocketState, SocketTimerKind};

use super::row::SocketRow;
use super::words;

/// The trouble of one socket. Ordered: the worst is greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// None.
    None,
    /// It has lost something: segments that had to be sent again, or packets that nobody took.
    Lost(u32),
    /// Connections wait to be accepted.
    Waiting(u32),
    /// Bytes that nobody reads.
    Unread(u32),
    /// The peer has closed, this side has not. So many bytes are not read.
    CloseWait(u32),
    /// The peer takes no more.
    Stuck(u32),
    /// Sent again, so many times in a row, and not acknowledged yet.
    Unanswered(u32),
    /// Its accept queue is full.
    Full(u32),
}

impl Trouble {
    /// What is wrong with that socket.
    pub(super) fn of(socket: &Socket) -> Self {
        let state = SocketState::try_from(socket.state).unwrap_or_default();
        if let Some(waiting) = socket.accept_queue {
            return match socket.accept_queue_limit {
                // The kernel takes one more than the limit says.
                Some(limit) if waiting > limit => Self::Full(waiting),
                _ if waiting > 0 => Self::Waiting(waiting),
                _ => Self::lost(socket),
            };
        }
        if let Some(timer) = &socket.timer {
            match SocketTimerKind::try_from(timer.kind) {
                Ok(SocketTimerKind::Retransmit) if timer.retransmits > 0 => {
                    return Self::Unanswered(timer.retransmits);
                }
                Ok(SocketTimerKind::Probe) => return Self::Stuck(socket.send_queue_bytes.unwrap_or(0)),
                _ => {}
            }
        }
        let unread = socket.recv_queue_bytes.unwrap_or(0);
        if state == SocketState::CloseWait {
            Self::CloseWait(unread)
        } else if unread > 0 && socket.protocol != i32::from(SocketProtocol::Netlink) {
            Self::Unread(unread)
        } else {
            Self::lost(socket)
        }
    }

    fn lost(socket: &Socket) -> Self {
        let drops = socket.memory.as_ref().and_then(|memory| memory.drops).unwrap_or(0);
        let sent_again = socket.tcp.as_ref().map_or(0, |tcp| tcp.total_retransmits);
        match drops.saturating_add(sent_again) {
            0 => Self::None,
            lost => Self::Lost(lost),
        }
    }
}

/// The order of a list with the worst first; what is equally bad by type, state and ports.
pub(super) fn key(row: &SocketRow) -> impl Ord + use<> {
    let socket = &row.socket;
    // One number, since there may be very many to compare. A socket without an end comes before those of any port.
    let port = |end: &Option<SocketAddress>| end.as_ref().map_or(0, |end| u128::from(end.port) + 1);
    let rank = |rank: usize| u128::try_from(rank).unwrap_or(u128::MAX);
    let ranks = rank(words::protocol_rank(socket.protocol)) << 8 | rank(words::state_rank(socket.state));
    (Reverse(row.trouble), ranks << 80 | port(&socket.local) << 40 | port(&socket.peer), socket.inode)
}
