//! What a summary says, in sentences and as JSON: gaps, losses, limits.

use std::io;

use dbgctl_proto::v1::{End, Gap, Summary};

use super::json::Object;
use super::{Output, Talk};
use crate::exit::Exit;

/// A summary names a handful of gaps; more than this is noise, or an agent gone bad.
const MOST_GAPS: usize = 20;

/// What closes a list: sentences, where it is a table, and the object `summary`, where it is JSON or YAML.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    /// What the agent says of it, at its end.
    pub(crate) summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    pub(crate) broken_off: Option<&'static str>,
    /// What is said beside a table, ahead of what is missing from it.
    pub(crate) notes: Vec<String>,
    /// What follows from the rows of a list that has no header to tell it.
    pub(crate) verdicts: Option<Vec<String>>,
}

/// What a list is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nouns<'n> {
    /// The rows.
    pub(crate) rows: &'n str,
    /// What gaps count.
    pub(crate) gaps: &'n str,
}

impl<'n> From<&'n str> for Nouns<'n> {
    fn from(nouns: &'n str) -> Self {
        Self { rows: nouns, gaps: nouns }
    }
}

impl Closing {
    /// Whether nothing is missing but what gaps tell.
    pub(crate) fn is_complete(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.end() == End::Complete)
    }

    /// Keeps the first rows, as many as `limit` says, and has the summary say so: who sees the list must not take it
    /// for whole.
    pub(crate) fn cut<T>(&mut self, rows: &mut Vec<T>, limit: Option<u32>) {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return };
        if rows.len() <= limit {
            return;
        }
        rows.truncate(limit);
        if let Some(summary) = &mut self.summary {
            summary.sent = u64::try_from(limit).unwrap_or(u64::MAX);
            summary.end = End::Limit.into();
        }
    }

    /// The sentences for what is missing from the list. Empty if nothing is.
    pub(crate) fn sentences<'n>(&self, nouns: impl Into<Nouns<'n>>) -> Vec<String> {
        self.summary.as_ref().map_or_else(Vec::new, |summary| sentences(summary, nouns))
    }

    /// Shows what comes after the rows.
    pub(crate) fn show<'n>(
        self,
        nouns: impl Into<Nouns<'n>>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> io::Result<Exit> {
        if output.is_table() {
            output.sentences(self.verdicts.iter().flatten())?;
            let missing = self.sentences(nouns);
            let broken_off = self.broken_off.map(str::to_owned);
            output.beside(talk, self.notes.into_iter().chain(missing).chain(broken_off))?;
        } else {
            output.object(|object| match &self.summary {
                Some(summary) => object.object("summary", |object| {
                    fields(summary, object);
                    if let Some(verdicts) = &self.verdicts {
                        object.texts("verdicts", verdicts.iter().map(String::as_str));
                    }
                }),
                None => object.null("summary"),
            })?;
            talk.lines(self.broken_off);
        }
        output.flush()?;
        Ok(if self.broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
    }
}

/// The sentences for what is missing from a list. Empty if nothing is.
pub(crate) fn sentences<'n>(summary: &Summary, nouns: impl Into<Nouns<'n>>) -> Vec<String> {
    let Nouns { rows: nouns, gaps } = nouns.into();
    let mut lines: Vec<_> = summary.gaps.iter().take(MOST_GAPS).map(|gap| gap_sentence(gap, gaps)).collect();
    if summary.gaps.len() > MOST_GAPS {
        lines.push(format!("{} more kinds of gaps", summary.gaps.len() - MOST_GAPS));
    }
    if summary.dropped > 0 {
        lines.push(format!("{} {nouns} lost: this side was too slow", summary.dropped));
    }
    match End::try_from(summary.end) {
        Ok(End::Complete) => {}
        Ok(End::Limit) => lines.push(format!("stopped at the limit of {}; there are more", summary.sent)),
        Ok(End::Deadline) => {
            lines.push(format!("out of time after {} {nouns}; there are more", summary.sent))
        }
        Ok(End::Unspecified) | Err(_) => lines.push("why the list ended is not known".to_owned()),
    }
    lines
}

/// `3 processes ended while the list was made`, or `user names: not readable`.
fn gap_sentence(gap: &Gap, nouns: &str) -> String {
    let (subject, reason) = (shorten(&gap.subject), shorten(&gap.reason));
    let one = match subject {
        "processes" => "process",
        "threads" => "thread",
        "entries" => "entry",
        _ => "",
    };
    if gap.count == 1 && !one.is_empty() {
        format!("1 {one} {reason}")
    } else if subject == nouns || !one.is_empty() {
        format!("{} {subject} {reason}", gap.count)
    } else if gap.count > 1 {
        format!("{subject}: {reason}, {} {nouns}", gap.count)
    } else {
        format!("{subject}: {reason}")
    }
}

/// The agent's words, as far as a line of ours has room for them.
fn shorten(text: &str) -> &str {
    const MOST_BYTES: usize = 200;
    &text[..text.floor_char_boundary(MOST_BYTES)]
}

/// Writes the summary as an object, or `null`.
pub(crate) fn field(summary: Option<&Summary>, object: &mut Object<'_>) {
    match summary {
        Some(summary) => object.object("summary", |object| fields(summary, object)),
        None => object.null("summary"),
    }
}

/// Writes the summary's fields.
pub(crate) fn fields(summary: &Summary, object: &mut Object<'_>) {
    object.number("sent", summary.sent);
    object.number("dropped", summary.dropped);
    object.objects("gaps", &summary.gaps, |gap, object| {
        object.text("subject", gap.subject.as_str());
        object.text("reason", gap.reason.as_str());
        object.number("count", gap.count);
    });
    object.text(
        "end",
        match End::try_from(summary.end) {
            Ok(End::Complete) => "complete",
            Ok(End::Limit) => "limit",
            Ok(End::Deadline) => "deadline",
            Ok(End::Unspecified) | Err(_) => "unknown",
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(subject: &str, reason: &str, count: u64) -> Gap {
        Gap { subject: subject.into(), reason: reason.into(), count }
    }

    #[test]
    fn a_complete_list_needs_no_words() {
        let summary = Summary { sent: 3, end: End::Complete.into(), ..Summary::default() };
        assert!(sentences(&summary, "processes").is_empty());
    }

    #[test]
    fn what_is_missing_is_said_with_its_reason() {
        let summary = Summary {
            sent: 5,
            dropped: 2,
            gaps: vec![
                gap("processes", "ended while the list was made", 3),
                gap("user names", "not readable (needs CAP_SYS_PTRACE)", 1),
                gap("wait channel", "permission denied", 4),
            ],
            end: End::Limit.into(),
        };
        assert_eq!(
            sentences(&summary, "processes"),
            [
                "3 processes ended while the list was made",
                "user names: not readable (needs CAP_SYS_PTRACE)",
                "wait channel: permission denied, 4 processes",
                "2 processes lost: this side was too slow",
                "stopped at the limit of 5; there are more",
            ]
        );
    }

    #[test]
    fn one_is_no_plural_whatever_is_listed() {
        let not_here = "asked for, but not among the target's";
        let summary = |count| Summary {
            gaps: vec![gap("processes", not_here, count)],
            end: End::Complete.into(),
            ..Summary::default()
        };
        assert_eq!(sentences(&summary(1), "limits"), [format!("1 process {not_here}")]);
        assert_eq!(sentences(&summary(2), "threads"), [format!("2 processes {not_here}")]);
    }

    #[test]
    fn a_list_that_is_cut_here_says_so() {
        let cut_at = |limit| {
            let mut rows = vec!['a', 'b', 'c'];
            let summary = Summary { sent: 3, end: End::Complete.into(), ..Summary::default() };
            let mut closing = Closing { summary: Some(summary), ..Closing::default() };
            closing.cut(&mut rows, limit);
            (rows.len(), closing.sentences("rows"))
        };
        assert_eq!(cut_at(Some(2)), (2, vec!["stopped at the limit of 2; there are more".to_owned()]));
        assert_eq!((cut_at(Some(3)), cut_at(None)), ((3, vec![]), (3, vec![])));
    }

    #[test]
    fn an_agent_that_floods_gaps_gets_a_few_lines() {
        let gaps = (0..1000).map(|n| gap(&format!("s{n}"), &"ä".repeat(5000), 1)).collect();
        let lines = sentences(&Summary { gaps, end: 77, ..Summary::default() }, "processes");
        assert_eq!(lines.len(), MOST_GAPS + 2);
        assert!(lines.iter().all(|line| line.len() < 300));
        assert_eq!(lines[MOST_GAPS], "980 more kinds of gaps");
    }
}
