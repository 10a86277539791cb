//! What becomes of a socket on its way into the contract.

use dbgctl_linux::netlink::inet_diag::InetSocket;
use prost::Message as _;

use super::*;

/// A connected socket as Linux 6.18 tells it, with number `n` in field `n` of `tcp_info` as far as it is wide enough.
fn connected() -> Vec<u8> {
    let mut bytes = vec![2, 1, 1, 3];
    bytes.extend(8080_u16.to_be_bytes());
    bytes.extend(54321_u16.to_be_bytes());
    for ip in [[127, 0, 0, 1], [192, 0, 2, 7]] {
        bytes.extend(ip);
        bytes.extend([0; 12]);
    }
    bytes.extend([0_u32, 5, 6, 7000, 8, 9, 1000, 4242].into_iter().flat_map(u32::to_ne_bytes));
    let mut info = vec![1, 1, 2, 3, 4, 5, 0x76, 1];
    info.extend((8..=12).chain([13, 14, 15, 99, 16, 99]).chain(17..=29).flat_map(u32::to_ne_bytes));
    info.extend((30..=33).flat_map(u64::to_ne_bytes));
    info.extend((34..=39).flat_map(u32::to_ne_bytes));
    info.extend((40_u64..=43).flat_map(u64::to_ne_bytes));
    info.extend([45_u32, 46].into_iter().flat_map(u32::to_ne_bytes));
    info.extend([47_u64, 48].into_iter().flat_map(u64::to_ne_bytes));
    info.extend([49_u32, 50, 51, 52, 53, 99].into_iter().flat_map(u32::to_ne_bytes));
    info.extend(54_u16.to_ne_bytes());
    info.extend([0; 30]);
    let memory: Vec<u8> = (1_u32..=9).flat_map(u32::to_ne_bytes).collect();
    for (kind, value) in [(2_u16, &info[..]), (4, b"cubic\0"), (7, &memory), (8, &[2])] {
        bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

fn encoded(payloads: &[&[u8]], details: bool) -> Vec<v1::Socket> {
    let mut encoder = Encoder::new(details);
    for payload in payloads {
        encoder.socket(SocketProtocol::Tcp, &InetSocket::parse(payload).unwrap());
    }
    let (encoded, rows) = encoder.take();
    let sockets = SocketBatch::decode(encoded.as_slice()).unwrap().sockets;
    assert_eq!(sockets.len() as u64, rows);
    sockets.into_iter().map(|socket| *socket).collect()
}

#[cfg(target_endian = "little")]
#[test]
fn every_field_of_a_connection_arrives_where_the_contract_has_it() {
    let address = |ip: [u8; 4], port| Some(v1::SocketAddress::from(std::net::SocketAddr::from((ip, port))));
    let expected = v1::Socket {
        protocol: SocketProtocol::Tcp.into(),
        family: v1::SocketFamily::Ipv4.into(),
        state: SocketState::Established.into(),
        r#type: 0,
        inode: 4242,
        cookie: Some(6 << 32 | 5),
        uid: Some(1000),
        recv_queue_bytes: Some(8),
        send_queue_bytes: Some(9),
        accept_queue: None,
        accept_queue_limit: None,
        local: address([127, 0, 0, 1], 8080),
        peer: address([192, 0, 2, 7], 54321),
        interface: 0,
        ipv6_only: None,
        timer: Some(v1::SocketTimer {
            kind: v1::SocketTimerKind::Retransmit.into(),
            expires_millis: 7000,
            retransmits: 3,
        }),
        receive_shutdown: false,
        send_shutdown: true,
        cgroup_id: None,
        congestion_control: Some("cubic".into()),
        memory: Some(Box::new(v1::SocketMemory {
            receive_bytes: 1,
            receive_buffer_bytes: 2,
            send_bytes: 3,
            send_buffer_bytes: 4,
            forward_bytes: 5,
            send_queued_bytes: 6,
            option_bytes: 7,
            backlog_bytes: 8,
            drops: Some(9),
        })),
        tcp: Some(Box::new(v1::TcpInfo {
            congestion_state: 1,
            retransmits: 2,
            probes: 3,
            backoff: 4,
            options: 5,
            send_window_scale: 6,
            receive_window_scale: 7,
            rto_micros: 8,
            ato_micros: 9,
            send_mss_bytes: 10,
            receive_mss_bytes: 11,
            unacked: 12,
            sacked: 13,
            lost: 14,
            retransmitted: 15,
            last_data_sent_millis: 16,
            last_data_received_millis: 17,
            last_ack_received_millis: 18,
            path_mtu_bytes: 19,
            receive_threshold_bytes: 20,
            rtt_micros: 21,
            rtt_variation_micros: 22,
            send_threshold: Some(23),
            congestion_window: 24,
            advertised_mss_bytes: 25,
            reordering: 26,
            receive_rtt_micros: 27,
            receive_space_bytes: 28,
            total_retransmits: 29,
            pacing_rate: Some(30),
            max_pacing_rate: Some(31),
            bytes_acked: Some(32),
            bytes_received: Some(33),
            segments_sent: Some(34),
            segments_received: Some(35),
            not_sent_bytes: Some(36),
            min_rtt_micros: Some(37),
            data_segments_received: Some(38),
            data_segments_sent: Some(39),
            delivery_rate: Some(40),
            delivery_rate_app_limited: true,
            busy_micros: Some(41),
            receive_window_limited_micros: Some(42),
            send_buffer_limited_micros: Some(43),
            delivered: Some(45),
            delivered_ce: Some(46),
            bytes_sent: Some(47),
            bytes_retransmitted: Some(48),
            duplicate_sacks: Some(49),
            reorderings: Some(50),
            out_of_order: Some(51),
            send_window_bytes: Some(52),
            receive_window_bytes: Some(53),
            total_timeouts: Some(54),
        })),
        unix: None,
        packet: None,
        netlink: None,
    };
    assert_eq!(encoded(&[&connected()], true), [expected]);
}

#[test]
fn without_details_the_same_is_told_of_less() {
    let (all, few) = (encoded(&[&connected()], true).remove(0), encoded(&[&connected()], false).remove(0));
    let whole = *all.tcp.clone().unwrap();
    let overview = v1::TcpInfo {
        lost: whole.lost,
        last_ack_received_millis: whole.last_ack_received_millis,
        rtt_micros: whole.rtt_micros,
        total_retransmits: whole.total_retransmits,
        bytes_acked: whole.bytes_acked,
        bytes_received: whole.bytes_received,
        bytes_sent: whole.bytes_sent,
        ..v1::TcpInfo::default()
    };
    assert_eq!(few, v1::Socket { tcp: Some(Box::new(overview)), ..all });
}

#[test]
fn nothing_of_a_socket_is_left_in_the_next() {
    let mut listening = connected();
    listening.truncate(72);
    listening[1] = 10;
    listening[24..40].fill(0);
    listening[6..8].fill(0);
    let both = encoded(&[&connected(), &listening], true);
    assert_eq!(both[1], encoded(&[&listening], true)[0]);
    assert_eq!((both[1].accept_queue, both[1].accept_queue_limit), (Some(8), Some(9)));
    assert_eq!((both[1].recv_queue_bytes, &both[1].peer, &both[1].memory), (Some(0), &None, &None));
    assert!(both[1].tcp.is_none() && both[1].congestion_control.is_none());
}

#[test]
fn a_request_for_what_waits_asks_the_kernel_for_no_more() {
    let wanted = |states: &[SocketState], listening| {
        let states = states.iter().map(|&state| state.into()).collect();
        Wanted::from(v1::ListSocketsRequest { states, listening, ..Default::default() })
    };
    assert_eq!(wanted(&[], true).states_of(SocketProtocol::Tcp), States::LISTEN);
    assert_eq!(wanted(&[], true).states_of(SocketProtocol::Udp), States(1 << 10 | 1 << 7));
    assert_eq!(wanted(&[SocketState::CloseWait], false).states_of(SocketProtocol::Tcp), States(1 << 8));
    assert!(wanted(&[SocketState::CloseWait], true).states_of(SocketProtocol::Tcp).is_empty());
    let future = v1::ListSocketsRequest { states: vec![77, -1], ..Default::default() };
    assert!(Wanted::from(future).states.is_empty());
}
