//! The engine itself dies.

use std::fs;
use std::time::{Duration, Instant};

use dbgctl_tests::figures::say_times;
use dbgctl_tests::private_engine::PrivateEngine;
use dbgctl_tests::running::Running;
use dbgctl_tests::{TARGET_IMAGE, dbgctl_command, eventually};

#[test]
fn an_engine_that_dies_in_mid_stream_is_named_and_what_was_left_goes_with_the_next_command_after_it_is_back()
{
    let Some(mut engine) = PrivateEngine::start("128m") else { return };
    let host = engine.host();
    let run =
        ["run", "-d", "--network", "none", "--restart", "always", TARGET_IMAGE, "serve", "--workers", "1"];
    let target = engine.docker(&run);
    for cycle in 0..3 {
        let watch = Running::start(&mut dbgctl_command(&["-H", &host, "ps", &target, "--watch", "100ms"]));
        let mut session = Running::start(&mut dbgctl_command(&["-H", &host, "attach", &target]));
        session.ask("ps");
        watch.expect_answer();
        session.expect_answer();
        engine.kill();
        for cli in [watch, session] {
            let mut cli = cli;
            cli.expect_talk("cannot go on looking into");
            cli.end_of_input();
            let ended = cli.finish();
            assert_eq!(ended.code, Some(2), "cycle {cycle}: {ended:?}");
            assert!(ended.stderr().contains(&host), "it names the engine: {ended:?}");
            assert_eq!(ended.stderr().matches("dbgctl: cannot").count(), 1, "it is said once: {ended:?}");
        }
        engine.dbgctl(&["ps", &target]).expect_error("no container engine answers at");
        engine.revive();
        engine.dbgctl(&["gc"]).expect(0);
        let gone = eventually(Duration::from_secs(5), || sidecars_in(&engine, &target).is_empty());
        assert!(gone, "cycle {cycle}: left behind: {:?}", sidecars_in(&engine, &target));
        let runs = || engine.docker(&["inspect", "-f", "{{.State.Running}}", &target]) == "true";
        assert!(eventually(Duration::from_secs(20), runs), "the engine starts the target again");
        engine.dbgctl(&["ps", &target]).expect(0);
    }
}

#[test]
fn an_agent_whose_engine_died_ends_by_itself() {
    let Some(mut engine) = PrivateEngine::start("128m") else { return };
    let host = engine.host();
    let run = ["run", "-d", "--network", "none", TARGET_IMAGE, "serve", "--workers", "1"];
    let target = engine.docker(&run);
    let watch = Running::start(&mut dbgctl_command(&["-H", &host, "ps", &target, "--watch", "100ms"]));
    watch.expect_answer();
    assert_eq!(agents_of(&target), 1);
    engine.kill();
    let began = Instant::now();
    watch.finish().expect_error(&host);
    // Its standard input stays open: what it can notice is that no one answers its heartbeat.
    let ended = eventually(Duration::from_secs(120), || agents_of(&target) == 0);
    assert!(ended, "it runs on without an engine");
    say_times("agent without an engine: until it has ended", vec![began.elapsed()]);
}

/// Agents on this machine that look into the target.
fn agents_of(target: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.starts_with("/agent\0serve\0") && line.contains(target)).count()
}

/// Sidecars in any state. After a crash, an engine may list what it has removed itself and no longer finds (seen
/// with Docker Engine 20.10, as `Dead`): that is nothing anyone could remove.
fn sidecars_in(engine: &PrivateEngine, target: &str) -> Vec<String> {
    let listed = engine.docker(&["ps", "-aq", "--filter", &format!("label=dbgctl.target={target}")]);
    let exists = |id: &&str| engine.try_docker(&["inspect", id]).code == Some(0);
    listed.lines().filter(exists).map(str::to_owned).collect()
}
