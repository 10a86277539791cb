//! What was measured, as Markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::samples::Samples;
use crate::container::docker;
use crate::{Result, command, tree};

/// The tables of one benchmark.
pub(super) struct Report {
    name: &'static str,
    title: &'static str,
    load_before: String,
    measurements: Vec<String>,
    gates: Vec<Gate>,
    notes: Vec<String>,
}

/// Something that must hold.
struct Gate {
    id: &'static str,
    claim: String,
    measured: String,
    holds: bool,
}

impl Report {
    pub(super) fn new(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            load_before: load(),
            measurements: Vec::new(),
            gates: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// One row of measured times.
    pub(super) fn times(&mut self, what: &str, samples: &Samples) {
        self.measurements.push(format!(
            "| {what} | {} | {} | {} | {} | {} |",
            shown(samples.median()),
            shown(samples.min()),
            shown(samples.percentile(99)),
            shown(samples.max()),
            samples.count(),
        ));
    }

    /// One row of something else than times.
    pub(super) fn figure(&mut self, what: &str, figure: &str) {
        self.measurements.push(format!("| {what} | {figure} | | | | |"));
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// `figure` may be `most` and not more.
    pub(super) fn at_most(&mut self, id: &'static str, claim: &str, figure: f64, most: f64, unit: &str) {
        self.gate(id, format!("{claim}: at most {most}{unit}"), format!("{figure:.2}{unit}"), figure <= most);
    }

    /// `figure` must be `least` or more.
    pub(super) fn at_least(&mut self, id: &'static str, claim: &str, figure: f64, least: f64, unit: &str) {
        self.gate(
            id,
            format!("{claim}: at least {least}{unit}"),
            format!("{figure:.2}{unit}"),
            figure >= least,
        );
    }

    fn gate(&mut self, id: &'static str, claim: String, measured: String, holds: bool) {
        println!("{id} {}: {claim}; measured {measured}", if holds { "pass" } else { "FAIL" });
        self.gates.push(Gate { id, claim, measured, holds });
    }

    pub(super) fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.gates.iter().filter(|gate| !gate.holds).map(|gate| gate.id)
    }

    pub(super) fn render(&self) -> String {
        let mut text = format!("# {}\n\n| Measured | Median | Min | p99 | Max | n |\n", self.title);
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for row in &self.measurements {
            let _infallible = writeln!(text, "{row}");
        }
        text.push_str("\n| Gate | Claim | Measured | Result |\n| --- | --- | --- | --- |\n");
        for Gate { id, claim, measured, holds } in &self.gates {
            let result = if *holds { "pass" } else { "**fail**" };
            let _infallible = writeln!(text, "| {id} | {claim} | {measured} | {result} |");
        }
        text.push('\n');
        for note in &self.notes {
            let _infallible = writeln!(text, "- {note}");
        }
        let _infallible = writeln!(text, "- load average before: {}; after: {}", self.load_before, load());
        let _infallible = writeln!(text, "- {}", machine());
        text
    }

    /// Writes `target/bench/<name>.md`.
    pub(super) fn write(&self, workspace: &Path) -> Result {
        let path = workspace.join("target/bench").join(format!("{}.md", self.name));
        tree::write_if_changed(&path, self.render().as_bytes())
    }
}

fn shown(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.1} ms") }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn machine() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let format = "engine {{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}, {{.NCPU}} CPUs";
    let engine = command::output(docker().args(["info", "--format", format])).unwrap_or_default();
    format!("Linux {}, {engine}", kernel.trim())
}
