//! Whose fault is it? Each failure is made for real, and the verdict names the layer that is to blame.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use dbgctl_tests::network::{Network, can_make_networks, full_listener};
use dbgctl_tests::{Ran, Target, dbgctl};

/// What `connect` says of a peer. A time-out must not hold up the test for long, and is long enough for ARP to give up.
fn asked(target: &Target, peer: &str, options: &[&str]) -> Ran {
    dbgctl(&[&["connect", &target.name, peer, "--timeout", "4s", "-o", "json"], options].concat())
}

/// One peer, how it fails, and words that name whose fault it is.
struct Row {
    peer: &'static str,
    options: &'static [&'static str],
    outcome: &'static str,
    blames: &'static [&'static str],
}

const fn tcp(peer: &'static str, outcome: &'static str, blames: &'static [&'static str]) -> Row {
    Row { peer, options: &[], outcome, blames }
}

const fn udp(peer: &'static str, outcome: &'static str, blames: &'static [&'static str]) -> Row {
    Row { peer, options: &["--udp"], outcome, blames }
}

const ROWS: &[Row] = &[
    // The port.
    tcp("127.0.0.1:81", "refused", &["no one listens on that port"]),
    tcp("192.0.2.1:81", "refused", &["no one listens on that port"]),
    tcp("[fd00:2::1]:81", "refused", &["no one listens on that port"]),
    udp("192.0.2.1:81", "refused", &["no one listens on that UDP port"]),
    udp("[fd00:2::1]:81", "refused", &["no one listens on that UDP port"]),
    // A packet filter there.
    tcp("192.0.2.1:82", "timed_out", &["a firewall drops what is sent"]),
    tcp(
        "192.0.2.1:83",
        "prohibited",
        &["a firewall at 192.0.2.1", "administratively prohibited", "type 3 code 13"],
    ),
    tcp("[fd00:2::1]:83", "prohibited", &["a firewall at fd00:2::1", "ICMPv6 type 1 code 1"]),
    tcp("192.0.2.1:84", "refused", &["or a firewall rejects it"]),
    tcp("192.0.2.1:85", "refused", &["a firewall at 192.0.2.1 rejects it", "the port is unreachable"]),
    udp("192.0.2.1:86", "silent", &["a firewall drops it", "UDP can not tell"]),
    // A packet filter here.
    tcp("192.0.2.1:87", "prohibited", &["a firewall in the target's own network", "type 3 code 13"]),
    tcp("192.0.2.1:88", "refused", &["a firewall in the target's own network", "the port is unreachable"]),
    udp("192.0.2.1:89", "prohibited", &["a firewall in the target's own network drops"]),
    tcp("192.0.2.2:79", "timed_out", &["a firewall in the target's own network drops"]),
    // The target's own routes.
    tcp("198.51.100.7:80", "no_route", &["the target's own routes lead nowhere near 198.51.100.7"]),
    udp("198.51.100.7:80", "no_route", &["the target's own routes lead nowhere near 198.51.100.7"]),
    tcp("[2001:db8::7]:80", "no_route", &["the target's own routes lead nowhere near 2001:db8::7"]),
    tcp("198.18.0.1:80", "no_route", &["blackhole"]),
    tcp("198.18.0.2:80", "prohibited", &["a route of the target forbids"]),
    tcp("198.18.0.3:80", "no_route", &["a route of the target says", "unreachable"]),
    // The network.
    tcp("192.0.2.99:80", "no_neighbour", &["nobody on veth1 answers for 192.0.2.99", "ARP"]),
    tcp("[fd00:2::99]:80", "no_neighbour", &["nobody on veth1 answers for fd00:2::99", "NDP"]),
    udp("192.0.2.99:80", "no_neighbour", &["nobody on veth1 answers for 192.0.2.99"]),
    tcp("203.0.113.5:80", "unreachable", &["192.0.2.1 says", "the network is unreachable", "type 3 code 0"]),
    tcp("203.0.113.129:80", "unreachable", &["192.0.2.1 says", "the host is unreachable", "type 3 code 1"]),
    // The program.
    tcp("127.0.0.1:90", "timed_out", &["the accept queue", "is full", "does not accept"]),
    tcp("192.0.2.1:90", "timed_out", &["the accept queue there is full"]),
    // The question.
    tcp("[fe80::1]:80", "failed", &["needs its interface"]),
    Row {
        peer: "192.0.2.1:81",
        options: &["--source", "192.0.2.77"],
        outcome: "no_local_address",
        blames: &["no local address", "not its own"],
    },
];

#[test]
fn the_verdict_names_whose_fault_it_is_however_it_fails() {
    if !can_make_networks() {
        return;
    }
    let target = Target::run(&[], &["serve"]).ready();
    let (here, there) = (Network::of(&target), Network::beside(&target));
    there.configure(&["sysctl -qw net.ipv4.ip_forward=1", "ip route add unreachable 203.0.113.128/25"]);
    // A limit on how often it says so would make the answer depend on what was asked before.
    there.configure(&["sysctl -qw net.ipv4.icmp_ratelimit=0", "sysctl -qw net.ipv6.icmp.ratelimit=0"]);
    here.configure(&["sysctl -qw net.ipv4.icmp_ratelimit=0", "sysctl -qw net.ipv6.icmp.ratelimit=0"]);
    there.filter(
        "chain in { type filter hook input priority 0\n tcp dport 82 drop\n tcp dport 83 reject with icmpx admin-prohibited\n \
         tcp dport 84 reject with tcp reset\n tcp dport 85 reject\n udp dport 86 drop\n }",
    );
    here.filter(
        "chain out { type filter hook output priority 0\n tcp dport 87 reject with icmpx admin-prohibited\n \
         tcp dport 88 reject\n udp dport 89 drop\n tcp dport 79 drop\n }",
    );
    here.configure(&[
        "ip route add 203.0.113.0/24 via 192.0.2.1",
        "ip route add blackhole 198.18.0.1",
        "ip route add prohibit 198.18.0.2",
        "ip route add unreachable 198.18.0.3",
    ]);
    let _full =
        (here.inside(|| full_listener("127.0.0.1:90")), there.inside(|| full_listener("192.0.2.1:90")));
    let _behind_the_filter = here.inside(|| TcpListener::bind("192.0.2.2:79").unwrap());

    dbgctl(&["attach", "--detach", "--quiet", &target.name]).expect(0);
    let wrong = ROWS.iter().filter_map(|row| {
        let ran = asked(&target, row.peer, row.options);
        let lines = ran.json();
        let outcome = lines.first().and_then(|attempt| attempt["outcome"].as_str()).unwrap_or("nothing");
        let verdicts: Vec<_> = ran.summary()["verdicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|verdict| verdict.as_str().unwrap().to_owned())
            .chain(lines.first().and_then(|attempt| attempt["error"].as_str()).map(str::to_owned))
            .collect();
        let verdicts = verdicts.join("\n");
        let blamed = row.blames.iter().all(|words| verdicts.contains(words));
        let code = if row.outcome == "silent" { 2 } else { 1 };
        let right = outcome == row.outcome && blamed && ran.code == Some(code);
        (!right).then(|| format!("{} {:?}: {} {:?}\n{ran:?}", row.peer, row.options, row.outcome, row.blames))
    });
    let wrong: Vec<_> = wrong.collect();
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_reached_is_described_as_the_kernel_chose_it() {
    if !can_make_networks() {
        return;
    }
    let target = Target::run(&[], &["serve"]).ready();
    let there = Network::beside(&target);
    let listener = there.inside(|| TcpListener::bind("192.0.2.1:80").unwrap());
    let attempt = &asked(&target, "192.0.2.1:80", &["--source", "192.0.2.2", "--interface", "veth1"])
        .expect(0)
        .json()[0];
    let (_, from) = listener.accept().unwrap();
    assert_eq!(attempt["local"].as_str(), Some(from.to_string().as_str()));
    assert_eq!((&attempt["interface"], &attempt["path_mtu_bytes"]), (&"veth1".into(), &1500.into()));
    // 1500 bytes, without the headers of IP and TCP, the latter with time stamps.
    assert_eq!(attempt["mss_bytes"].as_u64(), Some(1500 - 20 - 32));
    assert_eq!(attempt["syn_retransmits"].as_u64(), Some(0));
    let (rtt, whole) = (attempt["rtt_nanos"].as_u64().unwrap(), attempt["nanos"].as_u64().unwrap());
    assert!(rtt > 0 && rtt <= whole + 1000, "the kernel counts in microseconds: {attempt}");

    // The same port by another interface: there it is not.
    let by_loopback = asked(&target, "192.0.2.1:80", &["--interface", "lo"]);
    assert_ne!(by_loopback.json()[0]["outcome"], "connected", "{by_loopback:?}");
}

#[test]
fn of_many_tries_each_is_made_and_counted() {
    let target = Target::web();
    let ran = asked(&target, "127.0.0.1:8080", &["--repeat", "25", "--interval", "1ms"]).expect(0);
    assert_eq!(ran.json().len(), 26);
    let statistics = &ran.summary()["statistics"][0];
    assert_eq!((&statistics["attempts"], &statistics["succeeded"]), (&25.into(), &25.into()));
    let at = |name: &str| statistics[name].as_u64().unwrap();
    assert!(at("min_nanos") > 0 && at("min_nanos") <= at("p50_nanos") && at("p50_nanos") <= at("p99_nanos"));
    assert!(at("p99_nanos") <= at("max_nanos"));
}

#[test]
fn a_datagram_that_is_answered_is_told() {
    let target = Target::web();
    let server = Network::of(&target).inside(|| UdpSocket::bind("127.0.0.1:9").unwrap());
    server.set_read_timeout(Some(dbgctl_tests::patiently(Duration::from_secs(30)))).unwrap();
    let echo = std::thread::spawn(move || {
        let (length, from) = server.recv_from(&mut [0; 16]).unwrap();
        server.send_to(b"", from).unwrap();
        length
    });
    let ran = asked(&target, "127.0.0.1:9", &["--udp"]).expect(0);
    assert_eq!(ran.json()[0]["outcome"], "answered");
    assert_eq!(echo.join().unwrap(), 0, "the datagram is empty");
}
