//! Many look-ups in few lines: of each question and server, how many were answered and how long it took.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use dbgctl_proto::v1::DnsOutcome;

use super::kind::Kind;
use super::row::{QuestionRow, short_server, transport};
use crate::render::human::{Percent, Took};
use crate::render::{Column, Emphasis, Object, Row};

/// One question to one server, asked again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct RepeatRow {
    name: String,
    kind: u32,
    server: String,
    transport: i32,
    asked: u64,
    /// Of those that were answered, ascending.
    nanos: Vec<u64>,
}

impl Row for RepeatRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("NAME", |row| Cow::Borrowed(&row.name)),
        Column::text("TYPE", |row| Kind::name(row.kind)),
        Column::text("SERVER", |row| Cow::Borrowed(short_server(&row.server))),
        Column::text("VIA", |row| Cow::Borrowed(transport(row.transport))),
        Column::number("ASKED", |row: &Self| i64::try_from(row.asked).ok()),
        Column::number("LOST", |row: &Self| i64::try_from(row.lost()).ok()),
        Column::written("LOST%", |row: &Self, cell| {
            cell.show(Percent(row.lost() as f64 / row.asked.max(1) as f64 * 100.0));
        })
        .right(),
        Column::maybe("MIN", |row: &Self| row.percentile(0)).right(),
        Column::maybe("P50", |row: &Self| row.percentile(50)).right(),
        Column::maybe("P90", |row: &Self| row.percentile(90)).right(),
        Column::maybe("P99", |row: &Self| row.percentile(99)).right(),
        Column::maybe("MAX", |row: &Self| row.percentile(100)).right(),
    ];

    fn fields(&self, _: &mut Object<'_>) {
        // Shown as a table only: elsewhere each question is a row.
    }

    fn emphasis(&self) -> Emphasis {
        if self.lost() > 0 { Emphasis::Alarming } else { Emphasis::None }
    }
}

impl RepeatRow {
    fn lost(&self) -> u64 {
        self.asked.saturating_sub(u64::try_from(self.nanos.len()).unwrap_or(u64::MAX))
    }

    /// The time that so many of a hundred took at most.
    fn percentile(&self, percent: usize) -> Option<Cow<'static, str>> {
        let rank = (self.nanos.len() * percent).div_ceil(100).max(1);
        let nanos = self.nanos.get(rank - 1)?;
        Some(Took(Duration::from_nanos(*nanos)).to_string().into())
    }
}

/// The rows in the order in which each was first asked. What was not waited for is left out.
pub(super) fn rows(questions: &[QuestionRow]) -> Vec<RepeatRow> {
    let mut places = BTreeMap::new();
    let mut rows: Vec<RepeatRow> = Vec::new();
    for row in questions.iter().filter(|row| row.outcome != Ok(DnsOutcome::Abandoned)) {
        let question = &row.question;
        let key = (&question.name, question.record_type, &question.server, question.transport);
        let place = *places.entry(key).or_insert_with(|| {
            rows.push(RepeatRow {
                name: question.name.clone(),
                kind: question.record_type,
                server: question.server.clone(),
                transport: question.transport,
                ..RepeatRow::default()
            });
            rows.len() - 1
        });
        rows[place].asked += 1;
        if row.outcome == Ok(DnsOutcome::Answered) {
            rows[place].nanos.push(question.nanos);
        }
    }
    rows.iter_mut().for_each(|row| row.nanos.sort_unstable());
    rows
}
