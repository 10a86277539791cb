//! One socket as it is shown.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::v1::{
    NetlinkSocket, Socket, SocketAddress, SocketMemory, SocketState, SocketTimer, SocketTimerKind, TcpInfo,
};

use super::trouble::Trouble;
use super::{address, words};
use crate::render::{Cell, Column, Emphasis, Object, Row, human};

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: u32,
    /// Of the descriptor.
    pub(super) number: u32,
    /// Any bytes at all.
    pub(super) command: Arc<[u8]>,
}

/// The other end of a local socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: Option<Vec<u8>>,
    pub(super) owners: Vec<Owner>,
}

/// What a connection has carried per second since the list before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) sent_bytes: f64,
    pub(super) received_bytes: f64,
    pub(super) retransmits: f64,
}

/// A socket, with who holds it.
#[derive(Debug, Clone)]
pub(super) struct SocketRow {
    pub(super) socket: Box<Socket>,
    pub(super) trouble: Trouble,
    pub(super) owners: Vec<Owner>,
    /// Of a connected local socket.
    pub(super) peer: Option<Peer>,
    /// `None` in a first list, and for what was not in the list before.
    pub(super) rates: Option<Rates>,
}

/// A table shows no more of them.
const MOST_OWNERS: usize = 3;

impl Row for SocketRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("TYPE", |row| words::protocol(row.socket.protocol)),
        Column::maybe("STATE", |row| words::state(row.socket.state)),
        Column::number("RECV-Q", |row: &Self| {
            row.socket.accept_queue.or(row.socket.recv_queue_bytes).map(Into::into)
        }),
        Column::number("SEND-Q", |row: &Self| {
            let socket = &row.socket;
            let limit = socket.accept_queue_limit;
            if socket.accept_queue.is_some() { limit } else { socket.send_queue_bytes }.map(Into::into)
        }),
        Column::written("LOCAL", SocketRow::write_local),
        Column::written("PEER", SocketRow::write_peer),
        Column::written("TIMER", |row: &Self, cell| {
            row.socket.timer.iter().for_each(|it| write_timer(it, cell))
        })
        .if_any(),
        Column::written("RTT", |row: &Self, cell| {
            if let Some(tcp) = row.tcp().filter(|tcp| tcp.rtt_micros > 0) {
                cell.show(micros(tcp.rtt_micros));
            }
        })
        .right()
        .if_any(),
        Column::number("RETRANS", |row: &Self| {
            Some(row.tcp()?.total_retransmits).filter(|&all| all > 0).map(Into::into)
        })
        .if_any(),
        Column::number("DROPS", |row: &Self| row.memory()?.drops.filter(|&all| all > 0).map(Into::into))
            .if_any(),
        Column::maybe("SENT/S", |row: &Self| Some(bytes_per_second(row.rates?.sent_bytes))).right().if_any(),
        Column::maybe("RCVD/S", |row: &Self| Some(bytes_per_second(row.rates?.received_bytes)))
            .right()
            .if_any(),
        Column::number("CWND", |row: &Self| Some(row.tcp()?.congestion_window.into())).wide_only().if_any(),
        Column::number("SSTHRESH", |row: &Self| row.tcp()?.send_threshold.map(Into::into))
            .wide_only()
            .if_any(),
        Column::number("UNACKED", |row: &Self| {
            Some(row.tcp()?.unacked).filter(|&all| all > 0).map(Into::into)
        })
        .wide_only()
        .if_any(),
        Column::number("LOST", |row: &Self| Some(row.tcp()?.lost).filter(|&all| all > 0).map(Into::into))
            .wide_only()
            .if_any(),
        Column::written("MIN-RTT", |row: &Self, cell| {
            row.tcp().and_then(|tcp| tcp.min_rtt_micros).into_iter().for_each(|it| cell.show(micros(it)));
        })
        .right()
        .wide_only()
        .if_any(),
        Column::maybe("DELIVERY/S", |row: &Self| rate(row.tcp()?.delivery_rate)).right().wide_only().if_any(),
        Column::maybe("PACING/S", |row: &Self| rate(row.tcp()?.pacing_rate)).right().wide_only().if_any(),
        Column::bytes("SENT", |row: &Self| row.tcp()?.bytes_sent.or(row.tcp()?.bytes_acked))
            .wide_only()
            .if_any(),
        Column::bytes("RCVD", |row: &Self| row.tcp()?.bytes_received).wide_only().if_any(),
        Column::written("LAST-SENT", |row: &Self, cell| {
            row.tcp().into_iter().for_each(|tcp| cell.show(millis(tcp.last_data_sent_millis)));
        })
        .right()
        .wide_only()
        .if_any(),
        Column::written("LAST-RCVD", |row: &Self, cell| {
            row.tcp().into_iter().for_each(|tcp| cell.show(millis(tcp.last_data_received_millis)));
        })
        .right()
        .wide_only()
        .if_any(),
        Column::bytes("RCV-SPACE", |row: &Self| Some(row.tcp()?.receive_space_bytes.into()))
            .wide_only()
            .if_any(),
        Column::maybe("CONG", |row: &Self| row.socket.congestion_control.as_deref().map(Cow::Borrowed))
            .wide_only()
            .if_any(),
        Column::bytes("MEM", |row: &Self| {
            let memory = row.memory()?;
            Some(u64::from(memory.receive_bytes) + u64::from(memory.send_bytes))
        })
        .wide_only()
        .if_any(),
        Column::maybe("KIND", |row: &Self| words::kind(row.socket.r#type).map(Cow::Borrowed))
            .wide_only()
            .if_any(),
        Column::number("UID", |row: &Self| row.socket.uid.map(Into::into)).wide_only(),
        Column::number("INODE", |row: &Self| {
            i64::try_from(row.socket.inode).ok().filter(|&inode| inode != 0)
        })
        .wide_only(),
        Column::written("PROCESS", |row: &Self, cell| write_owners(&row.owners, cell)).if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let socket = &self.socket;
        object.text("protocol", &*words::protocol(socket.protocol));
        object.text("family", words::family(socket.family));
        object.text("state", &*words::state_name(socket.state));
        object.text("type", words::kind(socket.r#type));
        object.number("inode", socket.inode);
        object.number("cookie", socket.cookie);
        object.number("uid", socket.uid.map(u64::from));
        object.number("recv_queue_bytes", socket.recv_queue_bytes.map(u64::from));
        object.number("send_queue_bytes", socket.send_queue_bytes.map(u64::from));
        object.number("accept_queue", socket.accept_queue.map(u64::from));
        object.number("accept_queue_limit", socket.accept_queue_limit.map(u64::from));
        address_fields("local", socket.local.as_ref(), object);
        address_fields("peer", socket.peer.as_ref(), object);
        object.number("interface", u64::from(socket.interface));
        match socket.ipv6_only {
            Some(only) => object.flag("ipv6_only", only),
            None => object.null("ipv6_only"),
        }
        nested("timer", socket.timer.as_ref(), object, |timer, object| {
            object.text("kind", words::timer(timer.kind));
            object.number("expires_millis", u64::from(timer.expires_millis));
            object.number("retransmits", u64::from(timer.retransmits));
        });
        object.flag("receive_shutdown", socket.receive_shutdown);
        object.flag("send_shutdown", socket.send_shutdown);
        object.number("cgroup_id", socket.cgroup_id);
        object.text("congestion_control", socket.congestion_control.as_deref());
        nested("memory", self.memory(), object, memory_fields);
        nested("tcp", self.tcp(), object, tcp_fields);
        nested("unix", socket.unix.as_deref(), object, |unix, object| {
            object.raw("name", unix.name.as_deref());
            object.number("peer_inode", unix.peer_inode);
            object.raw("peer_name", self.peer.as_ref().and_then(|peer| peer.name.as_deref()));
            owners_field("peer_owners", self.peer.as_ref().map_or(&[], |peer| &peer.owners), object);
            object.number("file_inode", unix.file_inode);
            object.number("file_device", unix.file_device.map(u64::from));
        });
        nested("packet", socket.packet.as_deref(), object, |packet, object| {
            object.number("ethertype", u64::from(packet.ethertype));
            object.number("ring_version", packet.ring_version.map(u64::from));
            match packet.running {
                Some(running) => object.flag("running", running),
                None => object.null("running"),
            }
        });
        nested("netlink", socket.netlink.as_deref(), object, |netlink, object| {
            object.number("protocol", u64::from(netlink.protocol));
            object.number("port_id", u64::from(netlink.port_id));
            object.number("peer_port_id", u64::from(netlink.peer_port_id));
            object.number("groups", netlink.groups.map(u64::from));
        });
        owners_field("owners", &self.owners, object);
        object.decimal("sent_bytes_per_second", self.rates.map(|rates| rates.sent_bytes));
        object.decimal("received_bytes_per_second", self.rates.map(|rates| rates.received_bytes));
        object.decimal("retransmits_per_second", self.rates.map(|rates| rates.retransmits));
    }

    fn emphasis(&self) -> Emphasis {
        match self.trouble {
            Trouble::Full(_) | Trouble::Unanswered(_) | Trouble::Stuck(_) => Emphasis::Alarming,
            Trouble::CloseWait(_) => Emphasis::Notable,
            _ if self.socket.state == i32::from(SocketState::TimeWait) => Emphasis::Dim,
            _ => Emphasis::None,
        }
    }
}

impl SocketRow {
    pub(super) fn tcp(&self) -> Option<&TcpInfo> {
        self.socket.tcp.as_deref()
    }

    pub(super) fn memory(&self) -> Option<&SocketMemory> {
        self.socket.memory.as_deref()
    }

    /// Whether one of its ends has that port.
    pub(super) fn has_port(&self, port: u16) -> bool {
        let ends = [&self.socket.local, &self.socket.peer];
        ends.into_iter().flatten().any(|end| end.port == u32::from(port))
    }

    pub(super) fn write_local(&self, cell: &mut Cell<'_>) {
        let socket = &self.socket;
        if let Some(unix) = &socket.unix {
            match &unix.name {
                Some(name) => cell.raw(name),
                None => cell.show(format_args!("inode {}", socket.inode)),
            }
        } else if let Some(packet) = &socket.packet {
            match packet.ethertype {
                3 => cell.show("every packet"),
                ethertype => cell.show(format_args!("ethertype 0x{ethertype:04x}")),
            }
            if socket.interface != 0 {
                cell.show(format_args!(" of interface {}", socket.interface));
            }
        } else if let Some(netlink) = &socket.netlink {
            write_netlink(netlink, cell);
        } else {
            address::write_local(socket, cell);
        }
    }

    pub(super) fn write_peer(&self, cell: &mut Cell<'_>) {
        let Some(unix) = &self.socket.unix else { return address::write_peer(&self.socket, cell) };
        let Some(inode) = unix.peer_inode else { return };
        match self.peer.as_ref().and_then(|peer| peer.name.as_deref()) {
            Some(name) => cell.raw(name),
            None => cell.show(format_args!("inode {inode}")),
        }
        let owners = self.peer.as_ref().map_or(&[][..], |peer| &peer.owners);
        if let Some(owner) = owners.first() {
            cell.show(format_args!(" of {} ", owner.pid));
            cell.raw(&owner.command);
        }
        if owners.len() > 1 {
            cell.show(format_args!(" and {} more", owners.len() - 1));
        }
    }
}

/// `7 nginx fd 6, 8 nginx fd 6 and 2 more`
fn write_owners(owners: &[Owner], cell: &mut Cell<'_>) {
    for (nth, owner) in owners.iter().take(MOST_OWNERS).enumerate() {
        cell.show(if nth > 0 { ", " } else { "" });
        cell.show(format_args!("{} ", owner.pid));
        cell.raw(&owner.command);
        cell.show(format_args!(" fd {}", owner.number));
    }
    if owners.len() > MOST_OWNERS {
        cell.show(format_args!(" and {} more", owners.len() - MOST_OWNERS));
    }
}

/// `route, port 77`
fn write_netlink(netlink: &NetlinkSocket, cell: &mut Cell<'_>) {
    /// `NETLINK_…`, see netlink(7).
    const NAMES: [(u32, &str); 10] = [
        (0, "route"),
        (4, "sock_diag"),
        (6, "xfrm"),
        (7, "selinux"),
        (9, "audit"),
        (10, "fib_lookup"),
        (12, "netfilter"),
        (15, "kobject_uevent"),
        (16, "generic"),
        (21, "crypto"),
    ];
    match NAMES.iter().find(|(number, _)| *number == netlink.protocol) {
        Some((_, name)) => cell.show(name),
        None => cell.show(format_args!("netlink {}", netlink.protocol)),
    }
    match netlink.port_id {
        0 => cell.show(", the kernel's own"),
        port => cell.show(format_args!(", port {port}")),
    }
}

/// `retransmit in 1.2 s, 3rd time`
fn write_timer(timer: &SocketTimer, cell: &mut Cell<'_>) {
    let word = match SocketTimerKind::try_from(timer.kind) {
        Ok(SocketTimerKind::TimeWait) => "gone",
        _ => words::timer(timer.kind),
    };
    cell.show(format_args!("{word} in {}", human::Took(Duration::from_millis(timer.expires_millis.into()))));
    if timer.retransmits > 0 {
        cell.show(format_args!(" after {}", timer.retransmits));
    }
}

fn micros(micros: u32) -> human::Took {
    human::Took(Duration::from_micros(micros.into()))
}

fn millis(millis: u32) -> human::Took {
    human::Took(Duration::from_millis(millis.into()))
}

fn rate(bytes: Option<u64>) -> Option<Cow<'static, str>> {
    bytes.map(|bytes| human::Bytes(bytes).to_string().into())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from float saturates, and a rate is never negative"
)]
fn bytes_per_second(bytes: f64) -> Cow<'static, str> {
    human::Bytes(bytes.round() as u64).to_string().into()
}

/// An object within, or `null`.
fn nested<T: Copy>(
    name: &str,
    value: Option<T>,
    object: &mut Object<'_>,
    fields: impl FnOnce(T, &mut Object<'_>),
) {
    match value {
        Some(value) => object.object(name, |object| fields(value, object)),
        None => object.null(name),
    }
}

fn address_fields(name: &str, address: Option<&SocketAddress>, object: &mut Object<'_>) {
    nested(name, address, object, |address, object| {
        object.text("ip", address.ip().map(|ip| ip.to_string()).as_deref());
        object.number("port", u64::from(address.port));
    });
}

fn owners_field(name: &str, owners: &[Owner], object: &mut Object<'_>) {
    object.objects(name, owners, |owner, object| {
        object.number("pid", u64::from(owner.pid));
        object.raw("command", &*owner.command);
        object.number("number", u64::from(owner.number));
    });
}

fn memory_fields(memory: &SocketMemory, object: &mut Object<'_>) {
    object.number("receive_bytes", u64::from(memory.receive_bytes));
    object.number("receive_buffer_bytes", u64::from(memory.receive_buffer_bytes));
    object.number("send_bytes", u64::from(memory.send_bytes));
    object.number("send_buffer_bytes", u64::from(memory.send_buffer_bytes));
    object.number("forward_bytes", u64::from(memory.forward_bytes));
    object.number("send_queued_bytes", u64::from(memory.send_queued_bytes));
    object.number("option_bytes", u64::from(memory.option_bytes));
    object.number("backlog_bytes", u64::from(memory.backlog_bytes));
    object.number("drops", memory.drops.map(u64::from));
}

fn tcp_fields(tcp: &TcpInfo, object: &mut Object<'_>) {
    let mut number = |name, value: u32| object.number(name, u64::from(value));
    number("congestion_state", tcp.congestion_state);
    number("retransmits", tcp.retransmits);
    number("probes", tcp.probes);
    number("backoff", tcp.backoff);
    number("options", tcp.options);
    number("send_window_scale", tcp.send_window_scale);
    number("receive_window_scale", tcp.receive_window_scale);
    number("rto_micros", tcp.rto_micros);
    number("ato_micros", tcp.ato_micros);
    number("send_mss_bytes", tcp.send_mss_bytes);
    number("receive_mss_bytes", tcp.receive_mss_bytes);
    number("unacked", tcp.unacked);
    number("sacked", tcp.sacked);
    number("lost", tcp.lost);
    number("retransmitted", tcp.retransmitted);
    number("last_data_sent_millis", tcp.last_data_sent_millis);
    number("last_data_received_millis", tcp.last_data_received_millis);
    number("last_ack_received_millis", tcp.last_ack_received_millis);
    number("path_mtu_bytes", tcp.path_mtu_bytes);
    number("receive_threshold_bytes", tcp.receive_threshold_bytes);
    number("rtt_micros", tcp.rtt_micros);
    number("rtt_variation_micros", tcp.rtt_variation_micros);
    object.number("send_threshold", tcp.send_threshold.map(u64::from));
    let mut number = |name, value: u32| object.number(name, u64::from(value));
    number("congestion_window", tcp.congestion_window);
    number("advertised_mss_bytes", tcp.advertised_mss_bytes);
    number("reordering", tcp.reordering);
    number("receive_rtt_micros", tcp.receive_rtt_micros);
    number("receive_space_bytes", tcp.receive_space_bytes);
    number("total_retransmits", tcp.total_retransmits);
    object.number("pacing_rate", tcp.pacing_rate);
    object.number("max_pacing_rate", tcp.max_pacing_rate);
    object.number("bytes_acked", tcp.bytes_acked);
    object.number("bytes_received", tcp.bytes_received);
    object.number("segments_sent", tcp.segments_sent.map(u64::from));
    object.number("segments_received", tcp.segments_received.map(u64::from));
    object.number("not_sent_bytes", tcp.not_sent_bytes.map(u64::from));
    object.number("min_rtt_micros", tcp.min_rtt_micros.map(u64::from));
    object.number("data_segments_received", tcp.data_segments_received.map(u64::from));
    object.number("data_segments_sent", tcp.data_segments_sent.map(u64::from));
    object.number("delivery_rate", tcp.delivery_rate);
    object.flag("delivery_rate_app_limited", tcp.delivery_rate_app_limited);
    object.number("busy_micros", tcp.busy_micros);
    object.number("receive_window_limited_micros", tcp.receive_window_limited_micros);
    object.number("send_buffer_limited_micros", tcp.send_buffer_limited_micros);
    object.number("delivered", tcp.delivered.map(u64::from));
    object.number("delivered_ce", tcp.delivered_ce.map(u64::from));
    object.number("bytes_sent", tcp.bytes_sent);
    object.number("bytes_retransmitted", tcp.bytes_retransmitted);
    object.number("duplicate_sacks", tcp.duplicate_sacks.map(u64::from));
    object.number("reorderings", tcp.reorderings.map(u64::from));
    object.number("out_of_order", tcp.out_of_order.map(u64::from));
    object.number("send_window_bytes", tcp.send_window_bytes.map(u64::from));
    object.number("receive_window_bytes", tcp.receive_window_bytes.map(u64::from));
    object.number("total_timeouts", tcp.total_timeouts.map(u64::from));
}
