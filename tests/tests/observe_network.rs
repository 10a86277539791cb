//! The network of real containers, compared with what ip(8) and the host say of the same network namespace.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::time::Duration;

use dbgctl_tests::host::{HostProcess, processes_of};
use dbgctl_tests::network::{Answer, IPV6, Network};
use dbgctl_tests::{Target, dbgctl, eventually};
use serde_json::Value;

/// Name, and the 16 figures of `/proc/<pid>/net/dev`, as the host reads them.
fn witness(process: &HostProcess) -> Vec<(String, Vec<u64>)> {
    let file = String::from_utf8(process.read("net/dev")).unwrap();
    let interface = |line: &str| {
        let (name, figures) = line.split_once(':').unwrap();
        let figures = figures.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        (name.trim().to_owned(), figures)
    };
    file.lines().skip(2).map(interface).collect()
}

/// The same from an answer.
fn figures(interface: &Value) -> (String, Vec<u64>) {
    let of = |way: &str, names: [&str; 8]| names.map(|name| interface[way][name].as_u64().unwrap());
    let received = of(
        "received",
        ["bytes", "packets", "errors", "dropped", "fifo_errors", "frame_errors", "compressed", "multicast"],
    );
    let transmitted = of(
        "transmitted",
        [
            "bytes",
            "packets",
            "errors",
            "dropped",
            "fifo_errors",
            "collisions",
            "carrier_errors",
            "compressed",
        ],
    );
    (interface["name"].as_str().unwrap().to_owned(), [received, transmitted].concat())
}

/// What `ip` says in the target's network namespace.
fn ip(namespace: &Network, words: &str) -> Vec<Value> {
    let said = namespace.ip(&format!("-j {words}"));
    serde_json::from_str(if said.trim().is_empty() { "[]" } else { &said }).unwrap()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// What tells one row from another, as text.
fn set(rows: impl Iterator<Item = Vec<String>>) -> BTreeSet<String> {
    rows.map(|row| row.join(" ")).collect()
}

fn same(what: &str, ours: BTreeSet<String>, theirs: BTreeSet<String>, at_least: usize) {
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(
        ours,
        theirs,
        "{what}: only ours {:?}, only theirs {:?}",
        only(&ours, &theirs),
        only(&theirs, &ours)
    );
    assert!(ours.len() >= at_least, "{what}: {ours:?}");
}

/// A network with something of everything.
fn rich() -> (Target, Network, Network) {
    let target = Target::run(&IPV6, &["serve"]).ready();
    let (own, other) = (Network::of(&target), Network::new());
    own.join("uplink", &other, "far");
    own.join("backup", &other, "far2");
    for words in [
        "link set uplink mtu 1400",
        "addr add 10.1.0.2/24 dev uplink",
        "addr add 10.1.0.3/24 dev uplink",
        "addr add 10.2.0.2/24 dev backup valid_lft 4000 preferred_lft 0",
        "addr add 10.3.0.2 peer 10.3.0.9/32 dev backup",
        "addr add fd00:1::2/64 dev uplink nodad",
        "route add default via 10.1.0.1 metric 20",
        "route add 10.20.0.0/16 via 10.1.0.1 mtu 1300 src 10.1.0.3",
        "route add blackhole 10.21.0.0/16",
        "route add prohibit 10.22.0.0/16",
        "route add unreachable 10.23.0.0/16",
        "route add throw 10.24.0.0/16",
        "route add 10.25.0.0/16 nexthop via 10.1.0.1 weight 3 nexthop via 10.2.0.1 weight 1",
        "route add 10.26.0.0/16 via 10.2.0.1 table 77 proto static",
        "-6 route add fd00:9::/48 via fd00:1::1 metric 5",
        "-6 route add blackhole fd00:a::/48",
        "rule add from 10.2.0.0/24 table 77 priority 100",
        "rule add fwmark 0x10/0xff to 10.9.0.0/16 prohibit priority 101",
        "rule add not iif lo unreachable priority 102",
        "-6 rule add from fd00:1::/64 table 78 priority 103",
        "neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev uplink nud permanent",
        "neigh add 10.1.0.7 lladdr 02:00:00:00:00:07 dev uplink nud stale",
        "neigh add fd00:1::1 lladdr 02:00:00:00:00:09 dev uplink nud reachable router",
    ] {
        own.ip(words);
    }
    (target, own, other)
}

#[test]
fn each_figure_lies_between_what_the_host_reads_before_and_after() {
    let target = Target::run(&["--network", "bridge"], &["serve"]).ready();
    let process = &processes_of(&target.id)[0];
    // Something has come through `lo`, which is quiet otherwise.
    dbgctl(&["connect", &target.name, "127.0.0.1:8080"]).expect(0);

    let before = witness(process);
    let answer = Answer::of(&target, "100ms");
    let after = witness(process);

    assert!(answer.header["sampled_nanos"].as_u64() >= Some(100_000_000), "{}", answer.header);
    let lines: Vec<_> = answer.items("interface").map(figures).collect();
    assert_eq!(lines.len(), 2, "lo and eth0: {lines:?}");
    for ((line, before), after) in lines.iter().zip(before).zip(after) {
        assert_eq!((&line.0, &line.0), (&before.0, &after.0));
        let grew = before.1.iter().zip(&line.1).zip(&after.1);
        assert!(grew.clone().all(|((before, line), after)| before <= line && line <= after), "{grew:?}");
    }
    let lo = &lines[0];
    assert!(lo.0 == "lo" && lo.1[0] > 0 && lo.1[0] == lo.1[8], "{lo:?}");
}

#[test]
fn interfaces_and_addresses_are_those_of_ip() {
    let (target, own, _other) = rich();
    // The address of the link itself, fe80::…, is checked for a while before it is used.
    let settled = eventually(Duration::from_secs(10), || !own.ip("addr").contains("tentative"));
    assert!(settled, "{}", own.ip("addr"));
    let answer = Answer::of(&target, "100ms");
    let links = ip(&own, "addr");

    let ours = answer.items("interface").map(|it| {
        let state =
            text(&it["operational_state"]).to_uppercase().replace("LOWER LAYER DOWN", "LOWERLAYERDOWN");
        let of = |name: &str| text(&it[name]);
        vec![
            of("index"),
            of("name"),
            of("mtu_bytes"),
            of("hardware_address"),
            state,
            of("queueing"),
            of("queue_packets"),
        ]
    });
    let theirs = links.iter().map(|it| {
        ["ifindex", "ifname", "mtu", "address", "operstate", "qdisc", "txqlen"]
            .map(|name| text(&it[name]))
            .to_vec()
    });
    same("interfaces", set(ours), set(theirs), 3);

    const FOR_EVER: u64 = u32::MAX as u64;
    let ours = answer.items("address").map(|it| {
        let of = |name: &str| text(&it[name]);
        // Seconds go by.
        let limited = |name: &str| it[name].as_u64().is_some();
        let is = |flag: &str| it["flag_names"].as_str().unwrap().split(',').any(|name| name == flag);
        let odd = format!("{} {} {}", limited("valid_seconds"), is("secondary"), is("deprecated"));
        vec![of("interface_name"), of("ip"), of("prefix_bits"), of("scope"), of("peer"), odd]
    });
    let theirs = links.iter().flat_map(|link| {
        link["addr_info"].as_array().unwrap().iter().map(|it| {
            let of = |name: &str| text(&it[name]);
            let is = |name: &str| it[name] == true;
            let odd = format!(
                "{} {} {}",
                number(&it["valid_life_time"]) != FOR_EVER,
                is("secondary"),
                is("deprecated")
            );
            vec![text(&link["ifname"]), of("local"), of("prefixlen"), of("scope"), of("address"), odd]
        })
    });
    same("addresses", set(ours), set(theirs), 8);
}

/// Where a route leads, as ip(8) writes it.
fn hops(it: &Value, hops: &str, gateway: &str, interface: &str) -> String {
    let hop = |hop: &Value| {
        format!("{}@{}*{}", text(&hop[gateway]), text(&hop[interface]), number(&hop["weight"]).max(1))
    };
    let mut hops: Vec<_> = it[hops].as_array().unwrap().iter().map(hop).collect();
    hops.sort();
    hops.join(",")
}

#[test]
fn routes_rules_and_neighbours_are_those_of_ip() {
    let (target, own, _other) = rich();
    let settled = eventually(Duration::from_secs(10), || !own.ip("addr").contains("tentative"));
    assert!(settled, "{}", own.ip("addr"));
    let answer = Answer::of(&target, "100ms");

    let network = |ip: &str, bits: u64, all: &str| match (ip.contains(':'), bits) {
        (_, 0) => all.to_owned(),
        (false, 32) | (true, 128) => ip.to_owned(),
        _ => format!("{ip}/{bits}"),
    };
    let ours = answer.items("route").filter(|it| it["cached"] == false).map(|it| {
        let of = |name: &str| text(&it[name]);
        let mut leads = hops(it, "next_hops", "gateway", "interface_name");
        // ip(8) does not say where routes of IPv6 that lead nowhere point to.
        if ["blackhole", "unreachable", "prohibit"].contains(&&*of("type")) {
            leads.clear();
        }
        let to = network(&of("destination"), number(&it["prefix_bits"]), "default");
        vec![
            to,
            of("type"),
            of("table"),
            of("protocol"),
            number(&it["metric"]).to_string(),
            of("source"),
            of("mtu_bytes"),
            leads,
        ]
    });
    let both = ["route show table all", "-6 route show table all"].map(|words| ip(&own, words)).concat();
    let theirs = both.iter().map(|it| {
        let or = |name: &str, usual: &str| it.get(name).map_or_else(|| usual.to_owned(), text);
        let mut leads = match it.get("nexthops") {
            Some(_) => hops(it, "nexthops", "gateway", "dev"),
            None if it.get("dev").is_some() => format!("{}@{}*1", text(&it["gateway"]), text(&it["dev"])),
            None => String::new(),
        };
        if ["blackhole", "unreachable", "prohibit"].contains(&&*or("type", "")) {
            leads.clear();
        }
        let mtu = it["metrics"]
            .as_array()
            .and_then(|metrics| metrics.iter().find_map(|it| it.get("mtu")).map(text));
        let metric = number(&it["metric"]).to_string();
        vec![
            or("dst", ""),
            or("type", "unicast"),
            or("table", "main"),
            or("protocol", "boot"),
            metric,
            or("prefsrc", ""),
            mtu.unwrap_or_default(),
            leads,
        ]
    });
    same("routes", set(ours), set(theirs), 18);

    let ours = answer.items("rule").map(|it| {
        let of = |name: &str| text(&it[name]);
        let any = |name: &str| if of(name) == "any" { "all".to_owned() } else { of(name) };
        let action = if of("action") == "table" { of("table") } else { of("action") };
        let mark = it["mark"]
            .as_u64()
            .map_or_else(String::new, |mark| format!("{mark:#x}/{:#x}", number(&it["mark_mask"])));
        vec![
            of("priority"),
            of("ipv6"),
            any("from"),
            any("to").replace("all", ""),
            action,
            mark,
            of("in_interface"),
            of("inverted"),
        ]
    });
    let theirs = [("rule", false), ("-6 rule", true)].map(|(words, ipv6)| {
        ip(&own, words).into_iter().map(move |it| {
            let of = |name: &str| text(&it[name]);
            let with_bits = |name: &str, bits: &str| match number(&it[bits]) {
                0 => of(name),
                bits => network(&of(name), bits, "all"),
            };
            let action = if of("action").is_empty() { of("table") } else { of("action") };
            let mark = if of("fwmark").is_empty() {
                String::new()
            } else {
                format!("{}/{}", of("fwmark"), of("fwmask"))
            };
            let inverted = it.get("not").is_some();
            vec![
                of("priority"),
                ipv6.to_string(),
                with_bits("src", "srclen"),
                with_bits("dst", "dstlen"),
                action,
                mark,
                of("iif"),
                inverted.to_string(),
            ]
        })
    });
    same("rules", set(ours), set(theirs.into_iter().flatten()), 9);

    let ours = answer.items("neighbour").filter(|it| it["state"] != "noarp").map(|it| {
        let of = |name: &str| text(&it[name]);
        vec![of("ip"), of("interface_name"), of("hardware_address"), of("state")]
    });
    let neighbours = ip(&own, "neigh show");
    let theirs = neighbours.iter().map(|it| {
        let of = |name: &str| text(&it[name]);
        vec![of("dst"), of("dev"), of("lladdr"), text(&it["state"][0]).to_lowercase()]
    });
    same("neighbours", set(ours), set(theirs), 3);
}

#[test]
fn the_kernel_says_which_way_a_packet_would_go() {
    let (target, own, _other) = rich();
    let ask = |words: &[&str], code| {
        let line = [&["net", &*target.name, "get-route"], words, &["-o", "json"]].concat();
        dbgctl(&line).expect(code).json().remove(0)
    };
    for destination in ["10.20.0.7", "10.1.0.9", "8.8.8.8", "127.0.0.1", "fd00:9::7"] {
        let (ours, theirs) =
            (ask(&[destination], 0), ip(&own, &format!("route get {destination}")).remove(0));
        assert_eq!(ours["outcome"], "sent");
        assert_eq!(ours["interface"], theirs["dev"], "{ours}\n{theirs}");
        assert_eq!(text(&ours["route"]["source"]), text(&theirs["prefsrc"]), "{ours}\n{theirs}");
        let gateway = text(&ours["route"]["next_hops"][0]["gateway"]);
        assert_eq!(gateway, text(&theirs["gateway"]), "{ours}\n{theirs}");
    }
    assert_eq!(ask(&["10.20.0.7"], 0)["mtu_bytes"], 1300);
    assert_eq!(ask(&["8.8.8.8"], 0)["mtu_bytes"], 1400);
    assert_eq!(ask(&["8.8.8.8"], 0)["next_hop"]["state"], "permanent");
    for (destination, kind, errno) in [
        ("10.21.0.1", "blackhole", "EINVAL"),
        ("10.22.0.1", "prohibit", "EACCES"),
        ("10.23.0.1", "unreachable", "EHOSTUNREACH"),
        ("fd00:a::1", "blackhole", "EINVAL"),
        ("2001:db8::1", "none", "ENETUNREACH"),
    ] {
        let ours = ask(&[destination], 1);
        assert_eq!(ours["route"]["type"], kind, "{ours}");
        assert!(ours["error"].as_str().unwrap().ends_with(&format!("({errno})")), "{ours}");
    }
    // From a bound socket, and with a mark, rules say something else.
    assert_eq!(ask(&["8.8.8.8", "--interface", "backup"], 0)["interface"], "backup");
    assert_eq!(ask(&["10.9.0.1", "--mark", "16"], 1)["route"]["type"], "prohibit");
    dbgctl(&["net", &target.name, "get-route", "8.8.8.8", "--interface", "nope"]).expect_error("interface");
}

#[test]
fn no_capability_is_needed_and_nothing_stays_behind() {
    let target = Target::web();
    let ran = dbgctl(&["net", &target.name, "--level", "0"]).expect(0);
    assert!(ran.stdout().contains("\nINTERFACE  STATE"), "{ran:?}");
    assert!(!ran.stderr().contains("level 1"), "{ran:?}");
    target.expect_nothing_left();
}
