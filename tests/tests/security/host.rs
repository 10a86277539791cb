//! A target that shares the namespaces of its host.

use std::collections::BTreeSet;

use dbgctl_tests::{Target, dbgctl};

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
