//! At which layer the way to a service is broken: each fault is made for real.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use dbgctl_tests::network::{Network, can_make_networks};
use dbgctl_tests::tls::{self, Wish, config, root};
use dbgctl_tests::{Ran, Target, dbgctl};
use rustls::version::TLS13;

fn walked(target: &Target, to: &str, options: &[&str]) -> Ran {
    dbgctl(&[&["path", &target.name, to, "-o", "json"], options].concat())
}

fn listen(target: &Target) -> (TcpListener, String) {
    let listener = Network::of(target).inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Serves HTTP with this answer, or takes the request and says nothing.
fn answering(target: &Target, answer: Option<&'static str>) -> String {
    let (listener, address) = listen(target);
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

fn expired(target: &Target) -> String {
    let (listener, address) = listen(target);
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
    let failing = answering(&target, Some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
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
        (expired(&target), &["--tls"], Some("tls"), "expired"),
        (failing, &[], Some("http"), "503"),
        (answering(&target, None), &patient, Some("http"), "slow, or stuck"),
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
