//! The beginning of a packet that an error message quotes.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};

use crate::ip::protocol_name;
use crate::ipv4::Ipv4;
use crate::ipv6::Ipv6;
use crate::span::Span;

/// Whose packet an ICMP error is about. Chosen by whoever sent the error, not by whoever sent the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who sent the packet.
    pub source: IpAddr,
    /// Whom it was for.
    pub destination: IpAddr,
    /// Number of the protocol.
    pub protocol: u8,
    /// Source and destination port, if the protocol has ports and they were quoted.
    pub ports: Option<(u16, u16)>,
}

impl Quote {
    /// `None` if there is not a whole IP header.
    pub(crate) fn parse(span: Span<'_>) -> Option<Self> {
        let (source, destination, protocol, fragment, rest) = match span.u8(0).ok()? >> 4 {
            4 => {
                let (ip, rest) = Ipv4::parse(span).ok()?;
                (ip.source.into(), ip.destination.into(), ip.protocol, ip.fragment, rest)
            }
            6 => {
                let (ip, rest) = Ipv6::parse(span).ok()?;
                (ip.source.into(), ip.destination.into(), ip.protocol, ip.fragment, rest)
            }
            _ => return None,
        };
        let has_ports = has_ports(protocol) && fragment.is_none_or(|fragment| fragment.offset == 0);
        let ports = if has_ports { rest.u16(0).ok().zip(rest.u16(2).ok()) } else { None };
        Some(Self { source, destination, protocol, ports })
    }
}

/// TCP, UDP, DCCP, SCTP and UDP-Lite begin with two ports.
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

impl Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Conversation { source: self.source, destination: self.destination, ports: self.ports }.fmt(f)?;
        write!(f, " {}", protocol_name(self.protocol))
    }
}

/// `IP 10.0.0.1:40000 > 10.0.0.2:53`
pub(crate) struct Conversation {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ports: Option<(u16, u16)>,
}

impl Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.source.is_ipv4() { "IP" } else { "IP6" };
        match self.ports {
            Some((source, destination)) => {
                let (source, destination) =
                    (SocketAddr::new(self.source, source), SocketAddr::new(self.destination, destination));
                write!(f, "{version} {source} > {destination}")
            }
            None => write!(f, "{version} {} > {}", self.source, self.destination),
        }
    }
}
