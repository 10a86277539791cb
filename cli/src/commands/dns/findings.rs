//! What is wrong with a look-up, in sentences.

mod servers;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use dbgctl_proto::v1::{LookUpHeader, LookUpOutcome, LookUpVerdict};

use super::row::{QuestionRow, short_server};
use crate::render::human::Took;

/// Sentences of one kind, at most.
pub(super) const MOST: usize = 8;

/// Addresses that a sentence names.
const MOST_ADDRESSES: usize = 8;

const NXDOMAIN: u32 = 3;

/// As the contract names it.
pub(super) fn outcome_name(outcome: i32) -> Cow<'static, str> {
    Cow::Borrowed(match LookUpOutcome::try_from(outcome) {
        Ok(LookUpOutcome::Found) => "found",
        Ok(LookUpOutcome::NoSuchName) => "no_such_name",
        Ok(LookUpOutcome::NoRecords) => "no_records",
        Ok(LookUpOutcome::TryAgain) => "try_again",
        Ok(LookUpOutcome::Failed) => "failed",
        Ok(LookUpOutcome::Unspecified) => "unknown",
        Err(number) => return Cow::Owned(format!("unknown({number})")),
    })
}

/// What came of it, in one sentence; of several rounds, how many ended in which way.
pub(super) fn verdict(name: &str, verdicts: &[LookUpVerdict], rows: &[QuestionRow]) -> Vec<String> {
    if let [verdict] = verdicts {
        return vec![one(name, verdict, rows)];
    }
    let mut outcomes = BTreeMap::<_, (usize, u64)>::new();
    for verdict in verdicts {
        let (count, longest) = outcomes.entry(verdict.outcome).or_default();
        *count += 1;
        *longest = verdict.nanos.max(*longest);
    }
    let of = verdicts.len();
    outcomes
        .into_iter()
        .map(|(outcome, (count, longest))| {
            let words = outcome_name(outcome).replace('_', " ");
            format!("{name}: {words} in {count} of {of} look-ups, the longest {}", took(longest))
        })
        .collect()
}

fn one(name: &str, verdict: &LookUpVerdict, rows: &[QuestionRow]) -> String {
    let asked = rows.iter().filter(|row| row.question.round > 0).count();
    let questions = if asked == 1 { "question" } else { "questions" };
    let effort = format!("{asked} {questions}, {}", took(verdict.nanos));
    let reason = if verdict.reason.is_empty() { String::new() } else { format!(": {}", verdict.reason) };
    match LookUpOutcome::try_from(verdict.outcome) {
        Ok(LookUpOutcome::Found) => {
            let addresses: Vec<_> =
                verdict.addresses.iter().take(MOST_ADDRESSES).map(String::as_str).collect();
            let more = verdict.addresses.len().saturating_sub(MOST_ADDRESSES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let what = if addresses.is_empty() {
                "found".to_owned()
            } else {
                format!("{}{more}", addresses.join(", "))
            };
            let from = match verdict.source.as_str() {
                "literal" => "the name is an address; nothing is asked".to_owned(),
                "files" => "from /etc/hosts; nothing is asked".to_owned(),
                _ => effort,
            };
            format!("{name}: {what} ({from})")
        }
        Ok(LookUpOutcome::NoSuchName) => format!("{name}: no such name ({effort}){reason}"),
        Ok(LookUpOutcome::NoRecords) => {
            format!("{name}: the name exists, and has no such records ({effort}){reason}")
        }
        Ok(LookUpOutcome::TryAgain) => {
            format!("{name}: not found out, since no server gave an answer that counts ({effort}){reason}")
        }
        Ok(LookUpOutcome::Failed) => {
            format!("{name}: not found out, and trying again does not help ({effort}){reason}")
        }
        Ok(LookUpOutcome::Unspecified) | Err(_) => {
            format!("{name}: the agent says nothing that is known here")
        }
    }
}

/// What is wrong, the worst first.
pub(super) fn of(
    name: &str,
    header: &LookUpHeader,
    rows: &[QuestionRow],
    verdicts: &[LookUpVerdict],
) -> Vec<String> {
    let mut lines = servers::all(rows);
    let found = verdicts.first().filter(|verdict| {
        LookUpOutcome::try_from(verdict.outcome) == Ok(LookUpOutcome::Found) && !verdict.reason.is_empty()
    });
    lines.extend(found.map(|verdict| verdict.reason.clone()));
    lines.extend(wasted(name, header, rows, verdicts));
    lines.extend(itself(name, rows, verdicts));
    lines.extend(beyond_ascii(name));
    lines
}

/// Questions for names that only the search path made up.
fn wasted(
    name: &str,
    header: &LookUpHeader,
    rows: &[QuestionRow],
    verdicts: &[LookUpVerdict],
) -> Option<String> {
    let verdict = verdicts.first()?;
    if LookUpOutcome::try_from(verdict.outcome) != Ok(LookUpOutcome::Found) || verdict.candidate < 2 {
        return None;
    }
    let of_first_round = rows.iter().filter(|row| row.question.round == 1);
    let wasted = of_first_round.clone().filter(|row| row.question.candidate < verdict.candidate).count();
    let dots_said = count(name.bytes().filter(|&byte| byte == b'.').count(), "dot");
    let is_itself = of_first_round
        .clone()
        .find(|row| row.question.candidate == verdict.candidate)
        .is_some_and(|row| row.question.name.strip_suffix('.').unwrap_or(&row.question.name) == name);
    let remedy = if is_itself {
        format!("it has {dots_said} and ndots is {}; a dot at its end asks for nothing else", header.ndots)
    } else {
        "the search path finds it late; the full name with a dot at its end asks for nothing else".to_owned()
    };
    (wasted > 0).then(|| {
        format!(
            "{wasted} of {} questions were wasted on names that do not exist: {remedy}",
            of_first_round.count()
        )
    })
}

/// Whether the name itself was asked for, and does not exist, while nothing else was found.
fn itself(name: &str, rows: &[QuestionRow], verdicts: &[LookUpVerdict]) -> Option<String> {
    let verdict = verdicts.first()?;
    if LookUpOutcome::try_from(verdict.outcome) != Ok(LookUpOutcome::NoSuchName) {
        return None;
    }
    let unrooted = name.strip_suffix('.').unwrap_or(name);
    let is_itself = |row: &&QuestionRow| {
        row.question.name.strip_suffix('.').unwrap_or(&row.question.name).eq_ignore_ascii_case(unrooted)
    };
    let row = rows.iter().filter(|row| row.rcode() == Some(NXDOMAIN)).find(is_itself)?;
    let ttl = row.answer()?.negative_ttl_seconds;
    let keeps = ttl.map_or_else(String::new, |ttl| format!("; whoever heard that may keep it for {ttl} s"));
    Some(format!(
        "{} itself does not exist, says server {}{keeps}",
        row.question.name,
        short_server(&row.question.server)
    ))
}

fn beyond_ascii(name: &str) -> Option<String> {
    (!name.is_ascii()).then(|| {
        "the name has letters beyond ASCII: programs turn such names into a form that begins with xn-- before they look \
         them up; without --raw it is asked for in that form"
            .to_owned()
    })
}

fn count(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn took(nanos: u64) -> Took {
    Took(Duration::from_nanos(nanos))
}
