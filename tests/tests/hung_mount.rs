//! A mount that never answers, as of a server that is gone: it is named, and nothing else is held up by it.

use dbgctl_tests::hung_mount::HungMount;
use dbgctl_tests::questions::about;
use dbgctl_tests::{Ran, Target, dbgctl};

/// Longer than what waits for the mount alone, shorter than whoever waits would.
const TIME_LIMIT: [&str; 2] = ["--time-limit", "20s"];

const SILENT: &str = "did not answer within 2 seconds";

fn target() -> Target {
    Target::run(&["-v", "/hung"], &["serve", "--workers", "1"]).ready()
}

#[track_caller]
fn ask(target: &Target, question: &[&str]) -> Ran {
    dbgctl(&[&about(&target.id, question)[..], &TIME_LIMIT].concat())
}

#[test]
fn what_lies_beside_a_mount_that_hangs_is_told_whole() {
    let target = target();
    let Some(_hung) = HungMount::over(&target, "/hung") else { return };

    let ls = ask(&target, &["ls", "/", "-o", "json"]).expect(0);
    let df = ask(&target, &["df", "-o", "json"]).expect(0);
    let find = ask(&target, &["find", "/", "-o", "json"]).expect(0);
    let du = ask(&target, &["du", "/", "-o", "json"]).expect(0);
    let all = ask(&target, &["du", "/", "--mounts", "all", "-o", "json"]).expect(0);

    for (answer, field) in [(&ls, "name"), (&find, "path")] {
        let name = if field == "name" { "hung" } else { "/hung" };
        assert!(answer.json().iter().any(|row| row[field] == name), "{answer:?}");
    }
    assert_eq!(ls.summary()["gaps"].as_array().map(Vec::len), Some(0), "{ls:?}");
    let rows = df.json();
    let hung: Vec<_> = rows.iter().filter(|row| row["path"] == "/hung").collect();
    assert_eq!(hung.len(), 1, "the volume below it is not shown: {df:?}");
    assert!(hung[0]["file_system"] == "fuse" && hung[0]["space"].is_null(), "{df:?}");
    for answer in [&df, &find, &all] {
        assert_eq!(answer.summary()["end"], "complete", "{answer:?}");
        let gaps = answer.summary()["gaps"].to_string();
        assert!(gaps.contains("did not answer within"), "{answer:?}");
    }
    assert_eq!(du.summary()["end"], "complete", "{du:?}");
    target.expect_nothing_left();
}

#[test]
fn whoever_asks_about_a_file_in_a_mount_that_hangs_is_told_so() {
    let target = target();
    let Some(_hung) = HungMount::over(&target, "/hung") else { return };
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy");

    for question in [
        &["ls", "/hung"][..],
        &["find", "/hung"],
        &["du", "/hung"],
        &["stat", "/hung"],
        &["cat", "/hung/file"],
        &["access", "/hung/file", "--uid", "5"],
        &["cp", "/hung/file", copy.to_str().unwrap()],
    ] {
        ask(&target, question).expect_error(SILENT);
    }
    assert!(!copy.exists());
    target.expect_nothing_left();
}

#[test]
fn processes_memory_and_open_files_do_not_wait_for_a_mount_that_hangs() {
    let target = target();
    let Some(_hung) = HungMount::over(&target, "/hung") else { return };

    for question in [&["ps"][..], &["mem"], &["fds"], &["env"], &["cpu", "--sample", "100ms"], &["limits"]] {
        ask(&target, question).expect(0);
    }
}
