//! A capture of everything, the same for the same seed.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// Link types of a capture file: Ethernet, Linux cooked v2 and v1, loopback, raw.
pub(crate) const LINKS: [u16; 5] = [1, 276, 113, 0, 12];

/// Frames of that link type.
pub(crate) fn mix(seed: u64, link: u16, count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(seed);
    let mut frames = Vec::with_capacity(count);
    while frames.len() < count {
        let (kind, packet) = network(&mut dice);
        frames.push(match link {
            1 => link_layer(&mut dice, kind, &packet),
            276 => cooked_v2(dice.byte() % 5, kind, &packet),
            113 => cooked_v1(dice.byte() % 5, kind, &packet),
            0 if kind == 0x0800 => [&2_u32.to_le_bytes()[..], &packet].concat(),
            12 if kind == 0x0800 || kind == 0x86dd => packet,
            _ => continue,
        });
    }
    frames
}

/// What follows an Ethernet header, with its type.
fn network(dice: &mut Dice) -> (u16, Vec<u8>) {
    let ip = Network::any(dice);
    let packet = match dice.below(20) {
        0 => {
            let (sender, target) =
                (Ipv4Addr::new(10, 0, 0, dice.byte()), Ipv4Addr::new(10, 0, 1, dice.byte()));
            return (0x0806, arp(1 + dice.word() % 2, sender, target));
        }
        1 | 2 => return (0x0800, icmp_packet(dice)),
        3 | 4 => return (0x86dd, icmpv6_packet(dice)),
        5..=8 => tcp_packet(dice, &ip),
        9..=11 => dns_packet(dice, &ip),
        12 => tls_packet(dice, &ip),
        13 => http_packet(dice, &ip),
        14 => dhcp_packet(dice),
        15 => return fragment(dice),
        16 => return (0x0800, tunnel(dice)),
        17 => return (0x0800, igmp_packet(dice)),
        18 => sctp_packet(dice, &ip),
        _ => udp_packet(dice, &ip),
    };
    (if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, packet)
}

fn link_layer(dice: &mut Dice, kind: u16, packet: &[u8]) -> Vec<u8> {
    match dice.below(12) {
        0 => ethernet(0x8100, &vlan(kind, dice.word() & 0xefff, packet)),
        1 => ethernet(0x88a8, &vlan(0x8100, dice.word() & 0xfff, &vlan(kind, dice.word() & 0xfff, packet))),
        2 if dice.is_one_in(4) => stp(dice),
        3 if dice.is_one_in(4) => lldp(dice),
        4 if packet.len() < 1400 => {
            let snap = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind.to_be_bytes(), packet].concat();
            ethernet_802_3(HARDWARE[1], &snap)
        }
        // A switch pads short frames.
        5 => ethernet(kind, &[packet, &[0; 18]].concat()),
        _ => ethernet(kind, packet),
    }
}

fn stp(dice: &mut Dice) -> Vec<u8> {
    let bridge = [&[0x80, 0][..], &HARDWARE[0]].concat();
    let message = [
        &[0x42, 0x42, 3, 0, 0, 0, 0, 0][..],
        &bridge,
        &[0, 0, 0, dice.byte()],
        &bridge,
        &[0x80, 1, 0, 0, 20, 0],
    ]
    .concat();
    ethernet_802_3([1, 0x80, 0xc2, 0, 0, 0], &[&message[..], &[2, 0, 15, 0, 0, 0]].concat())
}

fn lldp(dice: &mut Dice) -> Vec<u8> {
    let port = format!("eth{}", dice.below(9));
    let chassis = [&[2, 7, 4][..], &HARDWARE[0]].concat();
    let port = [&[4, 1 + u8::try_from(port.len()).unwrap(), 5][..], port.as_bytes()].concat();
    ethernet(0x88cc, &[&chassis[..], &port, &[6, 2, 0, 120, 0, 0]].concat())
}

fn icmp_packet(dice: &mut Dice) -> Vec<u8> {
    let ip = V4::any(dice);
    let quoted = V4::any(dice);
    let quote = match dice.below(3) {
        0 => quoted.packet(17, &[], &udp(dice.word(), dice.word(), &dice.bytes(20))),
        1 => quoted.packet(6, &[], &Segment::any(dice).header(&[])),
        _ => quoted.packet(1, &[], &icmp(8, 0, [1, 2, 3, 4], &[])),
    };
    let [a, b, c, d, ..] = dice.next().to_le_bytes();
    let message = match dice.below(8) {
        0..=2 => icmp(dice.one_of(&[0, 8]), 0, [a, b, c, d], &vec![7; dice.below(64)]),
        3 | 4 => icmp(3, dice.one_of(&[0, 1, 2, 3, 5, 6, 7, 9, 10, 13]), [0; 4], &quote),
        5 => icmp(3, 4, [0, 0, 5, a], &quote),
        6 => icmp(11, dice.one_of(&[0, 1]), [0; 4], &quote),
        _ => icmp(5, dice.one_of(&[0, 1]), [10, b, c, d], &quote),
    };
    ip.packet(1, &[], &message)
}

fn icmpv6_packet(dice: &mut Dice) -> Vec<u8> {
    let ip = V6 { hop_limit: 255, ..V6::any(dice) };
    let about = V6::any(dice);
    let quote = about.packet(17, &udp(dice.word(), dice.word(), &dice.bytes(12)));
    let target = about.source.octets();
    let with_hardware = |kind: u8| [&target[..], &[kind, 1], &HARDWARE[0]].concat();
    let [a, b, c, d, ..] = dice.next().to_le_bytes();
    match dice.below(10) {
        0 | 1 => icmpv6(&ip, dice.one_of(&[128, 129]), 0, [a, b, c, d], &[7; 32]),
        2 => icmpv6(&ip, 135, 0, [0; 4], &with_hardware(1)),
        3 => icmpv6(&ip, 136, 0, [dice.one_of(&[0x60, 0xe0, 0x40, 0x20]), 0, 0, 0], &with_hardware(2)),
        4 => icmpv6(&ip, 1, dice.one_of(&[0, 1, 2, 3, 4]), [0; 4], &quote),
        5 => icmpv6(&ip, 2, 0, [0, 0, 5, a], &quote),
        6 => icmpv6(&ip, 3, dice.one_of(&[0, 1]), [0; 4], &quote),
        7 => icmpv6(&ip, 133, 0, [0; 4], &[&[1, 1][..], &HARDWARE[0]].concat()),
        8 => {
            let prefix = [&[3, 4, 64, 0xc0][..], &[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &target].concat();
            icmpv6(&ip, 134, 0, [a, 0, b, c], &[&[0; 8][..], &[1, 1], &HARDWARE[0], &prefix].concat())
        }
        _ => {
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, dice.word());
            icmpv6(&ip, 143, 0, [0, 0, 0, 1], &[&[4, 0, 0, 0][..], &group.octets()].concat())
        }
    }
}

fn tcp_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    let mut segment = Segment::any(dice);
    let mut payload = Vec::new();
    match dice.below(8) {
        0 | 1 => {
            segment.flags = dice.one_of(&[0x02, 0x12, 0xc2]);
            let stamp = [&[8, 10][..], &dice.bytes(8)].concat();
            segment.options =
                [&[2, 4, 5, dice.byte(), 4, 2][..], &stamp, &[1, 3, 3, dice.byte() % 15]].concat();
        }
        2 => segment.flags = dice.one_of(&[0x11, 0x01, 0x19]),
        3 => segment.flags = dice.one_of(&[0x04, 0x14]),
        4 => {
            segment.flags = 0x10;
            segment.options = [&[1, 1, 5, 10][..], &dice.bytes(8)].concat();
        }
        5 => {
            (segment.flags, segment.urgent) = (0x38, 1 + dice.word() % 100);
            payload = vec![0xee; 1 + dice.below(100)];
        }
        _ => {
            segment.options = [&[1, 1, 8, 10][..], &dice.bytes(8)].concat();
            payload = vec![0xee; dice.below(1400)];
        }
    }
    ip.tcp(&segment, &payload)
}

fn dns_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    let kinds = [1, 28, 5, 15, 33, 16, 12, 2, 6, 65, 255];
    let names = ["example.com", "a.very.long.name.in.svc.cluster.local", "x", "_http._tcp.example.net", ""];
    let mut message = Message {
        id: dice.word(),
        flags: dice.one_of(&[0x0100, 0x0000]),
        name: names[dice.below(names.len())].to_owned(),
        kind: dice.one_of(&kinds),
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
    };
    let is_answer = dice.is_one_in(2);
    if is_answer {
        message.flags = 0x8180 | dice.one_of(&[0, 0, 0, 1, 2, 3, 4, 5]) | dice.one_of(&[0, 0x400, 0x200]);
        for _ in 0..dice.below(5) {
            message.answers.push(answer(dice));
        }
        if dice.is_one_in(4) {
            let soa = [name("ns.example.org"), name("admin.example.org"), dice.bytes(20)].concat();
            message.authorities.push(record(6, 60, &soa));
        }
    } else if dice.is_one_in(3) {
        message.additionals.push([&[0][..], &[0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]].concat());
    }
    let bytes = message.bytes();
    let (source, destination) = if is_answer { (53, 40_000 + dice.word() % 9_000) } else { (40_001, 53) };
    match dice.below(8) {
        0 => {
            let segment = Segment { source, destination, ..Segment::any(dice) };
            ip.tcp(&segment, &[&length(bytes.len())[..], &bytes].concat())
        }
        1 => {
            message.id = 0;
            message.flags &= 0x8400;
            ip.udp(5353, 5353, &message.bytes())
        }
        _ => ip.udp(source, destination, &bytes),
    }
}

fn answer(dice: &mut Dice) -> Vec<u8> {
    let ttl_seconds = dice.long() % 90_000;
    match dice.below(8) {
        0 | 1 => record(1, ttl_seconds, &dice.bytes(4)),
        2 => record(28, ttl_seconds, &V6::any(dice).source.octets()),
        3 => record(5, ttl_seconds, &[&name("alias")[..6], &[0xc0, 12]].concat()),
        4 => record(15, ttl_seconds, &[&[0, 10][..], &name("mail.example.org")].concat()),
        5 => record(33, ttl_seconds, &[&[0, 1, 0, 2, 0x1f, 0x90][..], &name("srv.example.org")].concat()),
        6 => record(16, ttl_seconds, &option_text("v=spf1 -all")),
        _ => record(12, ttl_seconds, &name("host.example.org")),
    }
}

fn option_text(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn tls_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    let server =
        dice.one_of(&["example.com", "api.internal", "a-rather-long-host-name.of.some.service.example.org"]);
    let payload = match dice.below(6) {
        0..=2 => client_hello(dice, server, &["h2", "http/1.1"]),
        3 => tls(21, &[2, 40]),
        4 => tls(23, &dice.bytes(100)),
        _ => [tls(20, &[1]), tls(22, &dice.bytes(40)), tls(23, &dice.bytes(30))].concat(),
    };
    ip.tcp(&Segment { destination: 443, ..Segment::any(dice) }, &payload)
}

fn http_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    let text = dice.one_of(&[
        "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n",
        "POST /api/v1/items?page=2 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]);
    let segment = Segment::any(dice);
    let segment = if text.starts_with("HTTP") {
        Segment { source: 80, ..segment }
    } else {
        Segment { destination: 80, ..segment }
    };
    ip.tcp(&segment, text.as_bytes())
}

fn dhcp_packet(dice: &mut Dice) -> Vec<u8> {
    let address = |dice: &mut Dice| [192, 168, dice.byte(), dice.byte()];
    if dice.is_one_in(3) {
        let lease = [&V6::any(dice).source.octets()[..], &[0, 0, 14, 16, 0, 0, 28, 32]].concat();
        let association = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0][..], &option_v6(5, &lease)].concat();
        let kind = 1 + dice.byte() % 9;
        let message =
            [&[kind][..], &dice.bytes(3), &option_v6(1, &[0, 3, 0, 1, 2, 3]), &option_v6(3, &association)];
        let (source, destination) = if matches!(kind, 2 | 7) { (547, 546) } else { (546, 547) };
        return Network::V6(V6::any(dice)).udp(source, destination, &message.concat());
    }
    let kind = dice.one_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let is_reply = matches!(kind, 2 | 5 | 6);
    let (zero, server) = ([0; 4], address(dice));
    let your = if is_reply && kind != 6 { address(dice) } else { zero };
    let mut options = option(53, &[kind]);
    if is_reply {
        options.extend([option(54, &server), option(51, &dice.long().to_be_bytes())].concat());
    } else {
        options.extend([option(50, &address(dice)), option(12, b"web-1")].concat());
    }
    let message = dhcp(1 + u8::from(is_reply), dice.long(), [zero, your, zero, zero], &options);
    let (source, destination) = if is_reply { (67, 68) } else { (68, 67) };
    Network::V4(V4::any(dice)).udp(source, destination, &message)
}

fn fragment(dice: &mut Dice) -> (u16, Vec<u8>) {
    let payload = dice.bytes(64);
    let offset = dice.one_of(&[0, 8, 185]);
    let more = u16::from(offset == 0 || dice.is_one_in(2));
    let content = if offset == 0 {
        // Longer than this part.
        let mut whole = udp(41_000, 42_000, &payload);
        whole[4..6].copy_from_slice(&[5, 0xc0]);
        whole
    } else {
        payload
    };
    if dice.is_one_in(2) {
        let ip = V4 { fragment: more << 13 | offset, ..V4::any(dice) };
        return (0x0800, ip.packet(17, &[], &content));
    }
    let header = [&[17, 0][..], &(offset << 3 | more).to_be_bytes(), &dice.bytes(4)].concat();
    (0x86dd, V6::any(dice).packet(44, &[header, content].concat()))
}

fn tunnel(dice: &mut Dice) -> Vec<u8> {
    let outer = V4::any(dice);
    let inner = Network::any(dice);
    let packet = inner.udp(41_000, 42_000, &dice.bytes(30));
    match dice.below(4) {
        0 => {
            let frame = ethernet(inner.kind(), &packet);
            Network::V4(outer).udp(51_000, 4789, &vxlan(dice.long() & 0xff_ffff, &frame))
        }
        1 => outer.packet(47, &[], &gre(0x2000, inner.kind(), &dice.bytes(4), &packet)),
        2 => outer.packet(47, &[], &gre(0, 0x6558, &[], &ethernet(inner.kind(), &packet))),
        _ => outer.packet(if inner.kind() == 0x0800 { 4 } else { 41 }, &[], &packet),
    }
}

fn igmp_packet(dice: &mut Dice) -> Vec<u8> {
    let group = [239, 1, dice.byte(), dice.byte()];
    let mut message = match dice.below(4) {
        0 => [&[0x11, 100, 0, 0][..], &group].concat(),
        1 => [&[0x16, 0, 0, 0][..], &group].concat(),
        2 => [&[0x17, 0, 0, 0][..], &group].concat(),
        _ => [&[0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0][..], &group].concat(),
    };
    let sum = checksum(&[&message]);
    message[2..4].copy_from_slice(&sum);
    let ip = V4 { ttl: 1, ..V4::any(dice) };
    // Router alert.
    ip.packet(2, &[148, 4, 0, 0], &message)
}

fn sctp_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    let chunk = |kind: u8, body: &[u8]| [&[kind, 0][..], &length(4 + body.len()), body].concat();
    let chunks = match dice.below(4) {
        0 => chunk(1, &[&dice.bytes(4)[..], &[0, 1, 0, 0, 0, 10, 0, 10], &dice.bytes(4)].concat()),
        1 => [chunk(10, &dice.bytes(8)), chunk(0, &[&dice.bytes(12)[..], b"data"].concat())].concat(),
        2 => chunk(3, &[&dice.bytes(4)[..], &[0, 0, 16, 0, 0, 0, 0, 0]].concat()),
        _ => chunk(4, &[&[0, 1, 0, 8][..], &dice.bytes(4)].concat()),
    };
    ip.packet(132, &sctp(40_000 + dice.word() % 999, 42_000, dice.long(), &chunks))
}

fn udp_packet(dice: &mut Dice, ip: &Network) -> Vec<u8> {
    match dice.below(4) {
        0 => {
            let (mode, stratum) = (3 + dice.byte() % 2, 1 + dice.byte() % 4);
            let message = ntp(dice, mode, stratum);
            ip.udp(123, 40_000, &message)
        }
        1 => {
            let kind = dice.one_of(&[0, 1, 2]);
            let message = quic(dice, kind);
            ip.udp(41_000, 443, &message)
        }
        _ => ip.udp(40_000 + dice.word() % 1_000, 42_000 + dice.word() % 1_000, &vec![0x11; dice.below(900)]),
    }
}
