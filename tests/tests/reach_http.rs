//! What an HTTP server answers, and at which layer it breaks if it does not: each fault is made for real.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dbgctl_tests::network::Network;
use dbgctl_tests::tls::{self, NAME, Wish, config, root};
use dbgctl_tests::{Ran, Target, dbgctl};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::version::TLS13;

fn listen(target: &Target) -> (TcpListener, String) {
    let listener = Network::of(target).inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn asked(target: &Target, url: &str, options: &[&str]) -> Ran {
    dbgctl(&[&["http", &target.name, url, "-o", "json"], options].concat())
}

fn verdicts(ran: &Ran) -> String {
    let verdicts = ran.summary()["verdicts"].as_array().unwrap().clone();
    verdicts.iter().map(|verdict| verdict.as_str().unwrap().to_owned() + "\n").collect()
}

/// The head of a request, line by line.
fn head(client: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(client).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Serves each connection until this process ends.
fn serve(listener: TcpListener, answer: impl Fn(TcpStream) + Send + 'static) {
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

#[test]
fn each_phase_is_timed_and_secrets_do_not_leave_the_container() {
    let target = Target::web();
    let (listener, address) = listen(&target);
    let (heads, seen) = mpsc::channel();
    serve(listener, move |mut client| {
        heads.send(head(&client)).unwrap();
        let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=5ecret; Path=/\r\nX-Auth-Token: 5ecret\r\nServer: test\r\n\
                      Content-Length: 6\r\n\r\nhello\n";
        client.write_all(answer.as_bytes()).unwrap();
    });
    let url = format!("http://{address}/a?b");
    let options =
        ["-X", "PUT", "--body", "{}", "--header", "Authorization: Bearer 5ecret", "--header", "X-One: 1"];
    let ran = asked(&target, &url, &options).expect(0);
    let request = seen.recv().unwrap();
    assert_eq!(request[0], "PUT /a?b HTTP/1.1");
    for wanted in [format!("host: {address}"), "content-length: 2".into(), "x-one: 1".into()] {
        assert!(request.contains(&wanted), "{wanted}: {request:?}");
    }
    assert!(request.contains(&"authorization: Bearer 5ecret".to_owned()), "{request:?}");

    let exchange = &ran.json()[0];
    assert_eq!((&exchange["status"], &exchange["version"]), (&200.into(), &"HTTP/1.1".into()));
    assert_eq!((&exchange["body"], &exchange["body_bytes"]), (&"hello\n".into(), &6.into()));
    let nanos = |name: &str| exchange[name].as_u64().unwrap();
    assert!(nanos("first_byte_nanos") > 0 && nanos("total_nanos") >= nanos("first_byte_nanos"));
    assert!(!ran.stdout().contains("5ecret"), "{ran:?}");
    assert!(ran.stdout().contains("sid=[redacted]; Path=/"), "{ran:?}");

    let plain = dbgctl(&["http", &target.name, &url]).expect(0);
    assert!(!plain.stderr().contains("CAP_"), "nothing of the target has to be read: {plain:?}");
    let table = plain.stdout();
    assert!(table.contains("server: test\n") && table.ends_with("\nhello\n"), "{table}");
    target.expect_nothing_left();
}

#[test]
fn a_body_is_read_as_far_as_is_wanted_and_a_bad_status_is_a_no() {
    let target = Target::web();
    let (listener, address) = listen(&target);
    serve(listener, |mut client| {
        let _head = head(&client);
        let _gone = client.write_all(b"HTTP/1.1 503 Busy\r\n\r\n");
        // Without end, as far as the client is concerned.
        while client.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let ran = asked(&target, &format!("http://{address}/"), &["--max-body", "1000"]).expect(1);
    let exchange = &ran.json()[0];
    assert_eq!((&exchange["outcome"], &exchange["body_cut"]), (&"answered".into(), &true.into()));
    assert_eq!(exchange["body"].as_str().unwrap(), "x".repeat(1000));
    assert!(verdicts(&ran).contains("HTTP: 503"), "{ran:?}");
}

#[test]
fn redirects_are_followed_and_a_circle_is_named() {
    let target = Target::web();
    let (elsewhere, other) = listen(&target);
    let (heads, seen) = mpsc::channel();
    serve(elsewhere, move |mut client| {
        heads.send(head(&client)).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nend\n").unwrap();
    });
    let (listener, address) = listen(&target);
    serve(listener, move |mut client| {
        let path = head(&client)[0].split(' ').nth(1).unwrap().to_owned();
        let number = path.rsplit('/').next().unwrap().parse::<u32>().unwrap_or_default();
        let to = match path.as_str() {
            "/circle/a" => "b".to_owned(),
            "/circle/b" => "/circle/a".to_owned(),
            "/away" => format!("http://{other}/there"),
            "/nowhere" => "gopher://x/".to_owned(),
            _ => format!("/on/{}", number + 1),
        };
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).unwrap();
    });
    let follow = |path: &str| {
        let options = ["--location", "--header", "Authorization: Bearer 5ecret", "--header", "X-One: 1"];
        asked(&target, &format!("http://{address}{path}"), &options)
    };
    let away = follow("/away").expect(0);
    assert_eq!(away.json().len(), 3, "{away:?}");
    let request = seen.recv().unwrap();
    assert!(request.contains(&"x-one: 1".to_owned()), "{request:?}");
    assert!(!request.iter().any(|line| line.contains("5ecret")), "another host: {request:?}");

    let circle = follow("/circle/a").expect(0);
    assert!(verdicts(&circle).contains("in a circle"), "{circle:?}");
    assert_eq!(circle.json().len(), 3, "{circle:?}");
    let endless = follow("/on/0").expect(0);
    assert!(verdicts(&endless).contains("10 redirects already"), "{endless:?}");
    assert_eq!(endless.json().len(), 12, "{endless:?}");
    let nowhere = follow("/nowhere").expect(0);
    assert!(verdicts(&nowhere).contains("neither http nor https"), "{nowhere:?}");
}

#[test]
fn servers_that_do_not_answer_are_told_apart_and_hold_up_nothing() {
    /// What a server does instead of answering, the outcome, and words that say so.
    type Row = (fn(TcpStream), &'static str, &'static str);
    let rows: [Row; 8] = [
        (
            |client| drop((head(&client), BufReader::new(client).lines().count())),
            "no_first_byte",
            "slow, or stuck",
        ),
        (|client| drop(head(&client)), "closed", "instead of answering"),
        (|mut client| drop((head(&client), client.write_all(b"HTTP/1.1 2"))), "closed", "middle of the head"),
        (
            |mut client| drop((head(&client), client.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))),
            "not_http",
            "begins with `SSH-2.0-OpenSSH_9.2`",
        ),
        (
            |mut client| {
                let _head = head(&client);
                let _gone = client.write_all(b"HTTP/1.1 200 OK\r\n");
                while client.write_all(b"X-Endless: x\r\n").is_ok() {}
            },
            "bad_head",
            "more than",
        ),
        (
            |mut client| {
                let _head = head(&client);
                let _gone = client.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ");
                while client.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            },
            "bad_head",
            "did not end within",
        ),
        (
            |mut client| {
                let _head = head(&client);
                let _gone = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                let _until_it_is_gone = client.read_to_end(&mut Vec::new());
            },
            "body_broken",
            "stopped after 4 bytes",
        ),
        (
            |mut client| {
                let _head = head(&client);
                let _gone = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            },
            "body_broken",
            "broke off after 4 bytes",
        ),
    ];
    let target = Target::web();
    dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    for (misbehave, outcome, words) in rows {
        let (listener, address) = listen(&target);
        serve(listener, misbehave);
        let ran = asked(&target, &format!("http://{address}/"), &["--timeout", "3s"]).expect(1);
        assert_eq!(ran.json()[0]["outcome"], outcome, "{words}: {ran:?}");
        assert!(verdicts(&ran).contains(words), "{words}: {ran:?}");
    }
    // What is not HTTP's fault is not blamed on it.
    let refused = asked(&target, "http://127.0.0.1:9/", &[]).expect(1);
    assert!(verdicts(&refused).contains("no one listens on that port"), "{refused:?}");
    let nameless = asked(&target, "http://no-such-name.invalid/", &[]).expect(1);
    assert!(verdicts(&nameless).contains("the name does not resolve"), "{nameless:?}");
    dbgctl(&["detach", "--quiet", &target.name]).expect(0);
}

#[test]
fn nothing_is_sent_to_a_server_that_would_not_be_trusted() {
    let ours = root("Our Root");
    let target = Target::web();
    let (listener, address) = listen(&target);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    tls::serve(
        listener,
        config(Wish::default().signed_by(&ours, &[&ours]), &[&TLS13], &["http/1.1"]),
        answer,
    );
    let url = format!("https://{address}/");
    let ran = asked(&target, &url, &["--sni", NAME]).expect(1);
    assert_eq!((&ran.json()[0]["outcome"], &ran.json()[0]["status"]), (&"not_trusted".into(), &().into()));
    assert!(verdicts(&ran).contains("TLS: unknown issuer"), "{ran:?}");
    assert!(verdicts(&ran).contains("nothing was sent"), "{ran:?}");
    let ran = asked(&target, &url, &["--sni", NAME, "--insecure"]).expect(0);
    assert_eq!((&ran.json()[0]["status"], &ran.json()[0]["body"]), (&200.into(), &"ok\n".into()));
    assert!(verdicts(&ran).contains("TLS: unknown issuer"), "{ran:?}");
    // The wrong scheme, both ways.
    let plain = asked(&target, &format!("http://{address}/"), &[]).expect(1);
    assert!(verdicts(&plain).contains("it is TLS: try https://"), "{plain:?}");
    let encrypted = asked(&target, "https://127.0.0.1:8080/", &["--timeout", "3s"]).expect(1);
    assert_eq!(encrypted.json()[0]["outcome"], "no_handshake", "{encrypted:?}");
    assert!(verdicts(&encrypted).contains("TLS: "), "{encrypted:?}");
}

#[test]
fn http_2_is_spoken_as_well() {
    let target = Target::web();
    let (listener, address) = listen(&target);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let answer = service_fn(async |request: Request<Incoming>| {
                    let said = format!("{:?} {}\n", request.version(), request.uri());
                    Ok::<_, Infallible>(Response::new(http_body_util::Full::new(Bytes::from(said))))
                });
                let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _client_gone = served.serve_connection(TokioIo::new(client), answer).await;
            }
        });
    });
    let ran = asked(&target, &format!("http://{address}/x?y"), &["--http2"]).expect(0);
    assert_eq!(ran.json()[0]["version"], "HTTP/2");
    assert_eq!(ran.json()[0]["body"], format!("HTTP/2.0 http://{address}/x?y\n"));
}
