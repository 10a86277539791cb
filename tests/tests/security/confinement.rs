//! What a sidecar is created with, and what the kernel says its agent holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use dbgctl_tests::{Target, dbgctl, docker_ok, eventually};
use serde_json::{Value, json};

use crate::live::{LEVELS, Live};

const NONE: &str = "0000000000000000";
const SYS_PTRACE: &str = "0000000000080000";
const SYS_PTRACE_SETUID_SETGID: &str = "00000000000800c0";
const SYS_PTRACE_DAC_READ_SEARCH: &str = "0000000000080004";
const SYS_PTRACE_DAC_READ_SEARCH_SETUID_SETGID: &str = "00000000000800c4";
const SYS_PTRACE_NET_RAW: &str = "0000000000082000";
const SYS_PTRACE_NET_RAW_SETUID_SETGID: &str = "00000000000820c0";

#[track_caller]
fn expect_unprivileged(threads: &[BTreeMap<String, String>], held: &str, bounding: &str) {
    for status in threads {
        let seen: BTreeMap<_, _> = status.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        for (key, expected) in [
            ("Uid", "65533\t65533\t65533\t65533"),
            ("Gid", "65533\t65533\t65533\t65533"),
            ("CapInh", NONE),
            ("CapPrm", held),
            ("CapEff", held),
            ("CapBnd", bounding),
            ("CapAmb", NONE),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
            ("Seccomp_filters", "2"),
        ] {
            assert_eq!(seen[key], expected, "{key} of {status:#?}");
        }
        // Engines since 20.10.18 make the user's own group a supplementary one, too.
        assert!(["", "65533"].contains(&seen["Groups"]), "{status:#?}");
    }
}

#[test]
fn at_level_0_no_thread_of_the_agent_holds_anything_or_could_regain_it() {
    let target = Target::web();
    let sidecar = Live::question(&target, "0");
    let has_threads = eventually(Duration::from_secs(10), || sidecar.threads().len() > 1);
    assert!(has_threads, "a probe runs in a thread of its own");
    expect_unprivileged(&sidecar.threads(), NONE, NONE);
}

#[test]
fn at_level_1_every_thread_of_the_agent_holds_ptrace_and_nothing_else() {
    let target = Target::web();
    let sidecar = Live::question(&target, "1");
    let has_threads = eventually(Duration::from_secs(10), || sidecar.threads().len() > 1);
    assert!(has_threads, "a probe runs in a thread of its own");
    expect_unprivileged(&sidecar.threads(), SYS_PTRACE, SYS_PTRACE_SETUID_SETGID);
}

#[test]
fn at_level_1b_every_thread_of_the_agent_holds_ptrace_and_search_and_nothing_else() {
    let target = Target::web();
    let sidecar = Live::question(&target, "1b");
    let has_threads = eventually(Duration::from_secs(10), || sidecar.threads().len() > 1);
    assert!(has_threads, "a probe runs in a thread of its own");
    expect_unprivileged(
        &sidecar.threads(),
        SYS_PTRACE_DAC_READ_SEARCH,
        SYS_PTRACE_DAC_READ_SEARCH_SETUID_SETGID,
    );
}

#[test]
fn at_level_2_every_thread_of_the_agent_holds_ptrace_and_raw_packets_and_nothing_else() {
    let target = Target::web();
    let sidecar = Live::question(&target, "2");
    let has_threads = eventually(Duration::from_secs(10), || sidecar.threads().len() > 1);
    assert!(has_threads, "a probe runs in a thread of its own");
    expect_unprivileged(&sidecar.threads(), SYS_PTRACE_NET_RAW, SYS_PTRACE_NET_RAW_SETUID_SETGID);
}

#[test]
fn what_is_private_of_the_agent_in_proc_belongs_to_root() {
    use std::os::unix::fs::MetadataExt as _;
    let target = Target::web();
    for level in LEVELS {
        let sidecar = Live::question(&target, level);
        // Of a dumpable process they would be its own, and a process of the same user could look into it.
        for file in ["environ", "fd", "mem", "status"] {
            let owner = std::fs::metadata(format!("/proc/{}/{file}", sidecar.host_pid)).unwrap().uid();
            assert_eq!(owner, 0, "level {level}: {file}");
        }
        drop(sidecar);
        target.expect_nothing_left();
    }
}

#[test]
fn a_question_is_asked_from_a_container_without_a_single_needless_right() {
    let target = Target::web();
    let created = Live::question(&target, "0").inspect();
    let expected = json!({
        "AutoRemove": true,
        "Binds": null,
        "CapAdd": null,
        "CapDrop": ["ALL"],
        "CpuShares": 128,
        "IpcMode": "private",
        "LogConfig": { "Type": "none", "Config": {} },
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "NanoCpus": 1_000_000_000,
        "NetworkMode": format!("container:{}", target.id),
        "OomScoreAdj": 1000,
        "PidMode": format!("container:{}", target.id),
        "PidsLimit": 64,
        "Privileged": false,
        "PublishAllPorts": false,
        "ReadonlyRootfs": true,
        "VolumesFrom": null,
    });
    expect_fields(&created["HostConfig"], &expected);
    assert!(
        is_nothing(&created["HostConfig"]["Devices"]) && is_nothing(&created["HostConfig"]["PortBindings"])
    );
    assert!(is_nothing(&created["HostConfig"]["Tmpfs"]), "{created}");
    assert_eq!(created["Mounts"], json!([]));
    let config =
        json!({ "User": "65533:65533", "Tty": false, "OpenStdin": true, "StdinOnce": true, "Volumes": null });
    expect_fields(&created["Config"], &config);
    assert_eq!(created["Config"]["Healthcheck"]["Test"], json!(["NONE"]));
    let options = created["HostConfig"]["SecurityOpt"].as_array().unwrap();
    assert_eq!(options.len(), 2, "{options:?}");
    assert_eq!(options[0], "no-new-privileges");
    assert!(options[1].as_str().unwrap().starts_with("seccomp={"), "{options:?}");
}

#[test]
fn a_session_adds_one_private_directory_and_a_level_adds_its_capabilities() {
    let target = Target::web();
    for (level, capabilities) in [
        ("1", &["SYS_PTRACE", "SETUID", "SETGID"][..]),
        ("1b", &["SYS_PTRACE", "DAC_READ_SEARCH", "SETUID", "SETGID"]),
        ("2", &["SYS_PTRACE", "NET_RAW", "SETUID", "SETGID"]),
    ] {
        let sidecar = Live::session(&target, level);
        let created = sidecar.inspect();
        let tmpfs = created["HostConfig"]["Tmpfs"].as_object().unwrap();
        assert_eq!(tmpfs.keys().collect::<Vec<_>>(), ["/run/dbgctl"]);
        assert!(is_nothing(&created["HostConfig"]["Binds"]));
        assert_eq!(created["Mounts"], json!([]));
        let added = created["HostConfig"]["CapAdd"].as_array().unwrap();
        let added: BTreeSet<_> =
            added.iter().map(|name| name.as_str().unwrap().trim_start_matches("CAP_")).collect();
        assert_eq!(added, capabilities.iter().copied().collect());
        expect_fields(
            &created["HostConfig"],
            &json!({ "CapDrop": ["ALL"], "ReadonlyRootfs": true, "AutoRemove": true }),
        );
        dbgctl(&["detach", &target.name]).expect(0);
    }
}

#[test]
fn the_kernel_enforces_what_the_engine_was_asked_for() {
    let target = Target::web();
    let sidecar = Live::session(&target, "1");
    assert_eq!(sidecar.proc("oom_score_adj").trim(), "1000");
    // What is mounted from a disk is read-only; what is writable lives in memory.
    for mount in sidecar.proc("mountinfo").lines() {
        let (place, kind) = mount.split_once(" - ").unwrap();
        let place: Vec<_> = place.split(' ').collect();
        let kind = kind.split(' ').next().unwrap();
        let (path, options) = (place[4], place[5]);
        let in_memory = ["proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"].contains(&kind);
        assert!(in_memory || options.split(',').any(|option| option == "ro"), "{mount}");
        if path == "/run/dbgctl" {
            for option in ["nosuid", "nodev", "noexec"] {
                assert!(options.contains(option), "{mount}");
            }
        }
    }
}

#[test]
fn the_image_holds_the_agent_and_no_other_file() {
    let target = Target::web();
    let sidecar = Live::question(&target, "0");
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("root.tar");
    docker_ok(&["export", "-o", archive.to_str().unwrap(), &sidecar.id]);
    let mut archive = tar::Archive::new(File::open(&archive).unwrap());
    let mut with_content = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        // The engine makes empty files and directories to mount on, and one link into /proc.
        if entry.header().entry_type().is_file() && entry.size() > 0 {
            with_content.push(path);
        }
    }
    assert_eq!(with_content, [std::path::Path::new("agent")]);
}

/// Each field of `expected` has that value in `seen`.
#[track_caller]
fn expect_fields(seen: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        let same = &seen[key] == value || (is_nothing(value) && is_nothing(&seen[key]));
        assert!(same, "{key}: {} instead of {value}", seen[key]);
    }
}

/// Engines differ in how they say that a list is empty.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
