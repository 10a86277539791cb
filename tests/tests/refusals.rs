//! Bad input and bad luck: each is refused in three lines that name the cause, and leaves nothing behind.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use dbgctl_tests::images::ForeignImage;
use dbgctl_tests::{
    Ran, Target, dbgctl, dbgctl_command, dbgctl_path, docker, docker_ok, eventually, run, unique,
};

const SERVE: [&str; 3] = ["serve", "--workers", "2"];

/// What was refused because of `because`, without a word on stdout. Returns the third line.
#[track_caller]
fn refused(ran: Ran, because: &str) -> String {
    let ran = ran.expect_error(because);
    assert!(ran.stdout.is_empty(), "{ran:?}");
    ran.stderr().lines().last().unwrap().to_owned()
}

/// Every question about `target` is refused because of `because`, and no sidecar stays. Returns the last suggestion.
#[track_caller]
fn cannot_be_asked(target: &Target, because: &str) -> String {
    let questions: [&[&str]; 4] = [
        &["ps", &target.name],
        &["mem", &target.name, "-o", "json"],
        &["connect", &target.name, "127.0.0.1:1"],
        &["attach", &target.name, "--detach"],
    ];
    let tries = questions.map(|question| refused(dbgctl(question), because));
    target.expect_nothing_left();
    tries.into_iter().next_back().unwrap()
}

#[test]
fn an_unknown_name_is_refused_and_the_nearest_one_suggested() {
    let target = Target::web();
    let typo = format!("{}x", target.name);

    let suggestion = refused(dbgctl(&["ps", &typo]), "no container has that name");
    assert!(suggestion.contains(&format!("did you mean {:?}?", target.name)), "{suggestion}");

    let far_off = refused(dbgctl(&["ps", "!"]), "no container has that name");
    assert!(!far_off.contains("did you mean"), "{far_off}");
}

#[test]
fn the_name_of_a_removed_container_is_unknown() {
    let target = Target::create(&[], &SERVE);
    docker_ok(&["rm", &target.id]);
    refused(dbgctl(&["ps", &target.name]), "no container has that name");
    refused(dbgctl(&["ps", &target.id]), "no container has that name");
}

#[test]
fn an_ambiguous_name_lists_the_candidates() {
    let service = unique("service");
    let label = format!("com.docker.compose.service={service}");
    let one = Target::run(&["--label", &label], &SERVE);
    let two = Target::run(&["--label", &label], &SERVE);

    for wanted in [service.clone(), format!("compose:{service}"), format!("label:{label}")] {
        let ps = dbgctl(&["ps", &wanted]);
        refused(ps.clone(), "2 containers fit");
        assert!(ps.stderr().contains(&one.name) && ps.stderr().contains(&two.name), "{ps:?}");
    }
    one.expect_nothing_left();
}

#[test]
fn a_stopped_target_is_refused_with_its_exit_code_in_words() {
    let endings: [(&[&str], &[&str], &str); 3] = [
        (&[], &["exit", "3"], "it is stopped; it ended with exit code 3"),
        (&["--memory", "8m", "--memory-swap", "8m"], &["memory", "100"], "exit code 137, SIGKILL"),
        (&["--init"], &["crash"], "exit code 134, SIGABRT"),
    ];
    for (options, command, ending) in endings {
        let target = Target::run(options, command);
        docker_ok(&["wait", &target.id]);
        let suggestion = cannot_be_asked(&target, ending);
        assert!(suggestion.contains(&format!("docker logs --tail 50 {}", target.name)), "{suggestion}");
    }
}

#[test]
fn a_target_that_was_never_started_is_refused() {
    let target = Target::create(&[], &SERVE);
    let suggestion = cannot_be_asked(&target, "it was created but never started");
    assert!(suggestion.contains(&format!("docker start {}", target.name)), "{suggestion}");
}

#[test]
fn a_target_that_could_not_be_started_is_refused_with_the_reason() {
    let target = Target::create(&["--entrypoint", "/no-such-program"], &[]);
    docker(&["start", &target.id]);
    cannot_be_asked(&target, "no-such-program");
}

#[test]
fn a_target_in_a_restart_loop_is_refused_and_nothing_stays_behind() {
    let target = Target::run(&["--restart", "always"], &["exit", "7"]);
    let is_looping = || target.inspect("{{.State.Status}}") == "restarting";
    assert!(eventually(Duration::from_secs(10), is_looping));

    for _ in 0..10 {
        // Between two waits it runs for a moment: whatever is met then, it is an error that leaves nothing.
        refused(dbgctl(&["ps", &target.name]), "");
    }

    assert!(eventually(Duration::from_secs(10), is_looping));
    let suggestion = refused(
        dbgctl(&["ps", &target.name]),
        "it is in a restart loop; its last run ended with exit code 7",
    );
    assert!(suggestion.contains("does not stay up long enough"), "{suggestion}");
    target.expect_nothing_left();
}

#[test]
fn a_name_that_no_container_can_have_is_never_put_into_a_request() {
    let directory = tempfile::tempdir().unwrap();
    let proof = directory.path().join("proof");
    let command = format!("$(touch {})", proof.display());
    let names = [
        "../../images/json",
        "a/b",
        "a?force=1",
        "web;id",
        "a b",
        "",
        ".",
        "wëb",
        "label:",
        "compose:/",
        &command,
    ];
    for name in names {
        refused(dbgctl(&["ps", name]), "no container has that name");
    }
    refused(dbgctl(&["ps", "--", "-rf"]), "no container has that name");
    refused(dbgctl(&["ps", "--", "--all"]), "no container has that name");
    assert!(!proof.exists());
}

#[test]
fn a_name_that_looks_like_an_option_is_explained() {
    for name in ["-rf", "--rm"] {
        refused(dbgctl(&["ps", name]), "unexpected argument");
    }
    let suggestion = refused(dbgctl(&["ps"]), "required arguments were not provided: <CONTAINER>");
    assert!(suggestion.contains("dbgctl ps"), "{suggestion}");
}

#[test]
fn a_question_that_makes_no_sense_is_refused_before_anything_starts() {
    let target = Target::web();
    let questions: [(&[&str], &str); 6] = [
        (&["ps", &target.id, "--sort", "nonsense"], "is not a field"),
        (&["ps", &target.id, "--filter", "rss"], "compares nothing"),
        (&["ps", &target.id, "--limit", "0"], "'--limit"),
        (&["ps", &target.id, "--level", "9"], "the levels are 0, 1, 1b and 2"),
        (&["connect", &target.id, "https://db/"], "found a URL"),
        (&["attach", &target.id, "--detach", "--ttl", "25h"], "--ttl is not between 0 and 24h"),
    ];
    for (question, because) in questions {
        refused(dbgctl(question), because);
    }
    target.expect_nothing_left();
}

#[test]
fn a_level_that_can_not_answer_says_which_one_can() {
    let target = Target::web();
    let suggestion =
        refused(dbgctl(&["mem", &target.id, "--level", "0"]), "CAP_SYS_PTRACE to read smaps_rollup");
    assert!(suggestion.contains("--level 1"), "{suggestion}");
    target.expect_nothing_left();
}

#[test]
fn an_engine_that_does_not_answer_is_named() {
    let addresses = [
        ("unix:///nonexistent/docker.sock", "no container engine answers at unix:///nonexistent/docker.sock"),
        ("tcp://127.0.0.1:1", "no container engine answers at tcp://127.0.0.1:1"),
        ("ftp://127.0.0.1", "is not an address of a container engine"),
        ("nonsense", "is not an address of a container engine"),
    ];
    for (address, because) in addresses {
        refused(dbgctl(&["-H", address, "ps", "web"]), because);
        refused(run(dbgctl_command(&["sessions"]).env("DOCKER_HOST", address)), because);
    }
}

#[test]
fn someone_who_may_not_talk_to_the_engine_is_told_who_may() {
    let target = Target::web();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    // Where it was built, not everyone may be able to reach it.
    let program = directory.path().join("dbgctl");
    fs::copy(dbgctl_path(), &program).unwrap();
    let mut command = Command::new(program);
    command.args(["ps", &target.name]).env_remove("DOCKER_HOST").uid(65534).gid(65534);

    let suggestion = refused(run(&mut command), "no permission to talk to the container engine");

    assert!(suggestion.contains("docker"), "{suggestion}");
    target.expect_nothing_left();
}

#[test]
fn an_image_that_is_not_in_the_engine_is_not_fetched_unless_allowed() {
    let target = Target::web();
    // A registry that does not exist: nothing leaves this machine.
    let image = "localhost:1/dbgctl-test/none:1";
    let ps = |pull: &str| dbgctl(&["ps", &target.id, "--image", image, "--pull", pull]);

    let suggestion =
        refused(dbgctl(&["ps", &target.id, "--image", image]), "pulling is not allowed (--pull never)");
    assert!(suggestion.contains("--pull missing"), "{suggestion}");
    refused(ps("missing"), "localhost:1");
    refused(ps("always"), "localhost:1");
    target.expect_nothing_left();
}

#[test]
fn an_image_that_is_not_an_agent_or_not_for_this_engine_is_refused() {
    let target = Target::web();
    refused(
        dbgctl(&["ps", &target.id, "--image", "dbgctl-test/target"]),
        "its entry point is [\"/target-program\"], not the agent",
    );
    let foreign = ForeignImage::load();
    refused(
        dbgctl(&["ps", &target.id, "--image", &foreign.tag]),
        "it is built for arm64, the engine runs amd64",
    );
    target.expect_nothing_left();
}

#[test]
fn a_target_in_the_hosts_namespaces_is_refused_unless_that_is_allowed() {
    for (option, namespace) in [("--pid", "PID"), ("--network", "network")] {
        let target = Target::run(&[option, "host"], &["threads", "1"]).ready();
        let chain = format!("container:{}", target.id);
        let chained = Target::run(&[option, &chain], &["threads", "1"]).ready();
        for refusing in [&target, &chained] {
            let because = format!("it shares the host's {namespace} namespace");
            let suggestion = cannot_be_asked(refusing, &because);
            assert!(suggestion.contains("--host-namespaces"), "{suggestion}");
        }
        drop(chained);
    }
}

#[test]
fn a_sidecar_is_not_a_target() {
    let target = Target::web();
    dbgctl(&["attach", &target.id, "--detach"]).expect(0);
    let sidecar = target.sidecars().pop().unwrap();

    refused(dbgctl(&["ps", &sidecar]), "it is a sidecar of dbgctl");

    assert_eq!(target.sidecars(), [sidecar], "and it is left alone");
}
