//! The order of a list.

use std::str::FromStr;

use super::row::SocketRow;
use super::{trouble, words};
use crate::commands::order;
use crate::render::cell;

/// What a list is sorted by, and which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    field: Field,
    descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Worst,
    Type,
    State,
    RecvQueue,
    SendQueue,
    Local,
    Peer,
    Rtt,
    Retransmits,
    Sent,
    Received,
    Drops,
    Uid,
    Inode,
    Pid,
}

/// By name; and whether the biggest comes first.
const FIELDS: [(&str, Field, bool); 15] = [
    ("worst", Field::Worst, false),
    ("type", Field::Type, false),
    ("state", Field::State, false),
    ("recv-q", Field::RecvQueue, true),
    ("send-q", Field::SendQueue, true),
    ("local", Field::Local, false),
    ("peer", Field::Peer, false),
    ("rtt", Field::Rtt, true),
    ("retrans", Field::Retransmits, true),
    ("sent", Field::Sent, true),
    ("received", Field::Received, true),
    ("drops", Field::Drops, true),
    ("uid", Field::Uid, false),
    ("inode", Field::Inode, false),
    ("pid", Field::Pid, false),
];

impl Default for Sort {
    fn default() -> Self {
        Self { field: Field::Worst, descending: false }
    }
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (descending, name) = order::direction(text);
        let found = FIELDS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, field, usual)| Self { field, descending: descending.unwrap_or(usual) }).ok_or_else(
            || format!("`{name}` is not a field; there are {}", FIELDS.map(|(name, ..)| name).join(", ")),
        )
    }
}

impl Sort {
    /// Sorts `rows`. Rows that are equal come worst first; rows without the figure come last.
    pub(super) fn apply(self, rows: &mut [SocketRow]) {
        rows.sort_by_cached_key(trouble::key);
        if self.field == Field::Worst {
            if self.descending {
                rows.reverse();
            }
            return;
        }
        order::sort(rows, self.descending, &Value::Absent, |row| self.field.value(row));
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Absent,
    Number(u64),
    Address(std::net::IpAddr, u32),
    Text(String),
}

impl Field {
    fn value(self, row: &SocketRow) -> Value {
        let socket = &row.socket;
        let number = |value: Option<u64>| value.map_or(Value::Absent, Value::Number);
        let place = |rank: usize| Value::Number(u64::try_from(rank).unwrap_or(u64::MAX));
        let end = |end: &Option<dbgctl_proto::v1::SocketAddress>, text: String| match end {
            Some(end) => end.ip().map_or(Value::Absent, |ip| Value::Address(ip, end.port)),
            None if text.is_empty() => Value::Absent,
            None => Value::Text(text),
        };
        match self {
            Self::Worst => Value::Absent,
            Self::Type => place(words::protocol_rank(socket.protocol)),
            Self::State => place(words::state_rank(socket.state)),
            Self::RecvQueue => number(socket.accept_queue.or(socket.recv_queue_bytes).map(u64::from)),
            Self::SendQueue => number(socket.send_queue_bytes.map(u64::from)),
            Self::Local => end(&socket.local, cell(|cell| row.write_local(cell))),
            Self::Peer => end(&socket.peer, cell(|cell| row.write_peer(cell))),
            Self::Rtt => number(row.tcp().map(|tcp| tcp.rtt_micros.into())),
            Self::Retransmits => number(row.tcp().map(|tcp| tcp.total_retransmits.into())),
            Self::Sent => number(row.tcp().and_then(|tcp| tcp.bytes_sent.or(tcp.bytes_acked))),
            Self::Received => number(row.tcp().and_then(|tcp| tcp.bytes_received)),
            Self::Drops => number(row.memory().and_then(|memory| memory.drops).map(u64::from)),
            Self::Uid => number(socket.uid.map(u64::from)),
            Self::Inode => number(Some(socket.inode)),
            Self::Pid => number(row.owners.first().map(|owner| owner.pid.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_usual_direction_unless_told_otherwise() {
        let sort = |text: &str| text.parse::<Sort>().map(|sort| (sort.field, sort.descending));
        assert_eq!(sort("recv-q"), Ok((Field::RecvQueue, true)));
        assert_eq!(sort("+RTT"), Ok((Field::Rtt, false)));
        assert_eq!(sort("-local"), Ok((Field::Local, true)));
        assert!(sort("port").unwrap_err().starts_with("`port` is not a field; there are worst, type,"));
    }
}
