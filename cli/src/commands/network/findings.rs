//! What is wrong with a network, in sentences, the worst first.

mod counters;
mod interfaces;
mod routes;

use std::fmt;

use dbgctl_proto::v1::NetworkHeader;

use super::state::State;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Something does not work now.
    Serious,
    /// Something was lost during the sample, or will be.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Serious => "serious",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// What it is about, in a word that stays the same: for programs.
    pub(super) about: &'static str,
    /// One sentence.
    pub(super) text: String,
}

impl Finding {
    fn new(severity: Severity, about: &'static str, text: impl Into<String>) -> Self {
        Self { severity, about, text: text.into() }
    }

    pub(super) fn serious(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Serious, about, text)
    }

    pub(super) fn warning(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Warning, about, text)
    }

    pub(super) fn note(about: &'static str, text: impl Into<String>) -> Self {
        Self::new(Severity::Note, about, text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.word(), self.text)
    }
}

/// All of them. Never empty: that nothing is wrong is said as well.
pub(super) fn of(header: &NetworkHeader, state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    interfaces::find(state, &mut findings);
    routes::find(state, &mut findings);
    counters::find(header, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    if findings.is_empty() {
        findings.push(Finding::note("nothing", "nothing wrong was found"));
    }
    findings
}
