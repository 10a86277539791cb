//! The lines above the table.

use std::time::Duration;

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{Pressure, ProcessState, Stall};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::{Now, Theme, Tone, shown};
use crate::commands::cpu::verdict::Cpus;
use crate::commands::interfaces::per_second;
use crate::commands::top::snapshot::Snapshot;
use crate::commands::top::state::State;
use crate::commands::top::trend::Trend;
use crate::render::cell;
use crate::render::human::{Bytes, Elapsed, Percent};

/// From here on a program is slowed down for good.
const THROTTLED_PERCENT: f64 = 10.0;
/// From here on the kernel may soon kill.
const FULL_PERCENT: f64 = 90.0;
/// Text of a line with a trend, on a terminal of 80 columns.
const TEXT_WIDTH: usize = 68;
/// A shorter trend tells nothing.
const SHORTEST_TREND: usize = 8;

/// A line of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Title,
    Cpu,
    Memory,
    Pressure,
    Network,
    Tasks,
}

/// The lines that a screen of that height has room for.
pub(super) fn parts(height: u16) -> Vec<Part> {
    let all = [Part::Title, Part::Cpu, Part::Memory, Part::Pressure, Part::Network, Part::Tasks];
    let room_for_all = height >= 16;
    all.into_iter().filter(|part| room_for_all || !matches!(part, Part::Pressure | Part::Network)).collect()
}

/// What that line shows.
pub(super) fn line(part: Part, state: &State, now: &Now, theme: Theme, width: usize) -> Line<'static> {
    let Some(snapshot) = &state.snapshot else {
        return if part == Part::Title { title(state, now, theme, width) } else { Line::default() };
    };
    match part {
        Part::Title => title(state, now, theme, width),
        Part::Cpu => with_trend("CPU", cpu(snapshot), &state.trends.cpu, Some(100.0), theme, width),
        Part::Memory => with_trend("MEM", memory(snapshot), &state.trends.memory, Some(100.0), theme, width),
        Part::Pressure => fitted("PSI", pressure(snapshot), theme, width),
        Part::Network => with_trend("NET", network(snapshot), &state.trends.network, None, theme, width),
        Part::Tasks => fitted("TASKS", tasks(snapshot), theme, width),
    }
}

type Segments = Vec<(Tone, String)>;

fn title(state: &State, now: &Now, theme: Theme, width: usize) -> Line<'static> {
    let subject = &state.subject;
    let mut segments = Vec::new();
    if state.paused {
        segments.push((Tone::Warning, "PAUSED".to_owned()));
    }
    match now.overdue_seconds {
        Some(seconds) if !state.paused => {
            segments.push((Tone::Alarming, format!("no answer for {seconds} s")));
        }
        _ if state.snapshot.is_none() => segments.push((Tone::Dim, "asking …".to_owned())),
        _ => {}
    }
    let init = state.snapshot.iter().flat_map(|snapshot| &snapshot.rows).filter_map(|row| row.elapsed).max();
    segments.extend(init.map(|up| (Tone::Plain, format!("up {}", Elapsed(up)))));
    segments.push((Tone::Plain, format!("level {}", subject.level)));
    segments.push((Tone::Plain, format!("every {}", humantime::format_duration(state.interval))));
    segments.push((Tone::Plain, now.clock.clone()));
    if !subject.image.is_empty() {
        segments.push((Tone::Dim, shown(&subject.image)));
    }
    fitted(&shown(&subject.name), segments, theme, width)
}

fn cpu(snapshot: &Snapshot) -> Segments {
    let facts = &snapshot.cpu.facts;
    let used = facts.used_cpus.map_or_else(|| "-".to_owned(), |used| format!("{used:.2}"));
    let of = match (facts.limit, facts.usable_cpus) {
        (Some(Cpus::At(limit)), _) => format!("{used} of {limit:.2} CPUs"),
        (Some(Cpus::Unlimited), Some(cpus)) => format!("{used} of {cpus} CPUs, no limit"),
        (None, Some(cpus)) => format!("{used} of {cpus} CPUs"),
        (_, None) => format!("{used} CPUs"),
    };
    let mut segments = vec![(Tone::Plain, of)];
    if let Some(percent) = snapshot.cpu.percent() {
        segments.push((Tone::Plain, format!("{}%", Percent(percent))));
    }
    segments.push(match (facts.throttled_percent, facts.limit) {
        (Some(share), Some(Cpus::At(_))) => {
            (above(THROTTLED_PERCENT, share), format!("throttled {}%", Percent(share)))
        }
        (None, None) => (Tone::Dim, "throttled -".to_owned()),
        _ => (Tone::Dim, "never throttled".to_owned()),
    });
    segments
}

fn memory(snapshot: &Snapshot) -> Segments {
    let memory = &snapshot.memory;
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string());
    let current = bytes(memory.current_bytes());
    let mut segments = vec![(
        Tone::Plain,
        match memory.limit() {
            Some(Limit::At(limit)) => format!("{current} of {}", Bytes(limit)),
            Some(Limit::Unlimited(_)) => format!("{current}, no limit"),
            None => format!("{current} of -"),
        },
    )];
    if let (Some(Limit::At(_)), Some(percent)) =
        (memory.limit(), memory.current_bytes().and_then(|bytes| memory.percent(bytes)))
    {
        segments.push((above(FULL_PERCENT, percent), format!("{}%", Percent(percent))));
    }
    let cgroup = memory.cgroup.as_ref();
    segments
        .push((Tone::Plain, format!("left {}", bytes(memory.headroom.map(|left| left.conservative_bytes)))));
    segments.push((
        Tone::Plain,
        format!("working {}", bytes(cgroup.and_then(|cgroup| cgroup.working_set_bytes))),
    ));
    let kills = cgroup.and_then(|cgroup| cgroup.events?.oom_kill).filter(|&kills| kills > 0);
    segments.extend(kills.map(|kills| (Tone::Alarming, format!("OOM kills {kills}"))));
    segments
}

fn pressure(snapshot: &Snapshot) -> Segments {
    let of = |resource: &str, pressure: Option<&Pressure>| {
        let share = |stall: Option<&Stall>| {
            stall.map_or_else(|| "-".to_owned(), |stall| Percent(stall.avg10_percent).to_string())
        };
        let some = pressure.and_then(|pressure| pressure.some.as_ref());
        let full = pressure.and_then(|pressure| pressure.full.as_ref());
        let tone = some.map_or(Tone::Dim, |stall| above(THROTTLED_PERCENT, stall.avg10_percent));
        (tone, format!("{resource} {}/{}", share(some), share(full)))
    };
    vec![
        of("cpu", snapshot.cpu.pressure.as_ref()),
        of("memory", snapshot.memory.cgroup.as_ref().and_then(|cgroup| cgroup.pressure.as_ref())),
        of("io", snapshot.io_pressure.as_ref()),
        (Tone::Dim, "some/full % of the last 10 s".to_owned()),
    ]
}

fn network(snapshot: &Snapshot) -> Segments {
    let Some(traffic) = snapshot.traffic() else { return vec![(Tone::Dim, "-".to_owned())] };
    let name = match &traffic.name {
        Some(name) => cell(|cell| cell.raw(name)),
        None => format!("{} interfaces", traffic.interfaces),
    };
    let rate =
        |bytes: Option<f64>| bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{}/s", per_second(bytes)));
    let mut segments = vec![
        (Tone::Plain, name),
        (Tone::Plain, format!("rx {}", rate(traffic.rates.map(|(rx, _)| rx)))),
        (Tone::Plain, format!("tx {}", rate(traffic.rates.map(|(_, tx)| tx)))),
    ];
    if traffic.lost > 0 {
        segments.push((Tone::Warning, format!("lost {}", traffic.lost)));
    }
    segments
}

fn tasks(snapshot: &Snapshot) -> Segments {
    let rows = &snapshot.rows;
    let are_threads = rows.iter().any(|row| row.process.tid.is_some());
    let count = |states: &[ProcessState]| {
        rows.iter().filter(|row| states.iter().any(|&state| row.state.is(state))).count()
    };
    let threads: u64 = rows.iter().map(|row| u64::from(row.process.threads)).sum();
    let total = match are_threads {
        true => format!("{} threads", rows.len()),
        false => format!("{}, {threads} thr", rows.len()),
    };
    let (waiting, zombies) = (count(&[ProcessState::DiskSleep]), count(&[ProcessState::Zombie]));
    let stopped = count(&[ProcessState::Stopped, ProcessState::Traced]);
    let mut segments = vec![
        (Tone::Plain, total),
        (Tone::Plain, format!("{} running", count(&[ProcessState::Running]))),
        (Tone::Plain, format!("{} sleeping", count(&[ProcessState::Sleeping]))),
        (if waiting > 0 { Tone::Alarming } else { Tone::Plain }, format!("{waiting} in D")),
        (if zombies > 0 { Tone::Warning } else { Tone::Plain }, format!("{zombies} zombie")),
    ];
    if stopped > 0 {
        segments.push((Tone::Warning, format!("{stopped} stopped")));
    }
    if let Some([one, five, fifteen]) = snapshot.cpu.load {
        segments.push((Tone::Dim, format!("load {one:.2} {five:.2} {fifteen:.2}")));
    }
    segments
}

fn above(bound: f64, value: f64) -> Tone {
    if value >= bound { Tone::Warning } else { Tone::Plain }
}

/// The label and as many segments as there is room for, warnings before all else.
fn fitted(label: &str, segments: Segments, theme: Theme, width: usize) -> Line<'static> {
    let mut room = width.saturating_sub(label.width());
    let is_warning = |tone: Tone| matches!(tone, Tone::Warning | Tone::Alarming);
    let mut chosen: Vec<_> = segments.into_iter().enumerate().collect();
    chosen.sort_by_key(|(_, (tone, _))| !is_warning(*tone));
    chosen.retain(|(_, (_, text))| {
        let needed = 2 + text.width();
        let fits = needed <= room;
        // What is less important does not take the place of what did not fit.
        room = if fits { room - needed } else { 0 };
        fits
    });
    chosen.sort_by_key(|(index, _)| *index);
    let mut spans = vec![theme.span(Tone::Label, label)];
    spans.extend(chosen.into_iter().flat_map(|(_, (tone, text))| [Span::raw("  "), theme.span(tone, text)]));
    Line::from(spans)
}

/// The same with the trend at the right, if there is room.
fn with_trend(
    label: &str,
    segments: Segments,
    trend: &Trend,
    most: Option<f64>,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let trend_width = width.saturating_sub(TEXT_WIDTH);
    if trend_width < SHORTEST_TREND {
        return fitted(label, segments, theme, width);
    }
    let text_width = width - trend_width;
    let mut line = fitted(label, segments, theme, text_width);
    let padding = text_width.saturating_sub(line.width());
    line.spans.push(Span::raw(" ".repeat(padding)));
    line.spans.push(theme.span(Tone::Label, sparkline(trend, most, trend_width)));
    line
}

/// One column for each value, at the right. Without `most` the highest shown is the full height.
fn sparkline(trend: &Trend, most: Option<f64>, width: usize) -> String {
    const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = || trend.last(width).flatten().fold(0.0, f64::max);
    let most = most.unwrap_or_else(highest);
    let column = |value: Option<f64>| {
        let Some(value) = value else { return ' ' };
        let filled = EIGHTHS
            .iter()
            .zip(1_u8..)
            .take_while(|(_, nth)| *nth == 1 || (most > 0.0 && value / most * 8.0 >= f64::from(*nth) - 0.5));
        filled.last().map_or(' ', |(column, _)| *column)
    };
    let columns: String = trend.last(width).map(column).collect();
    let missing = width.saturating_sub(columns.chars().count());
    format!("{}{columns}", " ".repeat(missing))
}

/// `0:07.25`, `12:34.56`, `4h07:12`: CPU time as top(1) has it.
pub(super) fn cpu_time(nanos: u64) -> String {
    let time = Duration::from_nanos(nanos);
    let (seconds, hundredths) = (time.as_secs(), time.subsec_millis() / 10);
    let (hours, minutes) = (seconds / 3600, seconds / 60);
    match hours {
        0 => format!("{minutes}:{:02}.{hundredths:02}", seconds % 60),
        1..1000 => format!("{hours}h{:02}:{:02}", minutes % 60, seconds % 60),
        _ => format!("{hours}h"),
    }
}
