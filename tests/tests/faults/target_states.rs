//! Targets in each state of their life: an answer, or a refusal that says why. Never a leftover.

use std::thread;
use std::time::Duration;

use dbgctl_tests::{Target, dbgctl, docker_ok};

use crate::{attach, quick_target, watch};

#[test]
fn a_target_in_a_restart_loop_is_refused_or_said_to_have_ended_and_leaves_nothing() {
    let target = Target::run(&["--restart", "always"], &["exit", "4"]);
    for _ in 0..20 {
        // Whatever moment of its loop this meets: it may even live long enough to be listed.
        let ran = dbgctl(&["ps", &target.name]);
        if ran.code != Some(0) {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            let stderr = ran.stderr();
            let said = ["restart", "exit code 4", "the target stopped"];
            assert!(said.iter().any(|said| stderr.contains(said)), "it says what the target does: {ran:?}");
            assert!(!stderr.contains("the agent was killed"), "it blames the target: {ran:?}");
        }
        target.expect_nothing_left();
        thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn a_target_that_is_paused_in_mid_stream_is_still_answered_about() {
    let target = quick_target(&[]);
    let watch = watch(&target);
    docker_ok(&["pause", &target.id]);
    watch.expect_more_than(watch.output_bytes() + 1000);
    docker_ok(&["unpause", &target.id]);
    watch.expect_more_than(watch.output_bytes() + 1000);
    docker_ok(&["stop", "-t", "0", &target.id]);
    watch.finish().expect_error("the target stopped: it is stopped; it ended with exit code 137, SIGKILL");
    target.expect_nothing_left();
}

#[test]
fn a_session_ends_with_its_target_says_why_and_can_be_attached_to_the_next_run() {
    let target = quick_target(&[]);
    let mut session = attach(&target);
    docker_ok(&["stop", "-t", "0", &target.id]);
    session.expect_talk("the target stopped: it is stopped; it ended with exit code 137, SIGKILL");
    session.ask("reattach");
    session.expect_talk("it is stopped; it ended with");
    docker_ok(&["start", &target.id]);
    session.ask("reattach");
    session.expect_talk("attached again");
    let before = session.output_bytes();
    session.ask("ps");
    session.expect_more_than(before);
    session.end_of_input();
    let ended = session.finish();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    target.expect_nothing_left();
}
