//! What keys do, as in htop where that is possible without touching anything.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::State;
use crate::commands::processes::field::Field;
use crate::commands::processes::sort::Sort;
use crate::commands::watch::interval_within_reason;

/// The longest text that can be typed.
const LONGEST_TEXT: usize = 64;

/// What the list can be sorted by.
pub(super) const SORTS: [(&str, Field); 9] = [
    ("CPU%", Field::Cpu),
    ("MEM%", Field::Rss),
    ("TIME+", Field::CpuTime),
    ("PID", Field::Pid),
    ("USER", Field::User),
    ("S (state)", Field::State),
    ("THR", Field::Threads),
    ("ELAPSED", Field::Elapsed),
    ("COMMAND", Field::Command),
];

/// The intervals that + and - lead to.
const INTERVALS_MILLIS: [u64; 9] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

const EVERYONE: &str = "(everyone)";

/// What the keyboard is for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Table,
    Help,
    Prompt { asks: Asks, text: String },
    Menu { offers: Offers, items: Vec<String>, at: usize },
}

/// What a line is typed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Search,
    Filter,
    Interval,
}

/// What is chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offers {
    Sort,
    User,
}

/// What a key wants that is not the state's to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    /// What Ctrl-C means everywhere.
    Interrupt,
    /// An answer now, not at the next tick: the question has changed.
    Ask,
}

/// Changes `state` as the key says.
pub(super) fn press(state: &mut State, key: KeyEvent) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::ALT) {
        // A terminal writes Esc and a key as it writes Alt and that key, and here Alt means nothing.
        let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        let (first, then) = (press(state, escape), press(state, KeyEvent::new(key.code, KeyModifiers::NONE)));
        return then.or(first);
    }
    state.message = None;
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Wish::Interrupt),
            KeyCode::Char('u') if let Mode::Prompt { text, .. } = &mut state.mode => {
                text.clear();
                None
            }
            _ => None,
        };
    }
    match std::mem::replace(&mut state.mode, Mode::Table) {
        Mode::Table => in_table(state, key.code),
        // Any key leads back.
        Mode::Help => None,
        Mode::Prompt { asks, text } => in_prompt(state, key.code, asks, text),
        Mode::Menu { offers, items, at } => in_menu(state, key.code, offers, items, at),
    }
}

fn in_table(state: &mut State, key: KeyCode) -> Option<Wish> {
    use KeyCode::{Char, F};
    match key {
        Char('q' | 'Q') | F(10) => return Some(Wish::Quit),
        Char('h' | '?') | F(1) => state.mode = Mode::Help,
        KeyCode::Up => state.step(-1),
        KeyCode::Down => state.step(1),
        KeyCode::PageUp => state.step(-state.page()),
        KeyCode::PageDown => state.step(state.page()),
        KeyCode::Home => state.select(0),
        KeyCode::End => state.select(usize::MAX),
        Char('P') => sort(state, Sort::by(Field::Cpu)),
        Char('M') => sort(state, Sort::by(Field::Rss)),
        Char('T') => sort(state, Sort::by(Field::CpuTime)),
        Char('N') => sort(state, Sort::by(Field::Pid)),
        Char('I') => sort(state, state.sort.inverted()),
        Char('<' | '>' | ',' | '.') | F(6) => {
            let items = SORTS.iter().map(|(name, _)| (*name).to_owned()).collect();
            let at = SORTS.iter().position(|(_, field)| *field == state.sort.field).unwrap_or(0);
            state.mode = Mode::Menu { offers: Offers::Sort, items, at };
        }
        Char('u') => {
            let items: Vec<_> = [EVERYONE.to_owned()].into_iter().chain(state.users()).collect();
            let at = items.iter().position(|item| Some(item) == state.user.as_ref()).unwrap_or(0);
            state.mode = Mode::Menu { offers: Offers::User, items, at };
        }
        Char('/') | F(3) => state.mode = Mode::Prompt { asks: Asks::Search, text: String::new() },
        Char('n') => state.find(false),
        Char('\\') | F(4) => {
            state.mode = Mode::Prompt { asks: Asks::Filter, text: state.filter.clone() };
        }
        Char('d' | 's') => state.mode = Mode::Prompt { asks: Asks::Interval, text: String::new() },
        Char('+' | '=') => state.interval = longer(state.interval),
        Char('-') => state.interval = shorter(state.interval),
        Char('c') => state.full_command = !state.full_command,
        Char('t') | F(5) => {
            state.tree = !state.tree;
            // Threads have no tree.
            let ask = std::mem::take(&mut state.threads).then_some(Wish::Ask);
            state.arrange();
            return ask;
        }
        Char('H') => {
            state.threads = !state.threads;
            state.tree = false;
            return Some(Wish::Ask);
        }
        Char('p' | 'z' | 'Z' | ' ') => {
            state.paused = !state.paused;
            return (!state.paused).then_some(Wish::Ask);
        }
        KeyCode::Esc => {
            state.filter.clear();
            state.search.clear();
            state.user = None;
            state.arrange();
        }
        _ => {}
    }
    None
}

fn sort(state: &mut State, by: Sort) {
    state.sort = by;
    state.arrange();
}

fn in_prompt(state: &mut State, key: KeyCode, asks: Asks, mut text: String) -> Option<Wish> {
    match key {
        KeyCode::Esc => {
            if asks == Asks::Filter {
                state.filter.clear();
                state.arrange();
            }
            return None;
        }
        KeyCode::Enter => {
            if asks == Asks::Interval && !text.is_empty() {
                match interval_within_reason(&with_unit(text)) {
                    Ok(interval) => state.interval = interval,
                    Err(_) => state.message = Some("expected a time from 100ms to 1h, such as 2s".to_owned()),
                }
            }
            return None;
        }
        KeyCode::F(3) | KeyCode::Down if asks == Asks::Search => state.find(false),
        KeyCode::Backspace => {
            text.pop();
            typed(state, asks, &text);
        }
        KeyCode::Char(character) if text.chars().count() < LONGEST_TEXT => {
            text.push(character);
            typed(state, asks, &text);
        }
        _ => {}
    }
    state.mode = Mode::Prompt { asks, text };
    None
}

/// What is typed has its effect at once.
fn typed(state: &mut State, asks: Asks, text: &str) {
    match asks {
        Asks::Search => {
            text.clone_into(&mut state.search);
            state.find(true);
        }
        Asks::Filter => {
            text.clone_into(&mut state.filter);
            state.arrange();
        }
        Asks::Interval => {}
    }
}

fn in_menu(state: &mut State, key: KeyCode, offers: Offers, items: Vec<String>, at: usize) -> Option<Wish> {
    let last = items.len().saturating_sub(1);
    let at = match key {
        KeyCode::Up => at.saturating_sub(1),
        KeyCode::Down => (at + 1).min(last),
        KeyCode::Home => 0,
        KeyCode::End => last,
        KeyCode::Enter => {
            match offers {
                Offers::Sort => state.sort = SORTS.get(at).map_or(state.sort, |(_, field)| Sort::by(*field)),
                Offers::User => state.user = items.into_iter().nth(at).filter(|_| at > 0),
            }
            state.arrange();
            return None;
        }
        KeyCode::Esc | KeyCode::Char('q') => return None,
        _ => at,
    };
    state.mode = Mode::Menu { offers, items, at };
    None
}

fn longer(interval: Duration) -> Duration {
    let steps = INTERVALS_MILLIS.map(Duration::from_millis);
    steps.into_iter().find(|&step| step > interval).unwrap_or(interval)
}

fn shorter(interval: Duration) -> Duration {
    let steps = INTERVALS_MILLIS.map(Duration::from_millis);
    steps.into_iter().rev().find(|&step| step < interval).unwrap_or(interval)
}

/// A number alone is seconds, as in htop.
fn with_unit(text: String) -> String {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => format!("{:.0}ms", seconds * 1000.0),
        _ => text,
    }
}
