//! Internet sockets in the encoding of protobuf, straight from what the kernel tells.
//!
//! Each socket is written to one row, field by field under its number in `sockets.proto`, and the row is then added to the
//! batch. A length that is not known yet is left out and filled in, in two bytes whatever it is: any reader takes a first
//! byte that says that there is another.

use std::net::{IpAddr, SocketAddr};

use dbgctl_linux::netlink::inet_diag::{InetSocket, Memory};
use dbgctl_linux::netlink::tcp_info::{Field, TcpInfo};
use dbgctl_proto::SocketBatch;
use dbgctl_proto::v1::{SocketProtocol, SocketState, SocketTimerKind};

use super::message::{family, is_nowhere};

/// A batch is sent as soon as it is about so long. Each one wakes the thread that sends, and waits for it.
const BATCH_BYTES: usize = 128 << 10;
/// Longer than any socket: about a hundred fields of at most 12 bytes.
const ROW_BYTES: usize = 2 << 10;
/// `TCP_CA_NAME_MAX`
const CONGESTION_BYTES: usize = 16;

/// Encoded sockets.
#[derive(Debug)]
pub(super) struct Encoder {
    /// Tell all of `tcp_info`.
    details: bool,
    encoded: Vec<u8>,
    rows: u64,
    row: Row,
}

impl Encoder {
    /// With all of `tcp_info`, or what an overview needs.
    pub(super) fn new(details: bool) -> Self {
        let row = Row { bytes: Box::new([0; ROW_BYTES]), length: 0 };
        Self { details, encoded: Vec::new(), rows: 0, row }
    }

    /// How many there are.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// True if they are enough for a message.
    pub(super) fn is_full(&self) -> bool {
        self.encoded.len() >= BATCH_BYTES
    }

    /// What there is, and how many sockets that are.
    pub(super) fn take(&mut self) -> (Vec<u8>, u64) {
        (std::mem::take(&mut self.encoded), std::mem::take(&mut self.rows))
    }

    /// Adds a socket.
    pub(super) fn socket(&mut self, protocol: SocketProtocol, socket: &InetSocket<'_>) {
        if self.encoded.capacity() == 0 {
            self.encoded.reserve_exact(BATCH_BYTES + ROW_BYTES);
        }
        let fields = if self.details { &FIELDS[..] } else { &OVERVIEW };
        self.row.length = 0;
        self.row.message(SocketBatch::SOCKETS, |row| row.socket(protocol, socket, fields));
        self.encoded.extend_from_slice(self.row.bytes());
        self.rows += 1;
    }
}

/// One socket while it is written: in place, without asking for memory.
#[derive(Debug)]
struct Row {
    bytes: Box<[u8; ROW_BYTES]>,
    length: usize,
}

impl Row {
    fn bytes(&self) -> &[u8] {
        // It never is longer than there is room for.
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The fields of `Socket`.
    fn socket(&mut self, protocol: SocketProtocol, socket: &InetSocket<'_>, fields: &[TcpField]) {
        let listens = u32::from(socket.state) == SocketState::Listen as u32;
        self.number(1, protocol as u32);
        self.number(2, family(&socket.local) as u32);
        self.number(3, socket.state);
        self.number(5, socket.inode);
        self.present(6, socket.cookie);
        // In a few states there is no process any more, and no user.
        if socket.inode != 0 {
            self.present(7, socket.uid);
        }
        self.present(8, if listens { 0 } else { socket.recv_queue });
        self.present(9, if listens { 0 } else { socket.send_queue });
        if listens {
            self.present(10, socket.recv_queue);
            self.present(11, socket.send_queue);
        }
        self.message(12, |row| row.address(&socket.local));
        if !is_nowhere(&socket.peer) {
            self.message(13, |row| row.address(&socket.peer));
        }
        self.number(14, socket.interface);
        socket.ipv6_only.into_iter().for_each(|only| self.present(15, only));
        if socket.timer != 0 {
            self.message(16, |row| row.timer(socket));
        }
        self.number(17, socket.shutdown.is_some_and(|ways| ways & 1 != 0));
        self.number(18, socket.shutdown.is_some_and(|ways| ways & 2 != 0));
        socket.cgroup_id.into_iter().for_each(|id| self.present(19, id));
        if let Some(name) = socket.congestion.filter(|name| name.len() <= CONGESTION_BYTES && name.is_ascii())
        {
            self.text(20, name);
        }
        if let Some(memory) = socket.memory {
            self.message(21, |row| row.memory(memory));
        }
        if let Some(info) = socket.tcp_info.filter(|_| !listens) {
            self.message(22, |row| row.tcp_info(info, fields));
        }
    }

    /// The fields of `SocketAddress`.
    fn address(&mut self, address: &SocketAddr) {
        match address.ip() {
            IpAddr::V4(ip) => self.fixed32(1, ip.to_bits()),
            IpAddr::V6(ip) => self.text(3, &ip.octets()),
        }
        self.number(2, address.port());
    }

    /// The fields of `SocketTimer`.
    fn timer(&mut self, socket: &InetSocket<'_>) {
        let kind = match socket.timer {
            1 => SocketTimerKind::Retransmit,
            2 => SocketTimerKind::Keepalive,
            3 => SocketTimerKind::TimeWait,
            4 => SocketTimerKind::Probe,
            _ => SocketTimerKind::Unspecified,
        };
        self.number(1, kind as u32);
        self.number(2, socket.expires_millis);
        self.number(3, socket.retransmits);
    }

    /// The fields of `SocketMemory`.
    fn memory(&mut self, memory: Memory) {
        self.number(1, memory.receive_bytes);
        self.number(2, memory.receive_buffer_bytes);
        self.number(3, memory.send_bytes);
        self.number(4, memory.send_buffer_bytes);
        self.number(5, memory.forward_bytes);
        self.number(6, memory.send_queued_bytes);
        self.number(7, memory.option_bytes);
        self.number(8, memory.backlog_bytes);
        memory.drops.into_iter().for_each(|drops| self.present(9, drops));
    }

    /// Those fields of `TcpInfo`.
    fn tcp_info(&mut self, info: TcpInfo<'_>, fields: &[TcpField]) {
        for &(number, field, presence) in fields {
            let Some(value) = info.get(field) else { continue };
            if value != 0 || presence == Optional {
                self.present(number, value);
            }
        }
    }

    /// A field whose 0 is not written.
    #[inline]
    fn number(&mut self, field: u8, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.present(field, value);
        }
    }

    /// A field that is there, whatever its value. Wire type 0.
    #[inline]
    fn present(&mut self, field: u8, value: impl Into<u64>) {
        let Some(place) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) else { return };
        let value_at = varint(place, 0, u64::from(field) << 3);
        self.length += varint(place, value_at, value.into());
    }

    /// A field of four bytes, the lowest first. Wire type 5.
    #[inline]
    fn fixed32(&mut self, field: u8, value: u32) {
        self.varint(u64::from(field) << 3 | 5);
        value.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    /// A field of less than 128 bytes. Wire type 2.
    #[inline]
    fn text(&mut self, field: u8, text: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(text.len() as u64);
        text.iter().for_each(|&byte| self.byte(byte));
    }

    /// A field that is a message. Wire type 2.
    #[inline]
    fn message(&mut self, field: u8, fields: impl FnOnce(&mut Self)) {
        self.varint(u64::from(field) << 3 | 2);
        let length_at = self.length;
        self.length += 2;
        fields(self);
        let length = self.length - length_at - 2;
        let byte = |bits: usize| u8::try_from(bits & 0x7f).unwrap_or(0);
        if let Some([first, second]) = self.bytes.get_mut(length_at..length_at + 2) {
            (*first, *second) = (byte(length) | 0x80, byte(length >> 7));
        }
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        let Some(place) = self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) else { return };
        self.length += varint(place, 0, value);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

/// Room for the number of a field and its value, at most 2 and 10 bytes, in a power of two: the compiler then needs no
/// check for each byte.
type Place = [u8; 16];

/// Writes `value` at `at`, and returns where it ends.
#[expect(clippy::cast_possible_truncation, reason = "the lowest bits are what is written")]
#[inline]
fn varint(place: &mut Place, mut at: usize, mut value: u64) -> usize {
    while value > 0x7f {
        place[at % place.len()] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    place[at % place.len()] = value as u8;
    at + 1
}

/// A field of `TcpInfo`: its number, where it stands in the kernel's structure, and whether it may be absent.
type TcpField = (u8, Field, Presence);

/// Whether a field of the contract may be absent; else 0 is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Implicit,
    Optional,
}

use Presence::{Implicit, Optional};

/// The fields of `TcpInfo`, by number.
const FIELDS: [TcpField; 54] = [
    (1, Field::CA_STATE, Implicit),
    (2, Field::RETRANSMITS, Implicit),
    (3, Field::PROBES, Implicit),
    (4, Field::BACKOFF, Implicit),
    (5, Field::OPTIONS, Implicit),
    (6, Field::SND_WSCALE, Implicit),
    (7, Field::RCV_WSCALE, Implicit),
    (8, Field::RTO, Implicit),
    (9, Field::ATO, Implicit),
    (10, Field::SND_MSS, Implicit),
    (11, Field::RCV_MSS, Implicit),
    (12, Field::UNACKED, Implicit),
    (13, Field::SACKED, Implicit),
    (14, Field::LOST, Implicit),
    (15, Field::RETRANS, Implicit),
    (16, Field::LAST_DATA_SENT, Implicit),
    (17, Field::LAST_DATA_RECV, Implicit),
    (18, Field::LAST_ACK_RECV, Implicit),
    (19, Field::PMTU, Implicit),
    (20, Field::RCV_SSTHRESH, Implicit),
    (21, Field::RTT, Implicit),
    (22, Field::RTTVAR, Implicit),
    (23, Field::SND_SSTHRESH, Optional),
    (24, Field::SND_CWND, Implicit),
    (25, Field::ADVMSS, Implicit),
    (26, Field::REORDERING, Implicit),
    (27, Field::RCV_RTT, Implicit),
    (28, Field::RCV_SPACE, Implicit),
    (29, Field::TOTAL_RETRANS, Implicit),
    (30, Field::PACING_RATE, Optional),
    (31, Field::MAX_PACING_RATE, Optional),
    (32, Field::BYTES_ACKED, Optional),
    (33, Field::BYTES_RECEIVED, Optional),
    (34, Field::SEGS_OUT, Optional),
    (35, Field::SEGS_IN, Optional),
    (36, Field::NOTSENT_BYTES, Optional),
    (37, Field::MIN_RTT, Optional),
    (38, Field::DATA_SEGS_IN, Optional),
    (39, Field::DATA_SEGS_OUT, Optional),
    (40, Field::DELIVERY_RATE, Optional),
    (41, Field::DELIVERY_RATE_APP_LIMITED, Implicit),
    (42, Field::BUSY_TIME, Optional),
    (43, Field::RWND_LIMITED, Optional),
    (44, Field::SNDBUF_LIMITED, Optional),
    (45, Field::DELIVERED, Optional),
    (46, Field::DELIVERED_CE, Optional),
    (47, Field::BYTES_SENT, Optional),
    (48, Field::BYTES_RETRANS, Optional),
    (49, Field::DSACK_DUPS, Optional),
    (50, Field::REORD_SEEN, Optional),
    (51, Field::RCV_OOOPACK, Optional),
    (52, Field::SND_WND, Optional),
    (53, Field::RCV_WND, Optional),
    (54, Field::TOTAL_RTO, Optional),
];

/// Those of them that are told without details.
const OVERVIEW: [TcpField; 7] = [
    (14, Field::LOST, Implicit),
    (18, Field::LAST_ACK_RECV, Implicit),
    (21, Field::RTT, Implicit),
    (29, Field::TOTAL_RETRANS, Implicit),
    (32, Field::BYTES_ACKED, Optional),
    (33, Field::BYTES_RECEIVED, Optional),
    (47, Field::BYTES_SENT, Optional),
];
