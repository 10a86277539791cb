//! A target whose processes come and go two thousand times a second: in half a minute, every pid has been given again.

use std::collections::{BTreeMap, BTreeSet};

use dbgctl_tests::figures::{cycles, say};
use dbgctl_tests::questions::OBSERVING;
use dbgctl_tests::running::Running;
use dbgctl_tests::{Target, dbgctl, dbgctl_command, patience};
use serde_json::Value;

/// Children per second.
const RATE: &str = "2000";

fn churning() -> Target {
    Target::run(&["--pids-limit", "-1"], &["churn", RATE]).ready()
}

/// Says what is wrong with a list of processes, if something is.
fn expect_sane(rows: &[Value], seen: &mut BTreeMap<(u64, u64), Value>) {
    let named = |name: &str| rows.iter().filter(|row| row["command"] == name).count();
    assert_eq!((named("long-lived"), rows.iter().filter(|row| row["pid"] == 1).count()), (1, 1), "{rows:?}");
    let pids: BTreeSet<_> = rows.iter().map(|row| row["pid"].as_u64()).collect();
    assert_eq!(pids.len(), rows.len(), "a pid twice: {rows:?}");
    for row in rows {
        let number = |field: &str| row[field].as_u64().unwrap_or_else(|| panic!("{field} of {row}"));
        // Whoever has the same pid and the same start is the same process, and what it has used does not shrink.
        let used = number("user_time_nanos") + number("system_time_nanos");
        let key = (number("pid"), number("started_boottime_nanos"));
        let before = seen.insert(key, Value::from(used)).and_then(|before| before.as_u64());
        assert!(before.is_none_or(|before| before <= used), "{row} had used {before:?}");
        // A child ends at once: it has none of the time of whoever had its pid before it.
        let is_child = row["command"] == "short-lived";
        assert!(!is_child || used <= 100_000_000 * u64::from(patience()), "{row}");
    }
}

#[test]
fn no_process_is_mixed_up_with_one_that_had_its_pid_before_it_and_none_that_stays_is_missed() {
    let target = churning();
    let mut watch =
        Running::start(&mut dbgctl_command(&["ps", &target.id, "--watch", "250ms", "-o", "json"]));
    let (mut rows, mut seen, mut lists) = (Vec::new(), BTreeMap::new(), 0);
    let wanted = cycles(40);

    while lists < wanted {
        let line: Value = serde_json::from_str(&watch.line(|line| line.starts_with('{'))).unwrap();
        if line.get("pid").is_some() {
            rows.push(line);
        } else if let Some(summary) = line.get("summary") {
            assert_eq!(summary["end"], "complete", "{summary}");
            expect_sane(&rows, &mut seen);
            rows.clear();
            lists += 1;
        }
    }

    say(&format!("{lists} lists, {} processes seen", seen.len()));
    // The two that stay are in every list; whoever else was seen came and went.
    assert!(seen.len() > 2 + wanted, "hardly anything came and went: {}", seen.len());
    assert_eq!(watch.stop_reading(), Some(0));
    target.expect_nothing_left();
}

#[test]
fn whatever_is_asked_of_a_target_whose_processes_come_and_go_is_answered() {
    let target = churning();
    for question in OBSERVING {
        let question = dbgctl_tests::questions::about(&target.id, question);
        for _ in 0..cycles(3) {
            let ran = dbgctl(&[&question[..], &["-o", "json"]].concat()).expect(0);
            assert!(!ran.stdout.is_empty(), "{ran:?}");
        }
    }
    target.expect_nothing_left();
}
