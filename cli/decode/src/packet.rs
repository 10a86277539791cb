//! A decoded packet.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;

use crate::arp::Arp;
use crate::dhcp::Dhcp;
use crate::dhcpv6::Dhcpv6;
use crate::dns::Dns;
use crate::http::Http;
use crate::icmp::Icmp;
use crate::icmpv6::Icmpv6;
use crate::igmp::Igmp;
use crate::ip::Opaque;
use crate::ipv4::Ipv4;
use crate::ipv6::Ipv6;
use crate::link::{Cooked, Ethernet, Llc, Vlan};
use crate::ntp::Ntp;
use crate::quic::Quic;
use crate::sctp::Sctp;
use crate::span::Span;
use crate::summary::Summary;
use crate::tcp::{Tcp, TcpFlags};
use crate::tls::Tls;
use crate::tunnel::{Gre, Vxlan};
use crate::udp::Udp;

/// One header, or what a message of an application begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is a layer that says itself what it is")]
pub enum Layer<'a> {
    Ethernet(Ethernet),
    Vlan(Vlan),
    Llc(Llc),
    Cooked(Cooked<'a>),
    Arp(Arp),
    Ipv4(Ipv4<'a>),
    Ipv6(Ipv6),
    Icmp(Icmp),
    Icmpv6(Icmpv6),
    Tcp(Tcp<'a>),
    Udp(Udp),
    Sctp(Sctp<'a>),
    Igmp(Igmp),
    Gre(Gre),
    Vxlan(Vxlan),
    Dns(Dns<'a>),
    Dhcp(Dhcp<'a>),
    Dhcpv6(Dhcpv6),
    Ntp(Ntp),
    Tls(Tls<'a>),
    Http(Http<'a>),
    Quic(Quic<'a>),
    /// Known by name, with what it carries.
    Opaque(Opaque, Span<'a>),
}

/// Why nothing was read beyond the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There was nothing more to read. Payload may have been cut off all the same, see [`Packet::is_cut`].
    Whole,
    /// The snap length cut off a header of this protocol.
    Cut(&'static str),
    /// A header of this protocol contradicts itself, there.
    Bad(&'static str, &'static str),
    /// Packets within packets within packets.
    Deeper,
}

/// A frame, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    frame: Span<'a>,
    layers: Vec<Layer<'a>>,
    payload: Span<'a>,
    ending: Ending,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(frame: Span<'a>, layers: Vec<Layer<'a>>, payload: Span<'a>, ending: Ending) -> Self {
        Self { frame, layers, payload, ending }
    }

    /// What was read, from the outside in.
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers
    }

    /// Why nothing more was read.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether the snap length cut off any byte of the frame.
    pub fn is_cut(&self) -> bool {
        self.frame.is_cut()
    }

    /// Bytes of the frame on the wire.
    pub fn length(&self) -> usize {
        self.frame.wire_length()
    }

    /// What follows the last header that was read.
    pub fn payload(&self) -> Span<'a> {
        self.payload
    }

    /// Source and destination of the outermost IP header: what the sockets of this machine talk to.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        self.layers.iter().find_map(Layer::addresses)
    }

    /// Source and destination port of the transport in the outermost IP header.
    pub fn ports(&self) -> Option<(u16, u16)> {
        self.outer_transport()?.ports()
    }

    /// Number of the protocol that the outermost IP header carries, after extension headers.
    pub fn protocol(&self) -> Option<u8> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Ipv4(ip) => Some(ip.protocol),
            Layer::Ipv6(ip) => Some(ip.protocol),
            _ => None,
        })
    }

    /// The TCP header, if the outermost IP header carries one.
    pub fn tcp(&self) -> Option<&Tcp<'a>> {
        match self.outer_transport()? {
            Layer::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// The flags of [`Packet::tcp`].
    pub fn tcp_flags(&self) -> Option<TcpFlags> {
        self.tcp().map(|tcp| tcp.flags)
    }

    /// The message of the DNS that it carries, in whatever it is wrapped.
    pub fn dns(&self) -> Option<&Dns<'a>> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Dns(dns) => Some(dns),
            _ => None,
        })
    }

    /// What the server says, if this is an answer of the DNS.
    pub fn dns_response_code(&self) -> Option<ResponseCode> {
        self.dns().and_then(Dns::response_code)
    }

    /// One line that says what this packet is. At most [`LONGEST_SUMMARY`](crate::LONGEST_SUMMARY) characters, all
    /// of which a terminal shows as they stand.
    pub fn summary(&self) -> Summary<'_> {
        Summary::of(self)
    }

    /// What directly follows the outermost IP header.
    fn outer_transport(&self) -> Option<&Layer<'a>> {
        let at = self.layers.iter().position(|layer| layer.addresses().is_some())?;
        self.layers.get(at + 1)
    }
}

impl Layer<'_> {
    /// Source and destination, if this is a header of IP.
    pub fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Self::Ipv4(ip) => Some((ip.source.into(), ip.destination.into())),
            Self::Ipv6(ip) => Some((ip.source.into(), ip.destination.into())),
            _ => None,
        }
    }

    /// Source and destination port, if this is a transport with ports.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Self::Tcp(tcp) => Some((tcp.source, tcp.destination)),
            Self::Udp(udp) => Some((udp.source, udp.destination)),
            Self::Sctp(sctp) => Some((sctp.source, sctp.destination)),
            _ => None,
        }
    }

    /// Whether it says how the frame came here, and not what is in it.
    pub(crate) fn is_link(&self) -> bool {
        matches!(self, Self::Ethernet(_) | Self::Llc(_) | Self::Cooked(_))
    }
}
