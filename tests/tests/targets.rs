//! Every kind of target: how it is named, and that each one is answered truly.
#![expect(clippy::unwrap_used, reason = "tests")]

use dbgctl_tests::{Ran, Target, dbgctl, docker_ok, host, unique};

const SERVE: [&str; 3] = ["serve", "--workers", "2"];

/// The command lines of an answer without a gap, in pid order.
#[track_caller]
fn whole(ps: &Ran) -> Vec<String> {
    assert_eq!(ps.summary()["gaps"].as_array().unwrap().len(), 0, "{ps:?}");
    command_lines(ps)
}

/// The command lines of an answer. In the host's PID namespace, there may be gaps: a process that ends before it
/// was looked at may have been anyone's.
#[track_caller]
fn command_lines(ps: &Ran) -> Vec<String> {
    assert_eq!(ps.summary()["end"], "complete", "{ps:?}");
    let arguments = |row: &serde_json::Value| {
        let words: Vec<_> =
            row["arguments"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        words.join(" ")
    };
    ps.rows().iter().map(arguments).collect()
}

/// `ps` of `target` shows its three processes and no others, and `mem` weighs the same three.
#[track_caller]
fn expect_the_three_processes(target: &Target, options: &[&str]) {
    let ps = dbgctl(&[&["ps", &target.id, "-o", "json"], options].concat()).expect(0);
    assert_eq!(whole(&ps), ["/target-program serve --workers 2"; 3], "{ps:?}");
    let mem = dbgctl(&[&["mem", &target.id, "-o", "json"], options].concat()).expect(0);
    let weighed =
        mem.json().iter().filter(|line| line["pss_bytes"].as_u64().is_some_and(|pss| pss > 0)).count();
    assert_eq!(weighed, 3, "{mem:?}");
    assert!(mem.header()["cgroup"]["current_bytes"].as_u64().unwrap() > 0, "{mem:?}");
    target.expect_nothing_left();
}

#[track_caller]
fn expect_connect(target: &Target, outcome: &str, code: i32) {
    let connect = dbgctl(&["connect", &target.id, "127.0.0.1:8080", "-o", "json"]).expect(code);
    assert_eq!(connect.json()[0]["outcome"], outcome, "{connect:?}");
}

#[test]
fn a_target_is_found_by_name_id_prefix_service_and_label() {
    let project = unique("project");
    let labels =
        [format!("com.docker.compose.project={project}"), format!("com.docker.compose.service={project}-db")];
    let target = Target::run(&["--label", &labels[0], "--label", &labels[1]], &SERVE).ready();

    let names = [
        target.name.clone(),
        target.id.clone(),
        target.id[..12].to_owned(),
        format!("{project}-db"),
        format!("compose:{project}/{project}-db"),
        format!("label:com.docker.compose.project={project}"),
    ];

    for name in names {
        let ps = dbgctl(&["ps", &name, "-o", "json"]).expect(0);
        assert_eq!(whole(&ps).len(), 3, "{name}: {ps:?}");
    }
}

#[test]
fn a_running_container_of_a_service_is_meant_rather_than_its_dead_predecessor() {
    let service = unique("service");
    let label = format!("com.docker.compose.service={service}");
    let dead = Target::run(&["--label", &label], &["exit", "0"]);
    let alive = Target::run(&["--label", &label], &SERVE).ready();
    docker_ok(&["wait", &dead.id]);

    let ps = dbgctl(&["ps", &service, "-o", "json"]).expect(0);

    assert_eq!(whole(&ps).len(), 3, "{ps:?}");
    drop((dead, alive));
}

#[test]
fn a_target_without_a_network_is_answered() {
    let target = Target::run(&["--network", "none"], &SERVE).ready();
    expect_the_three_processes(&target, &[]);
    expect_connect(&target, "connected", 0);
}

#[test]
fn a_read_only_target_that_is_not_root_and_holds_nothing_is_answered() {
    let options = ["--read-only", "--user", "1000:1000", "--cap-drop", "ALL", "--ipc", "none"];
    let target = Target::run(&options, &SERVE).ready();
    expect_the_three_processes(&target, &[]);
}

#[test]
fn a_target_at_its_memory_limit_is_answered_and_survives() {
    let target = Target::run(&["--memory", "6m", "--memory-swap", "6m"], &SERVE).ready();

    expect_the_three_processes(&target, &[]);

    let mem = dbgctl(&["mem", &target.id, "-o", "json"]).expect(0);
    assert_eq!(mem.header()["cgroup"]["limit"], 6 << 20, "{mem:?}");
    assert_eq!(target.inspect("{{.State.Running}} {{.State.OOMKilled}}"), "true false");
}

#[test]
fn a_paused_target_is_answered_with_a_warning_and_stays_paused() {
    let target = Target::run(&[], &SERVE).ready();
    docker_ok(&["pause", &target.id]);

    let ps = dbgctl(&["ps", &target.id, "-o", "json"]).expect(0);

    assert_eq!(whole(&ps).len(), 3, "{ps:?}");
    assert!(ps.stderr().contains("warning: the target is paused"), "{ps:?}");
    assert_eq!(target.inspect("{{.State.Status}}"), "paused");
    expect_the_three_processes(&target, &[]);
    docker_ok(&["unpause", &target.id]);
}

#[test]
fn a_target_in_the_hosts_user_namespace_is_answered() {
    let target = Target::run(&["--userns", "host"], &SERVE).ready();
    expect_the_three_processes(&target, &[]);
}

#[test]
fn a_target_in_another_containers_namespaces_shows_its_own_processes_alone() {
    let first = Target::run(&[], &["threads", "2"]).ready();
    let (pid, net) = (format!("container:{}", first.id), format!("container:{}", first.id));
    let second = Target::run(&["--pid", &pid, "--network", &net], &SERVE).ready();
    let third_pid = format!("container:{}", second.id);
    let third = Target::run(&["--pid", &third_pid], &["zombies", "1"]).ready();

    expect_the_three_processes(&second, &[]);
    let first_ps = dbgctl(&["ps", &first.id, "-o", "json"]).expect(0);
    let third_ps = dbgctl(&["ps", &third.id, "-o", "json"]).expect(0);
    let all = dbgctl(&["ps", &second.id, "-o", "json", "--all"]).expect(0);

    assert_eq!(whole(&first_ps), ["/target-program threads 2"]);
    assert_eq!(whole(&third_ps)[0], "/target-program zombies 1");
    let from = |origin: &str| all.json().iter().filter(|row| row["origin"] == origin).count();
    assert_eq!((from("target"), from("other"), from("dbgctl")), (3, 4, 1), "{all:?}");
    drop((third, second));
}

#[test]
fn users_of_a_chained_target_come_from_its_own_passwd() {
    let first = Target::run(&[], &["threads", "1"]).ready();
    let directory = tempfile::tempdir().unwrap();
    let passwd = directory.path().join("passwd");
    std::fs::write(&passwd, "chained:x:1000:1000::/:\n").unwrap();
    let pid = format!("container:{}", first.id);
    let second = Target::create(&["--pid", &pid, "--user", "1000"], &SERVE);
    docker_ok(&["cp", passwd.to_str().unwrap(), &format!("{}:/etc/passwd", second.id)]);
    docker_ok(&["start", &second.id]);
    let second = second.ready();

    let ps = dbgctl(&["ps", &second.id]).expect(0);

    assert_eq!(ps.stdout().matches(" chained ").count(), 3, "{ps:?}");
    drop(second);
}

#[test]
fn a_target_in_the_hosts_namespaces_is_shown_alone_if_that_was_allowed() {
    for options in [["--pid", "host"], ["--network", "host"]] {
        let target = Target::run(&options, &["threads", "2"]).ready();

        let ps = dbgctl(&["ps", &target.id, "-o", "json", "--host-namespaces"]).expect(0);

        assert_eq!(command_lines(&ps), ["/target-program threads 2"], "{options:?}");
        target.expect_nothing_left();
    }
}

#[test]
fn a_chain_to_the_hosts_namespaces_is_shown_alone_if_that_was_allowed() {
    let first = Target::run(&["--pid", "host"], &["threads", "1"]).ready();
    let pid = format!("container:{}", first.id);
    let second = Target::run(&["--pid", &pid], &["threads", "2"]).ready();

    let ps = dbgctl(&["ps", &second.id, "-o", "json", "--host-namespaces"]).expect(0);

    assert_eq!(command_lines(&ps), ["/target-program threads 2"], "{ps:?}");
    let host_pid = host::processes_of(&second.id)[0].host_pid;
    assert_eq!(ps.rows()[0]["pid"], host_pid, "the namespace is the host's: {ps:?}");
    drop(second);
}

#[test]
fn a_target_that_could_steer_the_agent_is_warned_about_and_answered() {
    for (options, warning) in [
        (["--cap-add", "SYS_PTRACE"], "warning: the target holds CAP_SYS_PTRACE"),
        (["--user", "65533:65533"], "warning: the target runs as the agent's own user 65533"),
    ] {
        let target = Target::run(&options, &SERVE).ready();

        let ps = dbgctl(&["ps", &target.id, "-o", "json"]).expect(0);

        assert_eq!(whole(&ps).len(), 3, "{ps:?}");
        assert_eq!(ps.stderr().matches(warning).count(), 1, "{ps:?}");
    }
}

#[test]
fn nothing_is_written_into_a_target_by_looking_at_it() {
    let target = Target::run(&[], &SERVE).ready();
    let before = docker_ok(&["diff", &target.id]);

    expect_the_three_processes(&target, &[]);

    assert_eq!(docker_ok(&["diff", &target.id]), before);
}
