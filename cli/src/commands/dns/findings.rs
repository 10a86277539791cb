//! What is wrong with a look-up, in sentences.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dbgctl_proto::v1::{DnsOutcome, LookUpHeader, LookUpOutcome, LookUpVerdict};

use super::kind::Kind;
use super::row::{QuestionRow, rcode_name, short_server};
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
    let mut lines = Vec::new();
    for finding in [forged, refused, unreachable, timed_out, failing, lame, damaged, cut, differing] {
        let mut found = finding(rows);
        let more = found.len().saturating_sub(MOST);
        found.truncate(MOST);
        lines.append(&mut found);
        if more > 0 {
            lines.push(format!("{more} more of these"));
        }
    }
    let found = verdicts.first().filter(|verdict| {
        LookUpOutcome::try_from(verdict.outcome) == Ok(LookUpOutcome::Found) && !verdict.reason.is_empty()
    });
    lines.extend(found.map(|verdict| verdict.reason.clone()));
    lines.extend(wasted(name, header, rows, verdicts));
    lines.extend(itself(name, rows, verdicts));
    lines.extend(beyond_ascii(name));
    lines
}

/// The rows of each server, and of these the ones that `is` says.
fn by_server(
    rows: &[QuestionRow],
    is: impl Fn(&QuestionRow) -> bool,
) -> Vec<(&str, Vec<&QuestionRow>, usize)> {
    let mut servers = Vec::<(&str, Vec<&QuestionRow>, usize)>::new();
    for row in rows {
        let server = short_server(&row.question.server);
        let at = servers.iter().position(|(known, ..)| *known == server).unwrap_or_else(|| {
            servers.push((server, Vec::new(), 0));
            servers.len() - 1
        });
        servers[at].2 += 1;
        if is(row) {
            servers[at].1.push(row);
        }
    }
    servers.retain(|(_, found, _)| !found.is_empty());
    servers
}

fn count(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

fn forged(rows: &[QuestionRow]) -> Vec<String> {
    let mut lines = Vec::new();
    for (server, found, _) in by_server(rows, |row| row.question.strays > 0 || row.question.garbled > 0) {
        let sum = |of: fn(&QuestionRow) -> u32| {
            found
                .iter()
                .map(|row| usize::try_from(of(row)).unwrap_or(usize::MAX))
                .fold(0, usize::saturating_add)
        };
        let (strays, garbled) = (sum(|row| row.question.strays), sum(|row| row.question.garbled));
        if strays > 0 {
            lines.push(format!(
                "{} from {server} carried another id or answered another question: the server is broken, or someone \
                 forges answers",
                count(strays, "packet")
            ));
        }
        if garbled > 0 {
            lines.push(format!(
                "{} from {server} {} no DNS: something else listens on that port",
                count(garbled, "packet"),
                if garbled == 1 { "was" } else { "were" }
            ));
        }
    }
    lines
}

fn refused(rows: &[QuestionRow]) -> Vec<String> {
    by_server(rows, |row| row.outcome == Ok(DnsOutcome::Refused))
        .into_iter()
        .map(|(server, found, of)| {
            let tcp = found.iter().all(|row| super::row::transport(row.question.transport) == "tcp");
            let by = if tcp { " by TCP" } else { "" };
            format!(
                "server {server} refused {} of {of}{by}: its machine is there, and nothing listens on that port",
                found.len()
            )
        })
        .collect()
}

fn unreachable(rows: &[QuestionRow]) -> Vec<String> {
    by_server(rows, |row| matches!(row.outcome, Ok(DnsOutcome::Unreachable | DnsOutcome::Failed)))
        .into_iter()
        .map(|(server, found, _)| {
            format!("server {server} can not be reached from the container: {}", found[0].question.error)
        })
        .collect()
}

fn timed_out(rows: &[QuestionRow]) -> Vec<String> {
    by_server(rows, |row| row.outcome == Ok(DnsOutcome::TimedOut))
        .into_iter()
        .map(|(server, found, of)| {
            let longest = found.iter().map(|row| row.question.nanos).max().unwrap_or(0);
            let cause = if found.len() == of {
                "it is down, or a firewall drops what is sent"
            } else {
                "packets are lost, or it is overloaded"
            };
            format!("server {server} left {} of {of} unanswered for {}: {cause}", found.len(), took(longest))
        })
        .collect()
}

/// Codes by which a server says that it did not find out.
fn failing(rows: &[QuestionRow]) -> Vec<String> {
    let mut seen = BTreeMap::<_, (usize, String)>::new();
    for row in rows {
        let Some(answer) = row.answer().filter(|answer| !matches!(answer.rcode, 0 | NXDOMAIN)) else {
            continue;
        };
        let why = answer.edns.as_ref().and_then(|edns| {
            let code = edns.extended_error?;
            Some(format!("; extended error {code}: {}", String::from_utf8_lossy(&edns.extended_error_text)))
        });
        let key = (short_server(&row.question.server), answer.rcode);
        let (count, words) = seen.entry(key).or_default();
        *count += 1;
        if let Some(why) = why {
            *words = why;
        }
    }
    seen.into_iter()
        .map(|((server, rcode), (count, why))| {
            let meaning = match rcode {
                1 => "it did not understand the question",
                2 => "it could not find out, often because a server behind it does not answer or a signature is wrong",
                4 => "it does not do that",
                5 => "it will not answer this client, or for this name",
                _ => "it has no answer",
            };
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            format!("server {server} said {} {times}: {meaning}{why}", rcode_name(rcode))
        })
        .collect()
}

/// Servers that neither know nor ask others.
fn lame(rows: &[QuestionRow]) -> Vec<String> {
    let is_lame = |row: &QuestionRow| {
        row.answer().is_some_and(|answer| {
            answer.rcode == 0
                && answer.records.is_empty()
                && !answer.truncated
                && !answer.authoritative
                && !answer.recursion_available
                && answer.negative_ttl_seconds.is_none()
                && row.question.error.is_empty()
        })
    };
    by_server(rows, is_lame)
        .into_iter()
        .map(|(server, ..)| {
            format!(
                "server {server} neither knows the name nor asks others for it (a lame server): it is not meant for \
                 programs to ask"
            )
        })
        .collect()
}

fn damaged(rows: &[QuestionRow]) -> Vec<String> {
    let is_damaged = |row: &QuestionRow| {
        row.outcome == Ok(DnsOutcome::Garbled) || (row.answer().is_some() && !row.question.error.is_empty())
    };
    by_server(rows, is_damaged)
        .into_iter()
        .map(|(server, found, _)| {
            format!(
                "server {server} sent {}: {}",
                count(found.len(), "damaged answer"),
                found[0].question.error
            )
        })
        .collect()
}

/// Answers that did not fit a datagram, and were not had by TCP either.
fn cut(rows: &[QuestionRow]) -> Vec<String> {
    let is_cut = |row: &QuestionRow| row.answer().is_some_and(|answer| answer.truncated);
    by_server(rows, is_cut)
        .into_iter()
        .filter(|(server, ..)| {
            !rows.iter().any(|row| {
                short_server(&row.question.server) == *server
                    && super::row::transport(row.question.transport) == "tcp"
                    && row.outcome == Ok(DnsOutcome::Answered)
            })
        })
        .map(|(server, ..)| {
            format!("the answer of server {server} does not fit a datagram, and it does not answer by TCP: a firewall may drop TCP port 53")
        })
        .collect()
}

/// Servers that say different things of the same name.
fn differing(rows: &[QuestionRow]) -> Vec<String> {
    let mut said = BTreeMap::<(&str, u32), Vec<(&str, String)>>::new();
    for row in rows.iter().filter(|row| row.outcome == Ok(DnsOutcome::Answered)) {
        let Some(answer) =
            row.answer().filter(|answer| matches!(answer.rcode, 0 | NXDOMAIN) && !answer.truncated)
        else {
            continue;
        };
        let values: BTreeSet<_> = answer
            .records
            .iter()
            .filter(|record| record.record_type == row.question.record_type)
            .map(|record| record.value.as_str())
            .collect();
        let words = match answer.rcode {
            NXDOMAIN => "no such name".to_owned(),
            _ if values.is_empty() => "no records".to_owned(),
            _ => values.into_iter().take(MOST_ADDRESSES).collect::<Vec<_>>().join(" "),
        };
        let servers = said.entry((&row.question.name, row.question.record_type)).or_default();
        let server = short_server(&row.question.server);
        if !servers.iter().any(|(known, _)| *known == server) {
            servers.push((server, words));
        }
    }
    said.into_iter()
        .filter(|(_, servers)| servers.iter().any(|(_, words)| *words != servers[0].1))
        .map(|((name, kind), servers)| {
            let servers: Vec<_> =
                servers.iter().take(MOST).map(|(server, words)| format!("{server} says {words}")).collect();
            format!("servers differ about {name} {}: {}", Kind::name(kind), servers.join("; "))
        })
        .collect()
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
         them up; give it in that form"
            .to_owned()
    })
}

fn took(nanos: u64) -> Took {
    Took(Duration::from_nanos(nanos))
}
