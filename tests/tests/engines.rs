//! Engines that are not in the best of states, and one that maps users: each a private one.

use std::time::Duration;

use dbgctl_tests::eventually;
use dbgctl_tests::private_engine::PrivateEngine;

fn run_target(engine: &PrivateEngine) -> String {
    let run = ["run", "-d", "--network", "none", "dbgctl-test/target", "serve", "--workers", "2"];
    let id = engine.docker(&run);
    assert!(eventually(Duration::from_secs(30), || engine.docker(&["logs", &id]).contains("ready")));
    id
}

fn expect_nothing_left(engine: &PrivateEngine) {
    let left = || engine.docker(&["ps", "-aq", "--filter", "label=dbgctl.session"]);
    assert!(eventually(Duration::from_secs(2), || left().is_empty()), "left behind: {}", left());
}

#[test]
fn a_full_disk_while_loading_is_said_and_space_is_all_it_takes() {
    let Some(engine) = PrivateEngine::start("48m") else { return };
    let target = run_target(&engine);

    let filler = engine.fill_disk(256 << 10);
    let ps = engine.dbgctl(&["ps", &target]).expect_error("no space left on device");
    assert!(ps.stdout.is_empty(), "{ps:?}");
    assert!(ps.stderr().contains("docker system df"), "{ps:?}");
    expect_nothing_left(&engine);

    drop(filler);
    let ps = engine.dbgctl(&["ps", &target]).expect(0);
    assert_eq!(ps.stdout().matches("serve --workers 2").count(), 3, "{ps:?}");
    expect_nothing_left(&engine);
}

#[test]
fn an_engine_that_remaps_users_is_answered_with_the_users_of_the_target() {
    let Some(engine) = PrivateEngine::with_remapped_users("64m") else { return };
    let target = run_target(&engine);

    let ps = engine.dbgctl(&["ps", &target, "-o", "json"]).expect(0);
    let mem = engine.dbgctl(&["mem", &target, "-o", "json"]).expect(0);

    assert_eq!(ps.rows().len(), 3, "{ps:?}");
    assert!(ps.rows().iter().all(|row| row["uid"] == 0), "as the target sees itself: {ps:?}");
    assert!(mem.json()[1]["pss_bytes"].as_u64().unwrap() > 0, "{mem:?}");
    assert_eq!(mem.summary()["gaps"].as_array().unwrap().len(), 0, "{mem:?}");
    expect_nothing_left(&engine);
}
