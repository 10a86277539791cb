//! An agent that was taken over: what it can do to the target, to the host and to itself.
//!
//! `confined` is started as a real sidecar was, drops privileges and installs the filter with the agent's own code,
//! and then tries.

use std::fs;

use dbgctl_tests::figures::cycles;
use dbgctl_tests::{Target, docker, docker_ok, target_image, unique};
use serde_json::{Map, Value};

use crate::live::{LEVELS, Live, alone};

/// What the program reported: of what an agent must not do, and of what it has to do.
struct Outcome {
    attempts: Map<String, Value>,
    permitted: Map<String, Value>,
}

impl Outcome {
    fn allowed(&self) -> Vec<&str> {
        self.attempts
            .iter()
            .filter(|(_, result)| *result == "allowed")
            .map(|(attempt, _)| attempt.as_str())
            .collect()
    }
}

/// Runs `confined` in a container like the sidecar of a session at `level`, with the arguments of its agent.
#[track_caller]
fn take_over(target: &Target, level: &str, effects: &str, options: &[&str]) -> Outcome {
    take_over_with(target, level, effects, options, true)
}

/// The same, with the engine's profile or without any.
#[track_caller]
fn take_over_with(
    target: &Target,
    level: &str,
    effects: &str,
    options: &[&str],
    has_profile: bool,
) -> Outcome {
    let session = Live::session(target, level);
    let real = session.inspect();
    drop(session);
    dbgctl_tests::dbgctl(&["detach", &target.name]).expect(0);

    let (host, directory) = (&real["HostConfig"], tempfile::tempdir().unwrap());
    let mut arguments: Vec<String> =
        ["run", "--rm", "--read-only", "--label", "dbgctl-test=1", "--name"].map(Into::into).into();
    arguments.push(unique("confined"));
    let mut option = |name: &str, value: &str| arguments.extend([name.to_owned(), value.to_owned()]);
    option("--user", real["Config"]["User"].as_str().unwrap());
    for (name, field) in [("--pid", "PidMode"), ("--network", "NetworkMode"), ("--ipc", "IpcMode")] {
        option(name, host[field].as_str().unwrap());
    }
    for (name, field) in [("--memory", "Memory"), ("--pids-limit", "PidsLimit")] {
        option(name, &host[field].to_string());
    }
    for (name, field) in [("--cap-add", "CapAdd"), ("--cap-drop", "CapDrop")] {
        for capability in host[field].as_array().into_iter().flatten() {
            option(name, capability.as_str().unwrap());
        }
    }
    for given in host["SecurityOpt"].as_array().unwrap() {
        let given = given.as_str().unwrap();
        let profile = directory.path().join("seccomp.json");
        match given.strip_prefix("seccomp=") {
            Some(_) if !has_profile => option("--security-opt", "seccomp=unconfined"),
            Some(text) => {
                fs::write(&profile, text).unwrap();
                option("--security-opt", &format!("seccomp={}", profile.display()));
            }
            None => option("--security-opt", given),
        }
    }
    arguments.extend([target_image().to_owned(), "confined".to_owned()]);
    let agent = real["Args"].as_array().unwrap();
    let hold = agent.iter().position(|word| word == "--hold").map(|at| agent[at + 1].as_str().unwrap());
    arguments.extend(["--hold".to_owned(), hold.unwrap_or_default().to_owned()]);
    arguments.extend(["--effects".to_owned(), effects.to_owned()]);
    arguments.extend(options.iter().map(|&option| option.to_owned()));

    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = docker(&arguments).expect(0);
    let report = &ran.json()[0];
    let part = |name: &str| report[name].as_object().unwrap().clone();
    Outcome { attempts: part("attempts"), permitted: part("permitted") }
}

/// A target that swaps a directory with a link out of it: whose files are read through the agent's own opener, in a
/// container like the sidecar, and whose by a plain open.
#[test]
fn no_read_leaves_the_targets_root_while_a_directory_is_swapped_with_a_link() {
    let reads = cycles(50_000);
    let target = Target::run(&["-v", "/files"], &["files", "--many", "1"]).ready();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "of the agent").unwrap();
    let (name, volume) = (unique("race"), format!("{}:/outside:ro", outside.path().display()));
    let container = format!("container:{}", target.id);
    let capabilities = ["SYS_PTRACE", "DAC_READ_SEARCH", "SETUID", "SETGID"];
    let mut arguments = vec!["run", "--rm", "--read-only", "--label", "dbgctl-test=1", "--name", &name];
    arguments.extend(["--cap-drop", "ALL", "--network", "none", "--pid", &container, "-v", &volume]);
    arguments.extend(capabilities.iter().flat_map(|capability| ["--cap-add", capability]));
    let times = reads.to_string();
    arguments.extend([target_image(), "race", "--hold", "CAP_SYS_PTRACE,CAP_DAC_READ_SEARCH", &times]);

    let report = docker(&arguments).expect(0).json().remove(0);

    let count = |what: &str| usize::try_from(report[what].as_u64().unwrap()).unwrap();
    assert_eq!(count("of_agent"), 0, "{report}");
    assert_eq!(count("of_target") + count("refused"), reads, "{report}");
    assert!(count("of_target") > 0 && count("refused") > 0, "{report}");
    assert!(count("plainly_of_agent") > 0, "the control was not led astray: {report}");
}

fn tempting() -> Target {
    alone(&["tempting"])
}

#[track_caller]
fn expect_untouched(target: &Target) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("open");
    docker_ok(&["cp", &format!("{}:/open", target.id), copy.to_str().unwrap()]);
    let mut names = Vec::new();
    for entry in fs::read_dir(&copy).unwrap() {
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    names.retain(|name| name != "socket");
    names.sort();
    assert_eq!(names, ["agents", "everyones"]);
    for name in names {
        assert_eq!(fs::read_to_string(copy.join(&name)).unwrap(), "untouched", "{name}");
    }
}

#[test]
fn at_every_level_each_attempt_of_an_agent_that_was_taken_over_is_refused() {
    let target = tempting();
    for level in LEVELS {
        let outcome = take_over(&target, level, "observes,sends-traffic", &[]);
        assert!(outcome.attempts.len() > 100, "{}", outcome.attempts.len());
        // The target's root is closed at level 0: what is opened there before the attempt itself fails already.
        for (attempt, result) in &outcome.attempts {
            let at_level_0 = attempt.ends_with("by fcntl") || attempt == "flock";
            let expected = if level == "0" && at_level_0 { "EACCES" } else { "EPERM" };
            assert_eq!(result, expected, "level {level}: {attempt}");
        }
        for (work, result) in &outcome.permitted {
            let needs_ptrace = work.contains("smaps_rollup") || work.contains("of the target");
            let expected = if level == "0" && needs_ptrace { "EACCES" } else { "allowed" };
            assert_eq!(result, expected, "level {level}: {work}");
        }
    }
    expect_untouched(&target);
}

#[test]
fn an_agent_that_may_only_observe_can_send_nothing_even_if_it_was_taken_over() {
    let target = tempting();
    for level in ["1", "1b"] {
        let outcome = take_over(&target, level, "observes", &[]);
        assert!(outcome.attempts.values().all(|result| result == "EPERM"), "{:?}", outcome.attempts);
        assert_eq!(outcome.permitted["connect by TCP"], "EPERM");
        assert_eq!(outcome.permitted["read a file of the target"], "allowed");
    }
}

#[test]
fn an_agent_that_may_capture_can_do_no_more_than_that_to_packets() {
    let target = tempting();
    let outcome = take_over(&target, "2", "observes,captures", &[]);
    // It hears nothing before it is bound.
    assert_eq!(outcome.allowed(), ["packet socket"]);
    let refused = |result: &Value| result == "EPERM" || result == "allowed";
    assert!(outcome.attempts.values().all(refused), "{:?}", outcome.attempts);
    assert_eq!(outcome.permitted["connect by TCP"], "EPERM");
}

/// The control. Permissions and the engine's profile stop much, but not these.
#[test]
fn without_its_own_filter_the_agent_could_write_to_what_everyone_may_write() {
    let target = tempting();
    let outcome = take_over(&target, "1b", "observes,sends-traffic", &["--unfiltered"]);
    let allowed = outcome.allowed();
    for attempt in [
        "openat2 everyone's file to write",
        "openat2 the agent's file to write",
        "openat2 to create",
        "local socket of the target by path",
        "local socket of the target by abstract name",
        "fork",
    ] {
        assert!(allowed.contains(&attempt), "{attempt}: {:?}", outcome.attempts);
    }
    // The engine's profile stands on its own where it is most needed.
    for attempt in [
        "open_by_handle_at",
        "ptrace attach",
        "process_vm_writev",
        "pidfd_getfd",
        "kill init",
        "setns",
        "mount",
        "bpf",
        "io_uring_setup",
        "packet socket",
        "setuid root",
        "capset",
        "unlinkat",
    ] {
        assert_eq!(outcome.attempts[attempt], "EPERM", "{attempt}");
    }
}

/// The control. Whoever holds CAP_DAC_READ_SEARCH reads the host's files through any bind mount, and the engine's
/// own default list would not stop it.
#[test]
fn without_both_filters_the_agent_could_open_the_hosts_files_by_handle_at_level_1b_and_not_below() {
    let target = tempting();
    for (level, expected) in [("1", "EPERM"), ("1b", "allowed")] {
        let outcome = take_over_with(&target, level, "observes,sends-traffic", &["--unfiltered"], false);
        assert_eq!(outcome.attempts["open_by_handle_at"], expected, "level {level}");
    }
}
