//! How many sockets there are of each type and state.

use std::collections::BTreeMap;

use super::row::SocketRow;
use super::words;
use crate::render::{Column, Object, Row};

/// The sockets of one type in one state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CountRow {
    protocol: i32,
    state: i32,
    count: u64,
    recv_queue_bytes: u64,
    send_queue_bytes: u64,
    accept_queue: u64,
    total_retransmits: u64,
    drops: u64,
}

impl Row for CountRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("TYPE", |row| words::protocol(row.protocol)),
        Column::maybe("STATE", |row| words::state(row.state)),
        Column::number("COUNT", |row| i64::try_from(row.count).ok()),
        Column::bytes("RECV-Q", |row| Some(row.recv_queue_bytes)),
        Column::bytes("SEND-Q", |row| Some(row.send_queue_bytes)),
        Column::number("ACCEPT-Q", |row: &Self| i64::try_from(row.accept_queue).ok().filter(|&all| all > 0))
            .if_any(),
        Column::number("RETRANS", |row: &Self| {
            i64::try_from(row.total_retransmits).ok().filter(|&all| all > 0)
        })
        .if_any(),
        Column::number("DROPS", |row: &Self| i64::try_from(row.drops).ok().filter(|&all| all > 0)).if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("protocol", &*words::protocol(self.protocol));
        object.text("state", &*words::state_name(self.state));
        object.number("count", self.count);
        object.number("recv_queue_bytes", self.recv_queue_bytes);
        object.number("send_queue_bytes", self.send_queue_bytes);
        object.number("accept_queue", self.accept_queue);
        object.number("total_retransmits", self.total_retransmits);
        object.number("drops", self.drops);
    }
}

/// Counts them.
pub(super) fn rows(sockets: &[SocketRow]) -> Vec<CountRow> {
    let mut counts = BTreeMap::new();
    for row in sockets {
        let socket = &row.socket;
        let place = (
            words::protocol_rank(socket.protocol),
            words::state_rank(socket.state),
            socket.protocol,
            socket.state,
        );
        let count = counts.entry(place).or_insert_with(|| CountRow {
            protocol: socket.protocol,
            state: socket.state,
            ..CountRow::default()
        });
        count.count += 1;
        count.recv_queue_bytes += u64::from(socket.recv_queue_bytes.unwrap_or(0));
        count.send_queue_bytes += u64::from(socket.send_queue_bytes.unwrap_or(0));
        count.accept_queue += u64::from(socket.accept_queue.unwrap_or(0));
        count.total_retransmits += u64::from(row.tcp().map_or(0, |tcp| tcp.total_retransmits));
        count.drops += u64::from(row.memory().and_then(|memory| memory.drops).unwrap_or(0));
    }
    counts.into_values().collect()
}
