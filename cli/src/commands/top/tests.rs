//! Keys, order and selection; what a screen may never show; what a program gets.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{
    CgroupMemory, CgroupMemoryEvents, NetworkLink, Pressure, Process, ProcessListHeader, ProcessState,
    Received, Stall, Transmitted,
};
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use super::golden::{now, screen, text};
use super::keys::{Mode, press};
use super::snapshot::{Cpu, Memory};
use super::*;
use crate::commands::agent::Subject;
use crate::commands::cpu::verdict::{Cpus, Facts};
use crate::commands::interfaces::InterfaceRow;
use crate::commands::memory::headroom::headroom;
use crate::commands::processes::fake::{HEADER, SECOND, process};
use crate::commands::processes::list::{History, Since};

/// A web server with workers, one of them busy, one waiting for the disk, one a zombie.
fn processes() -> Vec<Process> {
    let mut all = vec![process(1, 0, &[b"/usr/sbin/web", b"--master"])];
    all.extend((7..40).map(|pid| process(pid, 1, &[b"web: worker process", b"--id", b"x"])));
    all[3].state = ProcessState::DiskSleep.into();
    all[4] = Process { state: ProcessState::Zombie.into(), arguments: vec![], ..all[4].clone() };
    all[5].state = ProcessState::Running.into();
    all[6] = Process { parent_pid: 8, user: Some(b"\x1b[31mroot".to_vec()), uid: 0, ..all[6].clone() };
    all[7].arguments = vec!["größe 日本\u{202e}\n".repeat(20).into_bytes()];
    all
}

fn memory() -> Memory {
    let cgroup = CgroupMemory {
        version: 2,
        current_bytes: Some(240 << 20),
        limit: Some(v1::Limit { limit: Some(Limit::At(256 << 20)) }),
        working_set_bytes: Some(201 << 20),
        events: Some(CgroupMemoryEvents { oom_kill: Some(2), ..CgroupMemoryEvents::default() }),
        pressure: Some(pressure(0.25)),
        ..CgroupMemory::default()
    };
    Memory { headroom: headroom(Some(&cgroup), None), cgroup: Some(cgroup), machine_bytes: Some(8 << 30) }
}

fn pressure(percent: f64) -> Pressure {
    let stall = Stall { avg10_percent: percent, ..Stall::default() };
    Pressure { some: Some(stall), full: Some(Stall::default()) }
}

fn cpu() -> Cpu {
    let facts = Facts {
        used_cpus: Some(0.46),
        limit: Some(Cpus::At(0.5)),
        throttled_percent: Some(41.0),
        usable_cpus: Some(4),
        ..Facts::default()
    };
    Cpu { facts, load: Some([1.5, 0.25, 0.0]), pressure: Some(pressure(12.5)) }
}

fn interface(bytes: u64, grew: u64) -> InterfaceRow {
    let received = |bytes| Some(Received { bytes, dropped: 3, ..Received::default() });
    let transmitted = |bytes| Some(Transmitted { bytes, ..Transmitted::default() });
    let interface = NetworkLink {
        name: b"eth0".to_vec(),
        received: received(bytes),
        transmitted: transmitted(bytes / 10),
        received_over_sample: received(grew).filter(|_| grew > 0),
        transmitted_over_sample: transmitted(grew / 10).filter(|_| grew > 0),
        ..NetworkLink::default()
    };
    InterfaceRow { interface, sampled_nanos: SECOND }
}

/// Two ticks, a second apart, in the second of which pid 12 was busy.
fn snapshots(mut processes: Vec<Process>) -> [Snapshot; 2] {
    let mut history = History::default();
    [0, 1].map(|tick| {
        let later = HEADER.sampled_boottime_nanos + tick * SECOND;
        let header = ProcessListHeader { sampled_boottime_nanos: later, ..HEADER };
        if let Some(busy) = processes.iter_mut().find(|process| process.pid == 12) {
            busy.user_time_nanos += tick * SECOND / 2;
        }
        Snapshot {
            unix_nanos: HEADER.sampled_unix_nanos,
            rows: history.rows(Some(header), processes.clone(), None),
            since: if tick == 0 { Since::Start } else { Since::LastList },
            cpu: cpu(),
            memory: memory(),
            io_pressure: Some(pressure(3.5)),
            interfaces: Some(vec![interface(5000 + tick * 3_000_000, tick * 3_000_000)]),
            absent: vec!["user names: not readable (needs CAP_SYS_PTRACE)\x1b[2J".to_owned()],
        }
    })
}

fn state_of(processes: Vec<Process>) -> State {
    let subject = Subject { name: "web".to_owned(), image: "registry/web:7\x1b[0m".to_owned(), level: "1" };
    let mut state = State::new(subject, Duration::from_secs(1));
    snapshots(processes).into_iter().for_each(|snapshot| state.take(snapshot));
    state
}

pub(super) fn state() -> State {
    state_of(processes())
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The same after these characters were typed.
pub(super) fn pressed(mut state: State, keys: &str) -> State {
    for character in keys.chars() {
        press(&mut state, key(KeyCode::Char(character)));
    }
    state
}

fn press_all(state: &mut State, codes: &[KeyCode]) -> Vec<Option<Wish>> {
    codes.iter().map(|&code| press(state, key(code))).collect()
}

fn pids(state: &State) -> Vec<u32> {
    state.rows_on_screen().map(|(row, _)| row.process.pid).collect()
}

fn selected(state: &State) -> Option<u32> {
    state.rows_on_screen().find(|(_, selected)| *selected).map(|(row, _)| row.process.pid)
}

#[test]
fn the_busiest_is_first_and_letters_sort_by_something_else() {
    let mut state = state();
    state.fit(3);
    assert_eq!(pids(&state)[0], 12);
    assert_eq!(pids(&pressed(state, "M")), [39, 38, 37]);
    let mut by_pid = pressed(self::state(), "N");
    by_pid.fit(3);
    assert_eq!(pids(&by_pid), [1, 7, 8]);
    assert_eq!(pids(&pressed(by_pid, "I")), [39, 38, 37]);
    let mut by_menu = self::state();
    by_menu.fit(1);
    press_all(&mut by_menu, &[KeyCode::F(6), KeyCode::Down, KeyCode::Enter]);
    assert_eq!(pids(&by_menu), [39]);
}

#[test]
fn the_selection_stays_with_its_process_and_the_screen_follows_it() {
    let mut state = pressed(state(), "N");
    state.fit(5);
    press_all(&mut state, &[KeyCode::Down, KeyCode::PageDown, KeyCode::Down]);
    assert_eq!((selected(&state), pids(&state)), (Some(12), vec![8, 9, 10, 11, 12]));
    // The busiest: first in the list.
    let mut state = pressed(state, "P");
    assert_eq!((selected(&state), pids(&state)[0]), (Some(12), 12));
    press_all(&mut state, &[KeyCode::End]);
    assert_eq!(selected(&state), pids(&state).last().copied());
    press_all(&mut state, &[KeyCode::Home, KeyCode::Up]);
    assert_eq!(selected(&state), Some(12));
    // One that has ended is not selected any more.
    let [_, later] = snapshots(processes().into_iter().filter(|process| process.pid != 12).collect());
    state.take(later);
    assert_eq!(selected(&state), None);
}

#[test]
fn search_selects_and_filter_leaves_out_and_escape_shows_all_again() {
    let mut state = pressed(state(), "N/WORKER");
    state.fit(50);
    assert_eq!(selected(&state), Some(7));
    press_all(&mut state, &[KeyCode::F(3), KeyCode::Enter, KeyCode::Char('n')]);
    assert_eq!(selected(&state), Some(9));

    let mut state = pressed(state, "\\master");
    assert_eq!(pids(&state), [1]);
    press_all(&mut state, &[KeyCode::Enter]);
    assert_eq!((pids(&state), &state.mode), (vec![1], &Mode::Table));
    press_all(&mut state, &[KeyCode::Esc]);
    assert_eq!(pids(&state).len(), 34);

    press_all(&mut state, &[KeyCode::Char('u'), KeyCode::Down, KeyCode::Enter]);
    assert_eq!((state.user.as_deref(), pids(&state)), (Some("\\x1b[31mroot"), vec![12]));
    press_all(&mut state, &[KeyCode::Char('u'), KeyCode::Home, KeyCode::Enter]);
    assert_eq!(pids(&state).len(), 34);
}

#[test]
fn a_key_asks_anew_only_if_the_question_changes() {
    let mut state = state();
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(press(&mut state, ctrl_c), Some(Wish::Interrupt));
    let wishes =
        press_all(&mut state, &["HtHpp", "cq"].concat().chars().map(KeyCode::Char).collect::<Vec<_>>());
    let ask = Some(Wish::Ask);
    assert_eq!(wishes, [ask, ask, ask, None, ask, None, Some(Wish::Quit)]);
    assert!(state.threads && !state.tree && !state.full_command && !state.paused);
    assert_eq!(press_all(&mut state, &[KeyCode::F(10)]), [Some(Wish::Quit)]);
    // Esc and a key in one: the menu is left, and the key counts.
    let quit_after_escape = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
    press_all(&mut state, &[KeyCode::F(6)]);
    assert_eq!(press(&mut state, quit_after_escape), Some(Wish::Quit));
    // A letter that is typed into a line is a letter.
    assert_eq!(press_all(&mut state, &[KeyCode::Char('/'), KeyCode::Char('q')]), [None, None]);
}

#[test]
fn the_interval_is_set_by_plus_minus_and_a_line() {
    let mut state = pressed(state(), "++-");
    assert_eq!(state.interval, Duration::from_secs(2));
    for (typed, expected) in
        [("2.5", 2500), ("300ms", 300), ("1m", 60_000), ("", 60_000), ("0", 60_000), ("x", 60_000)]
    {
        state = pressed(state, &format!("d{typed}"));
        press_all(&mut state, &[KeyCode::Enter]);
        assert_eq!(state.interval, Duration::from_millis(expected), "{typed}");
    }
    assert_eq!(state.message.as_deref(), Some("expected a time from 100ms to 1h, such as 2s"));
}

#[test]
fn what_is_wrong_stands_out_with_colours_and_without() {
    let mut state = pressed(state(), "N");
    let buffer = screen(&mut state, &now(), (80, 24));
    let row = |name: &str| {
        let at = text(&buffer).lines().position(|line| line.contains(name)).unwrap();
        buffer.content[at * 80 + 3..(at + 1) * 80].iter().find(|cell| cell.symbol() != " ").unwrap().clone()
    };
    assert_eq!(row("throttled 41.0%").fg, Color::Reset);
    assert_eq!(row("<zombie>").fg, Color::Yellow);
    assert_eq!(row("      9 app").fg, Color::Red);
    let throttled = buffer.content.iter().filter(|cell| cell.fg == Color::Yellow && cell.symbol() == "%");
    assert!(throttled.count() >= 2, "of the throttled share and of the memory");

    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).unwrap();
    let plain = Theme { colour: false };
    let drawn = terminal.draw(|frame| view::draw(&state, &now(), plain, frame)).unwrap();
    assert!(drawn.buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    assert!(drawn.buffer.content.iter().any(|cell| cell.modifier.contains(Modifier::BOLD)));
}

#[test]
fn what_is_absent_is_a_dash_and_not_zero() {
    let mut state =
        State::new(Subject { name: "web".to_owned(), ..Subject::default() }, Duration::from_secs(1));
    let [mut bare, _] = snapshots(processes());
    (bare.cpu, bare.memory, bare.interfaces) = (Cpu::default(), Memory::default(), None);
    bare.io_pressure = None;
    state.take(bare);
    let shown = text(&screen(&mut state, &now(), (80, 24)));
    for expected in [
        "CPU  - CPUs  throttled -",
        "MEM  - of -  left -  working -",
        "PSI  cpu -/-  memory -/-  io -/-",
        "NET  -",
    ] {
        assert!(
            shown.lines().any(|line| line.trim_end() == expected || line.starts_with(expected)),
            "{expected}\n{shown}"
        );
    }
}

#[test]
fn before_the_first_answer_and_when_one_is_overdue_the_title_says_so() {
    let mut state =
        State::new(Subject { name: "web".to_owned(), ..Subject::default() }, Duration::from_secs(1));
    assert!(text(&screen(&mut state, &now(), (80, 24))).starts_with("web  asking …"));
    let overdue = Now { overdue_seconds: Some(12), ..now() };
    assert!(text(&screen(&mut self::state(), &overdue, (80, 24))).starts_with("web  no answer for 12 s"));
}

#[test]
fn programs_get_the_same_figures_under_the_names_of_the_contract() {
    let state = state();
    let stdout = crate::commands::testing::Written::default();
    let mut output = Output::to(crate::render::Format::Json, stdout.clone());
    let snapshot = state.snapshot.as_ref().unwrap();
    output.object(|object| json::fields(&state, snapshot, object)).unwrap();
    output.flush().unwrap();
    let object: serde_json::Value = serde_json::from_str(&stdout.text()).unwrap();
    assert_eq!(object["cpu"]["limit_cpus"], 0.5);
    assert_eq!(object["memory"]["limit"], 256 << 20);
    assert_eq!(object["interfaces"][0]["received"]["bytes_per_second"], 3_000_000.0);
    assert_eq!(object["processes"][0]["pid"], 12);
    assert_eq!(object["processes"].as_array().unwrap().len(), 34);
    assert_eq!(object["cpu_percent_since"], "last_list");
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::collection::vec(
        prop_oneof![
            any::<char>(),
            prop::char::range('\0', '\u{a0}'),
            prop::char::range('\u{300}', '\u{310}'),
            prop::char::range('\u{2000}', '\u{2070}'),
            prop::char::range('\u{e0000}', '\u{e01ff}'),
        ],
        0..60,
    );
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        text.prop_map(|text| text.into_iter().collect::<String>().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_of_the_targets_brings_anything_to_the_screen_that_misleads(
        names in prop::collection::vec(any_name(), 5),
        keys in prop::collection::vec(prop::sample::select("PMTNIthcu/\\<n?H \u{1b}\n".chars().collect::<Vec<_>>()), 0..8),
        width in 1_u16..130,
        height in 1_u16..40,
    ) {
        let hostile = processes().into_iter().map(|process| Process {
            command: names[0].clone(),
            arguments: vec![names[1].clone(), names[2].clone()],
            user: Some(names[3].clone()),
            ..process
        });
        let mut state = state_of(hostile.collect());
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        state.subject.name = text_of(&names[4]);
        state.subject.image = text_of(&names[0]);
        if let Some(snapshot) = &mut state.snapshot {
            snapshot.absent = vec![text_of(&names[1])];
            let interfaces = snapshot.interfaces.iter_mut().flatten();
            interfaces.for_each(|row| row.interface.name.clone_from(&names[2]));
        }
        for key in keys {
            let code = match key { '\n' => KeyCode::Enter, '\u{1b}' => KeyCode::Esc, other => KeyCode::Char(other) };
            press(&mut state, KeyEvent::new(code, KeyModifiers::NONE));
        }
        let buffer = screen(&mut state, &now(), (width, height));
        for cell in &buffer.content {
            let symbol = cell.symbol();
            prop_assert_eq!(&*crate::render::one_line(symbol), symbol);
        }
    }
}
