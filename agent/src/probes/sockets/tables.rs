//! Which tables of the kernel there are, and where else the same is told.

use dbgctl_linux::netlink::sock_diag::Table;
use dbgctl_proto::v1::SocketProtocol;

/// One table.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) protocol: SocketProtocol,
    /// That of sock_diag. `None`: it does not know this protocol.
    pub(super) table: Option<Table>,
    /// That of `/proc/net`.
    pub(super) file: &'static str,
}

const fn kind(protocol: SocketProtocol, table: Option<Table>, file: &'static str) -> Kind {
    Kind { protocol, table, file }
}

/// All of them, in the order in which they are asked for.
pub(super) const KINDS: &[Kind] = &[
    kind(SocketProtocol::Tcp, Some(Table::Tcp), "tcp"),
    kind(SocketProtocol::Tcp, Some(Table::Tcp6), "tcp6"),
    kind(SocketProtocol::Udp, Some(Table::Udp), "udp"),
    kind(SocketProtocol::Udp, Some(Table::Udp6), "udp6"),
    kind(SocketProtocol::Udplite, Some(Table::UdpLite), "udplite"),
    kind(SocketProtocol::Udplite, Some(Table::UdpLite6), "udplite6"),
    kind(SocketProtocol::Icmp, None, "icmp"),
    kind(SocketProtocol::Icmp, None, "icmp6"),
    kind(SocketProtocol::Raw, Some(Table::Raw), "raw"),
    kind(SocketProtocol::Raw, Some(Table::Raw6), "raw6"),
    kind(SocketProtocol::Packet, Some(Table::Packet), "packet"),
    kind(SocketProtocol::Unix, Some(Table::Unix), "unix"),
    kind(SocketProtocol::Netlink, Some(Table::Netlink), "netlink"),
];

impl Kind {
    /// What is missing if the file can not be read.
    pub(super) fn subject(&self) -> &'static str {
        match self.protocol {
            SocketProtocol::Tcp => "TCP sockets",
            SocketProtocol::Udp => "UDP sockets",
            SocketProtocol::Udplite => "UDP-Lite sockets",
            SocketProtocol::Icmp => "ICMP sockets",
            SocketProtocol::Raw => "raw sockets",
            SocketProtocol::Packet => "packet sockets",
            SocketProtocol::Unix => "local sockets",
            SocketProtocol::Netlink => "netlink sockets",
            SocketProtocol::Unspecified => "sockets",
        }
    }

    /// What only sock_diag tells of them.
    pub(super) fn without(&self) -> &'static str {
        match self.protocol {
            SocketProtocol::Tcp => "read from /proc/net, without timers, memory and TCP's own figures",
            SocketProtocol::Unix => "read from /proc/net, without queues, peers, users and memory",
            _ => "read from /proc/net, without memory",
        }
    }
}
