//! The target ends while it is looked into.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use dbgctl_tests::chance::Chance;
use dbgctl_tests::figures::{cycles, say_times};
use dbgctl_tests::{Target, docker, docker_ok, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{in_lanes, quick_target, watch};

/// How many targets end at the same time.
const LANES: usize = 4;

/// Ends targets in mid-stream, and checks what the one who watches is told.
fn ended_in_mid_stream(how: &str, end: impl Fn(&Target) + Sync, because: &str, goes_on: bool) {
    let mut chance = Chance::new(how);
    let chances: Vec<_> = (0..LANES).map(|_| chance.fork()).collect();
    let network_namespaces = network_namespaces();
    let times = in_lanes(LANES, LANES, |lane| {
        let mut chance = chances[lane].clone();
        let mut target = quick_target(&[]);
        let mut times = Vec::new();
        for _ in 0..cycles(20).div_ceil(LANES) {
            let watch = watch(&target);
            thread::sleep(chance.moment(Duration::from_millis(250)));
            let began = Instant::now();
            let ended = thread::scope(|scope| {
                scope.spawn(|| end(&target));
                let ended = watch.finish();
                times.push(began.elapsed());
                ended
            });
            ended.expect_error(because);
            target.expect_nothing_left();
            if goes_on {
                docker_ok(&["start", &target.id]);
            } else {
                target = quick_target(&[]);
            }
        }
        times
    });
    say_times(&format!("{how}: until dbgctl has said so"), times.concat());
    let stray = || network_namespaces_of_no_one(&network_namespaces);
    assert!(eventually(Duration::from_secs(10), || stray().is_empty()), "{how}: {:?}", stray());
}

const STOPPED: &str = "the target stopped: it is stopped; it ended with exit code 137, SIGKILL";
const RESTARTED: &str = "the target was restarted; the sidecar ended with its previous run";

#[test]
fn a_target_that_is_stopped_in_mid_stream_is_named_with_its_exit_code() {
    let stop = |target: &Target| drop(docker_ok(&["stop", "-t", "0", &target.id]));
    ended_in_mid_stream("docker stop", stop, STOPPED, true);
}

#[test]
fn a_target_whose_first_process_is_killed_is_named_with_its_exit_code() {
    let kill = |target: &Target| {
        let pid = target.inspect("{{.State.Pid}}").parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    };
    ended_in_mid_stream("kill of pid 1", kill, STOPPED, true);
}

#[test]
fn a_target_that_is_restarted_in_mid_stream_is_told_from_one_that_stopped() {
    let restart = |target: &Target| drop(docker_ok(&["restart", "-t", "0", &target.id]));
    ended_in_mid_stream("docker restart", restart, RESTARTED, true);
}

#[test]
fn a_target_that_is_removed_in_mid_stream_is_said_to_be_removed() {
    let remove = |target: &Target| drop(docker_ok(&["rm", "-f", &target.id]));
    ended_in_mid_stream("docker rm -f", remove, "the target was removed", false);
}

/// Network namespaces that the engine keeps: those that are mounted. Their files go later, in the background.
fn network_namespaces() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter_map(|point| point.split_once("/docker/netns/")).map(|(_, name)| name.to_owned()).collect()
}

/// Those that were not there `before` and that no container has now: others work with the engine too.
fn network_namespaces_of_no_one(before: &BTreeSet<String>) -> Vec<String> {
    let now = network_namespaces();
    let keys = docker_ok(&["ps", "-q"]).lines().map(sandbox).collect::<String>();
    now.difference(before).filter(|name| !keys.contains(name.as_str())).cloned().collect()
}

/// Path of the network namespace of a container, if that still runs.
fn sandbox(id: &str) -> String {
    docker(&["inspect", "-f", "{{.NetworkSettings.SandboxKey}}", id]).stdout()
}
