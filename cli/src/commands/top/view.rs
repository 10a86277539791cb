//! From the state to a frame. Whatever comes from the target or its agent is escaped before it gets here, or here.

mod header;
mod help;
mod table;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::keys::{Asks, Mode, Offers};
use super::state::State;
use crate::render::Emphasis;
use crate::render::one_line;

/// Smaller than this, and nothing of use can be shown.
const LEAST: (u16, u16) = (40, 10);

/// What is shown beside the state.
#[derive(Debug, Clone)]
pub(super) struct Now {
    /// Time of day.
    pub(super) clock: String,
    /// For how long an answer is overdue.
    pub(super) overdue_seconds: Option<u64>,
}

/// How tones are shown. Without colours, by what every terminal has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) colour: bool,
}

/// What a text says beside its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Label,
    Dim,
    Warning,
    Alarming,
}

impl Theme {
    fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        match (tone, self.colour) {
            (Tone::Plain, _) => style,
            (Tone::Label, true) => style.fg(Color::Cyan),
            (Tone::Dim, _) => style.add_modifier(Modifier::DIM),
            (Tone::Warning, true) => style.fg(Color::Yellow),
            (Tone::Alarming, true) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Label | Tone::Warning | Tone::Alarming, false) => style.add_modifier(Modifier::BOLD),
        }
    }

    fn span(self, tone: Tone, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.style(tone))
    }

    fn of_row(self, emphasis: Emphasis, selected: bool) -> Style {
        let style = self.style(match emphasis {
            Emphasis::None => Tone::Plain,
            Emphasis::Dim => Tone::Dim,
            Emphasis::Notable => Tone::Warning,
            Emphasis::Alarming => Tone::Alarming,
        });
        if selected { style.add_modifier(Modifier::REVERSED) } else { style }
    }
}

/// The parts of the screen, from top to bottom; the last line is for keys.
struct Layout {
    header: Vec<header::Part>,
    /// Where the heading of the table stands.
    heading: u16,
    rows: u16,
}

impl Layout {
    fn of(area: Rect) -> Self {
        let header = header::parts(area.height);
        let heading = u16::try_from(header.len()).unwrap_or(u16::MAX);
        Self { header, heading, rows: area.height.saturating_sub(heading + 2) }
    }
}

/// How many rows of the table a screen of that size has room for.
pub(super) fn page(area: Rect) -> usize {
    Layout::of(area).rows.into()
}

/// Draws everything.
pub(super) fn draw(state: &State, now: &Now, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(area, buffer);
    }
    if state.mode == Mode::Help {
        return help::draw(state, theme, area, buffer);
    }
    let layout = Layout::of(area);
    for (y, part) in (area.y..).zip(&layout.header) {
        buffer.set_line(area.x, y, &header::line(*part, state, now, theme, area.width.into()), area.width);
    }
    let below = Rect { y: area.y + layout.heading, height: layout.rows + 1, ..area };
    match &state.mode {
        Mode::Menu { offers, items, at } => menu(*offers, items, *at, theme, below, buffer),
        _ => table::draw(state, theme, below, buffer),
    }
    buffer.set_line(area.x, area.bottom() - 1, &footer(state, theme), area.width);
}

fn too_small(area: Rect, buffer: &mut Buffer) {
    let text = format!("too small: {}x{} at least", LEAST.0, LEAST.1);
    if area.height > 0 {
        buffer.set_line(area.x, area.y, &Line::raw(text), area.width);
    }
}

fn menu(offers: Offers, items: &[String], at: usize, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let title = match offers {
        Offers::Sort => "sort by",
        Offers::User => "show processes of",
    };
    let heading = Line::from(theme.span(Tone::Label, format!("{title}   (Enter chooses, Esc leaves)")));
    buffer.set_line(area.x, area.y, &heading, area.width);
    let page = usize::from(area.height.saturating_sub(1));
    let first = (at + 1).saturating_sub(page);
    for (y, (index, item)) in (area.y + 1..area.bottom()).zip(items.iter().enumerate().skip(first)) {
        let style = theme.of_row(Emphasis::None, index == at);
        buffer.set_line(area.x, y, &Line::styled(format!("  {item}  "), style), area.width);
    }
}

/// What is being typed, what the last key came to, or what can be pressed.
fn footer(state: &State, theme: Theme) -> Line<'static> {
    if let Mode::Prompt { asks, text } = &state.mode {
        let title = match asks {
            Asks::Search => "search",
            Asks::Filter => "filter",
            Asks::Interval => "ask every (such as 500ms, 2s)",
        };
        let mut spans = vec![theme.span(Tone::Label, format!("{title}: ")), Span::raw(shown(text))];
        spans.push(Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED)));
        if let Some(message) = &state.message {
            spans.push(theme.span(Tone::Warning, format!("  {}", one_line(message))));
        }
        return Line::from(spans);
    }
    if let Some(message) = &state.message {
        return Line::from(theme.span(Tone::Warning, shown(message)));
    }
    const KEYS: [(&str, &str); 10] = [
        ("h", "Help"),
        ("q", "Quit"),
        ("/", "Search"),
        ("\\", "Filter"),
        ("t", "Tree"),
        ("<", "Sort"),
        ("u", "User"),
        ("H", "Threads"),
        ("p", "Pause"),
        ("+-", "Every"),
    ];
    let key = |(key, does): (&'static str, &'static str)| {
        [Span::styled(key, Style::new().add_modifier(Modifier::REVERSED)), Span::raw(does), Span::raw(" ")]
    };
    Line::from(KEYS.into_iter().flat_map(key).collect::<Vec<_>>())
}

/// Text of whatever origin, safe for a cell.
fn shown(text: &str) -> String {
    one_line(text).into_owned()
}
