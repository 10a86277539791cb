//! `io` of real containers, beside what the host's kernel says.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::path::Path;

use dbgctl_tests::host::{self, HostProcess};
use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command};
use serde_json::Value;

/// Names in the contract and in the kernel's file.
const FIGURES: [(&str, &str); 7] = [
    ("read_bytes", "read_bytes"),
    ("written_bytes", "write_bytes"),
    ("cancelled_bytes", "cancelled_write_bytes"),
    ("read_chars_bytes", "rchar"),
    ("written_chars_bytes", "wchar"),
    ("read_calls", "syscr"),
    ("write_calls", "syscw"),
];

fn io_json(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["io", &target.id, "-o", "json"], options].concat()).expect(0)
}

fn on_host(process: &HostProcess, key: &str) -> u64 {
    let text = String::from_utf8(process.read("io")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {key} in {text}")).parse().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

#[test]
fn a_known_number_of_bytes_written_is_told_as_the_host_tells_it() {
    let target = Target::run(&["-v", "/data"], &["write", "/data/file", "512", "--times", "4"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();

    let io = io_json(&target, &["--sample", "100ms"]);

    let row = &io.rows()[0];
    for (field, key) in FIGURES {
        assert_eq!(number(&row["since_start"][field]), on_host(&process, key), "{field}: {io:?}");
    }
    assert!(number(&row["since_start"]["written_chars_bytes"]) >= (4 * 512) << 10, "{io:?}");
    // It sleeps now: nothing was done within the sample.
    assert!(FIGURES.iter().all(|(field, _)| row["over_sample"][field] == 0), "{io:?}");
    assert_eq!(io.header()["verdicts"][0], "no I/O within the sample", "{io:?}");
    assert_eq!(io.summary()["gaps"].as_array().unwrap().len(), 0, "{io:?}");
    target.expect_nothing_left();
}

#[test]
fn who_writes_within_the_sample_is_named_with_figures_between_those_of_the_host() {
    let target = Target::run(&["-v", "/data"], &["write", "/data/file", "256"]).ready();
    let process = host::processes_of(&target.id).pop().unwrap();
    let now = |key| on_host(&process, key);

    let before = FIGURES.map(|(_, key)| now(key));
    let io = io_json(&target, &["--sample", "2s"]);
    let after = FIGURES.map(|(_, key)| now(key));

    let row = &io.rows()[0];
    for (nth, (field, _)) in FIGURES.iter().enumerate() {
        let (total, sample) = (number(&row["since_start"][field]), number(&row["over_sample"][field]));
        assert!((before[nth]..=after[nth]).contains(&total), "{field}: {io:?}");
        assert!(sample <= after[nth] - before[nth], "{field}: {io:?}");
    }
    assert!(number(&row["over_sample"]["write_calls"]) > 0, "{io:?}");
    assert!(number(&row["sampled_nanos"]) >= 2_000_000_000, "{io:?}");
    let header = &io.header();
    let verdicts = header["verdicts"].to_string();
    assert!(verdicts.contains("pid 1 `target-program`") && verdicts.contains("100% of all"), "{io:?}");
}

#[test]
fn processes_of_other_users_are_a_gap_without_the_capability_and_no_zeros() {
    let target = Target::web();

    let whole = io_json(&target, &["--sample", "100ms"]);
    let low = io_json(&target, &["--sample", "100ms", "--level", "1"]);
    let table = dbgctl(&["io", &target.id, "--sample", "100ms", "--level", "0"]).expect(0);

    assert!(whole.rows().iter().all(|row| row["since_start"].is_object()), "{whole:?}");
    assert_eq!(whole.summary()["gaps"].as_array().unwrap().len(), 0, "{whole:?}");
    assert_eq!(low.rows().len(), 4, "{low:?}");
    assert!(low.rows().iter().all(|row| row["over_sample"].is_null()), "{low:?}");
    let gap = &low.summary()["gaps"][0];
    assert_eq!((&gap["subject"], &gap["count"]), (&"I/O of processes".into(), &4.into()), "{low:?}");
    assert!(gap["reason"].as_str().unwrap().contains("CAP_DAC_READ_SEARCH"), "{low:?}");
    assert!(table.stdout().contains("who reads and writes is not known"), "{table:?}");
    assert!(table.stdout().contains("\ncgroup: not readable\n"), "{table:?}");
    target.expect_nothing_left();
}

/// A block device that a limit can be set on: name and numbers.
fn block_device() -> Option<(String, String)> {
    let partitions = fs::read_to_string("/proc/partitions").unwrap();
    partitions.lines().skip(2).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [major, minor, _, name] = words[..] else { return None };
        // Disks alone: a part of a disk has no limits of its own.
        let is_disk = Path::new("/sys/block").join(name).join("device").exists();
        (is_disk && Path::new("/dev").join(name).exists())
            .then(|| (name.to_owned(), format!("{major}:{minor}")))
    })
}

#[test]
fn a_limit_on_a_device_is_the_one_that_the_engine_was_given() {
    let Some((name, numbers)) = block_device() else {
        dbgctl_tests::figures::say("skipped: no block device to set a limit on");
        return;
    };
    let limit = format!("/dev/{name}:3145728");
    let target = Target::run(&["--device-write-bps", &limit], &["threads", "1"]).ready();

    let io = io_json(&target, &["--sample", "100ms"]);

    let devices = io.header()["cgroup"]["devices"].clone();
    let is_it = |device: &&Value| format!("{}:{}", device["major"], device["minor"]) == numbers;
    let device = devices.as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("{io:?}"));
    assert_eq!(device["name"], name.as_str(), "{io:?}");
    assert_eq!(device["written_bytes_limit"], 3_145_728, "{io:?}");
    assert_eq!(device["read_bytes_limit"], "max", "no limit is not zero: {io:?}");
}

#[test]
fn watching_takes_sample_after_sample_and_ends_with_its_reader() {
    let target = Target::web();
    let arguments = ["io", &target.id, "--watch", "100ms", "-o", "json"];
    let mut watch = Running::start(&mut dbgctl_command(&arguments));

    for _ in 0..3 {
        let line = watch.line(|line| line.contains("\"header\""));
        let header: Value = serde_json::from_str(&line).unwrap();
        assert!(number(&header["header"]["sampled_nanos"]) >= 100_000_000, "{line}");
    }

    assert_eq!(watch.stop_reading(), Some(0), "a closed pipe is no error");
    target.expect_nothing_left();
}
