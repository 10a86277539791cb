//! Ports of a container that are not published, reached through `port-forward`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use dbgctl_tests::network::Network;
use dbgctl_tests::running::Running;
use dbgctl_tests::{Target, dbgctl, dbgctl_command, patiently};
use nix::sys::signal::Signal;

/// `dbgctl port-forward` that is running, and where it listens.
struct Forward {
    running: Running,
    addresses: Vec<SocketAddr>,
}

impl Forward {
    #[track_caller]
    fn start(target: &Target, ports: &[&str]) -> Self {
        let arguments = [&["port-forward", &target.name, "-o", "json"], ports].concat();
        let mut running = Running::start(&mut dbgctl_command(&arguments));
        let mut address = || {
            let line: serde_json::Value = serde_json::from_str(&running.line(|_| true)).unwrap();
            line["listening"].as_str().unwrap().parse().unwrap()
        };
        let addresses = ports.iter().map(|_| address()).collect();
        Self { running, addresses }
    }

    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.addresses[0]).unwrap())
    }

    #[track_caller]
    fn interrupt(self, target: &Target) {
        self.running.signal(Signal::SIGINT);
        self.running.finish().expect(130);
        target.expect_nothing_left();
        for address in self.addresses {
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    }
}

/// A hang shall be an error.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(patiently(Duration::from_secs(30)))).unwrap();
    stream.set_write_timeout(Some(patiently(Duration::from_secs(30)))).unwrap();
    stream
}

fn listen(target: &Target, address: &str) -> TcpListener {
    Network::of(target).inside(|| TcpListener::bind(address).unwrap())
}

fn port(listener: &TcpListener) -> String {
    format!("0:{}", listener.local_addr().unwrap().port())
}

fn read_all(mut stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// Different everywhere, so that nothing can be lost, doubled or swapped unnoticed.
fn pattern(bytes: u32) -> Vec<u8> {
    (0..bytes / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect()
}

#[test]
fn listeners_on_loopback_are_reached_and_nothing_stays_behind() {
    let target = Target::web();
    let on_v6 = listen(&target, "127.0.0.1:0");
    let only_v6 = Network::of(&target).inside(|| TcpListener::bind((Ipv6Addr::LOCALHOST, 0)));
    let forward = Forward::start(&target, &["0:8080", &port(&on_v6)]);
    assert!(forward.addresses.iter().all(|address| address.ip().is_loopback()));

    let mut web = forward.connect();
    web.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(read_all(&web).ends_with(b"ok\n"));
    // Docker leaves a container without a network without IPv6: then there is nothing to be reached.
    if let Ok(only_v6) = only_v6 {
        let port = port(&only_v6);
        let forward = Forward::start(&target, &[&port]);
        let client = forward.connect();
        patient(only_v6.accept().unwrap().0).write_all(b"six").unwrap();
        drop(only_v6);
        assert_eq!(read_all(&client), b"six");
        drop(forward);
    }
    forward.interrupt(&target);
}

#[test]
fn each_half_is_closed_on_its_own_and_all_that_was_sent_before_arrives() {
    let target = Target::web();
    let listener = listen(&target, "127.0.0.1:0");
    let forward = Forward::start(&target, &[&port(&listener)]);
    let (question, answer) = (pattern(3 << 20), pattern(5 << 20));

    // The client's half first: the server answers when it has seen the end.
    let expected = question.clone();
    let reply = answer.clone();
    let server = thread::spawn(move || {
        let mut server = patient(listener.accept().unwrap().0);
        assert!(read_all(&server) == expected);
        server.write_all(&reply).unwrap();
        drop(server);
        // The server's half first: the client may still send.
        let mut server = patient(listener.accept().unwrap().0);
        server.write_all(&reply).unwrap();
        server.shutdown(Shutdown::Write).unwrap();
        assert!(read_all(&server) == expected);
    });
    let mut client = forward.connect();
    client.write_all(&question).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(&client) == answer);

    let mut client = forward.connect();
    assert!(read_all(&client) == answer);
    client.write_all(&question).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.join().unwrap();
    forward.interrupt(&target);
}

#[test]
fn what_is_refused_or_reset_is_so_for_the_client_and_said() {
    let target = Target::web();
    let listener = listen(&target, "127.0.0.1:0");
    let forward = Forward::start(&target, &[&port(&listener), "0:9", "0:no-such-name.invalid:80"]);

    let mut client = forward.connect();
    let server = listener.accept().unwrap().0;
    client.write_all(b"never read").unwrap();
    // What was not read when a socket is closed makes it a reset.
    while server.peek(&mut [0]).unwrap() == 0 {}
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    forward.running.expect_talk("reset by the other side");

    // And the other way round.
    let client = forward.connect();
    let mut server = patient(listener.accept().unwrap().0);
    server.write_all(b"never read").unwrap();
    while client.peek(&mut [0]).unwrap() == 0 {}
    drop(client);
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    forward.running.expect_talk("reset on this side");

    for (address, said) in [
        (forward.addresses[1], "port 9: not connected: 127.0.0.1: connection refused (ECONNREFUSED)"),
        (forward.addresses[2], "no-such-name.invalid:80: not connected: "),
    ] {
        let mut client = patient(TcpStream::connect(address).unwrap());
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        forward.running.expect_talk(said);
    }
    forward.interrupt(&target);
}

#[test]
fn two_hundred_connections_at_once_and_those_that_nobody_reads_hold_up_no_other() {
    const CONNECTIONS: usize = 200;
    const STALLED: usize = 40;
    let target = Target::web();
    let listener = listen(&target, "127.0.0.1:0");
    let forward = Forward::start(&target, &[&port(&listener)]);
    let server = thread::spawn(move || {
        let mut stalled = Vec::new();
        let mut echoes = Vec::new();
        for connection in 0..STALLED + CONNECTIONS {
            let mut server = patient(listener.accept().unwrap().0);
            if connection < STALLED {
                // Nobody reads here, and nobody reads there what fills the way back.
                stalled.push(thread::spawn(move || {
                    server.set_write_timeout(None).unwrap();
                    let filled = std::iter::repeat_with(|| server.write_all(&[0; 1 << 16]));
                    filled.take_while(Result::is_ok).count()
                }));
                continue;
            }
            echoes.push(thread::spawn(move || {
                let mut back = server.try_clone().unwrap();
                std::io::copy(&mut server, &mut back).unwrap();
                back.shutdown(Shutdown::Write).unwrap();
            }));
        }
        echoes.into_iter().for_each(|echo| echo.join().unwrap());
        stalled
    });
    // One at a time, so that the server knows them.
    let stalled: Vec<_> = (0..STALLED)
        .map(|_| {
            let client = forward.connect();
            assert!(client.peek(&mut [0]).unwrap() > 0);
            let mut writing = client.try_clone().unwrap();
            writing.set_write_timeout(None).unwrap();
            let filling = thread::spawn(move || while writing.write_all(&[0; 1 << 16]).is_ok() {});
            (client, filling)
        })
        .collect();

    let sent = pattern(256 << 10);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (mut client, sent) = (forward.connect(), sent.clone());
            thread::spawn(move || {
                let mut writing = client.try_clone().unwrap();
                let expected = sent.clone();
                let writer = thread::spawn(move || {
                    writing.write_all(&sent).unwrap();
                    writing.shutdown(Shutdown::Write).unwrap();
                });
                let mut came_back = Vec::new();
                client.read_to_end(&mut came_back).unwrap();
                writer.join().unwrap();
                assert!(came_back == expected);
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    let fillers = server.join().unwrap();
    // Cut, wherever they stand.
    forward.interrupt(&target);
    fillers.into_iter().for_each(|filler| assert!(filler.join().unwrap() > 0));
    for (client, filling) in stalled {
        drop(client);
        filling.join().unwrap();
    }
}

#[test]
fn the_end_of_the_target_is_noticed_while_nobody_connects() {
    let target = Target::web();
    let forward = Forward::start(&target, &["0:8080"]);
    dbgctl_tests::docker_ok(&["kill", &target.id]);
    let ran = forward.running.finish();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr().contains("dbgctl: cannot "), "{ran:?}");
}

#[test]
fn a_port_that_is_taken_here_is_said_before_anything_is_carried() {
    let target = Target::web();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = format!("{}:8080", taken.local_addr().unwrap().port());
    dbgctl(&["port-forward", &target.name, &ports]).expect_error("Address already in use");
    target.expect_nothing_left();
}
