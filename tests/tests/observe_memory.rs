//! `mem`, asked of real containers and checked against the host's own control groups and the engine.
//!
//! Tolerances: what a quiet target holds is compared to the page; charges and their counters may differ by what the CPUs
//! keep back, 64 pages each.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command, docker_ok, eventually, host};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// The memory cgroup of a container, as its host sees it.
struct HostCgroup(PathBuf);

impl HostCgroup {
    fn of(target: &Target) -> Self {
        let process = host::processes_of(&target.id).remove(0);
        let groups = String::from_utf8(process.read("cgroup")).unwrap();
        let path = |line: &str| line.rsplit_once(':').unwrap().1.trim_start_matches('/').to_owned();
        let v1 = groups.lines().find(|line| line.split(':').nth(1) == Some("memory"));
        Self(match v1 {
            Some(line) => PathBuf::from("/sys/fs/cgroup/memory").join(path(line)),
            None => PathBuf::from("/sys/fs/cgroup").join(path(groups.lines().next().unwrap())),
        })
    }

    /// A file that has one name in each version.
    fn number(&self, v1: &str, v2: &str) -> u64 {
        let read = |file| fs::read_to_string(self.0.join(file)).ok();
        let text = read(v2).or_else(|| read(v1)).unwrap_or_else(|| panic!("{v1}, {v2} in {:?}", self.0));
        text.trim().parse().unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// A line of memory.stat.
    fn stat(&self, v1: &str, v2: &str) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.stat")).unwrap();
        let line =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok());
        line(v1).or_else(|| line(v2)).unwrap_or_else(|| panic!("{v1}, {v2} in {text}"))
    }
}

/// What the CPUs of this machine may keep back.
fn stock() -> u64 {
    64 * 4096 * u64::try_from(thread::available_parallelism().unwrap().get()).unwrap()
}

fn mem(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["mem", &target.id, "-o", "json"], options].concat()).expect(0)
}

fn cgroup(mem: &Ran) -> Value {
    mem.header()["cgroup"].take()
}

#[track_caller]
fn assert_near(what: &str, ours: &Value, theirs: u64, tolerance: u64) {
    let ours = ours.as_u64().unwrap_or_else(|| panic!("{what} is {ours}"));
    assert!(ours.abs_diff(theirs) <= tolerance, "{what}: {ours} is not {theirs} within {tolerance}");
}

#[test]
fn the_cgroup_says_what_its_files_on_the_host_say() {
    let target = Target::run(&["--memory", "200m"], &["memory", "30"]).ready();

    let mem = mem(&target, &[]);

    let (cgroup, host) = (cgroup(&mem), HostCgroup::of(&target));
    let slack = stock() + MIB / 4;
    assert_eq!(cgroup["limit"], 200 * MIB);
    assert_eq!(host.number("memory.limit_in_bytes", "memory.max"), 200 * MIB);
    assert_near(
        "current",
        &cgroup["current_bytes"],
        host.number("memory.usage_in_bytes", "memory.current"),
        slack,
    );
    let stat = &cgroup["stat"];
    assert_near("anon", &stat["anon_bytes"], host.stat("total_rss", "anon"), slack);
    assert_near("file", &stat["file_bytes"], host.stat("total_cache", "file"), slack);
    assert_near("shmem", &stat["shmem_bytes"], host.stat("total_shmem", "shmem"), slack);
    let inactive = host.stat("total_inactive_file", "inactive_file");
    let working_set = host.number("memory.usage_in_bytes", "memory.current").saturating_sub(inactive);
    assert_near("working set", &cgroup["working_set_bytes"], working_set, slack);
    if !cgroup["peak_bytes"].is_null() {
        assert_near(
            "peak",
            &cgroup["peak_bytes"],
            host.number("memory.max_usage_in_bytes", "memory.peak"),
            slack,
        );
    }
    assert_eq!(cgroup["events"]["oom_kill"], 0, "{cgroup}");
}

#[test]
fn the_engine_and_we_count_the_same_memory() {
    let target = Target::run(&["--memory", "200m"], &["memory", "40"]).ready();

    let mem = mem(&target, &[]);

    // `40.5MiB / 200MiB`, without inactive files.
    let stats = docker_ok(&["stats", "--no-stream", "--format", "{{.MemUsage}}", &target.id]);
    let used: f64 = stats.split("MiB").next().unwrap().trim().parse().unwrap_or_else(|_| panic!("{stats}"));
    let ours = cgroup(&mem)["working_set_bytes"].as_u64().unwrap() as f64 / MIB as f64;
    assert!((ours - used).abs() < 1.5, "{ours} MiB here, {stats} there");
    assert!(stats.contains("/ 200MiB"), "{stats}");
}

#[test]
fn each_process_weighs_what_the_hosts_kernel_says() {
    let target = Target::run(&["--memory", "200m"], &["many", "5"]).ready();

    let mem = mem(&target, &[]);

    for process in host::processes_of(&target.id) {
        let rows = mem.rows();
        let row = rows.iter().find(|row| row["pid"] == process.pid).unwrap_or_else(|| panic!("{mem:?}"));
        for (field, key) in [
            ("pss_anon_bytes", "Pss_Anon"),
            ("pss_dirty_bytes", "Pss_Dirty"),
            ("swap_bytes", "Swap"),
            ("locked_bytes", "Locked"),
            ("anon_huge_bytes", "AnonHugePages"),
        ] {
            // Halves of a page of which both sides have half a KiB.
            assert_near(&format!("{field} of {row}"), &row[field], process.smaps_bytes(key), 1024);
        }
        let oom_score = String::from_utf8(process.read("oom_score")).unwrap();
        assert_eq!(row["oom_score"].to_string(), oom_score.trim(), "{row}");
        assert_eq!((&row["oom_score_adj"], &row["origin"]), (&0.into(), &"target".into()), "{row}");
        assert!(row["read_took_nanos"].as_u64().unwrap() > 0, "{row}");
    }
}

#[test]
fn files_in_memory_are_named_with_what_is_in_them() {
    let options = ["--memory", "200m", "--tmpfs", "/scratch", "--user", "1000:1000"];
    let target = Target::run(&options, &["fill", "/scratch/file", "30"]).ready();

    let mem = mem(&target, &[]);
    let table = dbgctl(&["mem", &target.id]).expect(0).stdout();

    let mounts = mem.header()["tmpfs"].take();
    let scratch = mounts.as_array().unwrap().iter().find(|mount| mount["mount_point"] == "/scratch");
    let scratch = scratch.unwrap_or_else(|| panic!("{mem:?}"));
    assert_eq!(scratch["used_bytes"], 30 * MIB, "{scratch}");
    assert_near("shmem", &cgroup(&mem)["stat"]["shmem_bytes"], 30 * MIB, stock());
    assert!(table.contains("30.0 MiB in /scratch"), "{table}");
    let reconciliation = mem.header()["reconciliation"].take();
    assert!(reconciliation["unexplained_bytes"].as_u64().unwrap() < 30 * MIB / 20 + stock(), "{mem:?}");
    assert_eq!(mem.summary()["gaps"].as_array().unwrap().len(), 0, "{mem:?}");
}

#[test]
fn a_killed_process_is_counted() {
    let target =
        Target::run(&["--memory", "48m", "--memory-swap", "48m"], &["serve", "--workers", "1"]).ready();

    let killed = target.exec(&["memory", "100"]);

    assert_ne!(killed.code, Some(0), "{killed:?}");
    let mut cgroup_now = Value::Null;
    eventually(Duration::from_secs(10), || {
        cgroup_now = cgroup(&mem(&target, &[]));
        cgroup_now["events"]["oom_kill"] == 1
    });
    assert_eq!(cgroup_now["events"]["oom_kill"], 1, "{cgroup_now}");
    // Some kernels have the counter of version 1 and do not count.
    assert!(cgroup_now["version"] == 1 || cgroup_now["events"]["max"].as_u64() > Some(0), "{cgroup_now}");
    let table = dbgctl(&["mem", &target.id]).expect(0).stdout();
    assert!(table.contains("1 process was killed for lack of memory"), "{table}");
}

#[test]
fn what_is_not_explained_is_little_or_said_to_be_why() {
    for command in [&["memory", "40"][..], &["serve", "--workers", "8"], &["threads", "200"], &["many", "50"]]
    {
        let target = Target::run(&[], command).ready();
        let mem = mem(&target, &[]);
        let (current, reconciliation) = (cgroup(&mem), mem.header()["reconciliation"].take());
        let current = current["current_bytes"].as_u64().unwrap();
        let unexplained = reconciliation["unexplained_bytes"].as_u64().unwrap();
        let is_little = unexplained * 20 < current;
        assert!(is_little || reconciliation["because"].is_string(), "{command:?}: {mem:?}");
        // Whatever the reason, it must not be where processes hold it.
        assert!(unexplained <= current / 20 + stock(), "{command:?}: {unexplained} of {current}: {mem:?}");
        let accounts = reconciliation["accounts"].as_array().unwrap();
        let sum: u64 = accounts.iter().map(|account| account["bytes"].as_u64().unwrap()).sum();
        assert!(sum.abs_diff(current) <= stock(), "the accounts are the whole: {mem:?}");
    }
}

#[test]
fn headroom_is_what_can_still_be_allocated_and_who_is_killed_first_is_who_is_killed() {
    let target =
        Target::run(&["--memory", "100m", "--memory-swap", "100m"], &["serve", "--workers", "1"]).ready();
    let headroom = mem(&target, &[]).header()["headroom"].take();
    let sure = headroom["conservative_bytes"].as_u64().unwrap();
    assert_eq!((&headroom["bound"], &headroom["bound_bytes"]), (&"cgroup".into(), &(100 * MIB).into()));
    assert!((80 * MIB..100 * MIB).contains(&sure), "{headroom}");

    // The rest is for the program itself, its page tables, and what comes with an exec.
    let fits = (sure / MIB - 10).to_string();
    let hold = |mib: &str| {
        let words = ["exec", &target.id, dbgctl_tests::TARGET_PROGRAM, "memory", mib];
        Running::start(std::process::Command::new("docker").args(words))
    };
    let hog = hold(&fits);
    hog.expect_answer();
    let table = dbgctl(&["mem", &target.id]).expect(0).stdout();
    let tight = mem(&target, &[]);
    let biggest = tight.rows()[0]["pid"].clone();
    assert_eq!(tight.header()["headroom"]["killed_first_pid"], biggest, "{tight:?}");
    assert!(table.contains(&format!("killed first: pid {biggest} target-program")), "{table}");

    let _another = hold("40");
    let first = hog.finish();
    assert_eq!(first.code, Some(137), "{first:?}");
}

#[test]
fn a_leak_is_measured_and_neither_a_busy_cache_nor_files_in_memory_are_called_one() {
    let leak = Target::run(&["--memory", "1g"], &["leak", "--mib-per-minute", "120"]).ready();
    let cache = Target::run(&["--memory", "1g"], &["cache", "/busy"]).ready();
    let files = Target::run(&["--memory", "1g", "--tmpfs", "/busy"], &["cache", "/busy"]).ready();

    let watch = |target: &Target| {
        Running::start(&mut dbgctl_command(&[
            "mem", &target.id, "-o", "json", "--watch", "1s", "--for", "60s",
        ]))
    };
    let watches = [&leak, &cache, &files].map(watch);
    // The command is ended if it takes twice as long as it should.
    thread::sleep(Duration::from_secs(55));
    let [leak, cache, files] = watches.map(|watch| watch.finish().expect(0).header()["verdict"].take());

    assert_eq!((&leak["trend"], &leak["growing_pid"]), (&"growing".into(), &1.into()), "{leak}");
    let slope = leak["mib_per_minute"].as_f64().unwrap();
    assert!((108.0..132.0).contains(&slope), "within 10 % of 120: {leak}");
    assert!(leak["mib_per_minute_low"].as_f64() <= leak["mib_per_minute_high"].as_f64(), "{leak}");
    let left = leak["seconds_to_bound"].as_f64().unwrap();
    assert!((300.0..600.0).contains(&left), "a GiB less a tenth at 120 MiB/min: {leak}");
    for busy in [cache, files] {
        assert_eq!(busy["trend"], "level", "{busy}");
    }
}

#[test]
fn watching_a_moment_has_no_verdict_and_a_single_answer_none_at_all() {
    let target = Target::web();
    let watched = dbgctl(&["mem", &target.id, "--watch", "500ms", "--for", "1s", "-o", "json"]).expect(0);
    let single = mem(&target, &[]);
    assert_eq!(watched.header()["verdict"]["trend"], "too_early", "{watched:?}");
    assert!(
        single.header()["verdict"].is_null() && watched.rows().len() > single.rows().len(),
        "{watched:?}"
    );
}

#[test]
fn what_is_not_read_keeps_its_row() {
    let target = Target::web();
    let whole = mem(&target, &[]);
    let cut = mem(&target, &["--budget", "1ns"]);
    let rows = cut.rows();
    assert_eq!(rows.len(), whole.rows().len(), "{cut:?}");
    let unread: Vec<_> = rows.iter().filter(|row| row["pss_bytes"].is_null()).collect();
    assert_eq!(unread.len(), rows.len() - 1, "the biggest was read, and then the budget was spent: {cut:?}");
    assert!(unread.iter().all(|row| row["unread"] == "budget" && row["rss_bytes"].as_u64().unwrap() > 0));
    assert!(cut.summary()["gaps"].to_string().contains("budget"), "{cut:?}");
    let one = mem(&target, &["--pid", "1"]);
    assert_eq!((one.rows().len(), &one.rows()[0]["pid"]), (1, &1.into()), "{one:?}");
}

#[test]
fn mappings_add_up_to_what_the_process_has_and_are_named_as_on_the_host() {
    let target = Target::run(&[], &["memory", "20"]).ready();

    let maps = mem(&target, &["--pid", "1", "--maps"]);

    let process = host::processes_of(&target.id).remove(0);
    let groups: Vec<_> = maps.json().into_iter().filter(|line| line.get("mappings").is_some()).collect();
    let sum = |field: &str| groups.iter().map(|group| group[field].as_u64().unwrap()).sum::<u64>();
    let smaps = String::from_utf8(process.read("maps")).unwrap();
    assert_eq!(sum("mappings"), u64::try_from(smaps.lines().count()).unwrap(), "{maps:?}");
    assert_eq!(sum("rss_bytes"), process.smaps_bytes("Rss"), "{maps:?}");
    assert!(groups.iter().any(|group| group["name"] == "/target-program"), "{maps:?}");
    assert!(groups[0]["rss_bytes"].as_u64().unwrap() >= 20 * MIB, "biggest first: {maps:?}");
    let stranger = dbgctl(&["mem", &target.id, "--pid", "4000000", "--maps"]);
    stranger.expect_error("--pid: no process of the target has number 4000000");
    // Whoever names no process is told so.
    assert_eq!(dbgctl(&["mem", &target.id, "--maps"]).code, Some(2));
}
