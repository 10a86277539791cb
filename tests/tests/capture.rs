//! Packets are captured as they were sent, all of them or counted, and by no one who may not.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dbgctl_tests::network::{EngineNetwork, Network, can_make_networks};
use dbgctl_tests::packets::{self, MARKER, Unread, capture, figure, interrupt, send, tcpdump, wireshark};
use dbgctl_tests::{Target, dbgctl, docker_ok, eventually};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

/// A directory for the files of one test.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A target with nothing but a loopback interface.
fn alone() -> Target {
    Target::run(&[], &["serve", "--workers", "1"]).ready()
}

#[test]
fn a_file_has_each_packet_once_in_the_order_in_which_it_was_sent() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("lo.pcapng");
    let running = capture(&target, &["-w", text(&file)]);
    send(&target, 500, 40);
    let ended = interrupt(running).expect(0);
    target.expect_nothing_left();

    assert_eq!(figure(&ended, "packets"), 500, "{ended:?}");
    assert_eq!(figure(&ended, "dropped by the kernel"), 0, "{ended:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    if let Some(numbers) = packets::numbers(&file) {
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    }
    // What the kernel knows of them.
    if let Some(lines) = wireshark(
        "tshark",
        &["-r", text(&file), "-T", "fields", "-e", "frame.len", "-e", "frame.packet_flags_direction"],
    ) {
        assert_eq!(lines.lines().count(), 500);
        // 14 of Ethernet, 20 of IP, 8 of UDP. 1: it came in.
        assert!(lines.lines().all(|line| line == "82\t1" || line == "82\t0x00000001"), "{lines}");
    }
    if let Some(told) = wireshark("capinfos", &["-M", text(&file)]) {
        let has = |key: &str, value: &str| {
            told.lines().any(|line| line.trim().starts_with(key) && line.trim_end().ends_with(value))
        };
        assert!(has("Number of packets:", "500") && has("Name =", "lo"), "{told}");
        assert!(has("Number of stat entries =", "1") && told.contains(&target.name), "{told}");
    }
}

#[test]
fn with_headers_only_no_byte_of_what_is_carried_leaves_the_agent() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("headers.pcapng");
    let running = capture(&target, &["-w", text(&file), "--headers-only"]);
    send(&target, 100, 1000);
    let ended = interrupt(running).expect(0);
    assert_eq!(figure(&ended, "packets"), 100, "{ended:?}");
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()));
    if let Some(lines) = tcpdump(&file, &[]) {
        // They are told as long as they were.
        assert_eq!(lines.matches("UDP, length 1000").count(), 100, "{lines}");
    }
}

#[test]
fn packets_of_a_network_are_shown_with_addresses_and_directions() {
    if !can_make_networks() {
        return;
    }
    let network = EngineNetwork::make();
    // Not root, and with nothing to write to.
    let options = ["--network", &network.0, "--read-only", "--user", "1000:1000"];
    let target = Target::run(&options, &["serve", "--workers", "1"]).ready();
    let address = target.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    let mut running = capture(&target, &["-o", "json", "-A", "tcp", "port", "8080"]);
    let mut connection = TcpStream::connect((address.as_str(), 8080)).unwrap();
    connection.write_all(format!("GET /{MARKER} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    let asked = running.line(|line| line.contains(&format!("GET /{MARKER}")));
    let answered = running.line(|line| line.contains("200 OK"));
    let ended = interrupt(running).expect(0);
    target.expect_nothing_left();

    let row = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let (asked, answered) = (row(&asked), row(&answered));
    assert_eq!((&asked["direction"], &answered["direction"]), (&"in".into(), &"out".into()));
    assert_eq!((&asked["interface"], &answered["interface"]), (&"eth0".into(), &"eth0".into()));
    assert!(asked["summary"].as_str().unwrap().contains(&format!("> {address}:8080")), "{asked}");
    let summary = ended.summary();
    let rows = ended.json().len() - 1;
    assert_eq!((&summary["packets"], &summary["dropped_by_kernel"]), (&rows.into(), &0.into()));
    assert_eq!(summary["end"], "stopped");
}

#[test]
fn all_interfaces_at_once_are_told_apart() {
    if !can_make_networks() {
        return;
    }
    let (target, directory) = (alone(), directory());
    let beside = Network::beside(&target);
    let file = directory.path().join("any.pcapng");
    let running = capture(&target, &["-i", "any", "-w", text(&file)]);
    send(&target, 5, 40);
    // A datagram from the other host, and its answer.
    let here = Network::of(&target).inside(|| UdpSocket::bind("192.0.2.2:7777").unwrap());
    let there = beside.inside(|| UdpSocket::bind("192.0.2.1:7777").unwrap());
    for (from, to, other) in [(&there, &here, "192.0.2.2:7777"), (&here, &there, "192.0.2.1:7777")] {
        from.send_to(b"datagram", other).unwrap();
        to.recv(&mut [0; 100]).unwrap();
    }
    interrupt(running).expect(0);
    if let Some(numbers) = packets::numbers(&file) {
        assert_eq!(numbers, (0..5).collect::<Vec<_>>());
    }
    let Some(lines) = tcpdump(&file, &["udp", "port", "7777"]) else { return };
    let directions = [" In ", " Out "].map(|direction| {
        let of = |line: &&str| line.contains(direction) && line.contains("192.0.2.2.7777");
        lines.lines().filter(of).count()
    });
    assert_eq!(directions, [1, 1], "{lines}");
}

#[test]
fn a_capture_ends_after_so_many_packets_or_so_much_time() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("limit.pcapng");
    let running = capture(&target, &["-w", text(&file), "-c", "7", "-o", "json"]);
    send(&target, 50, 40);
    let summary = running.finish().expect(0).summary();
    assert_eq!((&summary["packets"], &summary["end"]), (&7.into(), &"limit".into()));
    let [accepted, dropped, beyond] =
        ["accepted", "dropped_by_kernel", "beyond_limit"].map(|key| summary[key].as_u64().unwrap());
    assert_eq!(accepted, 7 + dropped + beyond, "{summary}");
    if let Some(numbers) = packets::numbers(&file) {
        assert_eq!(numbers, (0..7).collect::<Vec<_>>());
    }
    let ended = capture(&target, &["--duration", "100ms"]).finish().expect(0);
    assert!(ended.stderr().contains("0 packets, stopped by the time limit"), "{ended:?}");
}

#[test]
fn what_a_stopped_cli_does_not_take_is_dropped_and_counted_to_the_last_packet() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("stopped.pcapng");
    let running = capture(&target, &["-w", text(&file), "--buffer", "1M"]);
    running.signal(Signal::SIGSTOP);
    send(&target, 30_000, 1000);
    running.signal(Signal::SIGCONT);
    accounts_for(&interrupt(running).expect(0), 30_000, &file);
    target.expect_nothing_left();
}

#[test]
fn what_a_pipe_that_nobody_reads_does_not_take_is_dropped_and_counted_to_the_last_packet() {
    let (target, directory) = (alone(), directory());
    let (pipe, file) = (directory.path().join("pipe"), directory.path().join("unread.pcapng"));
    let unread = Unread::make(&pipe);
    let running = capture(&target, &["-w", text(&pipe), "--buffer", "1M"]);
    send(&target, 30_000, 1000);
    let read = unread.read_into(&file);
    let ended = interrupt(running).expect(0);
    read.join().unwrap();
    accounts_for(&ended, 30_000, &file);
    target.expect_nothing_left();
}

/// Each packet is in the file or was counted as dropped, and there are some of both.
#[track_caller]
fn accounts_for(ended: &dbgctl_tests::Ran, sent: u64, file: &Path) {
    let [kept, dropped] = ["packets", "dropped by the kernel"].map(|what| figure(ended, what));
    assert_eq!(kept + dropped, sent, "{ended:?}");
    assert!(kept > 0 && dropped > 0, "{ended:?}");
    if let Some(numbers) = packets::numbers(file) {
        assert_eq!(u64::try_from(numbers.len()).unwrap(), kept);
        assert!(numbers.is_sorted_by(|one, next| one < next), "twice, or out of order");
    }
}

#[test]
fn without_consent_nothing_is_captured_and_nothing_started() {
    let target = alone();
    let since = docker_ok(&["info", "-f", "{{.SystemTime}}"]);
    dbgctl(&["capture", &target.name]).expect_error("was not allowed");
    let until = docker_ok(&["info", "-f", "{{.SystemTime}}"]);
    let label = format!("label=dbgctl.target={}", target.id);
    let events =
        ["events", "--since", &since, "--until", &until, "--filter", "event=create", "--filter", &label];
    assert_eq!(docker_ok(&events), "");
    // Less than it takes is refused as well.
    dbgctl(&["capture", &target.name, "--allow", "capture", "--level", "1b"]).expect_error("CAP_NET_RAW");
    dbgctl(&["capture", &target.name, "--allow", "everything"])
        .expect_error("what can be allowed is capture");
}

#[test]
fn a_capture_that_is_killed_leaves_nothing_behind() {
    let (target, directory) = (alone(), directory());
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let file = directory.path().join(format!("{signal}.pcapng"));
        let running = capture(&target, &["-w", text(&file)]);
        send(&target, 20, 40);
        // What was written before can be read.
        let is_there = eventually(Duration::from_secs(30), || {
            let bytes = fs::read(&file).unwrap();
            bytes.windows(MARKER.len()).filter(|window| *window == MARKER.as_bytes()).count() == 20
        });
        assert!(is_there);
        running.signal(signal);
        running.finish();
        target.expect_nothing_left();
        if let Some(numbers) = packets::numbers(&file) {
            assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_target_that_ends_is_named_and_what_was_written_can_be_read() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("gone.pcapng");
    let running = capture(&target, &["-w", text(&file)]);
    send(&target, 20, 40);
    let is_there = eventually(Duration::from_secs(30), || fs::metadata(&file).unwrap().len() > 20 * 80);
    assert!(is_there);
    docker_ok(&["kill", &target.id]);
    running.finish().expect_error("137");
    if let Some(numbers) = packets::numbers(&file) {
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    }
    target.expect_nothing_left();
}

/// A file system of that size, which ends when this goes out of scope.
struct Small(PathBuf);

impl Small {
    fn at(path: PathBuf, size: &str) -> Self {
        fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        mount(Some("small"), &path, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ended_already = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn on_a_full_disk_a_file_is_whole_to_its_last_packet() {
    let (target, directory) = (alone(), directory());
    let small = Small::at(directory.path().join("small"), "256k");
    let file = small.0.join("full.pcapng");
    let running = capture(&target, &["-w", text(&file)]);
    send(&target, 1000, 1000);
    running.finish().expect_error("No space left on device");
    target.expect_nothing_left();
    if let Some(numbers) = packets::numbers(&file) {
        assert!(numbers.len() > 100, "{numbers:?}");
        assert_eq!(numbers, (0..u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    }
}

#[test]
fn of_files_in_turn_the_last_are_kept_and_none_is_too_long() {
    let (target, directory) = (alone(), directory());
    let file = directory.path().join("turn.pcapng");
    let running = capture(&target, &["-w", text(&file), "--rotate", "20K,3"]);
    send(&target, 240, 1000);
    let ended = interrupt(running).expect(0);
    assert_eq!(figure(&ended, "packets"), 240, "{ended:?}");
    let mut names: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    // A file is as long as was asked for with the packet that makes it so.
    assert!(names.iter().all(|name| fs::metadata(name).unwrap().len() < 22 << 10), "{names:?}");
    let numbers: Option<Vec<_>> = names.iter().map(|name| packets::numbers(name)).collect();
    let Some(numbers) = numbers.map(|numbers| numbers.concat()) else { return };
    let first = *numbers.first().unwrap();
    assert_eq!(numbers, (first..240).collect::<Vec<_>>());
}

#[test]
fn what_a_filter_does_not_want_is_never_captured_even_while_it_begins() {
    let (target, directory) = (alone(), directory());
    let network = Network::of(&target);
    let (unwanted, wanted) = network.inside(|| {
        let pair = || {
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            sender.connect(receiver.local_addr().unwrap()).unwrap();
            (sender, receiver)
        };
        (pair(), pair())
    });
    let port = wanted.1.local_addr().unwrap().port().to_string();
    let _flood = network.meanwhile(move || {
        for _ in 0..2000 {
            unwanted.0.send(b"unwanted").unwrap();
        }
    });
    for start in 0..5 {
        let file = directory.path().join(format!("{start}.pcapng"));
        let running = capture(&target, &["-w", text(&file), "-c", "20", "udp", "dst", "port", &port]);
        for _ in 0..20 {
            packets::carry(&wanted.0, &wanted.1, MARKER.as_bytes());
        }
        let ended = running.finish().expect(0);
        assert_eq!(figure(&ended, "packets"), 20, "{ended:?}");
        let bytes = fs::read(&file).unwrap();
        let found = |word: &[u8]| bytes.windows(word.len()).filter(|window| *window == word).count();
        assert_eq!((found(MARKER.as_bytes()), found(b"unwanted")), (20, 0));
    }
}

#[test]
fn a_filter_that_is_not_understood_is_shown_where_it_stands() {
    let target = alone();
    let words = ["capture", &target.name, "--allow", "capture", "tcp", "prot", "80"];
    dbgctl(&words).expect_error("`prot`, column 5");
    // Nobody is asked for a yes to what can not be done.
    dbgctl(&["capture", &target.name, "tcp", "prot", "80"]).expect_error("`prot`, column 5");
    target.expect_nothing_left();
}
