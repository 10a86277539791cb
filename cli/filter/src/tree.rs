//! An expression, parsed: what was asked for, in its own words.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Span;

/// A filter expression whose form is right. Whether its names exist, and whether a link type has what it asks for, is known
/// when it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    pub(crate) text: String,
    /// `None` if every packet is wanted.
    pub(crate) chain: Option<Chain>,
}

/// Terms, tied from left to right. `and` does not bind closer than `or`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) first: Term,
    pub(crate) rest: Vec<(Junction, Term)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Junction {
    And,
    Or,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) negated: bool,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Primitive(Primitive, Span),
    Group(Box<Chain>),
}

/// What can be asked of a packet in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Primitive {
    Protocol(Protocol),
    Identity(Qualifiers, Identity),
    Relation { left: Arithmetic, relation: Relation, right: Arithmetic },
    Broadcast(Option<Protocol>),
    Multicast(Option<Protocol>),
    AtMost(u32),
    AtLeast(u32),
    Byte { index: u32, operator: ByteOperator, value: u32 },
    Inbound,
    Outbound,
    Interface(u32),
    Vlan(Option<u32>),
    Mpls(Option<u32>),
    PppoeDiscovery,
    PppoeSession(Option<u32>),
    Geneve(Option<u32>),
    Llc(Llc),
}

/// What an address, a number or a name is to be: `tcp dst port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Qualifiers {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// None was given. It means the same as `Either`, but is allowed where a direction makes no sense.
    Any,
    Source,
    Destination,
    Either,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `src 10.0.0.1`: an address.
    Any,
    Host,
    Network,
    Port,
    PortRange,
    Protocol,
    ProtocolChain,
}

/// What the qualifiers qualify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Number(u32),
    /// An IPv4 address of which so many bits were given.
    Dotted(Ipv4Addr, u32),
    /// An IPv4 network by its mask.
    Masked(Ipv4Addr, Ipv4Addr),
    /// An IPv6 address or network.
    Ipv6(Ipv6Addr, Option<u32>),
    Mac([u8; 6]),
    Name(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Greater,
    GreaterOrEqual,
    Equal,
    LessOrEqual,
    Less,
    NotEqual,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Number(u32),
    PacketLength,
    /// `tcp[12:2]`: big-endian, `bytes` is 1, 2 or 4.
    Load {
        protocol: Protocol,
        index: Box<Arithmetic>,
        bytes: u32,
    },
    Negative(Box<Arithmetic>),
    Binary {
        operator: Operator,
        left: Box<Arithmetic>,
        right: Box<Arithmetic>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    ShiftRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOperator {
    Equal,
    Less,
    Greater,
    And,
    Or,
}

/// The frames of IEEE 802.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Llc {
    Any,
    Information,
    Supervisory,
    Unnumbered,
    /// A supervisory frame of this type.
    SupervisoryType(u8),
    /// An unnumbered frame of this type.
    UnnumberedType(u8),
}

macro_rules! protocols {
    ($($variant:ident $name:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Protocol {
            $($variant,)*
        }

        impl Protocol {
            /// The protocol of a reserved word.
            pub(crate) fn named(word: &str) -> Option<Self> {
                match word {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

protocols! {
    Link "ether",
    Ip "ip",
    Ip6 "ip6",
    Arp "arp",
    Rarp "rarp",
    Tcp "tcp",
    Udp "udp",
    Sctp "sctp",
    Icmp "icmp",
    Icmp6 "icmp6",
    Igmp "igmp",
    Igrp "igrp",
    Pim "pim",
    Vrrp "vrrp",
    Carp "carp",
    Ah "ah",
    Esp "esp",
    Atalk "atalk",
    Aarp "aarp",
    Decnet "decnet",
    Lat "lat",
    Sca "sca",
    Moprc "moprc",
    Mopdl "mopdl",
    Iso "iso",
    Esis "esis",
    Isis "isis",
    IsisLevel1 "l1",
    IsisLevel2 "l2",
    IsisHello "iih",
    IsisLinkState "lsp",
    IsisSequence "snp",
    IsisCompleteSequence "csnp",
    IsisPartialSequence "psnp",
    Clnp "clnp",
    Stp "stp",
    Ipx "ipx",
    Netbeui "netbeui",
}
