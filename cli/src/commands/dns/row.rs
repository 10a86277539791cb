//! One question as it is shown.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::{DnsAnswer, DnsEdns, DnsOutcome, DnsQuestion, DnsRecord, DnsTransport};

use super::kind::Kind;
use crate::render::human::Took;
use crate::render::{Column, Emphasis, Object, Row};

/// So many records of an answer are shown in a cell.
const MOST_RECORDS: usize = 4;

/// A question, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct QuestionRow {
    pub(super) question: DnsQuestion,
    pub(super) outcome: Result<DnsOutcome, i32>,
}

impl Row for QuestionRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("TRY", |row: &Self| {
            Some(i64::from(row.question.attempt)).filter(|&attempt| attempt > 1)
        })
        .if_any(),
        Column::text("NAME", |row| Cow::Borrowed(&row.question.name)),
        Column::text("TYPE", |row| Kind::name(row.question.record_type)),
        Column::text("SERVER", |row| Cow::Borrowed(short_server(&row.question.server))),
        Column::text("VIA", |row| Cow::Borrowed(transport(row.question.transport))),
        Column::text("RESULT", |row| row.result()),
        Column::written("TIME", |row: &Self, cell| cell.show(Took(Duration::from_nanos(row.question.nanos))))
            .right(),
        Column::written("SENT", |row: &Self, cell| {
            cell.show(Took(Duration::from_nanos(row.question.sent_nanos)));
        })
        .right()
        .wide_only(),
        Column::bytes("SIZE", |row: &Self| Some(row.answer()?.bytes.into())).wide_only(),
        Column::maybe("FLAGS", |row: &Self| Some(flags(row.answer()?).into())).wide_only(),
        Column::maybe("EDNS", |row: &Self| {
            let edns = row.answer()?.edns.as_ref()?;
            Some(format!("{} B", edns.udp_payload_bytes).into())
        })
        .wide_only(),
        Column::maybe("ANSWER", |row| row.answer().and_then(records).map(Cow::Owned)),
        Column::maybe("ERROR", |row: &Self| {
            Some(row.question.error.as_str()).filter(|error| !error.is_empty()).map(Cow::Borrowed)
        })
        .if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let question = &self.question;
        object.number("round", u64::from(question.round));
        object.number("candidate", u64::from(question.candidate));
        object.text("name", question.name.as_str());
        object.number("record_type", u64::from(question.record_type));
        object.text("server", question.server.as_str());
        object.text("transport", transport(question.transport));
        object.number("attempt", u64::from(question.attempt));
        object.number("sent_nanos", question.sent_nanos);
        object.number("nanos", question.nanos);
        object.text("outcome", &*self.outcome_name());
        object.text("error", question.error.as_str());
        match self.answer() {
            Some(answer) => object.object("answer", |object| answer_fields(answer, object)),
            None => object.null("answer"),
        }
        object.number("strays", u64::from(question.strays));
        object.number("garbled", u64::from(question.garbled));
    }

    fn emphasis(&self) -> Emphasis {
        match self.outcome {
            Ok(DnsOutcome::Abandoned) => Emphasis::Dim,
            Ok(DnsOutcome::Answered) => match self.answer().map(|answer| answer.rcode) {
                Some(0) => Emphasis::None,
                Some(3) => Emphasis::Dim,
                _ => Emphasis::Alarming,
            },
            _ => Emphasis::Alarming,
        }
    }
}

impl QuestionRow {
    pub(super) fn new(question: DnsQuestion) -> Self {
        let outcome = DnsOutcome::try_from(question.outcome).map_err(|_| question.outcome);
        Self { question, outcome }
    }

    pub(super) fn answer(&self) -> Option<&DnsAnswer> {
        self.question.answer.as_ref()
    }

    /// The code of the answer, if there is one.
    pub(super) fn rcode(&self) -> Option<u32> {
        Some(self.answer()?.rcode)
    }

    fn result(&self) -> Cow<'static, str> {
        match (self.outcome, self.answer()) {
            (Ok(DnsOutcome::Answered), Some(answer)) if answer.rcode == 0 && answer.truncated => "cut".into(),
            (Ok(DnsOutcome::Answered), Some(answer)) if answer.rcode == 0 && answer.records.is_empty() => {
                "no records".into()
            }
            (Ok(DnsOutcome::Answered), Some(answer)) => rcode_name(answer.rcode),
            (Ok(DnsOutcome::Abandoned), _) => "not awaited".into(),
            _ => self.outcome_name().replace('_', " ").into(),
        }
    }

    /// As the contract names it.
    fn outcome_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.outcome {
            Ok(DnsOutcome::Unspecified) => "unknown",
            Ok(DnsOutcome::Answered) => "answered",
            Ok(DnsOutcome::TimedOut) => "timed_out",
            Ok(DnsOutcome::Refused) => "refused",
            Ok(DnsOutcome::Unreachable) => "unreachable",
            Ok(DnsOutcome::Garbled) => "garbled",
            Ok(DnsOutcome::Failed) => "failed",
            Ok(DnsOutcome::Abandoned) => "abandoned",
            Err(number) => return Cow::Owned(format!("unknown({number})")),
        })
    }
}

/// Without the port where it is the usual one.
pub(super) fn short_server(server: &str) -> &str {
    server.strip_suffix(":53").unwrap_or(server)
}

pub(super) fn transport(number: i32) -> &'static str {
    match DnsTransport::try_from(number) {
        Ok(DnsTransport::Udp) => "udp",
        Ok(DnsTransport::Tcp) => "tcp",
        Ok(DnsTransport::Unspecified) | Err(_) => "unknown",
    }
}

/// The names of RFC 1035 and RFC 6895.
pub(super) fn rcode_name(rcode: u32) -> Cow<'static, str> {
    Cow::Borrowed(match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        16 => "BADVERS",
        23 => "BADCOOKIE",
        _ => return Cow::Owned(format!("RCODE{rcode}")),
    })
}

fn flags(answer: &DnsAnswer) -> String {
    let flags = [
        (answer.authoritative, "aa"),
        (answer.truncated, "tc"),
        (answer.recursion_available, "ra"),
        (answer.authentic_data, "ad"),
    ];
    let on: Vec<_> = flags.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect();
    if on.is_empty() { "none".to_owned() } else { on.join(" ") }
}

/// `-> web.test. (60 s), 10.0.0.7 (60 s) and 2 more`. `None`: no records.
fn records(answer: &DnsAnswer) -> Option<String> {
    const CNAME: u32 = 5;
    let one = |record: &DnsRecord| {
        let arrow = if record.record_type == CNAME { "-> " } else { "" };
        format!("{arrow}{} ({} s)", record.value, record.ttl_seconds)
    };
    let shown: Vec<_> = answer.records.iter().take(MOST_RECORDS).map(one).collect();
    let left_out = answer.records.len().saturating_sub(MOST_RECORDS);
    let left_out = left_out.saturating_add(usize::try_from(answer.records_left_out).unwrap_or(usize::MAX));
    match left_out {
        _ if shown.is_empty() => None,
        0 => Some(shown.join(", ")),
        more => Some(format!("{} and {more} more", shown.join(", "))),
    }
}

fn answer_fields(answer: &DnsAnswer, object: &mut Object<'_>) {
    object.number("rcode", u64::from(answer.rcode));
    object.flag("authoritative", answer.authoritative);
    object.flag("truncated", answer.truncated);
    object.flag("recursion_available", answer.recursion_available);
    object.flag("authentic_data", answer.authentic_data);
    object.number("bytes", u64::from(answer.bytes));
    object.objects("records", &answer.records, |record, object| {
        object.text("name", record.name.as_str());
        object.number("record_type", u64::from(record.record_type));
        object.number("ttl_seconds", u64::from(record.ttl_seconds));
        object.text("value", record.value.as_str());
    });
    object.number("records_left_out", u64::from(answer.records_left_out));
    object.number("negative_ttl_seconds", answer.negative_ttl_seconds.map(u64::from));
    match &answer.edns {
        Some(edns) => object.object("edns", |object| edns_fields(edns, object)),
        None => object.null("edns"),
    }
}

fn edns_fields(edns: &DnsEdns, object: &mut Object<'_>) {
    object.number("version", u64::from(edns.version));
    object.number("udp_payload_bytes", u64::from(edns.udp_payload_bytes));
    object.number("extended_error", edns.extended_error.map(u64::from));
    object.raw("extended_error_text", edns.extended_error_text.as_slice());
}
