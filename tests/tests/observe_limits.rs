//! `pids` and `limits` of real containers, beside what the host's kernel says.
#![expect(clippy::disallowed_methods, reason = "tests")]

use std::fs;

use dbgctl_tests::{Ran, Target, dbgctl, host};
use serde_json::Value;

fn json(verb: &str, target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&[verb, &target.id, "-o", "json"], options].concat()).expect(0)
}

fn limit<'a>(rows: &'a [Value], pid: Option<u64>, resource: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["pid"].as_u64() == pid && row["resource"] == resource);
    found.unwrap_or_else(|| panic!("no {resource} of {pid:?} in {rows:?}"))
}

/// The limits of an answer, without its summary.
fn limits(ran: &Ran) -> Vec<Value> {
    ran.json().into_iter().filter(|line| line.get("resource").is_some()).collect()
}

#[test]
fn a_container_near_its_limit_of_tasks_says_how_many_more_there_may_be() {
    let target = Target::run(&["--pids-limit", "32"], &["threads", "28"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();

    let pids = json("pids", &target, &[]);
    let table = dbgctl(&["pids", &target.id]).expect(0);

    let header = &pids.header();
    let current = fs::read_to_string(process.cgroup_file("pids", "pids.current")).unwrap();
    assert_eq!(header["cgroup"]["current"].to_string(), current.trim(), "{pids:?}");
    assert_eq!(header["cgroup"]["limit"], 32, "{pids:?}");
    assert_eq!(header["cgroup"]["refused"].as_u64(), process.cgroup_figure("pids", "pids.events", "max"));
    assert_eq!((header["processes"].as_u64(), header["threads"].as_u64()), (Some(1), Some(29)), "{pids:?}");
    assert_eq!(pids.rows()[0]["threads"].to_string(), process.stat(20), "{pids:?}");
    let pid_max = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
    assert!(header["pid_max"].as_u64().unwrap() >= pid_max.trim().parse().unwrap(), "{pids:?}");
    let verdict = "29 of 32 tasks: 3 more threads and fork fails (EAGAIN)";
    assert_eq!(header["verdicts"][0], verdict, "{pids:?}");
    assert!(table.stdout().contains(verdict), "{table:?}");
    target.expect_nothing_left();
}

#[test]
fn a_limit_of_tasks_that_was_hit_is_told_and_zombies_are_counted() {
    let target = Target::run(&["--pids-limit", "8"], &["zombies", "3"]).ready();

    let pids = json("pids", &target, &[]);
    let table = dbgctl(&["pids", &target.id]).expect(0);

    let header = &pids.header();
    assert_eq!(header["zombies"], 3, "{pids:?}");
    assert_eq!(header["cgroup"]["current"], 5, "a zombie is a task: {pids:?}");
    assert!(table.stdout().contains("\n3 zombies: "), "{table:?}");
}

#[test]
fn without_a_limit_none_is_claimed_and_at_level_0_the_cgroup_is_a_gap() {
    let target = Target::run(&["--pids-limit", "-1", "--user", "1234"], &["threads", "2"]).ready();

    let pids = json("pids", &target, &[]);
    let low = json("pids", &target, &["--level", "0"]);

    assert_eq!(pids.header()["cgroup"]["limit"], "max", "{pids:?}");
    assert_eq!(pids.header()["users"][0]["uid"], 1234, "{pids:?}");
    assert_eq!(pids.rows()[0]["uid"], 1234, "{pids:?}");
    assert!(low.header()["cgroup"].is_null(), "{low:?}");
    assert_eq!(low.header()["threads"], 3, "{low:?}");
    assert!(low.summary()["gaps"].to_string().contains("CAP_SYS_PTRACE"), "{low:?}");
}

#[test]
fn open_files_near_their_limit_stand_first_with_the_number_that_the_host_counts() {
    let options = ["--ulimit", "nofile=64:64", "--user", "1000:1000", "--memory", "256m", "--cpus", "0.5"];
    let target = Target::run(&options, &["many-open", "60"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();

    let near = json("limits", &target, &[]);
    let table = dbgctl(&["limits", &target.id]).expect(0);

    let open = fs::read_dir(format!("/proc/{}/fd", process.host_pid)).unwrap().count();
    let first = &limits(&near)[0];
    assert_eq!((&first["resource"], &first["pid"]), (&"open_files".into(), &1.into()), "{near:?}");
    assert_eq!(first["used"].as_u64(), u64::try_from(open).ok(), "{near:?}");
    assert_eq!((&first["soft"], &first["hard"]), (&64.into(), &64.into()), "{near:?}");
    assert!(table.stdout().contains("uses 60 of 64 open files: beyond it, open and accept fail (EMFILE)"));
    assert_eq!(near.summary()["gaps"].as_array().unwrap().len(), 0, "{near:?}");
    // The container's own limits are what people mean, too.
    let rows = limits(&near);
    assert_eq!(limit(&rows, None, "cgroup_memory_bytes")["soft"], 256 << 20);
    assert_eq!(limit(&rows, None, "cgroup_cpu_micros_per_second")["soft"], 500_000);
    target.expect_nothing_left();
}

#[test]
fn every_limit_of_a_process_is_the_one_that_the_host_shows() {
    let options = ["--ulimit", "memlock=65536:131072", "--ulimit", "cpu=1000", "--user", "1000:1000"];
    let target = Target::run(&options, &["serve", "--workers", "2"]).ready();
    let processes = host::processes_of(&target.id);
    let (init, other) = (&processes[0], &processes[1]);

    let all = json("limits", &target, &["--pid", &init.pid.to_string(), "--all"]);
    let both = json("limits", &target, &["--all"]);

    let rows = limits(&all);
    assert!(rows.iter().all(|row| row["pid"] == init.pid), "{all:?}");
    let on_host = String::from_utf8(init.read("limits")).unwrap();
    for (name, resource) in [
        ("Max cpu time", "cpu_seconds"),
        ("Max data size", "data_bytes"),
        ("Max processes", "user_threads"),
        ("Max open files", "open_files"),
        ("Max locked memory", "locked_bytes"),
        ("Max address space", "address_space_bytes"),
        ("Max pending signals", "pending_signals"),
        ("Max realtime priority", "realtime_priority"),
    ] {
        let line = on_host.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let shown = |field: &str| limit(&rows, Some(init.pid.into()), resource)[field].clone();
        let shown = ["soft", "hard"].map(|field| match shown(field) {
            Value::String(max) => max.replace("max", "unlimited"),
            number => number.to_string(),
        });
        assert_eq!(shown.to_vec(), line.split_whitespace().take(2).collect::<Vec<_>>(), "{name}");
    }
    let kib = |process: &host::HostProcess, key| {
        process.status(key).strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    };
    for (key, resource) in
        [("VmSize", "address_space_bytes"), ("VmStk", "stack_bytes"), ("VmLck", "locked_bytes")]
    {
        let rows = limits(&both);
        assert_eq!(limit(&rows, Some(other.pid.into()), resource)["used"], kib(other, key), "{key}");
    }
    // One thread in each of three processes.
    assert_eq!(limit(&rows, Some(init.pid.into()), "user_threads")["used"], 3, "{all:?}");
}
