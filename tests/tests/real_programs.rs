//! Programs that people really run, without a shell: every question that observes has a whole answer.

use std::time::Duration;

use dbgctl_tests::questions::{OBSERVING, about};
use dbgctl_tests::{Target, dbgctl, eventually};
use serde_json::Value;

/// What no question can tell, by design: the subject of its gap.
const NEVER_TOLD: [&str; 1] = ["kernel stacks"];

#[track_caller]
fn expect_whole_answers(program: &str, is_up: impl Fn(&[Value]) -> bool) {
    let Some(target) = Target::of_debian(program) else { return };
    let up = eventually(Duration::from_secs(30), || {
        is_up(&dbgctl(&["ps", &target.name, "-o", "json"]).expect(0).rows())
    });
    assert!(up, "{program} is not up: {}", target.logs());
    for question in OBSERVING {
        let words = about(&target.name, question);
        let answer = dbgctl(&[&["-o", "json"], &words[..]].concat()).expect(0);
        let gaps = answer.summary()["gaps"].as_array().cloned().unwrap_or_default();
        let unexpected: Vec<_> =
            gaps.iter().filter(|gap| !NEVER_TOLD.iter().any(|subject| gap["subject"] == **subject)).collect();
        assert!(unexpected.is_empty(), "{program}: {unexpected:?}\n{answer:?}");
        let table = dbgctl(&words).expect(0);
        assert!(table.stdout().lines().count() > 1, "{table:?}");
    }
    target.expect_nothing_left();
}

fn named(rows: &[Value], name: &str) -> usize {
    rows.iter().filter(|row| row["command"].as_str().is_some_and(|command| command.contains(name))).count()
}

#[test]
fn redis_with_its_threads_is_told_whole() {
    expect_whole_answers("redis", |rows| named(rows, "redis-server") == 1 && rows[0]["threads"] == 5);
}

#[test]
fn nginx_whose_workers_have_another_user_than_its_master_is_told_whole() {
    expect_whole_answers("nginx", |rows| named(rows, "nginx") == 3 && rows[1]["user"] == "www-data");
}

#[test]
fn postgres_whose_processes_share_most_of_their_memory_is_told_whole() {
    expect_whole_answers("postgres", |rows| named(rows, "postgres") == 6);
}
