//! The help screen: what keys do, and why figures are absent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::{Theme, Tone, shown};
use crate::commands::top::state::State;

/// Two in a line, where there is room.
const KEYS: [(&str, &str); 20] = [
    ("q F10", "quit"),
    ("h ? F1", "this help"),
    ("P M T N", "by CPU, memory, time, pid"),
    ("< > F6", "sort by …"),
    ("I", "other end first"),
    ("t F5", "tree"),
    ("H", "threads"),
    ("c", "arguments or name alone"),
    ("/ F3", "search; n: next"),
    ("\\ F4", "filter"),
    ("u", "one user alone"),
    ("Esc", "show all again"),
    ("p z", "pause"),
    ("d", "ask every …"),
    ("+", "longer interval"),
    ("-", "shorter interval"),
    ("↑ ↓", "select"),
    ("PgUp PgDn", "page"),
    ("Home End", "first, last"),
    ("Ctrl-C", "interrupt"),
];

const WORDS: [&str; 7] = [
    "CPU: used of the limit; throttled: periods of it in which it was held back.",
    "MEM: charged of the limit; working: without file cache not used lately;",
    "  left: to the OOM killer, for sure. RES, MEM%: shared pages count in full.",
    "PSI: time in which some tasks waited / all tasks waited.",
    "NET: all interfaces but lo; lost: packets dropped or damaged so far.",
    "CPU%: of one CPU, since the list before.",
    "S: R runs, S sleeps, D waits for I/O, cannot be killed, Z has ended.",
];

const WIDTH_OF_TWO: u16 = 76;
const KEY_WIDTH: usize = 10;
const COLUMN_WIDTH: usize = 38;

pub(super) fn draw(state: &State, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let per_line = if area.width >= WIDTH_OF_TWO { 2 } else { 1 };
    let mut lines = vec![Line::from(theme.span(Tone::Label, "dbgctl top: observes, and touches nothing"))];
    for pair in KEYS.chunks(per_line) {
        let spans = pair.iter().flat_map(|(key, does)| {
            let padding = " ".repeat(KEY_WIDTH.saturating_sub(key.width()));
            let rest = " ".repeat((COLUMN_WIDTH - KEY_WIDTH).saturating_sub(does.width()).max(1));
            [theme.span(Tone::Label, *key), Span::raw(format!("{padding}{does}{rest}"))]
        });
        lines.push(Line::from(spans.collect::<Vec<_>>()));
    }
    if per_line == 2 {
        lines.extend(WORDS.map(Line::raw));
    }
    let absent = state.snapshot.iter().flat_map(|snapshot| &snapshot.absent);
    let mut absent =
        absent.map(|reason| Line::from(theme.span(Tone::Warning, format!("- {}", shown(reason)))));
    if let Some(first) = absent.next() {
        // At the end of a small screen there is room for the reasons all the same.
        let mut reasons = vec![Line::from(theme.span(Tone::Label, "What is absent, and why:")), first];
        reasons.extend(absent);
        let room = usize::from(area.height).saturating_sub(reasons.len().min(6) + 1);
        lines.truncate(room);
        lines.extend(reasons);
    }
    lines.truncate(usize::from(area.height.saturating_sub(1)));
    lines.push(Line::from(theme.span(Tone::Dim, "any key leads back")));
    for (y, line) in (area.y..area.bottom()).zip(&lines) {
        buffer.set_line(area.x, y, line, area.width);
    }
}
