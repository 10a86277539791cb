//! Whoever reads the answer goes away, or has no room for it.

use std::fs::File;
use std::process::Stdio;

use dbgctl_tests::running::Running;
use dbgctl_tests::{dbgctl_command, finish};

use crate::{quick_target, watch_command};

#[test]
fn a_reader_that_has_seen_enough_ends_a_watch_quietly() {
    let target = quick_target(&[]);
    let mut shell = std::process::Command::new("sh");
    // The exit status of dbgctl is said on stderr: that of a pipeline is its last command's.
    shell.args(["-c", r#"{ "$0" ps "$1" --watch 100ms; echo "exit status $?" >&2; } | head -n 1"#]);
    shell.arg(dbgctl_command(&[]).get_program()).arg(&target.name).env_remove("DOCKER_HOST");
    let ended = Running::start(&mut shell).finish().expect(0);
    assert!(ended.stdout().starts_with("PID") && ended.stdout().lines().count() == 1, "{ended:?}");
    assert!(ended.stderr().contains("exit status 0"), "{ended:?}");
    assert!(!ended.stderr().contains("cannot"), "{ended:?}");
    assert!(target.sidecars().is_empty(), "left behind: {:?}", target.sidecars());
}

#[test]
fn a_full_disk_behind_standard_output_is_said_in_three_lines() {
    let target = quick_target(&[]);
    for mut command in [watch_command(&target), dbgctl_command(&["ps", &target.name, "-o", "json"])] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let began = std::time::Instant::now();
        let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let ended = finish(child, format!("{command:?} > /dev/full"), began);
        ended.expect_error("No space left on device");
        assert!(target.sidecars().is_empty(), "left behind: {:?}", target.sidecars());
    }
}

#[test]
fn standard_error_that_is_closed_or_full_does_not_stop_an_answer() {
    let target = quick_target(&[]);
    for redirect in ["2>&-", "2>/dev/full", "2>/dev/null", "<&-"] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!(r#""$0" ps "$1" {redirect}"#)]);
        shell.arg(dbgctl_command(&[]).get_program()).arg(&target.name).env_remove("DOCKER_HOST");
        let ended = Running::start(&mut shell).finish().expect(0);
        assert!(ended.stdout().starts_with("PID"), "{redirect}: {ended:?}");
        assert!(target.sidecars().is_empty(), "left behind: {:?}", target.sidecars());
    }
}

#[test]
fn standard_output_that_is_closed_is_an_error_and_leaves_nothing() {
    let target = quick_target(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", r#""$0" ps "$1" >&-"#]);
    shell.arg(dbgctl_command(&[]).get_program()).arg(&target.name).env_remove("DOCKER_HOST");
    let ended = Running::start(&mut shell).finish();
    assert!(!ended.stderr().contains("panicked"), "{ended:?}");
    assert!(target.sidecars().is_empty(), "left behind: {:?}", target.sidecars());
}
