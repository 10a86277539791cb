//! What a TLS server says, and why the target would not trust it: each fault is made for real.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use dbgctl_tests::network::Network;
use dbgctl_tests::tls::{self, Identity, NAME, Wish, config, intermediate, root, serve};
use dbgctl_tests::{Ran, Target, dbgctl, docker_ok};
use rustls::version::{TLS12, TLS13};

/// A target that trusts one root, where Debian has it.
fn trusting(root: &tls::Authority) -> Target {
    let target = Target::run(&[], &["serve"]).ready();
    let files = tempfile::tempdir().unwrap();
    let certificates = files.path().join("etc/ssl/certs");
    fs::create_dir_all(&certificates).unwrap();
    fs::write(certificates.join("ca-certificates.crt"), tls::pem(root)).unwrap();
    docker_ok(&["cp", &format!("{}/.", files.path().display()), &format!("{}:/", target.id)]);
    target
}

fn listen(target: &Target) -> (TcpListener, String) {
    let listener = Network::of(target).inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn asked(target: &Target, peer: &str, options: &[&str]) -> Ran {
    let asked = ["tls", &target.name, peer, "--sni", NAME, "-o", "json"];
    dbgctl(&[&asked[..], options].concat())
}

/// The kinds of what is wrong, and the sentences about it.
fn problems(ran: &Ran) -> (Vec<String>, String) {
    let summary = ran.summary();
    let texts =
        |value: &serde_json::Value, of: fn(&serde_json::Value) -> &serde_json::Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|it| of(it).as_str().unwrap().to_owned()).collect()
        };
    let kinds = texts(&summary["handshake"]["problems"], |problem| &problem["kind"]);
    (kinds, texts(&summary["verdicts"], |verdict| verdict).join("\n"))
}

#[test]
fn all_that_is_wrong_with_a_certificate_is_named() {
    let (ours, other) = (root("Our Root"), root("Other Root"));
    let between = intermediate("Between", &ours);
    let (target, wish) = (trusting(&ours), Wish::default());
    let expired = Wish { years: (2001, 2002), ..Wish::default() };
    let wrong_key = Identity { key: rcgen::KeyPair::generate().unwrap(), ..wish.signed_by(&ours, &[]) };
    // Of the same name and another key, so that its signature does not fit.
    let forged = wish.signed_by(&root("Our Root"), &[]);
    let rows: Vec<(Identity, &[&str], &str)> = vec![
        (wish.signed_by(&ours, &[]), &[], ""),
        (wish.signed_by(&between, &[&between]), &[], ""),
        (expired.signed_by(&ours, &[]), &["expired"], "expired: `CN=good.test` expired"),
        (
            Wish { years: (2080, 2081), ..Wish::default() }.signed_by(&ours, &[]),
            &["not_yet_valid"],
            "is valid only from 2080-01-01 on",
        ),
        (
            Wish { name: "bad.test", ..Wish::default() }.signed_by(&ours, &[]),
            &["name_mismatch"],
            "it is not for good.test, but for bad.test",
        ),
        (wish.self_signed(), &["self_signed"], "self-signed: it was issued by itself"),
        (
            wish.signed_by(&between, &[]),
            &["issuer_not_sent"],
            "`CN=Between` is neither sent by the server nor trusted by the target",
        ),
        (wish.signed_by(&other, &[&other]), &["unknown_issuer"], "a root that the target does not trust"),
        (forged, &["bad_signature"], "was not signed by the one it names"),
        (wrong_key, &["bad_handshake_signature"], "does not have the key of its certificate"),
        (
            Wish { for_servers: false, ..Wish::default() }.signed_by(&ours, &[]),
            &["wrong_purpose"],
            "the certificate is not for servers",
        ),
        // Several at once.
        (
            Wish { name: "bad.test", years: (2001, 2002), ..Wish::default() }.signed_by(&other, &[&other]),
            &["name_mismatch", "expired", "unknown_issuer"],
            "but for bad.test",
        ),
        (
            Wish { name: "bad.test", ..expired }.signed_by(&ours, &[]),
            &["name_mismatch", "expired"],
            "expired: `CN=bad.test` expired",
        ),
    ];
    dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    for (identity, kinds, words) in rows {
        let (listener, address) = listen(&target);
        let certificates = identity.chain.len();
        serve(listener, config(identity, &[&TLS13, &TLS12], &[]), "");
        let ran = asked(&target, &address, &[]).expect(if kinds.is_empty() { 0 } else { 1 });
        let (found, verdicts) = problems(&ran);
        assert_eq!(found, kinds, "{words}: {ran:?}");
        assert!(verdicts.contains(words), "{words}: {ran:?}");
        assert_eq!(verdicts.is_empty(), kinds.is_empty(), "{ran:?}");
        assert_eq!(ran.json().len(), certificates + 1, "{ran:?}");
        let trust = &ran.summary()["handshake"]["trust"];
        assert_eq!((&trust["source"], &trust["certificates"]), (&"system".into(), &1.into()));
    }
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
}

#[test]
fn what_was_agreed_on_is_told_and_a_target_without_a_store_is_a_finding() {
    let ours = root("Our Root");
    let target = Target::web();
    let (listener, address) = listen(&target);
    serve(listener, config(Wish::default().signed_by(&ours, &[&ours]), &[&TLS13, &TLS12], &["h2"]), "");
    let ran = asked(&target, &address, &["--alpn", "h2,http/1.1"]).expect(1);
    let handshake = &ran.summary()["handshake"];
    assert_eq!((&handshake["version"], &handshake["alpn"]), (&"TLS 1.3".into(), &"h2".into()));
    assert!(handshake["cipher"].as_str().unwrap().starts_with("TLS13_"), "{handshake}");
    assert_eq!(handshake["trust"]["source"], "none_in_target");
    assert!(problems(&ran).1.contains("the target has no trust store"), "{ran:?}");

    let ran = asked(&target, &address, &["--max-version", "1.2"]).expect(1);
    assert_eq!(ran.summary()["handshake"]["version"], "TLS 1.2");
    let ran = asked(&target, &address, &["--level", "0"]).expect(1);
    assert_eq!(ran.summary()["handshake"]["trust"]["source"], "built_in");
    // Whoever names a file wants no other.
    let ran = asked(&target, &address, &["--trust", "/nowhere.pem"]).expect(1);
    let trust = &ran.summary()["handshake"]["trust"];
    assert_eq!((&trust["source"], &trust["reason"]), (&"request".into(), &"there is no such file".into()));
    target.expect_nothing_left();
}

/// What a server does instead of a handshake.
type Misbehave = fn(TcpStream);

#[test]
fn servers_that_do_not_shake_hands_are_told_apart_and_hold_up_nothing() {
    let ours = root("Our Root");
    let target = Target::web();
    let servers: [(Misbehave, &str, &str); 5] = [
        (
            |mut client| drop(client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
            "not_tls",
            "begins with `HTTP/1.1 400 Bad Request`",
        ),
        // It depends on who is faster whether it is closed or cut.
        (|client| drop(client), "closed", "the connection without a word"),
        (|mut client| drop(client.read(&mut [0; 1])), "closed", "the server cut the connection"),
        (|mut client| drop(client.read_to_end(&mut Vec::new())), "timed_out", "it said nothing"),
        (
            |mut client| {
                // A record that is announced and never comes to its end.
                let _gone = client.write_all(&[22, 3, 3, 0x3f, 0xff]);
                while client.write_all(&[2]).is_ok() {
                    thread::sleep(std::time::Duration::from_millis(50));
                }
            },
            "timed_out",
            "it began and did not go on",
        ),
    ];
    dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    for (misbehave, outcome, words) in servers {
        let (listener, address) = listen(&target);
        thread::spawn(move || listener.incoming().flatten().for_each(misbehave));
        let ran = asked(&target, &address, &["--timeout", "3s"]).expect(1);
        assert_eq!(ran.summary()["handshake"]["outcome"], outcome, "{words}: {ran:?}");
        assert!(problems(&ran).1.contains(words), "{words}: {ran:?}");
    }
    // A chain of half a megabyte.
    let (listener, address) = listen(&target);
    let Identity { chain, key } = Wish::default().signed_by(&ours, &[&ours]);
    let chain = chain.iter().cycle().take(1000).cloned().collect();
    serve(listener, config(Identity { chain, key }, &[&TLS13], &[]), "");
    let ran = asked(&target, &address, &[]).expect(1);
    assert!(problems(&ran).1.contains("gigantic"), "{ran:?}");
    // One that agrees on nothing.
    let (listener, address) = listen(&target);
    serve(listener, config(Wish::default().signed_by(&ours, &[]), &[&TLS13], &["h2"]), "");
    let ran = asked(&target, &address, &["--alpn", "nonsense"]).expect(1);
    assert_eq!(ran.summary()["handshake"]["outcome"], "alert");
    assert!(problems(&ran).1.contains("none of the protocols of --alpn"), "{ran:?}");
    let ran = asked(&target, &address, &["--max-version", "1.2"]).expect(1);
    assert!(problems(&ran).1.contains("none of the versions"), "{ran:?}");
    // Not even a connection.
    let ran = asked(&target, "127.0.0.1:9", &[]).expect(1);
    assert!(problems_without_handshake(&ran).contains("no one listens on that port"), "{ran:?}");
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
}

fn problems_without_handshake(ran: &Ran) -> String {
    ran.summary()["verdicts"].to_string()
}
