//! The questions, asked of real containers and checked against the host's own view.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command, docker_ok, eventually, host, sidecars_of, unique};
use nix::sys::signal::Signal;
use serde_json::Value;

fn pids(ran: &Ran) -> Vec<u64> {
    ran.rows().iter().map(|row| row["pid"].as_u64().unwrap()).collect()
}

fn ps_json(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["ps", &target.id, "-o", "json"], options].concat()).expect(0)
}

#[test]
fn ps_shows_the_processes_of_a_distroless_container_and_leaves_nothing_behind() {
    let target = Target::web();

    let ps = dbgctl(&["ps", &target.name]).expect(0);

    let stdout = ps.stdout();
    assert_eq!(stdout.matches("/target-program serve --workers 3").count(), 4, "{ps:?}");
    assert!(stdout.starts_with("PID"), "{ps:?}");
    target.expect_nothing_left();
}

#[test]
fn table_wide_json_and_yaml_show_the_same_processes() {
    let target = Target::web();

    let json = ps_json(&target, &[]);

    let facts = |row: &Value| {
        let arguments: Vec<_> =
            row["arguments"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let number = |field: &str| row[field].to_string();
        let first =
            [number("pid"), number("parent_pid"), number("uid"), row["state"].as_str().unwrap().into()];
        (first.to_vec(), arguments.join(" "))
    };
    let expected: Vec<_> = json.rows().iter().map(facts).collect();
    assert_eq!(expected.len(), 4, "{json:?}");
    for format in ["table", "wide"] {
        let ps = dbgctl(&["ps", &target.id, "-o", format]).expect(0);
        let stdout = ps.stdout();
        let shown = stdout.lines().skip(1).map(|line| {
            let words = line.split_whitespace().take(4).map(str::to_owned).collect::<Vec<_>>();
            (words, line[line.find("/target-program").unwrap()..].to_owned())
        });
        let shown: Vec<_> = shown.collect();
        assert_eq!(shown, expected, "{ps:?}");
    }
    let yaml = dbgctl(&["ps", &target.id, "-o", "yaml"]).expect(0).stdout();
    for field in
        ["pid", "parent_pid", "uid", "user", "state", "command", "threads", "origin", "arguments_cut"]
    {
        let value = |line: &str| {
            let line = line.trim_start_matches(['-', ' ']);
            line.strip_prefix(&format!("{field}: ")).map(str::to_owned)
        };
        let in_yaml: Vec<_> = yaml.lines().filter_map(value).collect();
        let in_json: Vec<_> = json.rows().iter().map(|row| row[field].to_string()).collect();
        assert_eq!(in_yaml, in_json, "{field}\n{yaml}");
    }
    assert_eq!(yaml.matches("\n    - \"--workers\"").count(), 4, "{yaml}");
}

#[test]
fn what_ps_says_is_what_the_hosts_kernel_says() {
    let target = Target::web();

    let ps = ps_json(&target, &[]);

    let on_host = host::processes_of(&target.id);
    assert_eq!(pids(&ps), on_host.iter().map(|process| u64::from(process.pid)).collect::<Vec<_>>(), "{ps:?}");
    for (row, process) in ps.rows().iter().zip(&on_host) {
        let stat = |number| process.stat(number).parse::<u64>().unwrap();
        let hundredths = row["started_boottime_nanos"].as_u64().unwrap() / 10_000_000;
        assert_eq!(hundredths, stat(22), "start: {row}");
        assert_eq!(row["virtual_bytes"].as_u64().unwrap(), stat(23), "{row}");
        assert_eq!(row["threads"].as_u64().unwrap(), stat(20), "{row}");
        assert_eq!(row["nice"].to_string(), process.stat(19), "{row}");
        assert_eq!(row["uid"].to_string(), process.status("Uid").split('\t').nth(1).unwrap(), "{row}");
        assert_eq!(
            row["details"]["wait_channel"].as_str().unwrap().as_bytes(),
            process.read("wchan"),
            "{row}"
        );
        let resident_pages = stat(24);
        assert_eq!(row["resident_bytes"].as_u64().unwrap(), resident_pages * 4096, "{row}");
    }
}

#[test]
fn ps_and_docker_top_list_the_same_command_lines() {
    let target = Target::run(&[], &["threads", "3"]).ready();

    let ps = ps_json(&target, &[]);

    let top = docker_ok(&["top", &target.id, "-eo", "pid,nlwp,args"]);
    let listed: Vec<_> =
        top.lines().skip(1).map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).collect();
    assert_eq!(listed, [vec!["4", "/target-program", "threads", "3"]], "{top}");
    let row = &ps.rows()[0];
    assert_eq!((row["threads"].as_u64(), row["arguments"].as_array().unwrap().len()), (Some(4), 3), "{ps:?}");
}

#[test]
fn users_are_named_by_the_targets_own_passwd_and_not_at_level_0() {
    let directory = tempfile::tempdir().unwrap();
    let passwd = directory.path().join("passwd");
    fs::write(&passwd, "root:x:0:0::/:\nshop\x1b[31mkeeper:x:1000:1000::/:/bin/false\n").unwrap();
    let target = Target::create(&["--user", "1000:1000"], &["serve", "--workers", "1"]);
    docker_ok(&["cp", passwd.to_str().unwrap(), &format!("{}:/etc/passwd", target.id)]);
    docker_ok(&["start", &target.id]);
    let target = target.ready();

    let ps = ps_json(&target, &[]);
    let table = dbgctl(&["ps", &target.id]).expect(0);
    let low = ps_json(&target, &["--level", "0"]);

    assert!(ps.rows().iter().all(|row| row["user"] == "shop\u{1b}[31mkeeper"), "{ps:?}");
    assert_eq!(ps.summary()["gaps"].as_array().unwrap().len(), 0, "{ps:?}");
    assert_eq!(table.stdout().matches(r"shop\x1b[31mkeeper").count(), 2, "{table:?}");
    assert!(table.stderr().contains("level 1: CAP_SYS_PTRACE"), "the raise is said: {table:?}");
    assert!(low.rows().iter().all(|row| row["user"].is_null() && row["uid"] == 1000), "{low:?}");
    let gaps = low.summary()["gaps"].to_string();
    assert!(gaps.contains("user names") && gaps.contains("CAP_SYS_PTRACE"), "{low:?}");
    let by_name = ps_json(&target, &["--filter", "user~keeper"]);
    assert_eq!(by_name.rows().len(), 2, "{by_name:?}");
}

#[test]
fn the_sidecar_holds_no_capability_at_level_0_and_ptrace_alone_at_level_1() {
    for (level, expected) in [("0", 0), ("1", 1 << 19)] {
        let target = Target::web();
        let mut watch = Running::start(&mut dbgctl_command(&[
            "ps", &target.id, "--level", level, "-o", "json", "--watch",
        ]));
        watch.line(|line| line.contains("\"summary\""));

        let sidecar = sidecars_of(&target.id).pop().unwrap();
        let agent = host::processes_of(&sidecar).pop().unwrap();

        for set in ["CapEff", "CapPrm"] {
            assert_eq!(
                u64::from_str_radix(&agent.status(set), 16).unwrap(),
                expected,
                "{set} at level {level}"
            );
        }
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(u64::from_str_radix(&agent.status(set), 16).unwrap(), 0, "{set} at level {level}");
        }
        assert_eq!(agent.status("Uid"), "65533\t65533\t65533\t65533");
        assert_eq!(agent.status("NoNewPrivs"), "1");
        watch.signal(Signal::SIGTERM);
        watch.finish().expect(130);
        target.expect_nothing_left();
    }
}

#[test]
fn zombies_are_marked_and_can_be_asked_for() {
    let target = Target::run(&[], &["zombies", "3"]).ready();

    let all = ps_json(&target, &[]);
    let zombies = ps_json(&target, &["--filter", "state=zombie"]);
    let table = dbgctl(&["ps", &target.id]).expect(0);

    assert_eq!(all.rows().len(), 5, "{all:?}");
    let names: Vec<_> =
        zombies.rows().iter().map(|row| row["command"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["zombie-0", "zombie-1", "zombie-2"], "{zombies:?}");
    assert!(zombies.rows().iter().all(|row| row["details"]["swap_bytes"].is_null()), "{zombies:?}");
    assert_eq!(table.stdout().matches(" <zombie>\n").count(), 3, "{table:?}");
}

#[test]
fn a_tree_puts_children_below_their_parents() {
    let target = Target::web();

    let tree = dbgctl(&["ps", &target.id, "--tree"]).expect(0).stdout();

    let branches: Vec<_> =
        tree.lines().skip(1).map(|line| &line[line.find(['├', '└', '/']).unwrap()..]).collect();
    let (program, last) = ("/target-program serve --workers 3", branches[3]);
    assert_eq!(branches[0], program, "{tree}");
    assert_eq!(branches[1], format!("├─ {program}"), "{tree}");
    assert_eq!(last, format!("└─ {program}"), "{tree}");
}

#[test]
fn threads_are_listed_by_name_with_their_process() {
    let target = Target::run(&[], &["threads", "3"]).ready();

    let ps = ps_json(&target, &["--threads"]);

    let mut names = BTreeMap::new();
    for row in ps.rows() {
        assert_eq!(row["pid"], 1, "{ps:?}");
        names.insert(row["tid"].as_u64().unwrap(), row["command"].as_str().unwrap().to_owned());
    }
    let mut in_order: Vec<_> = names.into_values().collect();
    in_order.sort();
    assert_eq!(in_order, ["target-program", "thread-0", "thread-1", "thread-2"], "{ps:?}");
}

#[test]
fn rows_are_sorted_filtered_and_limited_as_asked() {
    let target = Target::web();
    let all = pids(&ps_json(&target, &[]));

    let backwards = pids(&ps_json(&target, &["--sort", "-pid"]));
    let biggest = pids(&ps_json(&target, &["--sort", "rss", "--limit", "1"]));
    let two = ps_json(&target, &["--limit", "2"]);
    let children = pids(&ps_json(&target, &["--filter", "ppid=1", "--filter", "command~serve"]));
    let none = dbgctl(&["ps", &target.id, "--filter", "state=disk-sleep"]).expect(0);

    assert_eq!(backwards, all.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(biggest, all[..1], "pid 1 holds most");
    assert_eq!(pids(&two), all[..2]);
    assert_eq!(two.summary()["end"], "limit", "{two:?}");
    assert_eq!(children, all[1..]);
    assert!(none.stderr().contains("0 of 4 processes"), "{none:?}");
}

#[test]
fn watching_goes_on_until_the_reader_has_seen_enough() {
    let target = Target::web();
    let arguments = ["ps", &target.id, "--watch", "100ms", "-o", "json"];
    let mut watch = Running::start(&mut dbgctl_command(&arguments));

    let first = watch.line(|line| line.contains("\"header\""));
    let second = watch.line(|line| line.contains("\"header\""));

    assert!(first.contains("\"cpu_percent_since\":\"start\""), "{first}");
    assert!(second.contains("\"cpu_percent_since\":\"last_list\""), "{second}");
    let status = watch.stop_reading();
    assert_eq!(status, Some(0), "a closed pipe is no error");
    target.expect_nothing_left();
}

#[test]
fn mem_agrees_with_the_host_on_what_no_one_shares_and_with_the_engine_on_the_limit() {
    let target = Target::run(&["--memory", "64m"], &["memory", "20"]).ready();

    let mem = dbgctl(&["mem", &target.id, "-o", "json"]).expect(0);

    let on_host = host::processes_of(&target.id);
    assert_eq!(on_host.len(), mem.rows().len(), "{mem:?}");
    for (row, process) in mem.rows().iter().zip(&on_host) {
        let bytes = |field: &str| row[field].as_u64().unwrap();
        for (field, key) in [("rss_bytes", "Rss"), ("pss_anon_bytes", "Pss_Anon")] {
            assert_eq!(bytes(field), process.smaps_bytes(key), "{field} of {row}");
        }
        // What is shared of the program's own pages depends on who else runs it at that moment.
        assert!(bytes("uss_bytes") >= process.smaps_bytes("Private_Dirty"), "{row}");
        assert!(
            bytes("uss_bytes") <= bytes("pss_bytes") && bytes("pss_bytes") <= bytes("rss_bytes"),
            "{row}"
        );
    }
    let cgroup = &mem.header()["cgroup"];
    assert_eq!(cgroup["limit"].as_u64().unwrap().to_string(), target.inspect("{{.HostConfig.Memory}}"));
    let current = cgroup["current_bytes"].as_u64().unwrap();
    assert!((20 << 20..64 << 20).contains(&current), "{mem:?}");
    target.expect_nothing_left();
}

#[test]
fn the_sum_of_pss_counts_shared_pages_once() {
    let target = Target::web();

    let mem = dbgctl(&["mem", &target.id, "-o", "json"]).expect(0);
    let table = dbgctl(&["mem", &target.id]).expect(0);

    let sum = |field: &str| mem.rows().iter().map(|row| row[field].as_u64().unwrap()).sum::<u64>();
    // The workers map the same pages as their parent.
    assert!(sum("uss_bytes") < sum("pss_bytes") && sum("pss_bytes") < sum("rss_bytes"), "{mem:?}");
    assert!(table.stdout().contains("\nsum of PSS: "), "{table:?}");
    assert!(table.stdout().contains(", no limit, "), "no limit is not zero: {table:?}");
}

#[test]
fn connect_tells_connected_refused_and_unresolvable_apart() {
    let target = Target::web();
    let connect = |peer: &str, code| dbgctl(&["connect", &target.id, peer, "-o", "json"]).expect(code);

    let connected = connect("127.0.0.1:8080", 0);
    let refused = connect("127.0.0.1:1", 1);
    let unresolvable = connect("no-such-host.invalid:80", 1);

    assert_eq!(connected.json()[0]["outcome"], "connected", "{connected:?}");
    assert_eq!(refused.json()[0]["outcome"], "refused", "{refused:?}");
    assert_eq!(refused.json()[0]["error"], "connection refused (ECONNREFUSED)", "{refused:?}");
    assert!(unresolvable.summary()["resolve_error"].as_str().unwrap().len() > 4, "{unresolvable:?}");
    target.expect_nothing_left();
}

#[test]
fn connect_without_a_network_says_that_there_is_no_route() {
    let target = Target::run(&["--network", "none"], &["serve", "--workers", "1"]).ready();

    let connect = dbgctl(&["connect", &target.id, "192.0.2.1:80", "-o", "json"]).expect(1);

    assert_eq!(connect.json()[0]["outcome"], "no_route", "{connect:?}");
}

/// A user-defined network, removed when it goes out of scope, after the containers in it.
struct Network(String);

impl Network {
    fn create() -> Self {
        let name = unique("network");
        docker_ok(&["network", "create", "--label", "dbgctl-test=1", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let removed = || dbgctl_tests::docker(&["network", "rm", &self.0]).code == Some(0);
        eventually(Duration::from_secs(5), removed);
    }
}

#[test]
fn connect_resolves_as_the_target_does_on_a_network_with_dockers_own_dns() {
    let network = Network::create();
    let join = ["--network", network.0.as_str()];
    let db = Target::run(&join, &["serve", "--port", "5432", "--workers", "1"]).ready();
    let web = Target::run(&join, &["serve", "--workers", "1"]).ready();

    let connect = dbgctl(&["connect", &web.id, &format!("{}:5432", db.name), "-o", "json"]).expect(0);
    let elsewhere = dbgctl(&["connect", &web.id, "no-such-host-here:5432", "-o", "json"]).expect(1);

    let address = db.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    assert_eq!(connect.json()[0]["address"].as_str(), Some(address.as_str()), "{connect:?}");
    assert!(connect.summary()["resolve_nanos"].is_u64(), "{connect:?}");
    assert!(rows_of_connect(&elsewhere).is_empty(), "{elsewhere:?}");
    drop((db, web));
}

fn rows_of_connect(ran: &Ran) -> Vec<Value> {
    ran.json().into_iter().filter(|line| line.get("address").is_some()).collect()
}
