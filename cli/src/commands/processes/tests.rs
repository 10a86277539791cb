//! The whole path: a request, a service that answers it, the text that comes out.

use clap::Args as _;
use dbgctl_proto::v1::list_processes_response::Part;
use dbgctl_proto::v1::{
    End, Gap, ListProcessesRequest, Process, ProcessDetails, ProcessListHeader, ProcessState, Summary,
};
use serde_json::{Value, json};

use super::fake::{HEADER, SECOND, answer, args, channel, process, shown, shown_as_asked};
use super::*;
use crate::commands::testing::Written;
use crate::render::Terminal;

fn mixed() -> Vec<Process> {
    vec![
        process(1, 0, &[b"/sbin/init", b"--log", b"a b"]),
        Process {
            state: ProcessState::Zombie.into(),
            arguments: vec![],
            resident_bytes: 0,
            ..process(7, 1, &[])
        },
        Process { user: None, ..process(8, 1, &[b"nginx: \x1b]0;owned\x07\nworker"]) },
        Process { state: ProcessState::DiskSleep.into(), arguments_cut: true, ..process(9, 8, &[b"cp"]) },
        Process { kernel_thread: true, command: b"kworker/0:1".to_vec(), ..process(12, 2, &[]) },
        process(13, 1, &[]),
    ]
}

#[tokio::test]
async fn a_table_has_one_row_per_process_and_the_talk_is_on_stderr() {
    let shown = shown(&[], Format::Table, vec![answer(HEADER, mixed())]).await;
    assert_eq!(
        shown.stdout,
        "PID  PPID  USER  STATE       CPU%       RSS  THR  ELAPSED  COMMAND\n\
         \x20 1     0  app   sleeping     5.0   1.0 MiB    3     1:40  /sbin/init --log a b\n\
         \x20 7     1  app   zombie       5.0       0 B    3     1:40  comm <zombie>\n\
         \x20 8     1  1000  sleeping     5.0   8.0 MiB    3     1:40  nginx: \\x1b]0;owned\\x07\\nworker\n\
         \x20 9     8  app   disk-sleep   5.0   9.0 MiB    3     1:40  cp …\n\
         \x2012     2  app   sleeping     5.0  12.0 MiB    3     1:40  [kworker/0:1]\n\
         \x2013     1  app   sleeping     5.0  13.0 MiB    3     1:40  (comm)\n"
    );
    assert_eq!(shown.stderr, "6 processes; CPU% is since each one started\n");
    assert_eq!(shown.result.unwrap(), Exit::Answered);
}

#[tokio::test]
async fn a_wide_table_asks_for_details_and_shows_them() {
    let details = ProcessDetails { swap_bytes: Some(4096), wait_channel: Some("ep_poll".into()) };
    let one = Process { details: Some(details), nice: -5, ..process(1, 0, &[b"init"]) };
    let expected = ListProcessesRequest { details: true, ..ListProcessesRequest::default() };
    let shown = shown_as_asked(&[], Format::Wide, vec![answer(HEADER, vec![one])], Some(expected)).await;
    assert_eq!(
        shown.stdout,
        "PID  PPID  USER  STATE     CPU%      RSS     VIRT     SWAP  THR  NICE     START  ELAPSED  WAIT-CHANNEL  ORIGIN  COMMAND\n\
         \x20 1     0  app   sleeping   5.0  1.0 MiB  1.0 GiB  4.0 KiB    3    -5  22:11:40     1:40  ep_poll       target  init\n"
    );
}

#[tokio::test]
async fn json_has_the_contracts_names_a_header_first_and_a_summary_last() {
    let hostile = Process { user: None, ..process(8, 1, &[b"a\xff", b"\x1b[0m"]) };
    let shown = shown(&[], Format::Json, vec![answer(HEADER, vec![hostile])]).await;
    assert_eq!(
        shown.json(),
        [
            json!({"header": {
                "sampled_boottime_nanos": HEADER.sampled_boottime_nanos,
                "sampled_unix_nanos": HEADER.sampled_unix_nanos,
                "cpu_percent_since": "start",
            }}),
            json!({
                "pid": 8, "parent_pid": 1, "tid": null, "uid": 1000, "user": null, "state": "sleeping",
                "user_time_nanos": 4 * SECOND, "system_time_nanos": SECOND, "cpu_percent": 5.0,
                "started_boottime_nanos": 900 * SECOND, "elapsed_nanos": 100 * SECOND,
                "resident_bytes": 8 << 20, "virtual_bytes": 1 << 30, "threads": 3, "nice": 0,
                "command": "comm", "arguments": [{"base64": "Yf8="}, "\u{1b}[0m"], "arguments_cut": false,
                "kernel_thread": false, "origin": "target", "details": null,
            }),
            json!({"summary": {"sent": 1, "dropped": 0, "gaps": [], "end": "complete"}}),
        ]
    );
    assert_eq!(shown.stderr, "");
}

#[tokio::test]
async fn yaml_is_a_list_of_the_same_objects() {
    let shown = shown(&[], Format::Yaml, vec![answer(HEADER, vec![process(8, 1, &[b"no"])])]).await;
    assert!(shown.stdout.starts_with("- header:\n    sampled_boottime_nanos: "), "{}", shown.stdout);
    assert!(shown.stdout.contains("\n- pid: 8\n  parent_pid: 1\n  tid: null\n"), "{}", shown.stdout);
    assert!(shown.stdout.contains("  arguments:\n    - \"no\"\n"), "{}", shown.stdout);
    assert!(shown.stdout.contains("- summary:\n    sent: 1\n"), "{}", shown.stdout);
}

#[tokio::test]
async fn ten_thousand_hostile_names_are_ten_thousand_rows() {
    let names: [&[u8]; 7] = [
        b"\x1b[2J",
        b"\x07bell",
        b"new\nline",
        "\u{9b}31m".as_bytes(),
        b"\x9b",
        "\u{202e}".as_bytes(),
        b"\xff",
    ];
    let processes: Vec<_> = (0..10_000u32)
        .map(|pid| {
            let name = names[usize::try_from(pid).unwrap() % names.len()];
            Process {
                user: Some(name.to_vec()),
                command: name.to_vec(),
                ..process(pid, 0, &[name, b"a\tb\r\n"][..usize::from(pid % 3 > 0)])
            }
        })
        .collect();
    let table = shown(&[], Format::Table, vec![answer(HEADER, processes.clone())]).await.stdout;
    assert_eq!(table.lines().count(), 10_001);
    assert!(!table.chars().any(|character| character != '\n' && character.is_control()));
    assert!(!table.contains(['\u{202e}', '\u{9b}', '\u{2028}']));

    let json = shown(&[], Format::Json, vec![answer(HEADER, processes)]).await;
    assert_eq!(json.json().len(), 10_002);
    assert!(!json.stdout.chars().any(|character| character != '\n' && character.is_control()));
}

#[tokio::test]
async fn values_of_a_newer_agent_are_shown_as_unknown() {
    let strange = Process { state: 77, origin: -3, ..process(1, 0, &[b"x"]) };
    let answers = || vec![answer(HEADER, vec![strange.clone()])];
    assert!(shown(&[], Format::Table, answers()).await.stdout.contains("unknown(77)"));
    let json = &shown(&[], Format::Json, answers()).await.json()[1];
    assert_eq!((&json["state"], &json["origin"]), (&json!("unknown(77)"), &json!("unknown(-3)")));
}

#[tokio::test]
async fn a_clock_that_runs_backwards_makes_figures_absent() {
    let later =
        Process { started_boottime_nanos: u64::MAX, user_time_nanos: u64::MAX, ..process(1, 0, &[b"x"]) };
    let json = &shown(&[], Format::Json, vec![answer(HEADER, vec![later])]).await.json()[1];
    assert_eq!((&json["cpu_percent"], &json["elapsed_nanos"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn gaps_and_limits_are_confessed() {
    let gaps = vec![
        Gap { subject: "processes".into(), reason: "ended while the list was made".into(), count: 3 },
        Gap {
            subject: "user names".into(),
            reason: "not readable (needs CAP_SYS_PTRACE)\x1b[2J".into(),
            count: 1,
        },
    ];
    let summary = Summary { sent: 1, dropped: 0, gaps, end: End::Limit.into() };
    let mut parts = answer(HEADER, vec![process(1, 0, &[b"x"])]);
    parts[2] = Part::Summary(summary);
    let expected = ListProcessesRequest { limit: 1, ..ListProcessesRequest::default() };
    let shown = shown_as_asked(&["--limit", "1"], Format::Table, vec![parts], Some(expected)).await;
    assert_eq!(
        shown.stderr,
        "1 process; CPU% is since each one started\n\
         3 processes ended while the list was made\n\
         user names: not readable (needs CAP_SYS_PTRACE)\\x1b[2J\n\
         stopped at the limit of 1; there are more\n"
    );
}

#[tokio::test]
async fn a_list_without_a_summary_is_not_passed_off_as_whole() {
    let mut parts = answer(HEADER, vec![process(1, 0, &[b"x"])]);
    parts.pop();
    let shown = shown(&[], Format::Json, vec![parts]).await;
    assert_eq!(shown.json()[2], json!({"summary": null}));
    assert_eq!(shown.stderr, "the list broke off: the agent ended it without a summary\n");
    assert_eq!(shown.result.unwrap(), Exit::Unknown);
}

#[tokio::test]
async fn the_biggest_are_chosen_from_all_and_not_from_the_first() {
    let expected = ListProcessesRequest::default();
    let words = ["--sort", "rss", "--limit", "2", "--filter", "state=sleeping"];
    let shown = shown_as_asked(&words, Format::Table, vec![answer(HEADER, mixed())], Some(expected)).await;
    let pids: Vec<_> =
        shown.stdout.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(pids, ["13", "12"]);
    assert_eq!(shown.stderr, "2 of 6 processes; CPU% is since each one started\n");
}

#[tokio::test]
async fn sorting_by_a_detail_asks_for_details() {
    let expected = ListProcessesRequest { details: true, ..ListProcessesRequest::default() };
    let answers = vec![answer(HEADER, mixed())];
    shown_as_asked(&["--sort", "-swap"], Format::Table, answers, Some(expected)).await.result.unwrap();
}

#[tokio::test]
async fn threads_are_rows_with_their_own_names() {
    let thread =
        |tid, name: &[u8]| Process { tid: Some(tid), command: name.to_vec(), ..process(5, 1, &[b"java"]) };
    let answers = vec![answer(HEADER, vec![thread(5, b"java"), thread(6, b"GC")])];
    let expected = ListProcessesRequest { threads: true, ..ListProcessesRequest::default() };
    let shown = shown_as_asked(&["--threads"], Format::Table, answers, Some(expected)).await;
    assert!(shown.stdout.starts_with("PID  TID  PPID  USER"), "{}", shown.stdout);
    let commands: Vec<_> = shown.stdout.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(commands, ["COMMAND", "java", "GC"]);
    assert!(shown.stderr.starts_with("2 threads;"), "{}", shown.stderr);
}

#[tokio::test]
async fn a_tree_shows_who_started_whom() {
    let shown = shown(&["--tree"], Format::Table, vec![answer(HEADER, mixed())]).await;
    let commands: Vec<_> =
        shown.stdout.lines().skip(1).map(|line| line.split_once("1:40  ").unwrap().1).collect();
    assert_eq!(
        commands,
        [
            "/sbin/init --log a b",
            "├─ comm <zombie>",
            "├─ nginx: \\x1b]0;owned\\x07\\nworker",
            "│  └─ cp …",
            "└─ (comm)",
            "[kworker/0:1]",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn watching_shows_cpu_since_the_last_list_and_ends_with_the_target() {
    let busy = Process { user_time_nanos: 5 * SECOND, ..process(1, 0, &[b"busy"]) };
    let reborn = Process { started_boottime_nanos: 1_001 * SECOND, ..process(2, 0, &[b"reborn"]) };
    let later = ProcessListHeader {
        sampled_boottime_nanos: HEADER.sampled_boottime_nanos + 2 * SECOND,
        sampled_unix_nanos: HEADER.sampled_unix_nanos + 2 * SECOND,
    };
    let first = answer(HEADER, vec![process(1, 0, &[b"busy"]), process(2, 0, &[b"old"])]);
    let answers = vec![first, answer(later, vec![busy, reborn])];
    let shown = shown(&["--watch", "2s"], Format::Json, answers).await;

    let percent: Vec<_> = shown.json().iter().map(|line| line["cpu_percent"].as_f64()).collect();
    // Pid 2 is another process in the second list: 5 s of CPU time within 1 s of life.
    let (first, second) = ([None, Some(5.0), Some(5.0), None], [None, Some(50.0), Some(500.0), None]);
    assert_eq!(percent, [first, second].concat());
    assert_eq!(shown.json()[4]["header"]["cpu_percent_since"], "last_list");
    assert!(matches!(shown.result, Err(Failure::Rpc(status)) if status.code() == tonic::Code::NotFound));
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let agent = channel(vec![answer(HEADER, mixed())], None).await;
    let mut output = Output::to(Format::Table, Closed);
    let result = Args::default().ask(&agent, &mut output, &mut Talk::to(Written::default())).await;
    assert_eq!(result.unwrap(), Exit::Answered);
}

#[test]
fn options_are_checked_and_the_help_has_examples() {
    assert!(args(&["--tree", "--sort", "-cpu", "--filter", "cpu>5", "--filter", "user=www"]).is_ok());
    assert!(args(&["--limit", "0"]).is_err());
    assert!(args(&["--sort", "memory"]).unwrap_err().contains("`memory` is not a field"));
    let help = Args::augment_args(clap::Command::new("ps")).render_long_help().to_string();
    assert!(help.contains("Examples:") && help.contains("all must match"), "{help}");
}

#[tokio::test(start_paused = true)]
async fn a_watched_terminal_is_repainted_within_its_height() {
    let agent = channel(vec![answer(HEADER, mixed()); 2], None).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output =
        Output::to(Format::Table, stdout.clone()).on_terminal(|| Terminal { columns: 60, rows: 10 });
    let _ = args(&["--watch"]).unwrap().ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await;

    let stdout = stdout.text();
    let screens: Vec<_> = stdout.split("\x1b[H\x1b[J").skip(1).collect();
    assert_eq!(
        screens[1],
        "\x1b[1mPID  PPID  USER  STATE       CPU%      RSS  THR  ELAPSED  C…\x1b[0m\n\
         \x20 1     0  app   sleeping       -  1.0 MiB    3     1:40  /…\n\
         \x1b[33m  7     1  app   zombie         -      0 B    3     1:40  c…\x1b[0m\n\
         \x20 8     1  1000  sleeping       -  8.0 MiB    3     1:40  n…\n\
         \x1b[1;31m  9     8  app   disk-sleep     -  9.0 MiB    3     1:40  c…\x1b[0m\n\
         2 more do not fit this terminal\n\
         6 processes; CPU% is since the last list\n"
    );
    assert_eq!(stderr.text(), "");
}
