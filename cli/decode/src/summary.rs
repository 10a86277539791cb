//! A packet in one line.

use std::fmt::{self, Display, Write};

use crate::escape::Bounded;
use crate::ipv4::Options;
use crate::packet::{Ending, Layer, Packet};
use crate::quote::Conversation;
use crate::tcp::{Origin, TcpText};

/// Characters that a summary has at most.
pub const LONGEST_SUMMARY: usize = 1024;

/// One line that says what a packet is.
pub struct Summary<'a> {
    packet: &'a Packet<'a>,
    origin: Origin,
    has_link: bool,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(packet: &'a Packet<'a>) -> Self {
        Self { packet, origin: Origin::default(), has_link: false }
    }

    /// Tells sequence numbers relative to where the connection began.
    #[must_use]
    pub fn relative_to(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Tells the header of the link as well, which is otherwise told only of what is neither IP nor ARP.
    #[must_use]
    pub fn with_link(self) -> Self {
        Self { has_link: true, ..self }
    }
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One character is left for the ellipsis.
        self.write(&mut Bounded::new(f, LONGEST_SUMMARY - 1))
    }
}

impl Summary<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let layers = self.packet.layers();
        let has_network =
            layers.iter().any(|layer| layer.addresses().is_some() || matches!(layer, Layer::Arp(_)));
        let mut separator = "";
        for (at, layer) in layers.iter().enumerate() {
            // Within a tunnel, the inner header of the link is as dull as the outer one.
            if layer.is_link() && has_network && !self.has_link {
                continue;
            }
            out.write_str(separator)?;
            let ports = layers.get(at + 1).and_then(Layer::ports);
            self.write_layer(layer, ports, out)?;
            separator = if layer.is_link() || matches!(layer, Layer::Vlan(_)) { ", " } else { ": " };
        }
        match self.packet.ending() {
            Ending::Whole if separator.is_empty() => write!(out, "length {}", self.packet.length()),
            Ending::Whole => Ok(()),
            Ending::Cut(what) => write!(out, "{separator}[{what} cut]"),
            Ending::Bad(what, why) => write!(out, "{separator}[bad {what}: {why}]"),
            Ending::Deeper => write!(out, "{separator}[more packets inside]"),
        }
    }

    fn write_layer(&self, layer: &Layer<'_>, ports: Option<(u16, u16)>, out: &mut impl Write) -> fmt::Result {
        let (fragment, missing) = match layer {
            Layer::Ipv4(ip) => (ip.fragment, ip.missing),
            Layer::Ipv6(ip) => (ip.fragment, ip.missing),
            Layer::Ethernet(ethernet) => return write!(out, "{ethernet}"),
            Layer::Vlan(vlan) => return write!(out, "{vlan}"),
            Layer::Llc(llc) => return write!(out, "{llc}"),
            Layer::Cooked(cooked) => return write!(out, "{cooked}"),
            Layer::Arp(arp) => return write!(out, "{arp}"),
            Layer::Icmp(icmp) => return write!(out, "{icmp}"),
            Layer::Icmpv6(icmp) => return write!(out, "{icmp}"),
            Layer::Tcp(tcp) => return write!(out, "{}", TcpText(tcp, self.origin)),
            Layer::Udp(udp) => return write!(out, "{udp}"),
            Layer::Sctp(sctp) => return write!(out, "{sctp}"),
            Layer::Igmp(igmp) => return write!(out, "{igmp}"),
            Layer::Gre(gre) => return write!(out, "{gre}"),
            Layer::Vxlan(vxlan) => return write!(out, "{vxlan}"),
            Layer::Dns(dns) => return write!(out, "{dns}"),
            Layer::Dhcp(dhcp) => return write!(out, "{dhcp}"),
            Layer::Dhcpv6(dhcpv6) => return write!(out, "{dhcpv6}"),
            Layer::Ntp(ntp) => return write!(out, "{ntp}"),
            Layer::Tls(tls) => return write!(out, "{tls}"),
            Layer::Http(http) => return write!(out, "{http}"),
            Layer::Quic(quic) => return write!(out, "{quic}"),
            Layer::Opaque(opaque, rest) => return write!(out, "{opaque}, length {}", rest.wire_length()),
        };
        if let Some((source, destination)) = layer.addresses() {
            write!(out, "{}", Conversation { source, destination, ports })?;
        }
        if let Some(fragment) = fragment {
            write!(out, " ({fragment})")?;
        }
        match layer {
            Layer::Ipv4(ip) if !ip.options.is_empty() => write!(out, " ({})", Options(ip.options))?,
            Layer::Ipv6(ip) if !ip.extensions.numbers().is_empty() => write!(out, " ({})", ip.extensions)?,
            _ => {}
        }
        if missing > 0 { write!(out, " ({missing} bytes missing)") } else { Ok(()) }
    }
}
