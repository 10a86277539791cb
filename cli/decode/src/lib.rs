//! What a captured frame says: its layers as typed values, and one line in words.
//!
//! A pure function of the bytes. Everything in a packet was chosen by whoever sent it: no field is believed before it was
//! compared with what is there, nothing is followed without a bound, and text is escaped before it is shown.
//!
//! Where a header is laid out in fixed fields, it is read by `pnet_packet`; its options and payloads are sliced here, by
//! lengths that were checked. Names of the DNS are read by `hickory-proto`. Everything is read as far as it was captured,
//! because a snap length cuts frames wherever it likes.

#![forbid(unsafe_code)]

mod arp;
mod decode;
mod dhcp;
mod dhcpv6;
mod dns;
mod escape;
mod http;
mod icmp;
mod icmpv6;
mod igmp;
mod ip;
mod ipv4;
mod ipv6;
mod link;
mod ntp;
mod origins;
mod packet;
mod quic;
mod quote;
mod sctp;
mod span;
mod summary;
mod tcp;
mod tls;
mod transport;
mod tunnel;
mod udp;

pub use self::arp::Arp;
pub use self::decode::packet;
pub use self::dhcp::Dhcp;
pub use self::dhcpv6::Dhcpv6;
pub use self::dns::{Data, Dialect, Dns, Item, Items, Question, Record, Section};
pub use self::http::Http;
pub use self::icmp::{Icmp, IcmpMessage};
pub use self::icmpv6::{Icmpv6, Icmpv6Message};
pub use self::igmp::Igmp;
pub use self::ip::{Fragment, Opaque};
pub use self::ipv4::Ipv4;
pub use self::ipv6::{Extensions, Ipv6};
pub use self::link::{Cooked, Ethernet, LinkType, Llc, Vlan};
pub use self::ntp::Ntp;
pub use self::origins::Origins;
pub use self::packet::{Ending, Layer, Packet};
pub use self::quic::Quic;
pub use self::quote::Quote;
pub use self::sctp::Sctp;
pub use self::span::{Fault, Span};
pub use self::summary::{LONGEST_SUMMARY, Summary};
pub use self::tcp::{Origin, Tcp, TcpFlags, TcpOption, TcpOptions};
pub use self::tls::{Hello, Tls, TlsRecord, TlsRecords};
pub use self::tunnel::{Gre, Vxlan};
pub use self::udp::Udp;
