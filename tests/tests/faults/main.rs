//! What goes wrong on bad days: who is killed, what is cut off, and that nothing is left behind by it.
//!
//! Times are measured and said, not judged: a busy machine is no defect. A hang is.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod agent_gone;
mod broken_engine;
mod cli_killed;
mod engine_gone;
mod interrupted;
mod output;
mod target_gone;
mod target_states;

use std::process::Command;
use std::thread;
use std::time::Duration;

use dbgctl_tests::proxy::Request;
use dbgctl_tests::running::Running;
use dbgctl_tests::{Target, dbgctl, dbgctl_command, docker_ok};

/// Starts `dbgctl ps --watch` and waits for its first answer.
#[track_caller]
fn watch(target: &Target) -> Running {
    let watch = Running::start(&mut watch_command(target));
    watch.expect_answer();
    watch
}

fn watch_command(target: &Target) -> Command {
    dbgctl_command(&["ps", &target.name, "--watch", "100ms"])
}

/// Opens a session and waits for its first answer. Questions are typed into it.
#[track_caller]
fn attach(target: &Target) -> Running {
    let mut session = Running::start(&mut dbgctl_command(&["attach", &target.name]));
    session.ask("ps");
    session.expect_answer();
    session
}

/// A target that stops by force: with exit code 137.
fn quick_target(options: &[&str]) -> Target {
    Target::run(&[&["--stop-signal", "KILL"], options].concat(), &["serve", "--workers", "1"])
}

/// Sidecars of the target that run now, by id.
fn running_sidecars(target: &Target) -> Vec<String> {
    let filter = format!("label=dbgctl.target={}", target.id);
    docker_ok(&["ps", "-q", "--filter", &filter]).lines().map(str::to_owned).collect()
}

/// After the next command of dbgctl nothing is left, in any state.
#[track_caller]
fn expect_nothing_left_after_the_next_command(target: &Target) {
    dbgctl(&["gc"]).expect(0);
    target.expect_nothing_left();
}

/// Runs `work` for each of `0..count`, in `lanes` threads, and returns what it returned. A panic is passed on.
fn in_lanes<T: Send>(count: usize, lanes: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let lane = |first: usize| (first..count).step_by(lanes).map(&work).collect::<Vec<_>>();
    let lane = &lane;
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|first| scope.spawn(move || lane(first))).collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Long enough for anything that is going to happen.
const SOON: Duration = Duration::from_secs(2);

/// Each request that a question makes of the engine, in about this order.
const STEPS: [Request; 8] = [
    Request { method: "GET", path_part: "/version" },
    Request { method: "GET", path_part: "/containers/json" },
    Request { method: "GET", path_part: "/containers/dbgctl-test-target" },
    Request { method: "GET", path_part: "/images/" },
    Request { method: "POST", path_part: "/containers/create" },
    Request { method: "POST", path_part: "/attach" },
    Request { method: "POST", path_part: "/start" },
    Request { method: "DELETE", path_part: "/containers/" },
];
