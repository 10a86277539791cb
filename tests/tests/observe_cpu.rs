//! `cpu` of real containers, beside what the host's kernel says of the same time.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dbgctl_tests::host::{self, HostProcess};
use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command};
use serde_json::Value;

fn cpu_json(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["cpu", &target.id, "-o", "json"], options].concat()).expect(0)
}

fn header(ran: &Ran) -> Value {
    ran.header()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Periods and throttled periods since the start, as the host reads them.
fn throttling(process: &HostProcess) -> (u64, u64) {
    let figure = |key| process.cgroup_figure("cpu", "cpu.stat", key).unwrap();
    (figure("nr_periods"), figure("nr_throttled"))
}

/// Reads the host's figures again and again, so that a sample can be laid over them.
struct Witness {
    over: Arc<AtomicBool>,
    seen: JoinHandle<Vec<(u64, u64)>>,
}

impl Witness {
    fn begin(process: HostProcess) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let seen = thread::spawn(move || {
            let mut seen = vec![throttling(&process)];
            while !until.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
                seen.push(throttling(&process));
            }
            seen.push(throttling(&process));
            seen
        });
        Self { over, seen }
    }

    fn end(self) -> Vec<(u64, u64)> {
        self.over.store(true, Ordering::Relaxed);
        self.seen.join().unwrap()
    }
}

#[test]
fn a_container_that_wants_more_than_its_limit_is_called_throttled_with_the_share_that_the_host_sees() {
    let target = Target::run(&["--cpus", "0.5"], &["burn", "--user", "2"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();

    let witness = Witness::begin(process);
    let cpu = cpu_json(&target, &["--sample", "3s"]);
    let seen = witness.end();

    let header = header(&cpu);
    let (sample, total) = (&header["cgroup"]["over_sample"], &header["cgroup"]["since_start"]);
    let figure = |of: &Value, field: &str| number(&of[field]);
    let (periods, throttled) = (figure(sample, "periods"), figure(sample, "throttled_periods"));
    assert!(periods > 0 && throttled <= periods, "{cpu:?}");
    // The sample lies between two numbers of periods; the host looked at about the same moments.
    let last = figure(total, "periods");
    let nearest = |periods: u64| *seen.iter().min_by_key(|(seen, _)| seen.abs_diff(periods)).unwrap();
    let (begin, end) = (nearest(last - periods), nearest(last));
    assert!(end.0 > begin.0, "the host saw the sample go by: {seen:?}\n{cpu:?}");
    let share = |throttled: u64, periods: u64| throttled as f64 / periods as f64 * 100.0;
    let (told, witnessed) = (share(throttled, periods), share(end.1 - begin.1, end.0 - begin.0));
    assert!((told - witnessed).abs() <= 2.0, "told {told}, witnessed {witnessed}\n{cpu:?}");
    let told_in_words = sample["throttled_percent"].as_f64().unwrap();
    assert!((told_in_words - told).abs() < 0.01, "{cpu:?}");

    let verdicts = header["verdicts"].as_array().unwrap();
    if told >= 10.0 {
        let expected = format!("throttled in {told:.0}% of periods: the limit of 0.5 CPU is the bottleneck");
        assert_eq!(verdicts[0], expected, "{cpu:?}");
    }
    let quota = (number(&header["cgroup"]["quota_micros"]), number(&header["cgroup"]["period_micros"]));
    assert_eq!((quota.0 * 1_000_000_000 / quota.1).to_string(), target.inspect("{{.HostConfig.NanoCpus}}"));
    target.expect_nothing_left();
}

#[test]
fn threads_are_told_apart_by_whether_they_work_in_the_program_or_in_the_kernel() {
    let target = Target::run(&[], &["burn", "--user", "1", "--system", "1"]).ready();

    let cpu = cpu_json(&target, &["--threads", "--sample", "2s"]);

    let of = |name: &str| {
        let rows = cpu.rows();
        let row = rows.iter().find(|row| row["command"] == name);
        row.unwrap_or_else(|| panic!("no {name}: {cpu:?}")).clone()
    };
    let nanos = |row: &Value, field: &str| number(&row["over_sample"][field]);
    let (user, system) = (of("user-0"), of("system-0"));
    assert!(nanos(&user, "user_nanos") > nanos(&user, "system_nanos"), "{user}");
    assert!(nanos(&system, "system_nanos") > nanos(&system, "user_nanos"), "{system}");
    // The first thread does nothing, and stands last.
    assert_eq!(cpu.rows().last().unwrap()["command"], "target-program", "{cpu:?}");
    let header = header(&cpu);
    assert!(header["cgroup"]["quota_micros"] == "max", "no limit is not zero: {header}");
    let busiest = &header["busiest_thread"];
    assert!([user, system].iter().any(|row| row["tid"] == busiest["tid"]), "{cpu:?}");
    // Nobody runs for longer than there was time.
    assert!(number(&busiest["run_nanos"]) <= number(&busiest["sampled_nanos"]) / 100 * 105, "{busiest}");
}

#[test]
fn totals_lie_between_what_the_host_saw_before_and_after() {
    let target = Target::run(&[], &["burn"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();
    let ticks = || process.stat(14).parse::<u64>().unwrap() + process.stat(15).parse::<u64>().unwrap();
    let usage = || {
        let v2 = process.cgroup_figure("cpuacct", "cpu.stat", "usage_usec").map(|micros| micros * 1000);
        v2.unwrap_or_else(|| {
            std::fs::read_to_string(process.cgroup_file("cpuacct", "cpuacct.usage"))
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        })
    };

    let (ticks_before, usage_before) = (ticks(), usage());
    let cpu = cpu_json(&target, &["--sample", "200ms"]);
    let (ticks_after, usage_after) = (ticks(), usage());

    let row = &cpu.rows()[0];
    let total = number(&row["since_start"]["user_nanos"]) + number(&row["since_start"]["system_nanos"]);
    assert!((ticks_before..=ticks_after).contains(&(total / 10_000_000)), "{cpu:?}");
    let used = number(&header(&cpu)["cgroup"]["since_start"]["usage_nanos"]);
    assert!((usage_before..=usage_after).contains(&used), "{usage_before} {used} {usage_after}");
    let sampled = number(&row["sampled_nanos"]);
    assert!(sampled >= 200_000_000, "{row}");
    let (last_cpu, nice) = (number(&row["last_cpu"]), row["nice"].as_i64().unwrap());
    assert!(last_cpu < 4096 && nice.to_string() == process.stat(19), "{row}");
}

#[test]
fn a_container_that_sleeps_is_idle_and_one_that_is_not_readable_has_a_gap() {
    let target = Target::web();

    let idle = dbgctl(&["cpu", &target.id, "--sample", "100ms"]).expect(0);
    let low = cpu_json(&target, &["--sample", "100ms", "--level", "0"]);

    assert!(idle.stdout().contains("\nidle: "), "{idle:?}");
    assert!(header(&low)["cgroup"].is_null(), "{low:?}");
    assert_eq!(low.rows().len(), 4, "{low:?}");
    let gaps = low.summary()["gaps"].clone();
    assert_eq!(gaps.as_array().unwrap().len(), 1, "{low:?}");
    assert!(gaps[0]["reason"].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{low:?}");
}

#[test]
fn processes_that_come_and_go_within_the_sample_are_told_honestly() {
    let target = Target::run(&["--pids-limit", "200"], &["churn", "100"]).ready();

    let cpu = cpu_json(&target, &["--sample", "1s"]);

    for row in cpu.rows() {
        let (sampled, run) = (number(&row["sampled_nanos"]), row["over_sample"]["run_nanos"].as_u64());
        assert!(run.is_none_or(|run| run <= sampled + 10_000_000), "nobody inherits another's time: {row}");
        let is_stable = row["pid"] == 1 || row["command"] == "long-lived";
        assert!(!is_stable || row["started_within_sample"] == false, "{row}");
    }
}

#[test]
fn watching_takes_sample_after_sample_and_ends_with_its_reader() {
    let target = Target::web();
    let arguments = ["cpu", &target.id, "--watch", "100ms", "-o", "json"];
    let mut watch = Running::start(&mut dbgctl_command(&arguments));

    for _ in 0..3 {
        let line = watch.line(|line| line.contains("\"header\""));
        let header: Value = serde_json::from_str(&line).unwrap();
        assert!(number(&header["header"]["sampled_nanos"]) >= 100_000_000, "{line}");
    }

    assert_eq!(watch.stop_reading(), Some(0), "a closed pipe is no error");
    target.expect_nothing_left();
}
