//! A hostile target that tries to get into whatever appears beside it.

use std::thread;
use std::time::Duration;

use dbgctl_tests::{Target, dbgctl, docker_ok, eventually, target_image, unique};
use serde_json::{Value, json};

use crate::live::{LEVELS, Live, alone, begin_session, question};

/// One-off questions at each level.
const QUESTIONS: usize = 31;
/// Sessions, each of them joined once.
const SESSIONS: usize = 9;
/// So many starts must be attacked. Of a few more the attacker may see only the end, if it gets no CPU in time.
const ATTACKED: usize = 100;

/// What the attacker reported so far: lines of JSON after the one that says that it is ready.
fn reports(target: &Target) -> Vec<Value> {
    target.logs().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The reports of processes that have gone and were, at some time, started as `program`.
fn of_program<'a>(reports: &'a [Value], program: &str) -> Vec<&'a Value> {
    let was = |report: &&Value| {
        let cmdlines = report["cmdlines"].as_array().into_iter().flatten();
        cmdlines.into_iter().any(|cmdline| cmdline.as_str().unwrap().starts_with(program))
    };
    reports.iter().filter(was).collect()
}

#[test]
fn a_polling_attacker_gets_into_no_start_of_a_sidecar_but_into_an_unprotected_one() {
    let target = alone(&["attack"]);

    // The control: what people run today. If it withstood, the rest would prove nothing.
    let control = unique("control");
    let (pid, network) =
        (format!("--pid=container:{}", target.id), format!("--network=container:{}", target.id));
    let run = ["run", "--rm", "--name", &control, "--label", "dbgctl-test=1", &pid, &network, target_image()];
    docker_ok(&[&run[..], &["unprotected", "--seconds", "1"]].concat());
    let mut of_control = Value::Null;
    let lost = || {
        let seen = reports(&target);
        let Some(report) = of_program(&seen, "/target-program unprotected").pop() else { return false };
        of_control = report["pid"].clone();
        let opened = report["opened"].as_array().unwrap();
        ["mem", "environ", "root", "fd/0", "fd/1"].iter().all(|way| opened.iter().any(|open| open == way))
    };
    assert!(eventually(Duration::from_secs(10), lost), "the attacker is harmless: {:?}", reports(&target));

    thread::scope(|scope| {
        for level in LEVELS {
            let name = &target.name;
            let ask = move || dbgctl(&[&["--level", level], question(level), &[name]].concat()).expect(0);
            scope.spawn(move || (0..QUESTIONS).map(|_| ask()).for_each(drop));
        }
    });
    for round in 0..SESSIONS {
        let level = LEVELS[round % LEVELS.len()];
        begin_session(&target, level);
        dbgctl(&[&["--level", level], question(level), &[&target.name]].concat()).expect(0);
        dbgctl(&["detach", &target.name]).expect(0);
    }

    let mut seen = Vec::new();
    let all_gone = eventually(Duration::from_secs(10), || {
        seen = reports(&target);
        of_program(&seen, "/agent").len() >= ATTACKED
    });
    assert!(all_gone, "only {} starts were seen", of_program(&seen, "/agent").len());
    assert!(of_program(&seen, "/agent").iter().all(|report| report["attempts"].as_u64().unwrap() > 0));
    // Not only of the agents: nothing that the runtime did on the way there was open either.
    let was_opened = |report: &&Value| report["opened"] != json!([]) && report["pid"] != of_control;
    let lost: Vec<_> = seen.iter().filter(was_opened).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn every_way_into_a_running_agent_is_refused() {
    let target = alone(&["threads", "1"]);
    for level in LEVELS {
        let session = Live::session(&target, level);
        let attack = target.exec(&["attack", "--once", &session.pid()]).expect(1);
        let report = &attack.json()[0];
        assert!(report["cmdline"].as_str().unwrap().starts_with("/agent serve"), "{report}");
        let results = report["results"].as_object().unwrap();
        for (way, result) in results {
            let expected = match way.as_str() {
                "ptrace" | "process_vm_readv" | "pidfd_getfd" => "EPERM",
                _ => "EACCES",
            };
            assert_eq!(result, expected, "level {level}: {way}");
        }
        assert_eq!(results.len(), 11, "{results:?}");
        dbgctl(&["detach", &target.name]).expect(0);
    }
}
