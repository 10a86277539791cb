//! `top` on a real terminal, and for programs.

use dbgctl_tests::host::processes_of;
use dbgctl_tests::running::Running;
use dbgctl_tests::terminal::Terminal;
use dbgctl_tests::tmux::Tmux;
use dbgctl_tests::{Target, dbgctl, dbgctl_command, dbgctl_path, docker_ok};
use nix::sys::signal::Signal;

/// A target with a limit of each kind.
fn limited() -> Target {
    let limits = ["--memory", "64m", "--cpus", "0.5", "--network", "bridge"];
    Target::run(&limits, &["serve", "--workers", "3"]).ready()
}

/// `top` about `target`, once its first answer is on the screen.
#[track_caller]
fn top(tmux: &Tmux, target: &Target, options: &str) -> String {
    let (path, name) = (dbgctl_path(), &target.name);
    // The exit status tells how it ended.
    tmux.type_text(&format!("clear; '{}' top {name} {options}; echo ended with $?", path.display()));
    tmux.press(&["Enter"]);
    tmux.expect_screen("the processes", |screen| {
        // The last line is drawn last.
        pids(screen).len() == 4 && screen.contains("TASKS  4, 4 thr") && screen.contains("Help")
    })
}

/// The pids on the screen, from top to bottom.
fn pids(screen: &str) -> Vec<u32> {
    let rows = screen.lines().skip_while(|line| !line.contains("COMMAND")).skip(1);
    rows.filter_map(|row| row.split_whitespace().next()?.parse().ok()).collect()
}

/// The shell is back as it was, and says how the command before it ended.
#[track_caller]
fn expect_restored(tmux: &Tmux, status: i32) -> String {
    let screen = tmux.expect(&format!("ended with {status}"));
    assert!(!tmux.is_full_screen(), "{screen}");
    assert!(!screen.contains("COMMAND"), "{screen}");
    // What is typed is shown, and a line ends where it should.
    tmux.type_text("echo one; echo two");
    tmux.expect("echo one; echo two");
    tmux.press(&["Enter"]);
    tmux.expect("\none\ntwo\n");
    screen
}

#[test]
fn a_person_at_a_terminal_of_80_by_24_sees_everything_and_every_key_does_what_it_says() {
    let Some(tmux) = Tmux::start(80, 24) else { return };
    let target = limited();
    let screen = top(&tmux, &target, "--interval 300ms");
    assert!(tmux.is_full_screen());
    let starts = ["CPU  ", "MEM  ", "PSI  ", "NET  eth0", "TASKS  4, 4 thr"];
    for (line, start) in screen.lines().skip(1).zip(starts) {
        assert!(line.starts_with(start), "{start:?} in {screen}");
    }
    assert!(screen.starts_with(&target.name), "{screen}");
    for figure in ["of 0.50 CPUs", "of 64.0 MiB", "level 1", "every 300ms", "throttled 0.0%"] {
        assert!(screen.contains(figure), "{figure:?} in {screen}");
    }
    let mut expected: Vec<_> = processes_of(&target.id).iter().map(|process| process.pid).collect();
    let mut seen = pids(&screen);
    seen.sort_unstable();
    assert_eq!(seen, expected);
    // Rates come with the second answer.
    tmux.expect_screen("rates", |screen| screen.contains("rx ") && screen.contains("B/s"));

    tmux.press(&["N"]);
    tmux.expect_screen("sorted by pid", |screen| screen.contains("PID▲") && pids(screen) == expected);
    tmux.press(&["I"]);
    expected.reverse();
    tmux.expect_screen("the other end first", |screen| screen.contains("PID▼") && pids(screen) == expected);
    tmux.press(&["F6"]);
    tmux.expect("sort by");
    tmux.press(&["Escape"]);
    tmux.expect("COMMAND");
    tmux.press(&["t"]);
    tmux.expect("└─ /target-program serve");
    tmux.press(&["t", "h"]);
    tmux.expect("any key leads back");
    tmux.press(&["x", "\\"]);
    tmux.expect("filter:");
    tmux.type_text("no such thing");
    tmux.expect("no process fits the filter");
    tmux.press(&["Enter", "Escape"]);
    tmux.expect_screen("all again", |screen| pids(screen).len() == 4);
    tmux.press(&["H"]);
    tmux.expect("TASKS  4 threads");
    tmux.press(&["p"]);
    tmux.expect("PAUSED");
    tmux.press(&["p", "+"]);
    tmux.expect("every 500ms");
    tmux.resize(30, 8);
    tmux.expect("too small: 40x10 at least");
    tmux.resize(120, 40);
    tmux.expect("VIRT");
    tmux.press(&["q"]);
    expect_restored(&tmux, 0);
    target.expect_nothing_left();
}

#[test]
fn ctrl_c_gives_the_terminal_back_and_leaves_nothing_behind() {
    let Some(tmux) = Tmux::start(80, 24) else { return };
    let target = limited();
    top(&tmux, &target, "");
    tmux.press(&["C-c"]);
    expect_restored(&tmux, 130);
    target.expect_nothing_left();
}

#[test]
fn a_target_that_is_killed_is_explained_on_the_terminal_that_was_given_back() {
    let Some(tmux) = Tmux::start(80, 24) else { return };
    let target = limited();
    top(&tmux, &target, "--interval 30s");
    docker_ok(&["kill", &target.id]);
    let screen = expect_restored(&tmux, 2);
    let error: Vec<_> = screen.lines().skip_while(|line| !line.starts_with("dbgctl: cannot")).collect();
    assert!(error.iter().any(|line| line.starts_with("  because  the target stopped")), "{screen}");
    assert!(error.iter().any(|line| line.starts_with("  try      ")), "{screen}");
    target.expect_nothing_left();
}

#[test]
fn without_a_capability_there_is_a_screen_with_gaps_that_the_help_explains() {
    let Some(tmux) = Tmux::start(80, 24) else { return };
    let target = limited();
    let screen = top(&tmux, &target, "--level 0");
    assert!(screen.contains("level 0") && screen.contains("MEM  - of -"), "{screen}");
    tmux.press(&["?"]);
    let help = tmux.expect("What is absent, and why:");
    assert!(help.contains("CAP_SYS_PTRACE"), "{help}");
    tmux.press(&["q"]);
    tmux.expect_screen("the table again", |screen| screen.contains("COMMAND"));
    tmux.press(&["q"]);
    expect_restored(&tmux, 0);
}

#[test]
fn it_works_at_the_prompt_of_a_session_which_goes_on_after_it() {
    let target = limited();
    let mut terminal = Terminal::run(&dbgctl_command(&["attach", &target.name]));
    let prompt = format!("{}> ", target.name);
    terminal.expect(&prompt);
    for end in ["q", "\x03"] {
        terminal.press("top\r");
        terminal.expect("COMMAND");
        terminal.expect("serve");
        terminal.press(end);
        terminal.expect("\x1b[?1049l");
        terminal.expect(&prompt);
        terminal.press("connect 127.0.0.1:8080\r");
        terminal.expect("127.0.0.1:8080: connected");
        terminal.expect(&prompt);
    }
    terminal.press("exit\r");
    assert_eq!(terminal.finish(), Some(0));
    target.expect_nothing_left();
}

#[test]
fn a_termination_gives_the_terminal_back() {
    let target = limited();
    let mut terminal = Terminal::run(&dbgctl_command(&["top", &target.name]));
    terminal.expect("COMMAND");
    terminal.signal(Signal::SIGTERM);
    let (screen, code) = terminal.last_screen();
    let screen = String::from_utf8_lossy(&screen).into_owned();
    assert_eq!(code, Some(130), "{screen:?}");
    let (entered, left) = (screen.matches("\x1b[?1049h").count(), screen.matches("\x1b[?1049l").count());
    assert_eq!((entered, left), (1, 1), "{:?}", screen.escape_debug());
    assert!(screen.ends_with("\x1b[?25h"), "the cursor is shown again: {:?}", screen.escape_debug());
    target.expect_nothing_left();
}

#[test]
fn programs_get_an_object_for_each_tick_as_long_as_they_want() {
    let target = limited();
    let ran = dbgctl(&["top", &target.name, "-o", "json", "--interval", "200ms", "--count", "3"]).expect(0);
    let ticks = ran.json();
    assert_eq!(ticks.len(), 3, "{ran:?}");
    let since: Vec<_> = ticks.iter().map(|tick| tick["cpu_percent_since"].as_str().unwrap()).collect();
    assert_eq!(since, ["start", "last_list", "last_list"]);
    for tick in &ticks {
        assert_eq!(tick["processes"].as_array().unwrap().len(), 4, "{tick}");
        assert_eq!(tick["cpu"]["limit_cpus"], 0.5);
        assert_eq!(tick["memory"]["limit"], 64 << 20);
        assert!(tick["memory"]["headroom_bytes"].as_u64().unwrap() < 64 << 20, "{tick}");
        let names: Vec<_> = tick["interfaces"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
        assert_eq!(names, ["lo", "eth0"]);
    }
    let endless = Running::start(&mut dbgctl_command(&["top", &target.name, "-o", "json", "-d", "100ms"]));
    endless.expect_answer();
    assert_eq!(endless.stop_reading(), Some(0), "a reader that has seen enough is no failure");
    target.expect_nothing_left();
}

#[test]
fn off_a_terminal_it_says_what_to_use_instead() {
    let target = limited();
    let ran = dbgctl(&["top", &target.name]).expect_error("`top` draws on a whole terminal");
    assert!(ran.stderr().contains("ps --watch") && ran.stderr().contains("-o json"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    target.expect_nothing_left();
}
