//! `kill -9` of the CLI, at any moment.

use std::thread;
use std::time::{Duration, Instant};

use dbgctl_tests::chance::Chance;
use dbgctl_tests::figures::{cycles, say};
use dbgctl_tests::proxy::{Fault, Proxy};
use dbgctl_tests::running::Running;
use dbgctl_tests::{dbgctl_command, eventually, patiently};

use crate::{
    SOON, STEPS, expect_nothing_left_after_the_next_command, in_lanes, quick_target, running_sidecars,
};

/// The moments of a run: by then it has printed its answer, or it sits at its prompt.
const RUN: Duration = Duration::from_millis(300);

/// How many are killed before anyone looks. More at a time, and most would die while they wait for the engine.
const WAVE: usize = 6;

#[test]
fn a_cli_that_is_killed_at_any_moment_leaves_no_sidecar_running_and_nothing_after_the_next_command() {
    let mut chance = Chance::new("cli killed");
    let target = quick_target(&[]);
    let waves = cycles(60).div_ceil(WAVE);
    let (mut left_over, mut late) = (0, 0);
    for _ in 0..waves {
        let cycles: Vec<_> = (0..WAVE).map(|_| chance.fork()).collect();
        let last_kill = in_lanes(WAVE, WAVE, |index| {
            let mut chance = cycles[index].clone();
            let commands: [&[&str]; 3] =
                [&["attach", &target.name], &["ps", &target.name], &["ps", &target.name, "--watch", "100ms"]];
            let cli = Running::start(&mut dbgctl_command(chance.choose(&commands[..])));
            thread::sleep(chance.moment(RUN));
            let killed = cli.kill();
            assert!(matches!(killed.code, None | Some(0)), "{killed:?}");
            Instant::now()
        });
        let last_kill = last_kill.into_iter().max().unwrap();
        thread::sleep(patiently(SOON).saturating_sub(last_kill.elapsed()));
        late += running_sidecars(&target).len();
        let none_runs = eventually(Duration::from_secs(20), || running_sidecars(&target).is_empty());
        assert!(none_runs, "it runs on without its CLI: {:?}", running_sidecars(&target));
        left_over += target.sidecars().len();
        expect_nothing_left_after_the_next_command(&target);
    }
    say(&format!(
        "cli killed {} times: {late} sidecars ran after 2 s, {left_over} waited for the next command",
        waves * WAVE
    ));
}

#[test]
fn a_cli_that_is_killed_before_or_after_any_step_of_a_start_leaves_nothing_after_the_next_command() {
    let target = quick_target(&[]);
    let faults = [Fault::Swallow, Fault::SwallowAnswer];
    let cases: Vec<_> =
        STEPS.iter().flat_map(|step| faults.iter().map(move |fault| (*step, fault))).collect();
    for (step, fault) in cases {
        let proxy = Proxy::new(step, fault.clone());
        let cli = Running::start(&mut dbgctl_command(&["-H", &proxy.host(), "ps", &target.name]));
        assert!(proxy.wait_until_met(Duration::from_secs(20)), "{step:?} is not asked for");
        if matches!(fault, Fault::SwallowAnswer) {
            // The engine carries out what it was asked to do.
            thread::sleep(Duration::from_millis(200));
        }
        let killed = cli.kill();
        assert_eq!(killed.code, None, "{step:?} {fault:?} {killed:?}");
        drop(proxy);
        let none_runs = eventually(Duration::from_secs(20), || running_sidecars(&target).is_empty());
        assert!(none_runs, "{step:?} {fault:?}: it runs on without its CLI");
        let waits = target.sidecars().len();
        if matches!((step.path_part, fault), ("/start", Fault::Swallow)) {
            assert_eq!(waits, 1, "killed between create and start, it is there and never started");
        }
        expect_nothing_left_after_the_next_command(&target);
    }
}
