//! What a decoded packet says, in our words and in those of `tcpdump -vv`, in the order in which both say it.

mod content;
mod icmp;
mod network;

use std::net::IpAddr;

use dbgctl_decode::{Ending, Layer, Packet, Quote};

/// One thing that both say.
pub(crate) struct Fact {
    /// In our summary; empty for what is decoded and not shown.
    pub(crate) ours: String,
    /// In tcpdump's text; empty for what it does not know.
    pub(crate) theirs: String,
}

/// Facts in their order.
#[derive(Default)]
pub(crate) struct Facts(Vec<Fact>);

impl Facts {
    /// Both say it, each in their words.
    pub(crate) fn say(&mut self, ours: impl Into<String>, theirs: impl Into<String>) {
        self.0.push(Fact { ours: ours.into(), theirs: theirs.into() });
    }

    /// We know it, and do not show it.
    pub(crate) fn know(&mut self, theirs: impl Into<String>) {
        self.say("", theirs);
    }
}

/// What is in a packet. Fails on one that could not be read to its end. Of one that was cut off, only what its network
/// and transport headers say: how far into messages tcpdump reads, and what it says where it stops, is its own affair.
pub(crate) fn facts(packet: &Packet<'_>) -> Vec<Fact> {
    let is_cut = matches!(packet.ending(), Ending::Cut(_)) && packet.is_cut();
    assert!(is_cut || packet.ending() == Ending::Whole, "{packet:?}");
    let layers = if packet.is_cut() { headers(packet.layers()) } else { packet.layers() };
    let mut facts = Facts::default();
    for (at, layer) in layers.iter().enumerate() {
        let next = layers.get(at + 1);
        match layer {
            Layer::Ethernet(ethernet) => network::ethernet(ethernet, (at == 0).then_some(packet), &mut facts),
            Layer::Cooked(cooked) => network::cooked(cooked, packet, &mut facts),
            Layer::Vlan(vlan) => network::vlan(vlan, &mut facts),
            Layer::Llc(llc) => network::llc(llc, &mut facts),
            Layer::Arp(arp) => network::arp(arp, &mut facts),
            Layer::Ipv4(ip) => network::ipv4(ip, next, &mut facts),
            Layer::Ipv6(ip) => network::ipv6(ip, next, &mut facts),
            Layer::Icmp(message) => icmp::icmp(message, &mut facts),
            Layer::Icmpv6(message) => icmp::icmpv6(message, &mut facts),
            Layer::Igmp(message) => icmp::igmp(message, &mut facts),
            Layer::Opaque(opaque, rest) => {
                network::opaque(*opaque, rest.wire_length(), &layers[at - 1], &mut facts)
            }
            Layer::Udp(udp) if packet.is_cut() => {
                facts.say(format!("UDP, length {}", udp.payload_length), "")
            }
            layer => content::content(layer, next, &mut facts),
        }
    }
    facts.0
}

/// Links, IP, TCP and UDP, without what they carry.
fn headers<'a, 'b>(layers: &'b [Layer<'a>]) -> &'b [Layer<'a>] {
    let is_header = |layer: &Layer<'_>| match layer {
        Layer::Ethernet(_) | Layer::Vlan(_) | Layer::Llc(_) | Layer::Cooked(_) => true,
        layer => layer.addresses().is_some() || matches!(layer, Layer::Tcp(_) | Layer::Udp(_)),
    };
    let end = layers.iter().position(|layer| !is_header(layer)).unwrap_or(layers.len());
    // Ports are told beside the addresses, but those of SCTP.
    let has_ports = layers.get(end).is_some_and(|layer| layer.ports().is_some());
    &layers[..if has_ports { end - 1 } else { end }]
}

/// `10.0.0.1.53`, or without the port.
fn place(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| format!("{address}.{port}"))
}

/// From whom to whom, in our words and in tcpdump's.
fn conversation(addresses: (IpAddr, IpAddr), ports: Option<(u16, u16)>) -> [String; 2] {
    let (source, destination) = addresses;
    let theirs = format!(
        "{} > {}",
        place(source, ports.map(|ports| ports.0)),
        place(destination, ports.map(|ports| ports.1))
    );
    let ours = |address: IpAddr, port: Option<u16>| match (address, port) {
        (_, None) => address.to_string(),
        (IpAddr::V4(_), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(_), Some(port)) => format!("[{address}]:{port}"),
    };
    let ours = format!(
        "{} > {}",
        ours(source, ports.map(|ports| ports.0)),
        ours(destination, ports.map(|ports| ports.1))
    );
    [ours, theirs]
}

/// The packet that an error is about.
fn quote(quote: Option<&Quote>, facts: &mut Facts) {
    let quote = quote.expect("all errors of the mix quote a packet");
    let [ours, theirs] = conversation((quote.source, quote.destination), quote.ports);
    facts.say(ours, theirs);
}

fn hardware(address: &[u8]) -> String {
    address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
