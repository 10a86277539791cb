//! A target that shares the namespaces of its host.

use std::collections::BTreeSet;

use dbgctl_tests::{Target, dbgctl};

#[test]
fn a_target_in_a_namespace_of_the_host_is_refused() {
    for (option, name) in [("--pid", "PID"), ("--network", "network")] {
        let target = Target::run(&[option, "host"], &["threads", "1"]);
        dbgctl(&["ps", &target.name]).expect_error(&format!("shares the host's {name} namespace"));
        dbgctl(&["attach", &target.name, "--detach"])
            .expect_error(&format!("shares the host's {name} namespace"));
        target.expect_nothing_left();
    }
}

#[test]
fn a_target_in_a_container_that_shares_the_hosts_namespace_is_refused_as_well() {
    let first = Target::run(&["--pid=host"], &["threads", "1"]);
    let second = Target::run(&["--pid", &format!("container:{}", first.id)], &["threads", "1"]);
    dbgctl(&["ps", &second.name]).expect_error("shares the host's PID namespace");
    second.expect_nothing_left();
}

#[test]
fn among_the_hosts_processes_the_answer_has_only_the_targets() {
    let target = Target::run(&["--pid=host"], &["many", "3"]);
    for level in ["0", "1"] {
        let ps = dbgctl(&["--host-namespaces", "--level", level, "ps", &target.name, "-o", "json"]).expect(0);
        let listed: BTreeSet<_> = ps.json().iter().filter_map(|row| row["pid"].as_u64()).collect();
        let top = dbgctl_tests::docker_ok(&["top", &target.id, "-eo", "pid"]);
        let own: BTreeSet<u64> = top.lines().filter_map(|line| line.trim().parse().ok()).collect();
        assert_eq!(own.len(), 4, "{top}");
        assert_eq!(listed, own, "{ps:?}");
    }
    target.expect_nothing_left();
}
