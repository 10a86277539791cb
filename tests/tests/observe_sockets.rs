//! The sockets of real containers, compared with what ss(8) says of the same network namespace before and after.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use dbgctl_tests::{Ran, Target, dbgctl, eventually, host, run};
use serde_json::Value;

/// Without it there is no IPv6, not even on the loopback interface.
const IPV6: [&str; 2] = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"];

fn target(arguments: &[&str]) -> Target {
    Target::run(&IPV6, &[&["sockets"], arguments].concat()).ready()
}

fn sockets(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["sockets", &target.id, "-o", "json"], options].concat()).expect(0)
}

fn rows(ran: &Ran) -> Vec<Value> {
    ran.json().into_iter().filter(|line| line.get("protocol").is_some()).collect()
}

/// Rows of these protocols by what tells each from all others.
fn by_cookie(ran: &Ran, protocols: &[&str]) -> BTreeMap<u64, Value> {
    let is_wanted = |row: &Value| protocols.iter().any(|protocol| row["protocol"] == *protocol);
    rows(ran).into_iter().filter(is_wanted).map(|row| (row["cookie"].as_u64().unwrap(), row)).collect()
}

/// One line of ss.
#[derive(Debug, Clone)]
struct Witness {
    columns: Vec<String>,
}

impl Witness {
    /// What follows `key:`.
    fn value(&self, key: &str) -> Option<&str> {
        self.columns.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix(':'))
    }

    /// The nth number of what follows `key:`, or 0: ss leaves out zeros.
    fn number(&self, key: &str, nth: usize) -> f64 {
        let numbers = self.value(key).unwrap_or_default().split(['/', ',']);
        let number =
            |text: &str| text.trim_end_matches(|end: char| !end.is_ascii_digit()).parse().unwrap_or(0.0);
        numbers.map(number).nth(nth).unwrap_or(0.0)
    }

    /// `pid` in the container, and descriptor, of `users:((…,pid=…,fd=…),…)`.
    fn users(&self, pids: &BTreeMap<u64, u64>) -> BTreeSet<(u64, u64)> {
        let number = |part: &str, key: &str| {
            let digits: String = part.split_once(key)?.1.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().ok()
        };
        let users = self.value("users").unwrap_or_default().split("),(");
        users.filter_map(|part| Some((*pids.get(&number(part, "pid=")?)?, number(part, "fd=")?))).collect()
    }
}

/// Lines of `ss` in the network namespace of the target.
fn ss(target: &Target, options: &str) -> Vec<Witness> {
    let pid = target.inspect("{{.State.Pid}}");
    let ran = run(Command::new("nsenter").args(["-n", "-t", &pid, "ss", options])).expect(0);
    let line = |line: &str| Witness { columns: line.split_whitespace().map(str::to_owned).collect() };
    ran.stdout().lines().map(line).collect()
}

fn ss_by_cookie(target: &Target) -> BTreeMap<u64, Witness> {
    let cookie = |line: &Witness| line.value("sk").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    ss(target, "-HtanpieoumO").into_iter().map(|line| (cookie(&line).unwrap(), line)).collect()
}

/// Pids in the container by those on the host.
fn pids(target: &Target) -> BTreeMap<u64, u64> {
    host::processes_of(&target.id).iter().map(|it| (it.host_pid.into(), it.pid.into())).collect()
}

/// An address as ss writes it.
fn end(row: &Value, which: &str) -> String {
    let end = &row[which];
    let is_v6 = row["family"] == "ipv6";
    let nowhere = if is_v6 { "[::]:*" } else { "0.0.0.0:*" };
    let takes_both = row["ipv6_only"] == false;
    let Some(ip) = end["ip"].as_str() else { return if takes_both { "*:*".into() } else { nowhere.into() } };
    let ip = match (is_v6, ip) {
        (true, "::") if takes_both => "*".to_owned(),
        (true, ip) => format!("[{ip}]"),
        (false, ip) => ip.to_owned(),
    };
    format!("{ip}:{}", end["port"])
}

/// What ss calls a figure, which of several, where an answer has it, and how many of our units are one of ss's.
const FIGURES: &[(&str, usize, &str, f64)] = &[
    ("uid", 0, "/uid", 1.0),
    ("rto", 0, "/tcp/rto_micros", 1000.0),
    ("rtt", 0, "/tcp/rtt_micros", 1000.0),
    ("rtt", 1, "/tcp/rtt_variation_micros", 1000.0),
    ("ato", 0, "/tcp/ato_micros", 1000.0),
    ("mss", 0, "/tcp/send_mss_bytes", 1.0),
    ("pmtu", 0, "/tcp/path_mtu_bytes", 1.0),
    ("rcvmss", 0, "/tcp/receive_mss_bytes", 1.0),
    ("advmss", 0, "/tcp/advertised_mss_bytes", 1.0),
    ("wscale", 0, "/tcp/send_window_scale", 1.0),
    ("wscale", 1, "/tcp/receive_window_scale", 1.0),
    ("cwnd", 0, "/tcp/congestion_window", 1.0),
    ("ssthresh", 0, "/tcp/send_threshold", 1.0),
    ("unacked", 0, "/tcp/unacked", 1.0),
    ("sacked", 0, "/tcp/sacked", 1.0),
    ("lost", 0, "/tcp/lost", 1.0),
    ("retrans", 0, "/tcp/retransmitted", 1.0),
    ("retrans", 1, "/tcp/total_retransmits", 1.0),
    ("bytes_sent", 0, "/tcp/bytes_sent", 1.0),
    ("bytes_retrans", 0, "/tcp/bytes_retransmitted", 1.0),
    ("bytes_acked", 0, "/tcp/bytes_acked", 1.0),
    ("bytes_received", 0, "/tcp/bytes_received", 1.0),
    ("segs_out", 0, "/tcp/segments_sent", 1.0),
    ("segs_in", 0, "/tcp/segments_received", 1.0),
    ("data_segs_out", 0, "/tcp/data_segments_sent", 1.0),
    ("data_segs_in", 0, "/tcp/data_segments_received", 1.0),
    ("lastsnd", 0, "/tcp/last_data_sent_millis", 1.0),
    ("lastrcv", 0, "/tcp/last_data_received_millis", 1.0),
    ("lastack", 0, "/tcp/last_ack_received_millis", 1.0),
    ("busy", 0, "/tcp/busy_micros", 1000.0),
    ("delivered", 0, "/tcp/delivered", 1.0),
    ("rcv_rtt", 0, "/tcp/receive_rtt_micros", 1000.0),
    ("rcv_space", 0, "/tcp/receive_space_bytes", 1.0),
    ("rcv_ssthresh", 0, "/tcp/receive_threshold_bytes", 1.0),
    ("minrtt", 0, "/tcp/min_rtt_micros", 1000.0),
    ("snd_wnd", 0, "/tcp/send_window_bytes", 1.0),
    ("notsent", 0, "/tcp/not_sent_bytes", 1.0),
    ("rcv_ooopack", 0, "/tcp/out_of_order", 1.0),
];

/// `skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)`, in order.
const MEMORY: [&str; 9] = [
    "receive_bytes",
    "receive_buffer_bytes",
    "send_bytes",
    "send_buffer_bytes",
    "forward_bytes",
    "send_queued_bytes",
    "option_bytes",
    "backlog_bytes",
    "drops",
];

fn memory(witness: &Witness) -> Vec<u64> {
    let list = witness.value("skmem").unwrap_or_default().trim_matches(['(', ')']);
    list.split(',')
        .map(|part| part.trim_start_matches(|c: char| c.is_alphabetic()).parse().unwrap_or(0))
        .collect()
}

/// How ss names our timers.
fn timer_word(row: &Value) -> Option<&'static str> {
    Some(match row["timer"]["kind"].as_str()? {
        "retransmit" => "on",
        "keepalive" => "keepalive",
        "time_wait" => "timewait",
        "probe" => "persist",
        other => panic!("{other}"),
    })
}

/// ss says of a listening socket how many wait where it says of others how many bytes.
fn queues(row: &Value) -> (u64, u64) {
    let figure = |name: &str| row[name].as_u64();
    let recv = figure("accept_queue").or(figure("recv_queue_bytes"));
    let send = figure("accept_queue_limit").or(figure("send_queue_bytes"));
    (recv.unwrap(), send.unwrap())
}

/// Everything that ss says of an internet socket, against what we say. What changes lies between before and after.
#[track_caller]
fn expect_equal(row: &Value, before: &Witness, after: &Witness, pids: &BTreeMap<u64, u64>) {
    let told = format!("{row}\n{before:?}\n{after:?}");
    let columns = &before.columns;
    let state = row["state"].as_str().unwrap().to_uppercase().replace('_', "-");
    let state = match state.as_str() {
        "ESTABLISHED" => "ESTAB",
        "UNCONNECTED" => "UNCONN",
        other => other,
    };
    assert_eq!((row["protocol"].as_str().unwrap(), state), (&*columns[0], &*columns[1]), "{told}");
    let expected = (columns[2].parse().unwrap(), columns[3].parse().unwrap());
    assert_eq!(queues(row), expected, "{told}");
    assert_eq!((end(row, "local"), end(row, "peer")), (columns[4].clone(), columns[5].clone()), "{told}");
    assert_eq!(row["inode"].to_string(), before.value("ino").unwrap(), "{told}");

    let owners = row["owners"].as_array().unwrap().iter();
    let owners: BTreeSet<_> =
        owners.map(|owner| (owner["pid"].as_u64().unwrap(), owner["number"].as_u64().unwrap())).collect();
    assert_eq!(owners, before.users(pids), "{told}");

    let timer = before.value("timer").and_then(|timer| timer.trim_start_matches('(').split(',').next());
    assert_eq!(timer_word(row), timer, "{told}");
    let arrow = match (row["receive_shutdown"] == true, row["send_shutdown"] == true) {
        (false, false) => "<->",
        (true, false) => "-->",
        (false, true) => "<--",
        (true, true) => "---",
    };
    let says_arrow = columns.iter().find(|word| ["<->", "-->", "<--", "---"].contains(&word.as_str()));
    assert!(says_arrow.is_none_or(|says| says == arrow), "{told}");
    if before.value("skmem").is_some() {
        let ours = MEMORY.map(|name| row["memory"][name].as_u64().unwrap());
        assert_eq!(ours, *memory(before), "{told}");
    }
    if let Some(name) = row["congestion_control"].as_str() {
        assert!(columns.iter().any(|word| word == name), "{told}");
    }
    // Of a listening socket ss shows the settings of connections to come; before the answer to SYN nothing is settled.
    if ["listen", "syn_sent"].contains(&row["state"].as_str().unwrap()) {
        return;
    }
    for &(key, nth, pointer, scale) in FIGURES {
        let ours = row.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0);
        let (before, after) = (before.number(key, nth) * scale, after.number(key, nth) * scale);
        // ss rounds to six digits, and some times to milliseconds.
        let rounding = if key == "busy" { 1000.0 } else { before.abs() * 1e-5 };
        let within = before.min(after) - rounding <= ours && ours <= before.max(after) + rounding;
        assert!(within, "{key} {nth}: {before} {ours} {after}\n{told}");
    }
}

/// Asks, with ss before and after, and compares all internet sockets. Returns the answer.
#[track_caller]
fn expect_as_ss(target: &Target) -> Ran {
    let pids = pids(target);
    let before = ss_by_cookie(target);
    let ran = sockets(target, &[]);
    let after = ss_by_cookie(target);
    let ours = by_cookie(&ran, &["tcp", "udp"]);
    assert_eq!(ours.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{ran:?}");
    for (cookie, row) in &ours {
        if row["state"] == "syn_sent" {
            // It is sent again in between.
            assert_eq!((end(row, "local"), end(row, "peer")), {
                let columns = &before[cookie].columns;
                (columns[4].clone(), columns[5].clone())
            });
            continue;
        }
        expect_equal(row, &before[cookie], &after[cookie], &pids);
    }
    ran
}

#[test]
fn a_thousand_sockets_of_all_kinds_are_told_as_ss_tells_them() {
    let target = target(&["--pairs", "125", "--time-wait", "40", "--close-wait", "40"]);
    // Packets that the packet socket saw are still being counted to it.
    std::thread::sleep(Duration::from_millis(300));

    let ran = expect_as_ss(&target);

    assert!(rows(&ran).len() >= 1000, "{}", rows(&ran).len());
    let states: BTreeSet<_> = rows(&ran).iter().map(|row| row["state"].to_string()).collect();
    for state in ["established", "listen", "close_wait", "fin_wait_2", "time_wait", "unconnected"] {
        assert!(states.contains(&format!("{state:?}")), "{states:?}");
    }
    assert_eq!(ran.summary()["sent"], rows(&ran).len(), "{:?}", ran.summary());
    target.expect_nothing_left();
}

#[test]
fn local_sockets_have_their_names_and_peers_as_ss_tells_them() {
    let target = target(&[]);
    let pids = pids(&target);

    let witnesses = ss(&target, "-HxanpemO");
    let ran = sockets(&target, &["--type", "unix"]);

    let rows = rows(&ran);
    // `u_str ESTAB 0 0 * 12345 * 12346 users:(…)`. One name has a newline, and ss writes it as it is.
    let readable =
        witnesses.iter().filter(|line| line.columns[0].starts_with("u_") && line.columns.len() > 9);
    let mut compared = 0;
    for witness in readable {
        let columns = &witness.columns;
        let peer_at = columns.iter().rposition(|word| word == "*").unwrap();
        if peer_at + 1 >= columns.len() || columns[1] == "LISTEN" && columns[4].starts_with("@a") {
            continue;
        }
        let (inode, peer): (u64, u64) =
            (columns[peer_at - 1].parse().unwrap(), columns[peer_at + 1].parse().unwrap());
        let row =
            rows.iter().find(|row| row["inode"] == inode).unwrap_or_else(|| panic!("{witness:?} {ran:?}"));
        let kind = match &*columns[0] {
            "u_str" => "stream",
            "u_dgr" => "datagram",
            _ => "seqpacket",
        };
        assert_eq!(row["type"], kind, "{witness:?}");
        assert_eq!(row["unix"]["peer_inode"].as_u64().unwrap_or(0), peer, "{witness:?} {row}");
        let name = columns[4..peer_at - 1].join(" ");
        assert_eq!(row["unix"]["name"].as_str().unwrap_or("*"), name, "{row}");
        let expected = (columns[2].parse().unwrap(), columns[3].parse().unwrap());
        assert_eq!(queues(row), expected, "{witness:?} {row}");
        let owners = row["owners"].as_array().unwrap().iter();
        let owners: BTreeSet<_> =
            owners.map(|owner| (owner["pid"].as_u64().unwrap(), owner["number"].as_u64().unwrap())).collect();
        assert_eq!(owners, witness.users(&pids), "{witness:?}");
        assert_eq!(MEMORY.map(|name| row["memory"][name].as_u64().unwrap()), *memory(witness), "{row}");
        compared += 1;
    }
    assert_eq!(compared, rows.len() - 1, "{ran:?}");

    // Both ends of a pair name each other's holders.
    for row in rows.iter().filter(|row| row["unix"]["peer_inode"].is_u64()) {
        let peer = rows.iter().find(|peer| peer["inode"] == row["unix"]["peer_inode"]).unwrap();
        assert_eq!(row["unix"]["peer_owners"], peer["owners"], "{row}");
        assert_eq!(row["unix"]["peer_name"], peer["unix"]["name"], "{row}");
    }
    let table = dbgctl(&["sockets", &target.id, "--type", "unix"]).expect(0).stdout();
    assert!(
        table.contains(r"@a b\n00000000fa9bd5f9: 00000002 00000000 00010000 0001 01  1 /forged\x1b[31m\xff")
    );
    assert!(!table.contains("\n00000000fa9bd5f9") && !table.contains('\x1b'), "{table}");
}

#[test]
fn sockets_without_ports_are_told_with_who_holds_them() {
    let target = target(&[]);
    let ran = sockets(&target, &[]);
    for (protocol, count) in [("raw", 2), ("packet", 1), ("udplite", 1), ("netlink", 1), ("icmp", 1)] {
        let rows = rows(&ran);
        let held =
            rows.iter().filter(|row| row["protocol"] == protocol && row["owners"] != Value::Array(vec![]));
        assert_eq!(held.count(), count, "{protocol}: {ran:?}");
    }
    let packet = rows(&ran).into_iter().find(|row| row["protocol"] == "packet").unwrap();
    assert_eq!(packet["packet"]["ethertype"], 3, "{packet}");
    let icmp = rows(&ran).into_iter().find(|row| row["protocol"] == "icmp").unwrap();
    assert_eq!(icmp["local"], serde_json::json!({ "ip": "127.0.0.1", "port": 77 }), "{icmp}");
    let everything = sockets(&target, &["--all", "--type", "netlink"]);
    assert!(rows(&everything).len() > 1, "the kernel's own as well: {everything:?}");
}

#[test]
fn a_full_accept_queue_comes_first_and_is_said_in_words() {
    let target = target(&["--full"]);
    let ss_drops = || {
        let ran = sockets(&target, &["--listening", "--port", "7001"]);
        rows(&ran)[0]["memory"]["drops"].as_u64().unwrap_or(0)
    };
    // The queue is full at once; a connection is dropped when its SYN comes again.
    assert!(eventually(Duration::from_secs(10), || ss_drops() > 0));

    let ran = sockets(&target, &[]);
    let table = dbgctl(&["sockets", &target.id]).expect(0).stdout();

    let first = &rows(&ran)[0];
    assert_eq!((&first["state"], &first["local"]["port"]), (&"listen".into(), &7001.into()), "{ran:?}");
    assert_eq!((&first["accept_queue"], &first["accept_queue_limit"]), (&2.into(), &1.into()), "{first}");
    assert_eq!(first["owners"][0]["pid"], 1, "{first}");
    let header = ran.json()[0]["header"].clone();
    let overflows = header["listen_overflows"].as_u64().unwrap();
    assert!(overflows > 0 && header["listen_drops"].as_u64().unwrap() >= overflows, "{header}");
    assert!(
        table.contains(
            "the accept queue of 127.0.0.1:7001 of process 1 (target-program) and 1 more is full: 2 connections wait and 1 may"
        ),
        "{table}"
    );
    assert!(table.contains("connections found an accept queue full"), "{table}");
    let tried = rows(&ran).into_iter().filter(|row| row["state"] == "syn_sent").collect::<Vec<_>>();
    assert_eq!(tried.len(), 2, "{ran:?}");
    assert!(tried.iter().all(|row| row["timer"]["kind"] == "retransmit"), "{tried:?}");
}

#[test]
fn connections_that_a_program_forgets_to_close_are_counted_to_it() {
    let target = target(&["--close-wait", "30", "--time-wait", "20"]);

    let ran = expect_as_ss(&target);
    let table = dbgctl(&["sockets", &target.id, "--state", "close-wait"]).expect(0).stdout();
    let summary = dbgctl(&["sockets", &target.id, "--summary"]).expect(0).stdout();

    let in_state = |state: &str| rows(&ran).iter().filter(|row| row["state"] == state).count();
    assert_eq!((in_state("close_wait"), in_state("fin_wait_2"), in_state("time_wait")), (30, 30, 20));
    assert!(
        rows(&ran)[..30].iter().all(|row| row["state"] == "close_wait"),
        "the troubled ones first: {ran:?}"
    );
    assert!(
        table.contains(
            "30 connections of process 1 (target-program) and 1 more are in CLOSE-WAIT: the peers have"
        ),
        "{table}"
    );
    assert!(!table.contains("ESTAB"), "{table}");
    for expected in [["CLOSE-WAIT", "30"], ["TIME-WAIT", "20"]] {
        let has = |line: &str| line.split_whitespace().skip(1).take(2).eq(expected);
        assert!(summary.lines().any(has), "{summary}");
    }
    let waiting = rows(&ran).into_iter().find(|row| row["state"] == "time_wait").unwrap();
    assert_eq!(
        (&waiting["inode"], &waiting["uid"], &waiting["tcp"]),
        (&0.into(), &Value::Null, &Value::Null)
    );
}

#[test]
fn where_there_is_only_ipv6_all_is_told() {
    let target = target(&["--ipv6-only", "--pairs", "5"]);
    let ran = expect_as_ss(&target);
    let internet = by_cookie(&ran, &["tcp", "udp"]);
    assert!(internet.len() == 5 * 4 + 1, "{}", internet.len());
    assert!(internet.values().all(|row| row["family"] == "ipv6"), "{ran:?}");
}

#[test]
fn what_is_listed_can_be_narrowed_down() {
    let target = target(&["--close-wait", "5"]);
    let count = |options: &[&str]| rows(&sockets(&target, options)).len();
    let all = rows(&sockets(&target, &[]));
    let matching = |is: &dyn Fn(&Value) -> bool| all.iter().filter(|row| is(row)).count();

    assert_eq!(count(&["--type", "udp"]), matching(&|row| row["protocol"] == "udp"));
    assert_eq!(count(&["--port", "7002"]), 1 + 5 + 5);
    assert_eq!(count(&["--port", "7002", "--state", "listen"]), 1);
    assert_eq!(count(&["--address", "127.0.0.0/8", "--state", "established", "--type", "tcp"]), 4 * 2 + 2);
    assert_eq!(
        count(&["--process", "shares"]),
        matching(&|row| row["owners"].as_array().unwrap().len() > 1),
        "what the child has, the parent has too"
    );
    assert_eq!(count(&["--process", "4000000"]), 0);
    assert_eq!(count(&["--limit", "3"]), 3);
    let listening = rows(&sockets(&target, &["--listening"]));
    assert!(listening.iter().any(|row| row["protocol"] == "udp") && !listening.is_empty());
    assert!(listening.iter().all(|row| row["state"] != "established"), "{listening:?}");
    // The v4-mapped connection is told apart from IPv4, and is found by its IPv4 address.
    let mapped = all.iter().filter(|row| row["local"]["ip"] == "::ffff:127.0.0.1").count();
    assert_eq!(mapped, 2);
}

#[test]
fn without_a_capability_all_but_the_owners_is_told_and_a_gap_names_what_is_lacking() {
    let target = target(&["--pairs", "3"]);

    let ran = sockets(&target, &["--level", "0"]);
    let with_owners = sockets(&target, &[]);

    let gap =
        &ran.summary()["gaps"].as_array().unwrap().iter().find(|gap| gap["subject"] == "owners").cloned();
    let gap = gap.clone().unwrap_or_else(|| panic!("{ran:?}"));
    assert!(gap["reason"].as_str().unwrap().contains("needs CAP_SYS_PTRACE"), "{gap}");
    let ours = by_cookie(&ran, &["tcp", "udp"]);
    assert_eq!(ours.len(), by_cookie(&with_owners, &["tcp", "udp"]).len());
    let connected = |row: &&Value| row["state"] == "established" && row["protocol"] == "tcp";
    assert!(
        ours.values().filter(connected).all(|row| row["tcp"]["rtt_micros"].as_u64() > Some(0)),
        "{ran:?}"
    );
    assert!(ours.values().all(|row| row["owners"] == Value::Array(vec![])), "{ran:?}");
    target.expect_nothing_left();
}

#[test]
fn dbgctls_own_sockets_are_left_out_also_in_a_session() {
    let target = target(&["--ipv6-only"]);
    let alone = rows(&sockets(&target, &[])).len();
    dbgctl(&["attach", &target.name, "--detach"]).expect(0);
    let beside = rows(&sockets(&target, &[])).len();
    let all = rows(&sockets(&target, &["--all", "--type", "unix"]));
    dbgctl(&["detach", &target.name]).expect(0);
    assert_eq!(alone, beside);
    let own = |row: &&Value| row["unix"]["name"].as_str().is_some_and(|name| name.contains("dbgctl"));
    assert!(all.iter().any(|row| own(&row)), "{all:?}");
}

#[test]
fn a_target_that_runs_as_the_agents_user_hides_nothing() {
    let target = Target::run(&["--user", "65533:65533"], &["serve", "--workers", "1"]).ready();

    let ran = sockets(&target, &[]);

    let rows = rows(&ran);
    let listens = rows.iter().find(|row| row["state"] == "listen").unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!((&listens["uid"], &listens["local"]["port"]), (&65533.into(), &8080.into()), "{ran:?}");
    assert!(rows.iter().all(|row| row["protocol"] != "unix"), "those of the agent itself: {ran:?}");
    assert_eq!(ran.summary()["gaps"].as_array().map(Vec::len), Some(0), "{ran:?}");
}
