//! What the interfaces of a target carry, compared with the host's own view of its network namespace.
#![expect(clippy::unwrap_used, reason = "tests")]

use dbgctl_tests::host::{HostProcess, processes_of};
use dbgctl_tests::{Target, dbgctl};
use serde_json::Value;

/// Name, and the 16 figures of `/proc/<pid>/net/dev`, as the host reads them.
fn witness(process: &HostProcess) -> Vec<(String, Vec<u64>)> {
    let file = String::from_utf8(process.read("net/dev")).unwrap();
    let interface = |line: &str| {
        let (name, figures) = line.split_once(':').unwrap();
        let figures = figures.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        (name.trim().to_owned(), figures)
    };
    file.lines().skip(2).map(interface).collect()
}

/// The same from an answer.
fn figures(interface: &Value) -> (String, Vec<u64>) {
    let of = |way: &str, names: [&str; 8]| names.map(|name| interface[way][name].as_u64().unwrap());
    let received = of(
        "received",
        ["bytes", "packets", "errors", "dropped", "fifo_errors", "frame_errors", "compressed", "multicast"],
    );
    let transmitted = of(
        "transmitted",
        [
            "bytes",
            "packets",
            "errors",
            "dropped",
            "fifo_errors",
            "collisions",
            "carrier_errors",
            "compressed",
        ],
    );
    (interface["name"].as_str().unwrap().to_owned(), [received, transmitted].concat())
}

#[test]
fn each_figure_lies_between_what_the_host_reads_before_and_after() {
    let target = Target::run(&["--network", "bridge"], &["serve"]).ready();
    let process = &processes_of(&target.id)[0];
    // Something has come through `lo`, which is quiet otherwise.
    dbgctl(&["connect", &target.name, "127.0.0.1:8080"]).expect(0);

    let before = witness(process);
    let answer = dbgctl(&["net", &target.name, "-o", "json"]).expect(0);
    let after = witness(process);

    let mut lines = answer.json();
    let (header, summary) = (lines.remove(0), lines.pop().unwrap());
    assert!(header["header"]["sampled_boottime_nanos"].as_u64() > Some(0), "{header}");
    assert_eq!((&summary["summary"]["end"], &summary["summary"]["sent"]), (&"complete".into(), &2.into()));
    assert_eq!(lines.len(), 2, "lo and eth0: {lines:?}");
    for ((line, before), after) in lines.iter().map(figures).zip(before).zip(after) {
        assert_eq!((&line.0, &line.0), (&before.0, &after.0));
        let grew = before.1.iter().zip(&line.1).zip(&after.1);
        assert!(grew.clone().all(|((before, line), after)| before <= line && line <= after), "{grew:?}");
    }
    let lo = figures(&lines[0]);
    assert!(lo.0 == "lo" && lo.1[0] > 0 && lo.1[0] == lo.1[8], "{lo:?}");
}

#[test]
fn no_capability_is_needed_and_nothing_stays_behind() {
    let target = Target::web();
    let ran = dbgctl(&["net", &target.name, "--level", "0"]).expect(0);
    assert!(ran.stdout().starts_with("NAME  "), "{ran:?}");
    assert!(!ran.stderr().contains("level 1"), "{ran:?}");
    target.expect_nothing_left();
}
