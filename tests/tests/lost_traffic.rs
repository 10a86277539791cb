//! What `net` says of traffic that gets lost, and of a network that is not as it should be: each event is made for real.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use dbgctl_tests::network::{Answer, IPV6, Network};
use dbgctl_tests::{Target, eventually};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, setsockopt, socket,
    sockopt,
};

#[test]
fn what_is_wrong_with_addresses_routes_and_neighbours_is_said() {
    let target = Target::run(&IPV6, &["serve"]).ready();
    let (own, other) = (Network::of(&target), Network::new());
    assert_eq!(Answer::of(&target, "100ms").finding("no_interface"), Some("warning"));
    own.join("eth0", &other, "far");
    other.ip("addr add fd00:1::2/64 dev far nodad");
    // Somebody has it already.
    own.ip("addr add fd00:1::2/64 dev eth0");
    own.ip("addr add 10.1.0.2/24 dev eth0");
    let duplicate = eventually(Duration::from_secs(20), || {
        Answer::of(&target, "100ms").finding("duplicate_address") == Some("serious")
    });
    assert!(duplicate, "{}", own.ip("addr"));
    assert_eq!(Answer::of(&target, "100ms").finding("no_default_route"), Some("warning"));

    own.ip("route add default via 10.1.0.1");
    // Nobody has that address: who sends finds out.
    own.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let _unanswered = socket.send_to(b"?", "10.1.0.1:9");
        let _unanswered = socket.send_to(b"?", "10.1.0.99:9");
    });
    let silent = eventually(Duration::from_secs(20), || {
        let answer = Answer::of(&target, "100ms");
        answer.finding("gateway_failed") == Some("serious")
            && answer.finding("neighbour_failed") == Some("warning")
    });
    assert!(silent, "{}", own.ip("neigh"));
    assert_eq!(Answer::of(&target, "100ms").finding("no_default_route"), None);

    other.ip("link set far down");
    assert_eq!(Answer::of(&target, "100ms").finding("no_carrier"), Some("serious"));
    own.ip("link set eth0 down");
    assert_eq!(Answer::of(&target, "100ms").finding("interface_down"), Some("serious"));
}

/// Makes something happen again and again while a sample is taken, and expects to be told.
fn expect_while(target: &Target, work: impl FnMut() + Send + 'static, about: &str, severity: &str) {
    let own = Network::of(target);
    let _meanwhile = own.meanwhile(work);
    // The first time may lie before the sample, and the machine may be slow.
    let found =
        eventually(Duration::from_secs(30), || Answer::of(target, "500ms").finding(about) == Some(severity));
    assert!(found, "{about}: {:?}", Answer::of(target, "500ms").header["findings"]);
}

#[test]
fn what_is_lost_while_one_looks_is_found_and_what_was_lost_before_is_a_note() {
    let target = Target::run(&IPV6, &["serve"]).ready();
    let nothing = Answer::of(&target, "100ms");
    for about in ["listen_overflows", "udp_receive_buffer", "udp_no_port"] {
        assert_eq!(nothing.finding(about), None, "{}", nothing.header);
    }

    // A listening socket that nobody accepts from, with a short queue.
    let mut kept = Vec::new();
    let mut listener = None;
    let overflow = move || {
        let listener = listener.get_or_insert_with(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(1).unwrap()).unwrap();
            listener
        });
        let peer = listener.local_addr().unwrap();
        if let Ok(stream) = TcpStream::connect_timeout(&peer, Duration::from_millis(50)) {
            kept.push(stream);
        }
    };
    expect_while(&target, overflow, "listen_overflows", "serious");
    assert_eq!(Answer::of(&target, "100ms").finding("listen_overflows"), Some("note"));

    // A UDP socket with a tiny buffer that nobody reads.
    let receiver = own_udp(&target);
    let peer = receiver.local_addr().unwrap();
    expect_while(&target, move || send(peer.ip(), peer.port()), "udp_receive_buffer", "serious");
    drop(receiver);
    // And now nobody has that port.
    expect_while(&target, move || send(peer.ip(), peer.port()), "udp_no_port", "warning");
    assert_eq!(Answer::of(&target, "100ms").finding("udp_receive_buffer"), Some("note"));
}

/// A socket in the target's network namespace that takes next to nothing.
fn own_udp(target: &Target) -> UdpSocket {
    Network::of(target).inside(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        setsockopt(&socket, sockopt::RcvBuf, &1).unwrap();
        socket
    })
}

fn send(ip: IpAddr, port: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..50 {
        match socket.send_to(&[0; 1000], (ip, port)) {
            Ok(_) => {}
            // The answer to the datagram before.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn segments_that_get_lost_are_retransmitted_and_a_route_that_is_none_is_counted() {
    let target = Target::run(&[], &["serve"]).ready();
    let (own, other) = (Network::of(&target), Network::new());
    own.join("eth0", &other, "far");
    own.ip("addr add 10.1.0.2/24 dev eth0");
    // It is there and takes everything, and answers nothing.
    own.ip("neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent");
    let knock = || {
        let peer = "10.1.0.9:80".parse().unwrap();
        let tries: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(move || TcpStream::connect_timeout(&peer, Duration::from_millis(1500)))
            })
            .collect();
        tries.into_iter().for_each(|attempt| assert!(attempt.join().unwrap().is_err()));
    };
    // Longer than one round of it, so that each sample has what was sent again.
    let knocking = own.meanwhile(knock);
    let found = eventually(Duration::from_secs(30), || {
        Answer::of(&target, "2s").finding("retransmits") == Some("serious")
    });
    assert!(found, "{:?}", Answer::of(&target, "2s").header["findings"]);
    drop(knocking);
    let lost = || assert!(UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"?", "203.0.113.1:9").is_err());
    expect_while(&target, lost, "no_route", "warning");
}

/// An IPv4 packet of UDP, with whatever checksum.
fn datagram(from: [u8; 4], to: [u8; 4], checksum: u16) -> Vec<u8> {
    let ip = [0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0];
    let udp = [0, 9, 0, 9, 0, 12];
    [&ip[..], &from, &to, &udp, &checksum.to_be_bytes(), b"test"].concat()
}

/// Sends packets as they are.
fn send_raw(packets: &[(Vec<u8>, [u8; 4])]) {
    let kind = (AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw);
    let raw = socket(kind.0, kind.1, kind.2, kind.3).unwrap();
    for (packet, to) in packets {
        let to = SockaddrIn::from(std::net::SocketAddrV4::new((*to).into(), 0));
        sendto(raw.as_raw_fd(), packet, &to, MsgFlags::empty()).unwrap();
    }
}

#[test]
fn damaged_and_forged_packets_are_told() {
    let target = Target::run(&[], &["serve"]).ready();
    let (own, other) = (Network::of(&target), Network::new());
    own.join("eth0", &other, "far");
    own.ip("addr add 10.1.0.2/24 dev eth0");
    other.ip("addr add 10.1.0.1/24 dev far");
    own.set("ipv4/conf/all/rp_filter", "1");
    let to = [10, 1, 0, 2];
    let damaged = (datagram([10, 1, 0, 1], to, 0x1234), to);
    let forged = (datagram([203, 0, 113, 9], to, 0), to);
    let _meanwhile = other.meanwhile(move || send_raw(&[damaged.clone(), forged.clone()]));
    let found = eventually(Duration::from_secs(30), || {
        let answer = Answer::of(&target, "500ms");
        ["checksum_errors", "reverse_path_filter"]
            .iter()
            .all(|about| answer.finding(about) == Some("warning"))
    });
    assert!(found, "{:?}", Answer::of(&target, "500ms").header["findings"]);
}

#[test]
fn more_connections_than_may_be_half_open_waiting_or_unread_are_told() {
    let target = Target::run(&[], &["serve"]).ready();
    let own = Network::of(&target);
    own.set("ipv4/tcp_max_tw_buckets", "1");
    let close = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        for _ in 0..4 {
            let stream = TcpStream::connect(peer).unwrap();
            let accepted = listener.accept().unwrap();
            // Who closes first keeps the memory of it.
            drop(stream);
            drop(accepted);
        }
    };
    expect_while(&target, close, "time_wait_overflow", "warning");

    // Whoever never reads closes its window.
    let never_read = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let _unread = listener.accept().unwrap();
        for _ in 0..300 {
            // What there is no room for is not sent.
            let _full = stream.write(&[0; 65_536]);
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    expect_while(&target, never_read, "zero_windows", "warning");

    // A peer that begins connections and never hears the answer.
    let other = Network::new();
    own.join("eth0", &other, "far");
    own.ip("addr add 10.1.0.2/24 dev eth0");
    other.ip("addr add 10.1.0.1/24 dev far");
    other.command("nft", &["add", "table", "ip", "deaf"]);
    other
        .command("nft", &["add", "chain", "ip", "deaf", "c", "{ type filter hook prerouting priority 0 ; }"]);
    other.command("nft", &["add", "rule", "ip", "deaf", "c", "tcp", "flags", "syn,ack", "drop"]);
    let listener = own.inside(|| {
        let listener = TcpListener::bind("10.1.0.2:0").unwrap();
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(2).unwrap()).unwrap();
        listener
    });
    let peer = listener.local_addr().unwrap();
    let _meanwhile = other.meanwhile(move || {
        let tries: Vec<_> = (0..16)
            .map(|_| {
                std::thread::spawn(move || TcpStream::connect_timeout(&peer, Duration::from_millis(100)))
            })
            .collect();
        tries.into_iter().for_each(|attempt| assert!(attempt.join().unwrap().is_err()));
    });
    let found = eventually(Duration::from_secs(30), || {
        Answer::of(&target, "500ms").finding("syn_cookies") == Some("warning")
    });
    assert!(found, "{:?}", Answer::of(&target, "500ms").header["findings"]);
}
