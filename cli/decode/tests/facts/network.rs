//! Links, ARP and IP.

use dbgctl_decode::{Arp, Cooked, Ethernet, Ipv4, Ipv6, Layer, Llc, Opaque, Packet, Vlan};

use super::{Facts, conversation, hardware};

/// The outermost header comes with the length of the frame.
pub(super) fn ethernet(ethernet: &Ethernet, outermost: Option<&Packet<'_>>, facts: &mut Facts) {
    let text = format!("{} > {},", hardware(&ethernet.source), hardware(&ethernet.destination));
    facts.say(text.clone(), text);
    if ethernet.kind < 0x600 {
        facts.know(format!("802.3, length {}: LLC", ethernet.kind));
    } else if let Some(packet) = outermost {
        facts.know(format!("({:#06x}), length {}:", ethernet.kind, packet.length()));
    }
}

pub(super) fn cooked(cooked: &Cooked<'_>, packet: &Packet<'_>, facts: &mut Facts) {
    let [ours, theirs] = match cooked.packet_type {
        0 => ["in", "In"],
        1 => ["broadcast", "B"],
        2 => ["multicast", "M"],
        3 => ["for another host", "P"],
        _ => ["out", "Out"],
    };
    let source = hardware(cooked.source);
    let (of, index) = cooked
        .interface
        .map_or_else(Default::default, |index| (format!(" interface {index}"), format!(" ifindex {index}")));
    facts.know(theirs);
    facts.say(format!("{ours}{of} from {source}"), format!("{index} {source} ethertype"));
    facts.know(format!("({:#06x}), length {}:", cooked.kind, packet.length()));
}

pub(super) fn vlan(vlan: &Vlan, facts: &mut Facts) {
    let eligible = if vlan.drop_eligible { ", DEI" } else { "" };
    facts.say(format!("vlan {}", vlan.id), format!("vlan {}, p {}{eligible}, ", vlan.id, vlan.priority));
}

pub(super) fn llc(llc: &Llc, facts: &mut Facts) {
    match llc.snap {
        Some((organization, kind)) => {
            assert_eq!(organization, [0; 3]);
            facts.say(
                "SNAP",
                format!("oui Ethernet (0x000000), ethertype {} ({kind:#06x}), length", name(kind)),
            );
        }
        None => facts.say(
            format!("LLC {:#04x} > {:#04x}", llc.ssap, llc.dsap),
            format!("dsap STP ({:#04x}) Individual, ssap STP ({:#04x})", llc.dsap, llc.ssap),
        ),
    }
}

fn name(kind: u16) -> &'static str {
    match kind {
        0x0800 => "IPv4",
        0x86dd => "IPv6",
        _ => "ARP",
    }
}

pub(super) fn opaque(opaque: Opaque, length: usize, before: &Layer<'_>, facts: &mut Facts) {
    match opaque {
        Opaque::EtherType(0x88cc) => {
            facts.say(format!("LLDP, length {length}"), format!("LLDP, length {length}"))
        }
        // tcpdump counts the LLC header as well, without its padding.
        Opaque::SpanningTree => facts.say(format!("STP, length {length}"), "STP 802.1d, Config"),
        // A later part of a packet. tcpdump tells its length as that of the IP packet.
        Opaque::Protocol(17) => match before {
            Layer::Ipv4(_) => facts.say(format!("UDP, length {length}"), "ip-proto-17"),
            _ => facts.say(format!("UDP, length {length}"), format!("{length})")),
        },
        other => panic!("the mix has no {other:?}"),
    }
}

pub(super) fn arp(arp: &Arp, facts: &mut Facts) {
    let ((sender_hardware, sender), (_, target)) = (arp.sender.unwrap(), arp.target.unwrap());
    let length = arp.length;
    if arp.operation == 1 {
        let ours =
            format!("who has {target}, tell {sender} at {}, length {length}", hardware(&sender_hardware));
        facts.say(ours, format!("Request who-has {target} tell {sender}, length {length}"));
    } else {
        let sender_hardware = hardware(&sender_hardware);
        let theirs = format!("Reply {sender} is-at {sender_hardware}, length {length}");
        facts.say(format!("answer {sender} is at {sender_hardware}, length {length}"), theirs);
    }
}

pub(super) fn ipv4(ip: &Ipv4<'_>, next: Option<&Layer<'_>>, facts: &mut Facts) {
    let more = ip.fragment.is_some_and(|fragment| fragment.more);
    let flags = match (more, ip.dont_fragment) {
        (true, _) => "+",
        (false, true) => "DF",
        (false, false) => "none",
    };
    let offset = ip.fragment.map_or(0, |fragment| fragment.offset);
    facts.know(format!(
        "(tos {:#x}, ttl {}, id {}, offset {offset}, flags [{flags}], proto ",
        ip.traffic_class, ip.time_to_live, ip.id
    ));
    facts.know(format!("({}), length {}", ip.protocol, ip.total_length));
    if !ip.options.is_empty() {
        facts.know("options (RA)");
    }
    let [ours, theirs] = conversation((ip.source.into(), ip.destination.into()), next.and_then(Layer::ports));
    facts.say(ours, theirs);
    if let Some(fragment) = ip.fragment {
        facts.say(format!("fragment {} at {}", fragment.id, fragment.offset), "");
    }
    if !ip.options.is_empty() {
        facts.say("(router alert)", "");
    }
}

pub(super) fn ipv6(ip: &Ipv6, next: Option<&Layer<'_>>, facts: &mut Facts) {
    let first = if ip.fragment.is_some() { 44 } else { ip.protocol };
    if ip.flow_label != 0 {
        facts.know(format!("flowlabel {:#07x}, ", ip.flow_label));
    }
    facts.know(format!("hlim {}, next-header ", ip.hop_limit));
    facts.know(format!("({first}) payload length: {})", ip.payload_length));
    let addresses = (ip.source.into(), ip.destination.into());
    let ports = next.and_then(Layer::ports);
    let Some(fragment) = ip.fragment else {
        let [ours, theirs] = conversation(addresses, ports);
        return facts.say(ours, theirs);
    };
    // tcpdump tells the ports behind the fragment, without the addresses.
    let [ours, _] = conversation(addresses, ports);
    let [_, theirs] = conversation(addresses, None);
    facts.say(ours, format!("{theirs}: frag ({:#010x}:{}|", fragment.id, fragment.offset));
    facts.say(format!("fragment {} at {}", fragment.id, fragment.offset), "");
    if let Some((source, destination)) = ports {
        facts.know(format!("{source} > {destination}"));
    }
}
