//! Ctrl-C and its kind, at any moment: the CLI cleans up before it ends.

use std::thread;
use std::time::{Duration, Instant};

use dbgctl_tests::chance::Chance;
use dbgctl_tests::dbgctl_command;
use dbgctl_tests::figures::{cycles, say_times};
use dbgctl_tests::proxy::{Fault, Proxy};
use dbgctl_tests::running::Running;
use nix::sys::signal::Signal;

use crate::{STEPS, attach, in_lanes, quick_target, watch};

const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
const LANES: usize = 3;

#[test]
fn an_interrupt_at_any_moment_ends_with_130_and_leaves_nothing_at_all() {
    let mut chance = Chance::new("interrupted");
    let count = cycles(45);
    let chances: Vec<_> = (0..count).map(|_| chance.fork()).collect();
    // One target for each lane: what another lane is doing right now is no leftover.
    let targets: Vec<_> = (0..LANES).map(|_| quick_target(&[])).collect();
    let times = in_lanes(count, LANES, |cycle| {
        let (mut chance, target) = (chances[cycle].clone(), &targets[cycle % LANES]);
        let commands: [&[&str]; 2] = [&["attach", &target.name], &["ps", &target.name, "--watch", "100ms"]];
        let signal = chance.choose(&SIGNALS);
        let cli = Running::start(&mut dbgctl_command(chance.choose(&commands[..])));
        cli.expect_handler(signal);
        thread::sleep(chance.moment(Duration::from_millis(300)));
        let began = Instant::now();
        cli.signal(signal);
        let ended = cli.finish();
        let took = began.elapsed();
        assert_eq!(ended.code, Some(130), "{signal}: {ended:?}");
        assert!(target.sidecars().is_empty(), "{signal}: left behind {:?} {ended:?}", target.sidecars());
        took
    });
    say_times("interrupt: until dbgctl has cleaned up", times);
}

#[test]
fn an_interrupt_at_any_step_of_a_start_ends_with_130_and_leaves_nothing_at_all() {
    let target = quick_target(&[]);
    let slowly = Fault::Delay(Duration::from_millis(300));
    for (index, step) in STEPS[..7].iter().enumerate() {
        let signal = SIGNALS[index % SIGNALS.len()];
        for command in [&["ps"][..], &["attach"], &["attach", "--detach"]] {
            let proxy = Proxy::new(*step, slowly.clone());
            let host = proxy.host();
            let arguments = [&["-H", &host], command, &[&target.name]].concat();
            let cli = Running::start(&mut dbgctl_command(&arguments));
            assert!(proxy.wait_until_met(Duration::from_secs(20)), "{step:?} is not asked for");
            cli.signal(signal);
            let ended = cli.finish();
            assert_eq!(ended.code, Some(130), "{signal} at {step:?}: {ended:?}");
            assert!(target.sidecars().is_empty(), "{signal} at {step:?}: left behind {ended:?}");
        }
    }
}

#[test]
fn an_interrupt_of_a_session_that_reads_from_a_pipe_ends_the_session() {
    let target = quick_target(&[]);
    for signal in SIGNALS {
        let session = attach(&target);
        session.signal(signal);
        let ended = session.finish();
        assert_eq!(ended.code, Some(130), "{signal}: {ended:?}");
        assert!(target.sidecars().is_empty(), "{signal}: left behind {:?}", target.sidecars());
    }
}

#[test]
fn a_second_interrupt_is_not_kept_waiting() {
    let target = quick_target(&[]);
    let watch = watch(&target);
    watch.signal(Signal::SIGINT);
    thread::sleep(Duration::from_millis(1));
    watch.signal(Signal::SIGINT);
    let ended = watch.finish();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    crate::expect_nothing_left_after_the_next_command(&target);
}
