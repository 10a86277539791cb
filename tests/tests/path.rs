//! At which layer the way to a service is broken: each fault is made for real.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use dbgctl_tests::dns::{self, Scripted};
use dbgctl_tests::network::{Network, can_make_networks};
use dbgctl_tests::tls::{self, Wish, config, intermediate, root};
use dbgctl_tests::{Ran, Target, dbgctl};
use rustls::version::TLS13;

fn walked(target: &Target, to: &str, options: &[&str]) -> Ran {
    dbgctl(&[&["path", &target.name, to, "-o", "json"], options].concat())
}

fn listen(network: &Network, address: &str) -> (TcpListener, String) {
    let listener = network.inside(|| TcpListener::bind((address, 0)).unwrap());
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Serves HTTP with this answer, or takes the request and says nothing.
fn answering((listener, address): (TcpListener, String), answer: Option<&'static str>) -> String {
    thread::spawn(move || {
        let mut kept = Vec::<TcpStream>::new();
        for mut client in listener.incoming().flatten() {
            let request = BufReader::new(&client).lines().map_while(Result::ok);
            let is_request = request.take_while(|line| !line.is_empty()).count() > 0;
            match answer.filter(|_| is_request) {
                Some(answer) => client.write_all(answer.as_bytes()).unwrap(),
                None => kept.push(client),
            }
        }
    });
    format!("http://{address}/")
}

fn expired((listener, address): (TcpListener, String)) -> String {
    let identity = Wish { name: "localhost", years: (2001, 2002), ..Wish::default() };
    tls::serve(listener, config(identity.signed_by(&root("Our Root"), &[]), &[&TLS13], &[]), "");
    format!("localhost:{}", address.rsplit(':').next().unwrap())
}

#[test]
fn the_verdict_names_the_broken_layer() {
    if !can_make_networks() {
        return;
    }
    let target = Target::web();
    let _neighbours = Network::beside(&target);
    let network = Network::of(&target);
    network.ip("route add blackhole 198.51.100.1");
    network.filter("chain out { type filter hook output priority 0; tcp dport 81 drop; }");
    let served = "127.0.0.1:8080".to_owned();
    let listen = || listen(&network, "127.0.0.1");
    let failing = answering(listen(), Some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
    let patient = ["--timeout", "2s"];
    let rows: [(String, &[&str], Option<&str>, &str); 12] = [
        (served.clone(), &[], None, "works"),
        (format!("http://{served}/"), &[], None, "works"),
        ("localhost:8080".into(), &[], None, "works"),
        ("no-such-host.invalid:80".into(), &[], Some("name"), "no-such-host.invalid"),
        ("198.51.100.1:80".into(), &[], Some("route"), "blackhole"),
        ("192.0.2.77:80".into(), &[], Some("neighbour"), "nobody on"),
        ("127.0.0.1:1".into(), &[], Some("connection"), "refused: the host is there"),
        ("127.0.0.1:81".into(), &patient, Some("connection"), "timed out"),
        (served, &["--tls"], Some("tls"), "closed the connection"),
        (expired(listen()), &["--tls"], Some("tls"), "expired"),
        (failing, &[], Some("http"), "503"),
        (answering(listen(), None), &patient, Some("http"), "slow, or stuck"),
    ];
    dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    for (to, options, layer, words) in rows {
        let ran = walked(&target, &to, options).expect(layer.map_or(0, |_| 1));
        let summary = ran.summary();
        assert_eq!(summary["broken_layer"].as_str(), layer, "{to}: {ran:?}");
        let verdict = summary["verdict"].as_str().unwrap();
        assert!(verdict.starts_with(&to) && verdict.contains(words), "{to}: {ran:?}");
        let broken = |row: &serde_json::Value| row["result"] == "broken";
        assert_eq!(ran.json().iter().any(broken), layer.is_some(), "{to}: {ran:?}");
    }
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
    target.expect_nothing_left();
}

/// Server of the DNS, destination, options, broken layer, and words of the verdict.
type Astray<'a> = (&'a str, &'a str, &'a [&'a str], &'a str, &'a [&'a str]);

/// A server of the DNS that leads astray: whatever name is asked for, here is an address, of that last byte.
fn astray(question: &[u8]) -> Vec<Vec<u8>> {
    const NOWHERE: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x4d";
    const NEIGHBOUR: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
    let is_nowhere = question[12..].starts_with(b"\x07nowhere");
    match dns::kind_of(question) {
        1 => vec![dns::answer_with(question, if is_nowhere { NOWHERE } else { NEIGHBOUR })],
        _ => vec![dns::answer(question, 0)],
    }
}

#[test]
fn a_name_that_leads_astray_is_told_from_one_that_is_not_found_out() {
    if !can_make_networks() {
        return;
    }
    let target = Target::web();
    let beside = Network::beside(&target);
    let pid = dns::first_process(&target);
    let _servers = [
        Scripted::udp(pid, "127.0.0.3", astray),
        Scripted::udp(pid, "127.0.0.4", |question| vec![dns::answer(question, 5)]),
    ];
    let (listener, address) = listen(&beside, "192.0.2.1");
    let identity = Wish { name: "other.test", ..Wish::default() };
    tls::serve(listener, config(identity.signed_by(&root("Our Root"), &[]), &[&TLS13], &[]), "");
    let astray = format!("astray.test:{}", address.rsplit(':').next().unwrap());
    let rows: [Astray<'_>; 5] = [
        (
            "127.0.0.3",
            "nowhere.test:80",
            &[],
            "neighbour",
            &["nobody on", "or the name is wrong, which leads to 192.0.2.77 by the DNS"],
        ),
        (
            "127.0.0.3",
            "astray.test:1",
            &[],
            "connection",
            &["refused", "or the name is wrong, which leads to 192.0.2.1 by the DNS"],
        ),
        (
            "127.0.0.3",
            &astray,
            &["--tls"],
            "tls",
            &["wrong name", "or the name is wrong, which leads to 192.0.2.1 by the DNS"],
        ),
        ("127.0.0.4", "astray.test:1", &[], "name", &["server 127.0.0.4 said REFUSED"]),
        ("127.0.0.9", "astray.test:1", &[], "name", &["server 127.0.0.9 refused"]),
    ];
    for (server, to, options, layer, words) in rows {
        // musl waits for whoever refuses until the time is over.
        let seconds = if layer == "name" { 4 } else { 20 };
        let conf = format!("nameserver {server}\noptions timeout:{seconds} attempts:1\n");
        fs::write(target.inspect("{{.ResolvConfPath}}").trim(), conf).unwrap();
        let ran = walked(&target, to, &[&["--timeout", "20s"], options].concat()).expect(1);
        let summary = ran.summary();
        assert_eq!(summary["broken_layer"], layer, "{server}, {to}: {ran:?}");
        let verdict = summary["verdict"].as_str().unwrap();
        assert!(words.iter().all(|words| verdict.contains(words)), "{server}, {to}: {ran:?}");
    }
    target.expect_nothing_left();
}

#[test]
fn large_packets_that_vanish_are_told_from_a_server_that_hangs() {
    if !can_make_networks() {
        return;
    }
    let target = Target::web();
    let beside = Network::beside(&target);
    let (listener, tls_address) = listen(&beside, "192.0.2.1");
    let (ours, wish) = (root("Our Root"), Wish::default());
    let between = intermediate("Between", &ours);
    let identity = wish.signed_by(&between, &[&between, &ours]);
    assert!(identity.chain.iter().map(|it| it.len()).sum::<usize>() > 1000, "it fits a small packet");
    tls::serve(listener, config(identity, &[&TLS13], &[]), "");
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5000));
    let large = answering(listen(&beside, "192.0.2.1"), Some(long.leak()));
    let hangs = answering(listen(&beside, "192.0.2.1"), None);
    dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    walked(&target, &large, &[]).expect(0);
    assert_eq!(walked(&target, &hangs, &["--timeout", "2s"]).expect(1).summary()["broken_layer"], "http");
    beside.filter(
        "chain in { type filter hook input priority 0; meta length > 700 drop; }\n\
         chain out { type filter hook output priority 0; meta length > 700 drop; }",
    );
    for (to, options) in [(&tls_address, &["--tls"][..]), (&large, &[])] {
        let ran = walked(&target, to, &[&["--timeout", "2s"], options].concat()).expect(1);
        let summary = ran.summary();
        assert_eq!(summary["broken_layer"], "mtu", "{to}: {ran:?}");
        let verdict = summary["verdict"].as_str().unwrap();
        assert!(verdict.contains("packets of 1500 bytes to 192.0.2.1 or back vanish"), "{to}: {ran:?}");
    }
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
    target.expect_nothing_left();
}

#[test]
fn the_verdict_stands_above_its_evidence() {
    let target = Target::web();
    let ran = dbgctl(&["path", &target.name, "127.0.0.1:1"]).expect(1);
    let lines: Vec<_> = ran.stdout().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("127.0.0.1:1: broken at the connection: refused"), "{ran:?}");
    assert!(
        lines[1].starts_with("LAYER") && lines.last().unwrap().starts_with("connection  broken"),
        "{ran:?}"
    );
    target.expect_nothing_left();
}
