//! `ping` and `trace` through routers that forward for real, with real packet filters, narrow links and black holes.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv6Addr, TcpListener};

use dbgctl_tests::chain::{Chain, HOST, HOST_V6, ROUTERS};
use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, dbgctl, dbgctl_command};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Longer than any answer takes on a machine under load.
const PATIENT: [&str; 2] = ["--timeout", "10s"];
/// Where silence is what is expected, and a lost packet is tried again.
const BRISK: [&str; 2] = ["--timeout", "700ms"];

fn ask(chain: &Chain, words: &[&str], options: &[&str], code: i32) -> Ran {
    let (verb, host) = (words[0], words[1]);
    dbgctl(&[&[verb, &*chain.target.name, host, "-o", "json"], &words[2..], options].concat()).expect(code)
}

fn rows(ran: &Ran, field: &str) -> Vec<Value> {
    ran.json().into_iter().filter(|line| line.get(field).is_some()).collect()
}

/// Who answered at each hop, all of its packets alike; `-` for nobody.
fn hops(ran: &Ran) -> Vec<String> {
    let hop = |hop: &Value| {
        let mut from: Vec<_> = hop["answers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| {
                format!("{} {}", answer["from"].as_str().unwrap_or("-"), answer["outcome"].as_str().unwrap())
            })
            .collect();
        from.dedup();
        from.join(", ")
    };
    rows(ran, "ttl").iter().map(hop).collect()
}

/// The routers, and what the host says.
fn whole_way(is_v6: bool, host: &str) -> Vec<String> {
    let end = |nth: u16| {
        if is_v6 { Ipv6Addr::new(0xfd00, 9, nth, 0, 0, 0, 0, 2).to_string() } else { format!("10.9.{nth}.2") }
    };
    let last = u16::try_from(ROUTERS).unwrap();
    let mut way: Vec<_> = (0..last).map(|nth| format!("{} time_exceeded", end(nth))).collect();
    way.push(format!("{} {host}", end(last)));
    way
}

#[test]
fn every_router_is_seen_by_udp_icmp_and_tcp_in_both_families() {
    let chain = Chain::new();
    let listener = chain.node(ROUTERS + 1).inside(|| TcpListener::bind("[::]:5432").unwrap());
    for (host, is_v6) in [(HOST, false), (HOST_V6, true)] {
        for (how, says) in [
            (&["--udp"][..], "refused"),
            (&["--icmp"], "answered"),
            (&["--tcp", "5432"], "answered"),
            (&["--tcp", "5433"], "refused"),
        ] {
            let ran = ask(&chain, &[&["trace", host], how].concat(), &PATIENT, 0);
            assert_eq!(hops(&ran), whole_way(is_v6, says), "{ran:?}");
            assert_eq!(ran.summary()["arrived"], true);
        }
    }
    drop(listener);
}

#[test]
fn a_firewall_that_drops_is_told_from_one_that_rejects() {
    let chain = Chain::new();
    chain.filter(2, "forward", "ip daddr 10.9.3.2 udp dport 33434-40000 drop");
    chain.filter(2, "forward", "ip daddr 10.9.3.2 tcp dport 80 reject with icmpx type admin-prohibited");
    chain.filter(2, "forward", "ip6 daddr fd00:9:3::2 reject with icmpx type admin-prohibited");

    let ran = ask(&chain, &["trace", HOST, "--hops", "5"], &["--timeout", "3s"], 1);
    assert_eq!(hops(&ran)[..2], whole_way(false, "")[..2], "{ran:?}");
    assert_eq!(hops(&ran)[2..], ["- timed_out", "- timed_out", "- timed_out"], "{ran:?}");
    let verdict = ran.summary()["verdicts"][0].as_str().unwrap().to_owned();
    assert!(verdict.contains("10.9.1.2 at hop 2 is the last that answers"), "{verdict}");

    let ran = ask(&chain, &["trace", HOST, "--tcp", "80"], &PATIENT, 1);
    assert_eq!(
        hops(&ran),
        ["10.9.0.2 time_exceeded", "10.9.1.2 time_exceeded", "10.9.1.2 prohibited"],
        "{ran:?}"
    );
    let ran = ask(&chain, &["trace", HOST_V6], &PATIENT, 1);
    assert_eq!(hops(&ran)[2], "fd00:9:1::2 prohibited", "{ran:?}");

    let ran = ask(&chain, &["ping", HOST, "--tcp", "80", "--count", "1"], &PATIENT, 1);
    assert_eq!(rows(&ran, "sequence")[0]["answer"]["outcome"], "prohibited", "{ran:?}");
    let ran = ask(&chain, &["ping", HOST, "--udp", "--count", "2", "--interval", "10ms"], &BRISK, 1);
    assert_eq!(ran.summary()["lost"], 2, "{ran:?}");
    // ICMP gets through.
    ask(&chain, &["ping", HOST, "--count", "1"], &PATIENT, 0);
}

#[test]
fn the_router_that_can_not_pass_large_packets_on_says_so() {
    let chain = Chain::new();
    chain.narrow(2, 1400);
    let ran = ask(&chain, &["trace", HOST, "--size", "1472", "--dont-fragment"], &PATIENT, 1);
    assert_eq!(
        hops(&ran),
        ["10.9.0.2 time_exceeded", "10.9.1.2 time_exceeded", "10.9.1.2 too_big"],
        "{ran:?}"
    );
    assert_eq!(rows(&ran, "ttl")[2]["answers"][0]["mtu_bytes"], 1400);
    // Undivided is not asked for, and routers divide.
    ask(&chain, &["trace", HOST, "--size", "1472"], &PATIENT, 0);
}

fn path_mtu(chain: &Chain, host: &str, options: &[&str]) -> Value {
    ask(chain, &["ping", host, "--mtu"], options, 0).summary()["path_mtu"].take()
}

#[test]
fn the_path_mtu_is_found_with_and_without_the_help_of_routers() {
    let chain = Chain::new();
    for (host, how) in [(HOST, &[][..]), (HOST, &["--udp"]), (HOST_V6, &[])] {
        let found = path_mtu(&chain, host, &[how, &PATIENT].concat());
        assert_eq!((&found["largest_bytes"], &found["said_by"]), (&1500.into(), &Value::Null), "{found}");
    }
    chain.narrow(2, 1400);
    for (host, router) in [(HOST, "10.9.1.2"), (HOST_V6, "fd00:9:1::2")] {
        let found = path_mtu(&chain, host, &PATIENT);
        assert_eq!(found["largest_bytes"], 1400, "{found}");
        assert_eq!((&found["said_by"], &found["said_bytes"]), (&router.into(), &1400.into()), "{found}");
        assert_eq!(found["black_hole"], false, "{found}");
    }
    // Nobody hears of it any more.
    chain.filter(2, "output", "icmp type destination-unreachable drop");
    chain.filter(2, "output", "icmpv6 type packet-too-big drop");
    for host in [HOST, HOST_V6] {
        let found = path_mtu(&chain, host, &BRISK);
        assert_eq!((&found["largest_bytes"], &found["black_hole"]), (&1400.into(), &true.into()), "{found}");
    }
}

#[test]
fn what_is_lost_is_counted_and_what_comes_twice_too() {
    let chain = Chain::new();
    chain.filter(2, "forward", "icmp type echo-request numgen inc mod 2 0 drop");
    let ran = ask(&chain, &["ping", HOST, "--count", "10", "--interval", "50ms"], &["--timeout", "3s"], 0);
    let summary = ran.summary();
    assert_eq!(
        (&summary["packets"], &summary["answered"], &summary["lost"]),
        (&10.into(), &5.into(), &5.into())
    );
    let times = ["min_nanos", "p50_nanos", "p90_nanos", "p99_nanos", "max_nanos"]
        .map(|it| summary[it].as_u64().unwrap());
    assert!(times.is_sorted() && times[0] > 0, "{times:?}");
    let replies = rows(&ran, "sequence");
    let answered = replies.iter().filter(|reply| reply["answer"]["outcome"] == "answered");
    let ttls: Vec<_> = answered.map(|reply| reply["answer"]["ttl"].as_u64().unwrap()).collect();
    assert_eq!(ttls, [64 - ROUTERS as u64; 5], "each router takes one");
    let mut sequences: Vec<_> = replies.iter().map(|reply| reply["sequence"].as_u64().unwrap()).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, Vec::from_iter(1..=10), "each packet has one outcome");

    // A router that passes each answer on twice.
    let twice = chain.node(1);
    twice.command("nft", &["add", "table", "ip", "twice"]);
    let chain_of = ["add", "chain", "ip", "twice", "c", "{ type filter hook prerouting priority 0 ; }"];
    twice.command("nft", &chain_of);
    let rule = "add rule ip twice c icmp type echo-reply dup to 10.9.0.1 device back";
    twice.command("nft", &rule.split(' ').collect::<Vec<_>>());
    // A second answer is waited for as long as there are packets to be sent.
    let ran = ask(&chain, &["ping", HOST, "--count", "4", "--interval", "300ms"], &["--timeout", "3s"], 0);
    let duplicates = ran.summary()["duplicates"].as_u64().unwrap();
    let of_rows = rows(&ran, "sequence").iter().filter(|reply| reply["duplicate"] == true).count();
    assert!(duplicates >= 1 && duplicates == of_rows as u64, "{ran:?}");
}

#[test]
fn a_host_that_is_not_there_and_a_way_that_ends_too_soon_are_said() {
    let chain = Chain::new();
    let ran = ask(&chain, &["ping", "10.9.0.77", "--count", "1"], &PATIENT, 1);
    assert_eq!(rows(&ran, "sequence")[0]["answer"]["outcome"], "unreachable", "{ran:?}");
    let ran = ask(&chain, &["ping", HOST, "--count", "1", "--ttl", "2"], &PATIENT, 1);
    let answer = &rows(&ran, "sequence")[0]["answer"];
    assert_eq!(
        (&answer["outcome"], &answer["from"]),
        (&"time_exceeded".into(), &"10.9.1.2".into()),
        "{ran:?}"
    );
    // Where the last router has no neighbour.
    let ran = ask(&chain, &["ping", "10.9.3.77", "--count", "1"], &PATIENT, 1);
    let answer = &rows(&ran, "sequence")[0]["answer"];
    assert_eq!((&answer["outcome"], &answer["from"]), (&"unreachable".into(), &"10.9.2.2".into()), "{ran:?}");
    chain.node(0).ip("route add prohibit 198.51.100.0/24");
    let ran = ask(&chain, &["ping", "198.51.100.1", "--count", "1"], &PATIENT, 1);
    assert_eq!(rows(&ran, "sequence")[0]["answer"]["outcome"], "not_sent", "{ran:?}");
}

#[test]
fn where_the_kernel_gives_no_icmp_socket_other_ways_are_offered() {
    let chain = Chain::new();
    chain.node(0).set("ipv4/ping_group_range", "1 0");
    let ran = dbgctl(&["ping", &chain.target.name, HOST]).expect_error("ping_group_range");
    assert!(ran.stderr().contains("--udp"), "{ran:?}");
    dbgctl(&["trace", &chain.target.name, HOST, "--icmp"]).expect_error("ping_group_range");
    ask(&chain, &["ping", HOST, "--udp", "--count", "2", "--interval", "10ms"], &PATIENT, 0);
    ask(&chain, &["ping", HOST_V6, "--tcp", "9", "--count", "2", "--interval", "10ms"], &PATIENT, 0);
    dbgctl(&["ping", &chain.target.name, "no-such-name.invalid"]).expect_error("");
}

#[test]
fn answers_are_shown_as_they_come_and_ctrl_c_shows_what_they_amount_to() {
    let chain = Chain::new();
    let arguments = ["ping", &*chain.target.name, HOST, "--count", "10000", "--interval", "50ms"];
    let mut ping = Running::start(&mut dbgctl_command(&arguments));
    ping.line(|line| line.trim_start().starts_with("3  "));
    ping.expect_handler(Signal::SIGINT);
    ping.signal(Signal::SIGINT);
    let ran = ping.finish().expect(0);
    let stdout = ran.stdout();
    let last: Vec<_> = stdout.lines().rev().take(2).collect();
    assert!(last[0].starts_with("min ") && last[0].contains(", jitter "), "{ran:?}");
    assert!(last[1].starts_with(HOST) && last[1].contains(" sent, "), "{ran:?}");
    chain.target.expect_nothing_left();
}

#[test]
fn no_capability_is_needed() {
    let chain = Chain::new();
    ask(&chain, &["ping", HOST, "--count", "1", "--level", "0"], &PATIENT, 0);
    ask(&chain, &["trace", HOST, "--level", "0"], &PATIENT, 0);
}
