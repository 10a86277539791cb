//! The target attacks the agent. It can end or stop it; it can not make dbgctl hang or tell a lie.

use std::thread;
use std::time::{Duration, Instant};

use dbgctl_tests::chance::Chance;
use dbgctl_tests::figures::{cycles, say_times};
use dbgctl_tests::{Target, patiently};

use crate::{attach, in_lanes, quick_target, watch};

const LANES: usize = 4;

/// Not a promise but a sign that the heartbeat does its work: without it, a stopped agent would never be noticed.
const NOTICED: Duration = Duration::from_secs(20);

fn signalled_by_its_target(signal: &str, because: &str) {
    let mut chance = Chance::new(signal);
    let chances: Vec<_> = (0..LANES).map(|_| chance.fork()).collect();
    let times = in_lanes(LANES, LANES, |lane| {
        let mut chance = chances[lane].clone();
        let target = quick_target(&["--user", "0:0"]);
        let mut cycle = || attacked(&target, signal, because, chance.moment(Duration::from_millis(250)));
        (0..cycles(20).div_ceil(LANES)).map(|_| cycle()).collect::<Vec<_>>()
    });
    say_times(&format!("SIG{signal} of the agent: until dbgctl has said so"), times.concat());
}

/// Returns how long it took to be noticed.
fn attacked(target: &Target, signal: &str, because: &str, moment: Duration) -> Duration {
    let watch = watch(target);
    thread::sleep(moment);
    let attack = target.exec(&["kill-agent", signal]).expect(0);
    let began = Instant::now();
    assert_eq!(attack.stdout().lines().count(), 1, "{attack:?}");
    let ended = watch.finish();
    let noticed = began.elapsed();
    ended.expect_error(because);
    assert!(noticed < patiently(NOTICED), "SIG{signal} was noticed after {noticed:?}");
    assert_eq!(target.inspect("{{.State.Status}}"), "running", "the target goes on");
    target.expect_nothing_left();
    noticed
}

#[test]
fn an_agent_that_its_target_kills_is_said_to_be_killed_and_the_target_goes_on() {
    signalled_by_its_target("KILL", "the agent was killed while it answered; the target itself still runs");
}

#[test]
fn an_agent_that_its_target_stops_is_noticed_by_its_silence_and_removed() {
    signalled_by_its_target("STOP", "the agent no longer answers: something has stopped it (SIGSTOP)");
}

#[test]
fn a_session_whose_agent_is_killed_says_so_and_takes_the_next_question_as_over() {
    let target = quick_target(&["--user", "0:0"]);
    let mut attach = attach(&target);
    target.exec(&["kill-agent", "KILL"]).expect(0);
    attach.expect_talk("the agent was killed");
    attach.ask("ps");
    attach.expect_talk("the session is over");
    attach.ask("reattach");
    attach.expect_talk("attached again");
    attach.ask("exit");
    let ended = attach.finish();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    target.expect_nothing_left();
}
