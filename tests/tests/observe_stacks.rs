//! What the threads of real containers wait for, checked against what they were told to do and what the host sees.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::time::Duration;

use dbgctl_tests::questions::{OBSERVING, about};
use dbgctl_tests::{Ran, Target, dbgctl, eventually, host};
use serde_json::Value;

fn stack(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["stack", &target.id], options].concat()).expect(0)
}

/// `blocked`, once each of its threads waits as the host sees it.
fn blocked(user: &str) -> Target {
    let target = Target::run(&["--user", user], &["blocked"]).ready();
    let all_wait = || {
        let process = &host::processes_of(&target.id)[0];
        let calls = tasks(process.host_pid).into_iter().map(|task| read(process.host_pid, task, "syscall"));
        calls.filter(|call| call.starts_with(|first: char| first.is_ascii_digit())).count() == THREADS
    };
    assert!(eventually(Duration::from_secs(20), all_wait), "not all threads wait");
    target
}

/// Of `blocked`: eight that differ, five that wait for the same, and the main thread.
const THREADS: usize = 14;

fn tasks(host_pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{host_pid}/task")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

fn read(host_pid: u32, task: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{host_pid}/task/{task}/{file}")).unwrap().trim().to_owned()
}

/// The thread of that name.
#[track_caller]
fn row(ran: &Ran, thread: &str) -> Value {
    let row = ran.rows().into_iter().find(|row| row["thread"] == thread);
    row.unwrap_or_else(|| panic!("no {thread} in {ran:?}"))
}

#[test]
fn each_thread_is_in_the_system_call_that_it_was_told_to_wait_in() {
    for user in ["0:0", "1000:1000"] {
        let target = blocked(user);

        let ran = stack(&target, &["-o", "json"]);

        let call = |thread: &str| {
            let call = row(&ran, thread)["system_call"].clone();
            (call["name"].as_str().unwrap().to_owned(), call["about"].as_str().unwrap().to_owned())
        };
        let (name, about) = call("read-pipe");
        assert_eq!(name, "read");
        assert!(about.contains(" = pipe:[") && about.ends_with(", at most 512 bytes"), "{about}");
        let (name, about) = call("read-tcp");
        assert!(["read", "recvfrom"].contains(&name.as_str()), "{name}");
        assert!(about.contains(" = tcp 127.0.0.1:") && about.contains(" -> 127.0.0.1:8080"), "{about}");
        let (name, about) = call("receive-udp");
        assert!(name == "recvfrom" && about.contains(" = udp 127.0.0.1:5353"), "{name} {about}");
        let (name, about) = call("accept-tcp");
        assert!(name.starts_with("accept") && about.contains(" = tcp 127.0.0.1:8080"), "{name} {about}");
        let (name, about) = call("epoll");
        assert!(name.starts_with("epoll_") && about.contains("= anon_inode:[eventpoll]"), "{name} {about}");
        let (name, about) = call("poll");
        assert!(
            ["poll", "ppoll"].contains(&name.as_str()) && about.starts_with("1 descriptor"),
            "{name} {about}"
        );
        let child = host::processes_of(&target.id)[1].pid;
        assert_eq!(call("wait"), ("wait4".to_owned(), format!("process {child}")));
        assert!(call("sleep").0.ends_with("nanosleep"), "{ran:?}");
        let (name, about) = call("futex");
        assert!(name == "futex" && about.starts_with("FUTEX_WAIT") && about.ends_with("_PRIVATE"), "{about}");
        assert_eq!(ran.rows().len(), THREADS + 1, "with the idle child: {ran:?}");

        let gaps = ran.summary()["gaps"].as_array().unwrap().clone();
        assert_eq!((gaps.len(), &gaps[0]["subject"]), (1, &"kernel stacks".into()), "{ran:?}");
        target.expect_nothing_left();
    }
}

#[test]
fn it_is_what_the_host_reads_of_the_same_threads() {
    let target = blocked("1000:1000");

    let ran = stack(&target, &["-o", "json"]);

    let process = &host::processes_of(&target.id)[0];
    let rows: Vec<_> = ran.rows().into_iter().filter(|row| row["pid"] == process.pid).collect();
    let mut tasks = tasks(process.host_pid);
    tasks.sort_unstable();
    assert_eq!(rows.len(), tasks.len());
    for (row, task) in rows.iter().zip(tasks) {
        let read = |file: &str| read(process.host_pid, task, file);
        assert_eq!(row["thread"], read("comm"), "{row}");
        assert_eq!(row["wait_channel"], read("wchan"), "{row}");
        let call = &row["system_call"];
        let hexadecimal = |value: &Value| format!("{:#x}", value.as_u64().unwrap());
        let mut words = vec![call["number"].to_string()];
        words.extend(call["arguments"].as_array().unwrap().iter().map(hexadecimal));
        words.extend([hexadecimal(&row["stack_pointer"]), hexadecimal(&row["instruction_pointer"])]);
        assert_eq!(words.join(" "), read("syscall"), "{row}");
        assert_eq!((&row["state"], &row["activity"]), (&"sleeping".into(), &"system_call".into()), "{row}");
    }
}

#[test]
fn a_table_joins_threads_that_wait_for_the_same() {
    let target = blocked("1000:1000");

    let table = stack(&target, &[]).stdout();
    let single = stack(&target, &["--threads", "--pid", "1"]).stdout();

    let futex: Vec<_> = table.lines().filter(|line| line.contains("  futex(FUTEX_WAIT")).collect();
    assert_eq!(futex.len(), 1, "{table}");
    assert!(futex[0].trim_start().starts_with("5  1 "), "{table}");
    assert!(table.contains("15 threads of 2 processes: 15 sleeping\n"), "{table}");
    assert_eq!(single.matches("  futex(FUTEX_WAIT").count(), 5, "{single}");
}

#[test]
fn a_sample_tells_that_those_who_wait_have_not_run() {
    let target = blocked("1000:1000");

    let ran = stack(&target, &["--sample", "300ms", "-o", "json"]);

    for thread in ["read-pipe", "accept-tcp", "sleep"] {
        let run = row(&ran, thread)["run"].clone();
        assert_eq!((&run["ran_nanos"], &run["timeslices"]), (&0.into(), &0.into()), "{thread}: {run}");
        assert!(run["sampled_nanos"].as_u64().unwrap() >= 300_000_000, "{run}");
    }
}

#[test]
fn without_the_capability_to_search_states_are_told_and_the_calls_are_gaps() {
    let target = blocked("1000:1000");

    let ran = stack(&target, &["--level", "1", "-o", "json"]);

    assert_eq!(ran.rows().len(), THREADS + 1, "{ran:?}");
    let waiting = row(&ran, "read-pipe");
    assert_eq!((&waiting["state"], &waiting["system_call"]), (&"sleeping".into(), &Value::Null), "{waiting}");
    assert!(waiting["wait_channel"].as_str().unwrap().contains("pipe"), "{waiting}");
    let gaps = ran.summary()["gaps"].as_array().unwrap().clone();
    let calls = gaps.iter().find(|gap| gap["subject"] == "system calls").unwrap();
    assert!(calls["reason"].as_str().unwrap().contains("needs CAP_DAC_READ_SEARCH"), "{ran:?}");
}

#[test]
fn a_process_that_no_signal_wakes_is_named_with_what_it_waits_in_and_holds_up_no_answer() {
    let target = Target::run(&[], &["uninterruptible"]).ready();
    // The one that waits has to have got there.
    let waits = || dbgctl(&["ps", &target.id, "--filter", "state=disk-sleep", "-o", "json"]).expect(0);
    assert!(eventually(Duration::from_secs(10), || waits().rows().len() == 1), "{:?}", waits());

    let (waits, stack) = (waits().rows().remove(0), stack(&target, &["--threads", "-o", "json"]));

    assert_eq!(waits["command"], "waits");
    let thread = row(&stack, "waits");
    assert_eq!((&thread["state"], &thread["pid"]), (&Value::from("disk_sleep"), &waits["pid"]), "{thread}");
    assert!(thread["wait_channel"].as_str().is_some_and(|channel| channel.contains("clone")), "{thread}");
    for question in OBSERVING {
        dbgctl(&about(&target.id, question)).expect(0);
    }
}

#[test]
fn hostile_names_of_threads_reach_no_table() {
    let target = Target::run(&[], &["hostile"]).ready();

    for options in [&[][..], &["--threads", "-o", "wide"]] {
        let table = stack(&target, options).stdout();
        let odd = table.chars().find(|&odd| odd != '\n' && (odd.is_control() || odd == '\u{202e}'));
        assert_eq!(odd, None, "{table:?}");
    }
}
