//! The open files of real containers, checked against the host's own view of the same processes.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dbgctl_tests::host::{self, HostProcess};
use dbgctl_tests::{Ran, Target, dbgctl};
use serde_json::Value;

/// The users whose files only level 1b may list; root's too, since the agent is not root.
const USERS: [&str; 2] = ["0:0", "1000:1000"];

fn open(user: &str) -> Target {
    // In memory, so that every user may write to it.
    let options = ["--user", user, "--tmpfs", "/files:mode=1777,size=16m"];
    Target::run(&options, &["open"]).ready()
}

fn fds(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["fds", &target.id], options].concat()).expect(0)
}

/// What the program says that each descriptor is.
fn numbers(target: &Target) -> serde_json::Map<String, Value> {
    let line: Value = serde_json::from_str(target.logs().lines().next().unwrap()).unwrap();
    line["ready"].as_object().unwrap().clone()
}

/// The row of the descriptor that the program calls `what`.
#[track_caller]
fn row(ran: &Ran, numbers: &serde_json::Map<String, Value>, what: &str) -> Value {
    let number = &numbers[what];
    let row = ran.rows().into_iter().find(|row| row["number"] == *number);
    row.unwrap_or_else(|| panic!("{what}: no {number} in {ran:?}"))
}

/// A field that came from the target, byte for byte.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
    }
}

/// Descriptors of a process as its host sees them: number and what the link says.
fn on_host(process: &HostProcess) -> Vec<(u64, Vec<u8>)> {
    let mut links: Vec<_> = fs::read_dir(format!("/proc/{}/fd", process.host_pid))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let link = fs::read_link(&path).unwrap();
            (
                path.file_name().unwrap().to_str().unwrap().parse().unwrap(),
                link.as_os_str().as_bytes().to_vec(),
            )
        })
        .collect();
    links.sort();
    links
}

#[test]
fn every_open_file_is_listed_as_the_host_sees_it_whoever_the_user_is() {
    for user in USERS {
        let target = open(user);

        let ran = fds(&target, &["-o", "json"]);

        let process = &host::processes_of(&target.id)[0];
        let expected = on_host(process);
        let listed: Vec<_> = ran
            .rows()
            .iter()
            .map(|row| {
                let mut name = bytes(&row["name"]);
                // The host marks memfds as deleted, too.
                if row["deleted"] == true || row["kind"] == "memfd" {
                    name.extend(b" (deleted)");
                }
                (row["number"].as_u64().unwrap(), name)
            })
            .collect();
        assert_eq!(listed, expected, "{ran:?}");
        for row in ran.rows() {
            let path = format!("/proc/{}/fd/{}", process.host_pid, row["number"]);
            let status = fs::metadata(path).unwrap();
            assert_eq!(row["inode"], status.ino(), "{row}");
            let info = String::from_utf8(process.read(&format!("fdinfo/{}", row["number"]))).unwrap();
            let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim();
            assert_eq!(row["details"]["offset_bytes"].to_string(), value("pos:"), "{row}");
            assert_eq!(row["details"]["mount_id"].to_string(), value("mnt_id:"), "{row}");
        }
        let limits = String::from_utf8(process.read("limits")).unwrap();
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let of_process = ran.json().into_iter().find(|line| line.get("process").is_some()).unwrap();
        assert_eq!(
            of_process["process"]["limit"].to_string(),
            limit.split_whitespace().next().unwrap(),
            "{ran:?}"
        );
        assert_eq!(of_process["process"]["open"], expected.len(), "{ran:?}");
        assert_eq!(ran.summary()["gaps"].as_array().unwrap().len(), 0, "{ran:?}");
        target.expect_nothing_left();
    }
}

#[test]
fn each_kind_is_told_with_what_is_special_of_it() {
    let target = open(USERS[1]);
    let numbers = numbers(&target);

    let ran = fds(&target, &["-o", "json"]);

    let row = |what: &str| row(&ran, &numbers, what);
    for (what, kind) in [
        ("deleted", "regular"),
        ("directory", "directory"),
        ("device", "character_device"),
        ("fifo", "fifo"),
        ("pipe reader", "pipe"),
        ("unix pair", "socket"),
        ("eventfd", "eventfd"),
        ("epoll", "epoll"),
        ("inotify", "inotify"),
        ("timerfd", "timerfd"),
        ("signalfd", "signalfd"),
        ("pidfd", "pidfd"),
        ("memfd", "memfd"),
        ("namespace", "namespace"),
    ] {
        assert_eq!(row(what)["kind"], kind, "{what}: {}", row(what));
    }
    let details = |what: &str| row(what)["details"].clone();
    assert_eq!(details("eventfd")["eventfd_count"], 42);
    assert_eq!(details("epoll")["epoll_watched"], 3);
    assert_eq!(details("inotify")["watches"], 2);
    assert_eq!(details("signalfd")["signal_mask"], 1 << 9, "SIGUSR1 is 10");
    assert_eq!(details("pidfd")["watched_pid"], 1);
    let timer = &details("timerfd")["timer"];
    assert_eq!((&timer["clock"], &timer["interval_nanos"]), (&1.into(), &60_000_000_000_u64.into()));
    let remaining = timer["remaining_nanos"].as_u64().unwrap();
    assert!((3000..=3600).contains(&(remaining / 1_000_000_000)), "{timer}");
    assert_eq!((&row("memfd")["size_bytes"], &row("memfd")["deleted"]), (&10_000.into(), &false.into()));
    assert_eq!(details("device")["special"], serde_json::json!({ "major": 1, "minor": 5 }));
    let lock = details("locked")["locks"].to_string();
    assert!(lock.contains("FLOCK") && lock.contains("WRITE"), "{lock}");

    for (what, access) in [
        ("pipe reader", "read"),
        ("pipe writer", "write"),
        ("fifo", "read_write"),
        ("path only", "path"),
        ("appended", "write"),
    ] {
        assert_eq!(details(what)["access"], access, "{what}");
    }
    assert!(details("appended")["flags"].as_array().unwrap().contains(&"O_APPEND".into()));
    assert!(details("fifo")["flags"].as_array().unwrap().contains(&"O_NONBLOCK".into()));
    assert_eq!(
        (&details("appended")["offset_bytes"], &details("positioned")["offset_bytes"]),
        (&10.into(), &4.into())
    );
}

#[test]
fn sockets_have_their_addresses_and_states() {
    let target = open(USERS[0]);
    let numbers = numbers(&target);

    let ran = fds(&target, &["--type", "socket", "-o", "json"]);
    let table = fds(&target, &["--type", "socket"]).stdout();

    let socket = |what: &str| row(&ran, &numbers, what)["socket"].clone();
    assert_eq!(socket("tcp listener")["state"], "listen");
    assert_eq!(socket("tcp listener")["local"], "127.0.0.1:8080");
    let (client, server) = (socket("tcp client"), socket("tcp server"));
    assert_eq!((&client["state"], &client["remote"]), (&"established".into(), &"127.0.0.1:8080".into()));
    assert_eq!((&server["local"], &server["remote"]), (&client["remote"], &client["local"]));
    assert_eq!(
        (&socket("udp")["protocol"], &socket("udp")["local"]),
        (&"udp".into(), &"127.0.0.1:5353".into())
    );
    assert_eq!(socket("unix listener")["local"], "/files/so cket");
    assert_eq!(socket("unix pair")["protocol"], "unix");
    assert!(table.contains("  tcp 127.0.0.1:8080 listen\n"), "{table}");
    assert_eq!(ran.rows().len(), 7, "{ran:?}");
}

#[test]
fn deleted_files_are_found_with_the_space_that_they_still_take() {
    let target = open(USERS[1]);
    let numbers = numbers(&target);

    let table = fds(&target, &["--deleted"]).stdout();
    let ran = fds(&target, &["-o", "json"]);

    assert!(table.contains("5.0 MiB  /files/deleted.log (deleted)\n"), "{table}");
    assert!(table.contains("\n1 of "), "{table}");
    assert!(table.contains("deleted but open: 1 file takes 5.0 MiB until it is closed\n"), "{table}");
    // A file that is really called so is not deleted.
    let named_so = row(&ran, &numbers, "named so");
    assert_eq!((&named_so["name"], &named_so["deleted"]), (&"/files/kept (deleted)".into(), &false.into()));
}

#[test]
fn hostile_names_reach_no_table_and_come_back_byte_for_byte_in_json() {
    let target = open(USERS[1]);
    let numbers = numbers(&target);

    let ran = fds(&target, &["-o", "json"]);

    let hostile = b"/files/a\n1 root\x1b[31m\xe2\x80\xae\xff";
    assert_eq!(bytes(&row(&ran, &numbers, "hostile")["name"]), hostile);
    for format in ["table", "wide"] {
        let table = fds(&target, &["-o", format]).stdout();
        assert!(table.contains(r"/files/a\n1 root\x1b[31m\u{202e}\xff"), "{table}");
        let odd = table.chars().find(|&odd| odd != '\n' && (odd.is_control() || odd == '\u{202e}'));
        assert_eq!(odd, None, "{table:?}");
    }
}

#[test]
fn without_the_capability_to_search_there_are_gaps_that_name_it() {
    for user in USERS {
        let target = open(user);

        let ran = fds(&target, &["--level", "1", "-o", "json"]);

        assert!(ran.rows().is_empty(), "{ran:?}");
        let gap = &ran.summary()["gaps"][0];
        assert_eq!((&gap["subject"], &gap["count"]), (&"open files".into(), &1.into()), "{ran:?}");
        assert!(gap["reason"].as_str().unwrap().contains("needs CAP_DAC_READ_SEARCH"), "{ran:?}");
    }
}

#[test]
fn processes_can_be_picked_and_one_that_is_not_there_is_a_gap_beside_one_that_is() {
    let target = Target::web();
    let pid = host::processes_of(&target.id)[1].pid;

    let one = fds(&target, &["--pid", &pid.to_string(), "-o", "json"]);
    let both = fds(&target, &["--pid", &pid.to_string(), "--pid", "4000000", "-o", "json"]);

    assert!(one.rows().iter().all(|row| row["pid"] == pid) && !one.rows().is_empty());
    assert_eq!(both.rows().len(), one.rows().len(), "{both:?}");
    assert_eq!(both.summary()["gaps"][0]["reason"], "asked for, but not among the target's", "{both:?}");
}
