//! What is wrong with the servers, in sentences.

use std::collections::{BTreeMap, BTreeSet};

use dbgctl_proto::v1::DnsOutcome;

use super::super::kind::Kind;
use super::super::row::{QuestionRow, rcode_name, short_server, transport};
use super::{MOST, MOST_ADDRESSES, NXDOMAIN, count, took};

/// All of it, the worst first.
pub(super) fn all(rows: &[QuestionRow]) -> Vec<String> {
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
            let tcp = found.iter().all(|row| transport(row.question.transport) == "tcp");
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
                    && transport(row.question.transport) == "tcp"
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
