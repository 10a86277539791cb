//! Names and command lines that attack whoever prints them.
#![expect(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dbgctl_tests::terminal::Terminal;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command, host};
use serde_json::Value;

/// The processes of `hostile`: twelve attacks and the one that started them.
const PROCESSES: usize = 13;

fn hostile() -> Target {
    Target::run(&[], &["hostile"]).ready()
}

/// Whether a terminal or an eye would be misled by it.
fn misleads(character: char) -> bool {
    let invisible =
        matches!(character, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}');
    let bidirectional = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
    character.is_control() || invisible || bidirectional || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Panics if there is anything in `text` beside lines of printable characters.
#[track_caller]
fn assert_harmless(text: &[u8]) {
    let text = str::from_utf8(text).unwrap_or_else(|error| panic!("not UTF-8: {error}"));
    let odd = text.chars().find(|&character| character != '\n' && misleads(character));
    assert_eq!(odd, None, "{:?}", text.escape_debug());
}

#[test]
fn a_table_has_one_harmless_row_for_each_hostile_process() {
    let target = hostile();

    for options in [&[][..], &["-o", "wide"], &["--tree"], &["--threads"]] {
        let ps = dbgctl(&[&["ps", &target.id], options].concat()).expect(0);

        assert_harmless(&ps.stdout);
        assert_harmless(&ps.stderr);
        assert_eq!(ps.stdout().lines().count(), 1 + PROCESSES, "{ps:?}");
        for line in ps.stdout().lines().skip(1) {
            let pid = line.split_whitespace().next().unwrap();
            assert!(pid.parse::<u32>().is_ok(), "a forged row: {line:?}");
        }
    }
    let mem = dbgctl(&["mem", &target.id]).expect(0);
    assert_harmless(&mem.stdout);
    let stdout = mem.stdout();
    let rows = stdout.lines().skip(1).take_while(|line| !line.starts_with("CGROUP "));
    let pids: Result<Vec<u32>, _> =
        rows.map(|line| line.split_whitespace().next().unwrap().parse()).collect();
    assert_eq!(pids.map(|pids| pids.len()), Ok(PROCESSES), "{mem:?}");
}

#[test]
fn a_real_terminal_gets_no_code_of_the_targets() {
    let target = hostile();
    let mut terminal = Terminal::run(&dbgctl_command(&["ps", &target.id]));

    terminal.expect("13 processes");
    let (screen, status) = terminal.last_screen();

    assert_eq!(status, Some(0));
    let lines: Vec<_> = screen.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end()).collect();
    for line in &lines {
        assert_harmless(line);
        assert!(line.len() <= 300, "cut to the width of the terminal: {}", line.len());
    }
    assert_eq!(
        lines.iter().filter(|line| line.trim_ascii_start().first().is_some_and(u8::is_ascii_digit)).count(),
        14
    );
}

/// A field that came from the target, byte for byte.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
    }
}

/// Asks for JSON, and panics if one name or argument is not what the host says, byte for byte.
#[track_caller]
fn assert_exact(target: &Target, processes: usize) -> Ran {
    let ps = dbgctl(&["ps", &target.id, "-o", "json"]).expect(0);

    assert_harmless(&ps.stdout);
    let on_host = host::processes_of(&target.id);
    assert_eq!((ps.rows().len(), on_host.len()), (processes, processes));
    for (row, process) in ps.rows().iter().zip(&on_host) {
        assert_eq!(row["pid"].as_u64().unwrap(), u64::from(process.pid));
        assert_eq!(bytes(&row["command"]), process.comm(), "{row}");
        let arguments: Vec<_> = row["arguments"].as_array().unwrap().iter().map(bytes).collect();
        let mut written = arguments.join(&b"\0"[..]);
        let cmdline = process.read("cmdline");
        if row["arguments_cut"] == true {
            assert!(cmdline.len() > 128 << 10 && written.len() > 120 << 10, "cut too early");
            assert!(cmdline.starts_with(&written), "cut, and changed");
        } else {
            if cmdline.ends_with(b"\0") {
                written.push(0);
            }
            assert_eq!(written, cmdline, "{row}");
        }
    }
    ps
}

#[test]
fn ten_thousand_random_names_are_a_harmless_row_each_and_come_back_byte_for_byte() {
    let room = "x".repeat(60);
    let target = Target::run(&["--pids-limit", "-1"], &["hostile", "--random", "10000", &room]).ready();

    let ps = dbgctl(&["ps", &target.id, "--sort", "pid"]).expect(0);

    assert_harmless(&ps.stdout);
    let pids: Vec<_> =
        ps.stdout().lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    let ours =
        host::processes_of(&target.id).iter().map(|process| process.pid.to_string()).collect::<Vec<_>>();
    assert_eq!((pids.len(), &pids), (10_001, &ours));
    assert_exact(&target, 10_001);
}

#[test]
fn json_gives_names_and_arguments_back_byte_for_byte_and_is_harmless_itself() {
    let target = hostile();

    let ps = assert_exact(&target, PROCESSES);

    assert_eq!(ps.rows().iter().filter(|row| row["arguments_cut"] == true).count(), 1, "the huge one");
}

#[test]
fn yaml_is_harmless_too() {
    let target = hostile();

    let ps = dbgctl(&["ps", &target.id, "-o", "yaml"]).expect(0);

    assert_harmless(&ps.stdout);
    assert_eq!(ps.stdout().matches("\n  command:").count(), PROCESSES, "{ps:?}");
}

#[test]
fn a_hostile_wish_is_echoed_harmlessly() {
    let wish = "web\u{1b}]0;owned\u{7}\u{202e}\nforged";

    let ps = dbgctl(&["ps", wish]).expect_error("no container");

    assert_harmless(&ps.stderr);
}
