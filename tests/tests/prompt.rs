//! The prompt of a session, on a terminal of its own.
#![expect(clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use dbgctl_tests::terminal::Terminal;
use dbgctl_tests::{Target, dbgctl_command, docker_ok};
use tempfile::TempDir;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const ARROW_UP: &str = "\x1b[A";

/// A prompt about `target` whose history lies in `state`, which is waiting for the first line.
fn attach(target: &Target, state: &TempDir) -> Terminal {
    let mut command = dbgctl_command(&["attach", &target.name]);
    command.env("XDG_STATE_HOME", state.path());
    let mut terminal = Terminal::run(&command);
    terminal.expect("help lists what can be asked, exit ends the session");
    expect_prompt(&mut terminal, target);
    terminal
}

#[track_caller]
fn expect_prompt(terminal: &mut Terminal, target: &Target) {
    terminal.expect(&format!("{}> ", target.name));
}

#[test]
fn words_and_options_complete_and_history_comes_back_in_the_next_session() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);

    terminal.press("se\t");
    terminal.expect("session");
    terminal.press("\r");
    terminal.expect("capabilities     none");
    expect_prompt(&mut terminal, &target);
    terminal.press("ps --tr\t");
    terminal.expect("ps --tree");
    terminal.press("\r");
    terminal.expect("└─ /target-program serve --workers 3");
    expect_prompt(&mut terminal, &target);
    terminal.press("exit\r");
    assert_eq!(terminal.finish(), Some(0));
    target.expect_nothing_left();

    let history = fs::read_to_string(state.path().join("dbgctl/history")).unwrap();
    let lines: Vec<_> = history.lines().filter(|line| !line.starts_with('#')).map(str::trim).collect();
    assert_eq!(lines, ["session", "ps --tree", "exit"], "{history}");
    let mut terminal = attach(&target, &state);
    terminal.press(ARROW_UP);
    terminal.expect("exit");
    terminal.press(ARROW_UP);
    terminal.expect("ps --tree");
    terminal.press("\r");
    terminal.expect("└─ /target-program serve --workers 3");
    expect_prompt(&mut terminal, &target);
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish(), Some(0));
    target.expect_nothing_left();
}

#[test]
fn ctrl_c_forgets_a_line_and_ends_an_answer_but_not_the_session() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);

    terminal.press("nonsense");
    terminal.expect("nonsense");
    terminal.press(CTRL_C);
    expect_prompt(&mut terminal, &target);
    terminal.press("ps --watch 200ms\r");
    terminal.expect("CPU% is since each one started");
    terminal.expect("CPU% is since the last list");
    terminal.press(CTRL_C);
    expect_prompt(&mut terminal, &target);
    terminal.press("connect 127.0.0.1:8080\r");
    terminal.expect("127.0.0.1:8080: connected");
    expect_prompt(&mut terminal, &target);
    terminal.press("exit\r");

    assert_eq!(terminal.finish(), Some(0), "an answer that was enough is no failure");
    target.expect_nothing_left();
}

#[test]
fn ctrl_c_while_attaching_leaves_nothing_behind() {
    let target = Target::web();
    for wait in [20, 60, 100, 150] {
        let mut terminal = Terminal::run(&dbgctl_command(&["attach", &target.name]));
        sleep(Duration::from_millis(wait));
        terminal.press(CTRL_C);
        // At the prompt already, it only forgets a line.
        sleep(Duration::from_millis(100));
        // Before it listens for signals, the interrupt just ends it.
        let status = terminal.press_until_end(CTRL_D);
        assert!(matches!(status, None | Some(0 | 130)), "{status:?} after {wait} ms");
        target.expect_nothing_left();
    }
}

#[test]
fn ctrl_c_while_a_level_is_raised_ends_the_question_alone() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);
    terminal.press("mem\r");
    terminal.expect("level 1: CAP_SYS_PTRACE");
    terminal.press(CTRL_C);
    expect_prompt(&mut terminal, &target);
    terminal.press("connect 127.0.0.1:8080\r");
    terminal.expect("127.0.0.1:8080: connected");
    expect_prompt(&mut terminal, &target);
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish(), Some(0));
    target.expect_nothing_left();
}

#[test]
fn a_line_that_makes_no_sense_is_explained_and_the_prompt_goes_on() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);

    terminal.press("vi /etc/passwd\r");
    terminal.expect("because  unrecognized subcommand 'vi'");
    terminal.expect("`help` lists what can be asked");
    expect_prompt(&mut terminal, &target);
    terminal.press("help\r");
    terminal.expect("Look into the container's new run");
    expect_prompt(&mut terminal, &target);
    terminal.press("exit\r");

    assert_eq!(terminal.finish(), Some(2), "not every line was answered");
}

#[test]
fn a_target_that_dies_is_announced_at_the_prompt_and_its_next_run_can_be_joined() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);

    terminal.press("ps\r");
    terminal.expect("serve --workers 3");
    expect_prompt(&mut terminal, &target);
    docker_ok(&["kill", "-s", "KILL", &target.id]);
    terminal.expect("the target stopped: it is stopped; it ended with exit code 137, SIGKILL");
    terminal.press("ps\r");
    terminal.expect("the session is over");
    expect_prompt(&mut terminal, &target);
    terminal.press("reattach\r");
    terminal.expect("it is stopped; it ended with exit code 137, SIGKILL");
    expect_prompt(&mut terminal, &target);
    docker_ok(&["start", &target.id]);
    terminal.press("reattach\r");
    terminal.expect("attached again");
    expect_prompt(&mut terminal, &target);
    terminal.press("ps\r");
    terminal.expect("serve --workers 3");
    expect_prompt(&mut terminal, &target);
    terminal.press("exit\r");

    assert_eq!(terminal.finish(), Some(2), "the first session broke off");
    target.expect_nothing_left();
}

#[test]
fn after_a_restart_the_new_run_can_be_joined() {
    let (target, state) = (Target::web(), TempDir::new().unwrap());
    let mut terminal = attach(&target, &state);

    docker_ok(&["restart", "-t", "0", &target.id]);

    terminal.expect("the target ");
    terminal.press("reattach\r");
    terminal.expect("attached again");
    expect_prompt(&mut terminal, &target);
    terminal.press("exit\r");
    assert_eq!(terminal.finish(), Some(2));
    target.expect_nothing_left();
}
