//! What is said of the packets one meets, word by word.

#![expect(clippy::unwrap_used, reason = "tests")]

mod frames;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use dbgctl_decode::{Ending, LONGEST_SUMMARY, Layer, LinkType, Origin, Origins, TcpFlags, packet};
use frames::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

fn v4() -> V4 {
    V4 { source: CLIENT, destination: SERVER, id: 7, fragment: 0x4000, ttl: 64, tos: 0 }
}

fn v6() -> V6 {
    let address = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    V6 { source: address(1), destination: address(2), label: 0, hop_limit: 64 }
}

fn segment(flags: u8) -> Segment {
    let mut segment = Segment::any(&mut Dice::new(1));
    segment.flags = flags;
    Segment {
        source: 40_000,
        destination: 443,
        sequence: 1_000,
        acknowledgement: 2_000,
        window: 502,
        ..segment
    }
}

/// The line of an Ethernet frame.
fn line(frame: &[u8]) -> String {
    cut_line(frame, frame.len())
}

/// The line of what was captured of an Ethernet frame.
fn cut_line(frame: &[u8], captured: usize) -> String {
    packet(LinkType::Ethernet, &frame[..captured], u32::try_from(frame.len()).unwrap()).summary().to_string()
}

fn by_tcp(segment: &Segment, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &Network::V4(v4()).tcp(segment, payload))
}

fn by_udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &Network::V4(v4()).udp(source, destination, payload))
}

#[test]
fn a_connection_is_told_by_flags_numbers_and_options() {
    let mut syn = segment(0x02);
    syn.options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    assert_eq!(
        line(&by_tcp(&syn, &[])),
        "IP 172.17.0.2:40000 > 10.0.0.9:443: TCP [SYN], seq 1000, win 502, options [mss 1460, SACK permitted, \
         timestamp 1 echo 0, window scale 7], length 0"
    );
    let frame = by_tcp(&segment(0x18), &[0; 5]);
    let packet = packet(LinkType::Ethernet, &frame, u32::try_from(frame.len()).unwrap());
    assert_eq!(
        packet.summary().relative_to(Origin { sequence: 999, acknowledgement: 1_990 }).to_string(),
        "IP 172.17.0.2:40000 > 10.0.0.9:443: TCP [PSH ACK], seq 1:6, ack 10, win 502, length 5"
    );
    assert_eq!(packet.addresses(), Some((CLIENT.into(), SERVER.into())));
    assert_eq!((packet.ports(), packet.protocol()), (Some((40_000, 443)), Some(6)));
    assert!(packet.tcp_flags().unwrap().contains(TcpFlags::PSH));
}

#[test]
fn numbers_are_told_from_where_a_connection_began() {
    let mut origins = Origins::default();
    let mut said = |from_client: bool, flags, sequence: u32, acknowledgement: u32, payload: &[u8]| {
        let segment = Segment { flags, sequence, acknowledgement, ..segment(flags) };
        let (ip, segment) = if from_client {
            (v4(), segment)
        } else {
            let ip = V4 { source: SERVER, destination: CLIENT, ..v4() };
            (ip, Segment { source: segment.destination, destination: segment.source, ..segment })
        };
        let frame = ethernet(0x0800, &Network::V4(ip).tcp(&segment, payload));
        let packet = packet(LinkType::Ethernet, &frame, u32::try_from(frame.len()).unwrap());
        let origin = origins.of(&packet);
        let line = packet.summary().relative_to(origin).to_string();
        let (_, numbers) = line.split_once("], ").unwrap();
        numbers.split_once(", win").unwrap().0.to_owned()
    };
    let (client, server) = (u32::MAX - 1, 5_000);
    assert_eq!(said(true, 0x02, client, 0, &[]), "seq 4294967294");
    assert_eq!(said(false, 0x12, server, client.wrapping_add(1), &[]), "seq 5000, ack 4294967295");
    assert_eq!(said(true, 0x10, client.wrapping_add(1), server + 1, &[]), "ack 1");
    // Over the end of numbers.
    assert_eq!(said(true, 0x18, client.wrapping_add(1), server + 1, &[0; 9]), "seq 1:10, ack 1");
    assert_eq!(said(false, 0x18, server + 1, client.wrapping_add(10), &[0; 4]), "seq 1:5, ack 10");
    assert_eq!(said(true, 0x11, client.wrapping_add(10), server + 5, &[]), "seq 10, ack 5");
    // The same ports once more.
    assert_eq!(said(true, 0x02, 77, 0, &[]), "seq 77");
    assert_eq!(said(false, 0x12, 99, 78, &[]), "seq 99, ack 78");
    assert_eq!(said(true, 0x10, 78, 100, &[]), "ack 1");
}

#[test]
fn what_the_snap_length_cut_off_is_said() {
    let frame = by_tcp(&segment(0x18), &[0; 500]);
    // The header is there: the length says how much was sent.
    assert!(cut_line(&frame, 54).ends_with("win 502, length 500"));
    assert_eq!(cut_line(&frame, 53), "IP 172.17.0.2 > 10.0.0.9: [TCP cut]");
    assert_eq!(cut_line(&frame, 33), "02:42:ac:11:00:02 > 02:42:ac:11:00:03, [IPv4 cut]");
    assert_eq!(cut_line(&frame, 0), "[Ethernet cut]");
}

#[test]
fn what_contradicts_itself_is_said() {
    let mut frame = by_tcp(&segment(0x18), &[]);
    frame[46] = 0x40;
    assert_eq!(line(&frame), "IP 172.17.0.2 > 10.0.0.9: [bad TCP: header length]");
    frame[46] = 0x60;
    assert_eq!(line(&frame), "IP 172.17.0.2 > 10.0.0.9: [bad TCP: header length]");
    frame[14] = 0x44;
    assert_eq!(line(&frame), "02:42:ac:11:00:02 > 02:42:ac:11:00:03, [bad IPv4: header length]");
    frame[14] = 0x55;
    assert_eq!(line(&frame), "02:42:ac:11:00:02 > 02:42:ac:11:00:03, [bad IPv4: version]");
}

#[test]
fn a_packet_that_the_network_card_would_have_split_is_as_long_as_its_frame() {
    let mut frame = by_tcp(&segment(0x18), &[0; 3_000]);
    frame[16..18].copy_from_slice(&[0, 0]);
    assert!(line(&frame).ends_with("seq 1000:4000, ack 2000, win 502, length 3000"));
}

#[test]
fn an_error_says_which_packet_it_is_about() {
    let quoted = V4 { source: SERVER, destination: CLIENT, ..v4() }.packet(17, &[], &udp(5_000, 53, &[0; 4]));
    let frame = ethernet(0x0800, &v4().packet(1, &[], &icmp(3, 3, [0; 4], &quoted)));
    assert_eq!(
        line(&frame),
        "IP 172.17.0.2 > 10.0.0.9: ICMP port unreachable, for IP 10.0.0.9:5000 > 172.17.0.2:53 UDP, length 40"
    );
    let frame = ethernet(0x86dd, &icmpv6(&v6(), 2, 0, [0, 0, 5, 0x14], &quoted));
    assert_eq!(
        line(&frame),
        "IP6 fe80::1 > fe80::2: ICMP6 packet too big, mtu 1300, for IP 10.0.0.9:5000 > 172.17.0.2:53 UDP, length 40"
    );
}

fn question(name: &str) -> Message {
    Message {
        id: 4_660,
        flags: 0x0100,
        name: name.to_owned(),
        kind: 1,
        answers: Vec::new(),
        authorities: Vec::new(),
        additionals: Vec::new(),
    }
}

#[test]
fn a_question_of_the_dns_and_its_answer_are_told_with_names_and_addresses() {
    let mut message = question("db.internal");
    assert_eq!(
        line(&by_udp(40_000, 53, &message.bytes())),
        "IP 172.17.0.2:40000 > 10.0.0.9:53: UDP, length 29: DNS 4660 query, A? db.internal."
    );
    message.flags = 0x8180;
    message.answers = vec![record(5, 60, &name("db1.internal")), record(1, 60, &[10, 1, 2, 3])];
    assert_eq!(
        line(&by_udp(53, 40_000, &message.bytes())),
        "IP 172.17.0.2:53 > 10.0.0.9:40000: UDP, length 71: DNS 4660 answer NOERROR 2/0/0, A? db.internal., \
         CNAME db1.internal., A 10.1.2.3"
    );
    message.answers.clear();
    message.flags = 0x8183;
    let frame = by_udp(53, 40_000, &message.bytes());
    let packet = packet(LinkType::Ethernet, &frame, u32::try_from(frame.len()).unwrap());
    assert_eq!(packet.dns_response_code().map(u16::from), Some(3));
    assert!(packet.summary().to_string().ends_with("DNS 4660 answer NXDOMAIN 0/0/0, A? db.internal."));
}

#[test]
fn a_cut_or_broken_message_of_the_dns_is_told_as_far_as_it_goes() {
    let mut message = question("db.internal");
    message.flags = 0x8180;
    message.answers = vec![record(1, 60, &[10, 1, 2, 3]), record(1, 60, &[10, 1, 2, 4])];
    let frame = by_udp(53, 40_000, &message.bytes());
    assert!(cut_line(&frame, frame.len() - 1).ends_with("A? db.internal., A 10.1.2.3 [cut]"));
    assert!(cut_line(&frame, 60).ends_with("answer NOERROR 2/0/0 [cut]"));
    // A name that points to itself.
    message.answers = vec![[&[0xc0, 29][..], &record(1, 60, &[10, 1, 2, 3])[2..]].concat()];
    assert!(line(&by_udp(53, 40_000, &message.bytes())).ends_with("A? db.internal. [bad name]"));
}

#[test]
fn names_may_point_to_names_that_point_to_names_but_not_without_end() {
    // The data of the first record are pointers, each to the one before it; the second record's name is the last.
    let answer = |pointers: u16| {
        let mut message = question("db");
        message.flags = 0x8180;
        let begin = 12 + 4 + 4 + 12;
        let before = |at| if at == 0 { 12 } else { begin + 2 * (at - 1) };
        let chain: Vec<u8> = (0..pointers).flat_map(|at| (0xc000 | before(at)).to_be_bytes()).collect();
        let last = (0xc000 | before(pointers)).to_be_bytes();
        message.answers =
            vec![record(255, 60, &chain), [&last[..], &record(1, 60, &[10, 1, 2, 3])[2..]].concat()];
        line(&by_udp(53, 40_000, &message.bytes()))
    };
    assert!(answer(15).ends_with("ANY 30 bytes, A 10.1.2.3"), "{}", answer(15));
    assert!(answer(16).ends_with("ANY 32 bytes [bad name]"), "{}", answer(16));
}

#[test]
fn the_engine_s_own_dns_server_is_known_by_its_address() {
    let ip = V4 { source: Ipv4Addr::LOCALHOST, destination: Ipv4Addr::new(127, 0, 0, 11), ..v4() };
    let frame = ethernet(0x0800, &Network::V4(ip).udp(40_000, 38_761, &question("db").bytes()));
    assert!(line(&frame).ends_with("127.0.0.11:38761: UDP, length 20: DNS 4660 query, A? db."));
}

#[test]
fn multicast_dns_tells_who_wants_an_answer_by_unicast() {
    let mut message = question("printer._ipp._tcp.local");
    (message.id, message.flags) = (0, 0);
    let mut bytes = message.bytes();
    let class = bytes.len() - 2;
    bytes[class] = 0x80;
    assert!(
        line(&by_udp(5_353, 5_353, &bytes)).ends_with("mDNS query, A? by unicast printer._ipp._tcp.local.")
    );
}

#[test]
fn a_hostile_name_stays_one_word() {
    let line = line(&by_udp(40_000, 53, &question("a b\x1b[2J\n\u{202e}").bytes()));
    assert!(line.ends_with("A? a\\x20b\\x1b[2J\\x0a\\xe2\\x80\\xae."), "{line}");
}

/// What a client of a real implementation says first.
fn real_client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("api.example.com").unwrap();
    let mut bytes = Vec::new();
    ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_real_client_s_first_words_are_told_by_version_name_and_protocols() {
    let hello = real_client_hello();
    let said = "TLS ClientHello, version 1.3, server name api.example.com, ALPN h2 http/1.1";
    let frame = by_tcp(&segment(0x18), &hello);
    assert!(line(&frame).ends_with(said), "{}", line(&frame));
    // The rest comes in another segment, or was not captured.
    assert!(line(&by_tcp(&segment(0x18), &hello[..hello.len() - 1])).ends_with("[in part]"));
    assert!(cut_line(&frame, frame.len() - 1).ends_with("[in part]"));
    let begins = line(&by_tcp(&segment(0x18), &hello[..60]));
    assert!(begins.ends_with("TLS ClientHello, version 1.2 [in part]"), "{begins}");
}

#[test]
fn records_of_tls_are_named() {
    let records = [tls(20, &[1]), tls(22, &[0x55; 40]), tls(23, &[0; 30])].concat();
    assert!(
        line(&by_tcp(&segment(0x18), &records))
            .ends_with("TLS change cipher spec, encrypted handshake, application data")
    );
    assert!(line(&by_tcp(&segment(0x18), &tls(21, &[2, 40]))).ends_with("TLS fatal alert handshake failure"));
    assert!(line(&by_tcp(&segment(0x18), &tls(21, &[0; 18]))).ends_with("TLS encrypted alert"));
}

#[test]
fn requests_and_responses_are_told_by_their_first_line() {
    let said = |text: &str| {
        let line = line(&by_tcp(&segment(0x18), text.as_bytes()));
        line.split_once(&format!("length {}", text.len())).unwrap().1.to_owned()
    };
    assert_eq!(said("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"), ": HTTP \"GET /a?b=c HTTP/1.1\"");
    assert_eq!(said("HTTP/1.1 404 Not Found\r\n"), ": HTTP \"HTTP/1.1 404 Not Found\"");
    assert_eq!(said("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ": HTTP/2 preface");
    assert_eq!(said("GET is what they said"), "");
    assert_eq!(said("PUT /a\x1b[2J HTTP/1.1\r\n"), "");
}

#[test]
fn packets_within_packets_are_told_one_level_deep() {
    let innermost = v4().packet(1, &[], &icmp(8, 0, [0, 1, 0, 2], &[]));
    let echo = "IP 172.17.0.2 > 10.0.0.9: ICMP echo request, id 1, seq 2, length 8";
    let by_vxlan = by_udp(50_000, 4_789, &vxlan(42, &ethernet(0x0800, &innermost)));
    assert_eq!(
        line(&by_vxlan),
        format!("IP 172.17.0.2:50000 > 10.0.0.9:4789: UDP, length 50: VXLAN vni 42: {echo}")
    );
    let by_gre = v4().packet(47, &[], &gre(0, 0x0800, &[], &innermost));
    assert_eq!(line(&ethernet(0x0800, &by_gre)), format!("IP 172.17.0.2 > 10.0.0.9: GRE IP: {echo}"));
    let once = v4().packet(4, &[], &innermost);
    assert_eq!(line(&ethernet(0x0800, &once)), format!("IP 172.17.0.2 > 10.0.0.9: {echo}"));
    let twice = ethernet(0x0800, &v4().packet(4, &[], &once));
    let packet = packet(LinkType::Ethernet, &twice, u32::try_from(twice.len()).unwrap());
    assert_eq!(packet.ending(), Ending::Deeper);
    assert!(packet.summary().to_string().ends_with("[more packets inside]"));
    // What the sockets of this machine talk to is outside.
    assert_eq!(packet.protocol(), Some(4));
    assert_eq!(packet.layers().iter().filter(|layer| matches!(layer, Layer::Ipv4(_))).count(), 2);
}

#[test]
fn later_parts_of_a_packet_are_not_taken_for_its_beginning() {
    let ip = V4 { fragment: 0x2000 | 185, ..v4() };
    let frame = ethernet(0x0800, &ip.packet(17, &[], &[0; 24]));
    assert_eq!(line(&frame), "IP 172.17.0.2 > 10.0.0.9 (fragment 7 at 1480, more follow): UDP, length 24");
}

#[test]
fn extension_headers_and_options_are_named() {
    let echo = [&[58, 0, 5, 2, 0, 0, 1, 0][..], &[128, 0, 0, 0, 0, 1, 0, 2]].concat();
    assert_eq!(
        line(&ethernet(0x86dd, &v6().packet(0, &echo))),
        "IP6 fe80::1 > fe80::2 (hop-by-hop): ICMP6 echo request, id 1, seq 2, length 8"
    );
    let igmp = [0x16, 0, 0, 0, 239, 1, 2, 3];
    assert_eq!(
        line(&ethernet(0x0800, &v4().packet(2, &[148, 4, 0, 0], &igmp))),
        "IP 172.17.0.2 > 10.0.0.9 (router alert): IGMP v2 report 239.1.2.3, length 8"
    );
}

#[test]
fn the_link_is_told_when_asked_for_and_of_what_has_no_addresses() {
    let frame = ethernet(0x8100, &vlan(0x0800, 0x2005, &v4().packet(1, &[], &icmp(8, 0, [0; 4], &[]))));
    assert!(line(&frame).starts_with("vlan 5 priority 1, IP 172.17.0.2 > 10.0.0.9: ICMP echo request"));
    let packet = packet(LinkType::Ethernet, &frame, u32::try_from(frame.len()).unwrap());
    let with_link = packet.summary().with_link().to_string();
    assert!(with_link.starts_with("02:42:ac:11:00:02 > 02:42:ac:11:00:03, vlan 5"), "{with_link}");
    assert_eq!(
        line(&ethernet(0x88b5, &[0; 46])),
        "02:42:ac:11:00:02 > 02:42:ac:11:00:03, ethertype 0x88b5, length 46"
    );
}

#[test]
fn a_packet_that_is_longer_than_its_frame_says_so() {
    let mut frame = by_udp(5_000, 6_000, &[0; 20]);
    frame.truncate(frame.len() - 12);
    assert_eq!(line(&frame), "IP 172.17.0.2:5000 > 10.0.0.9:6000 (12 bytes missing): UDP, length 20");
}

#[test]
fn a_line_is_never_longer_than_promised() {
    let label = "\x01".repeat(60);
    let long = [&label[..]; 4].join(".");
    let mut message = question(&long);
    message.flags = 0x8180;
    message.answers = vec![record(1, 60, &[10, 1, 2, 3])];
    let line = line(&by_udp(53, 40_000, &message.bytes()));
    assert_eq!(line.chars().count(), LONGEST_SUMMARY);
    assert!(line.ends_with('…'), "{line}");
}

/// Examples of RFC 9001, appendix A, and of RFC 9369, appendix A, as far as they can be read.
#[test]
fn headers_that_open_a_connection_of_quic_are_told() {
    let said = |hexadecimal: &str| {
        let digits = hexadecimal.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let line = line(&by_udp(40_000, 443, &bytes));
        line.rsplit_once(": ").unwrap().1.to_owned()
    };
    let to = "to 83:94:c8:f0:3e:51:57:08";
    let from = "from f0:67:a5:50:2a:42:62:b5";
    assert_eq!(
        said("c000000001088394c8f03e5157080000449e7b9aec34"),
        format!("QUIC initial, version 1, {to}")
    );
    assert_eq!(
        said("cf000000010008f067a5502a4262b5004075c0d95a48"),
        format!("QUIC initial, version 1, {from}")
    );
    assert_eq!(
        said("ff000000010008f067a5502a4262b5746f6b656e04a2"),
        format!("QUIC retry, version 1, {from}")
    );
    assert_eq!(
        said("d76b3343cf088394c8f03e5157080000449ea0c95e82"),
        format!("QUIC initial, version 2, {to}")
    );
    assert_eq!(
        said("cf6b3343cf0008f067a5502a4262b5746f6b656ec864"),
        format!("QUIC retry, version 2, {from}")
    );
    // A version that nobody knows could be anything.
    assert_eq!(said("c000000009088394c8f03e5157080000449e7b9aec34"), "UDP, length 22");
}

#[test]
fn link_types_are_known_by_their_numbers() {
    let known = [(1, LinkType::Ethernet), (276, LinkType::LinuxCookedV2), (113, LinkType::LinuxCookedV1)];
    for (dlt, link) in
        known.into_iter().chain([(0, LinkType::Loopback), (12, LinkType::Raw), (101, LinkType::Raw)])
    {
        assert_eq!(LinkType::from_dlt(dlt), Some(link));
    }
    assert_eq!(LinkType::from_dlt(105), None);
}
