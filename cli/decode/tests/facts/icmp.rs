//! Messages about packets, neighbours and groups.

use dbgctl_decode::{Icmp, IcmpMessage, Icmpv6, Icmpv6Message, Igmp, Quote};

use super::{Facts, conversation, hardware, quote};

fn echo(is_reply: bool, id: u16, sequence: u16) -> String {
    format!("echo {}, id {id}, seq {sequence}", if is_reply { "reply" } else { "request" })
}

pub(super) fn icmp(icmp: &Icmp, facts: &mut Facts) {
    let length = icmp.length;
    match &icmp.message {
        IcmpMessage::Echo { is_reply, id, sequence } => {
            let text = format!("ICMP {}, length {length}", echo(*is_reply, *id, *sequence));
            return facts.say(text.clone(), text);
        }
        IcmpMessage::Unreachable { quote: about, mtu } => {
            let about = about.as_ref().unwrap();
            let [ours, theirs] = unreachable(icmp.code, about, *mtu);
            facts.say(ours, format!("ICMP {theirs}"));
            facts.know(format!(", length {length}"));
            quote(Some(about), facts);
        }
        IcmpMessage::TimeExceeded { quote: about } => {
            let words = match icmp.code {
                0 => ["time exceeded on the way", "time exceeded in-transit"],
                _ => ["time exceeded waiting for fragments", "ip reassembly time exceeded"],
            };
            facts.say(words[0], format!("{}, length {length}", words[1]));
            quote(about.as_ref(), facts);
        }
        IcmpMessage::Redirect { gateway, quote: about } => {
            let about = about.as_ref().unwrap();
            let [ours, theirs] = if icmp.code == 0 { ["network", "net"] } else { ["host", "host"] };
            let theirs = format!("redirect {} to {theirs} {gateway}, length {length}", about.destination);
            facts.say(format!("redirect {ours} to {gateway}"), theirs);
            quote(Some(about), facts);
        }
        other => panic!("the mix has no {other:?}"),
    }
    facts.say(format!("length {length}"), "");
}

fn unreachable(code: u8, about: &Quote, mtu: Option<u16>) -> [String; 2] {
    let (host, protocol) = (about.destination, about.protocol);
    let by_name = match protocol {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        protocol => format!("protocol {protocol}"),
    };
    let (ours, theirs) = match code {
        0 => ("network unreachable", format!("net {host} unreachable")),
        1 => ("host unreachable", format!("host {host} unreachable")),
        2 => ("protocol unreachable", format!("{host} protocol {protocol} unreachable")),
        // Of a protocol without ports, tcpdump takes whatever stands there for one.
        3 if about.ports.is_none() => ("port unreachable", format!("{host} {by_name} port ")),
        3 => ("port unreachable", format!("{host} {by_name} port {} unreachable", about.ports.unwrap().1)),
        4 => {
            let mtu = mtu.unwrap();
            let ours = format!("fragmentation needed, mtu {mtu}");
            return [ours, format!("{host} unreachable - need to frag (mtu {mtu})")];
        }
        5 => ("source route failed", format!("{host} unreachable - source route failed")),
        6 => ("network unknown", format!("net {host} unreachable - unknown")),
        7 => ("host unknown", format!("host {host} unreachable - unknown")),
        9 => ("network prohibited", format!("net {host} unreachable - admin prohibited")),
        10 => ("host prohibited", format!("host {host} unreachable - admin prohibited")),
        13 => ("prohibited by filter", format!("host {host} unreachable - admin prohibited filter")),
        other => panic!("the mix has no code {other}"),
    };
    [ours.to_owned(), theirs]
}

pub(super) fn icmpv6(icmp: &Icmpv6, facts: &mut Facts) {
    match &icmp.message {
        Icmpv6Message::Echo { is_reply, id, sequence } => {
            let text = echo(*is_reply, *id, *sequence);
            facts.say(format!("ICMP6 {text}"), format!("ICMP6, {text}"));
        }
        Icmpv6Message::Unreachable(about) => {
            let about = about.as_ref().unwrap();
            let host = about.destination;
            let (ours, theirs) = match icmp.code {
                0 => ("no route", format!("unreachable route {host}")),
                1 => ("prohibited by filter", format!("unreachable prohibited {host}")),
                2 => ("beyond the scope", format!("beyond scope {host}, source address {}", about.source)),
                3 => ("address unreachable", format!("unreachable address {host}")),
                _ => {
                    let port = about.ports.unwrap().1;
                    ("port unreachable", format!("unreachable port, {host} udp port {port}"))
                }
            };
            facts.say(ours, theirs);
            quote_quietly(about, facts);
        }
        Icmpv6Message::TooBig { mtu, quote: about } => {
            facts.say(format!("packet too big, mtu {mtu}"), format!("packet too big, mtu {mtu}"));
            quote_quietly(about.as_ref().unwrap(), facts);
        }
        Icmpv6Message::TimeExceeded(about) => {
            let about = about.as_ref().unwrap();
            match icmp.code {
                0 => facts.say(
                    "time exceeded on the way",
                    format!("time exceeded in-transit for {}", about.destination),
                ),
                _ => facts.say("waiting for fragments", "time exceeded in-transit (reassembly)"),
            }
            quote_quietly(about, facts);
        }
        Icmpv6Message::RouterSolicitation => {
            facts.say("router solicitation", format!("router solicitation, length {}", icmp.length));
        }
        Icmpv6Message::RouterAdvertisement { hop_limit, lifetime_seconds, hardware: from, prefix } => {
            let theirs = format!(
                "hop limit {hop_limit}, Flags [none], pref medium, router lifetime {lifetime_seconds}s"
            );
            facts.say(format!("hop limit {hop_limit}, lifetime {lifetime_seconds} s"), theirs);
            let (prefix, length) = prefix.unwrap();
            facts.know(format!("source link-address option (1), length 8 (1): {}", hardware(&from.unwrap())));
            facts.say(
                format!("prefix {prefix}/{length}"),
                format!("prefix info option (3), length 32 (4): {prefix}/{length}"),
            );
        }
        Icmpv6Message::NeighbourSolicitation { target, hardware: from } => {
            facts.say(format!("neighbour solicitation, who has {target}"), format!("who has {target}"));
            let from = hardware(&from.unwrap());
            facts
                .say(format!("from {from}"), format!("source link-address option (1), length 8 (1): {from}"));
        }
        Icmpv6Message::NeighbourAdvertisement {
            target,
            hardware: at,
            is_router,
            is_solicited,
            overrides,
        } => {
            let at = hardware(&at.unwrap());
            let words = [(is_router, "router"), (is_solicited, "solicited"), (overrides, "override")];
            let words = words
                .iter()
                .filter(|(is_set, _)| **is_set)
                .map(|(_, word)| *word)
                .collect::<Vec<_>>()
                .join(", ");
            facts.know(format!("neighbor advertisement, length {}", icmp.length));
            facts.know(format!("tgt is {target}, Flags [{words}]"));
            let theirs = format!("destination link-address option (2), length 8 (1): {at}");
            facts.say(format!("neighbour advertisement, {target} is at {at}, {words}"), theirs);
        }
        Icmpv6Message::ListenerReportV2 { records, first } => {
            let (_, group) = first.unwrap();
            let theirs =
                format!("multicast listener report v2, {records} group record(s) [gaddr {group} to_ex");
            facts.say(format!("multicast listener report v2, {records} record, to exclude {group}"), theirs);
        }
        other => panic!("the mix has no {other:?}"),
    }
    facts.say(format!("length {}", icmp.length), "");
}

/// The quoted packet, of which tcpdump has told no more than the destination.
fn quote_quietly(about: &Quote, facts: &mut Facts) {
    let [ours, _] = conversation((about.source, about.destination), about.ports);
    facts.say(ours, "");
}

pub(super) fn igmp(igmp: &Igmp, facts: &mut Facts) {
    let group = igmp.group.unwrap();
    match (igmp.kind, igmp.records) {
        (0x11, _) => facts.say(format!("IGMP query {group}"), format!("igmp query v2 [gaddr {group}]")),
        (0x16, _) => facts.say(format!("IGMP v2 report {group}"), format!("igmp v2 report {group}")),
        (0x17, _) => facts.say(format!("IGMP leave {group}"), format!("igmp leave {group}")),
        (0x22, Some((count, Some(4)))) => facts.say(
            format!("IGMP v3 report, {count} record, to exclude {group}"),
            format!("igmp v3 report, {count} group record(s) [gaddr {group} to_ex"),
        ),
        other => panic!("the mix has no {other:?}"),
    }
    facts.say(format!("length {}", igmp.length), "");
}
