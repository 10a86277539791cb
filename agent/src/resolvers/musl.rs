//! As musl resolves: `src/network/lookup_name.c` and `src/network/res_msend.c`, version 1.2.3 and later.
//!
//! All questions go to all servers at once, and again after `timeout / attempts`; the first answer counts. A server that
//! refuses is not heard, one that fails is asked again at once. A name that exists without such records ends the search,
//! and so does silence.

use std::time::{Duration, Instant};

use dbgctl_proto::v1::{DnsOutcome, LookUpOutcome};

use super::message::{self, Answer, Asking, NO_ERROR, NXDOMAIN, SERVFAIL};
use super::wire::{Event, Place};
use super::{End, LookUp, candidates, tcp};
use crate::stream::Halt;

/// What is waited at most for the servers that were slower than the first one. musl does not: it throws away what they
/// say, and whether they say anything is worth knowing.
const LONGEST_WAIT_FOR_OTHERS: Duration = Duration::from_millis(200);

pub(super) fn look_up(look_up: &mut LookUp<'_, '_>, name: &[u8], kinds: &[u16]) -> Result<End, Halt> {
    if look_up.setup.conf.attempts == 0 {
        let end = End::new(LookUpOutcome::Failed, 0);
        return Ok(end.because("with `attempts:0` musl divides by zero, and the program crashes"));
    }
    let mut last = End::new(LookUpOutcome::NoSuchName, 0);
    for (text, candidate) in candidates::of(look_up.setup, name).iter().zip(1..) {
        let askings = message::name(text).and_then(|name| {
            kinds.iter().map(|&kind| Asking::new(&name, kind, None, false)).collect::<Option<Vec<_>>>()
        });
        // A name that no message has room for counts as one that does not exist.
        let Some(askings) = askings else { continue };
        let answers = send(look_up, &askings, candidate)?;
        last = End::new(LookUpOutcome::NoSuchName, candidate);
        let end = |outcome| Ok(End::new(outcome, candidate));
        for answer in &answers {
            match answer.as_ref().map(Answer::rcode) {
                None | Some(SERVFAIL) => return end(LookUpOutcome::TryAgain),
                Some(NO_ERROR) => {}
                Some(NXDOMAIN) => break,
                Some(_) => return end(LookUpOutcome::Failed),
            }
        }
        if !answers.iter().flatten().any(|answer| answer.rcode() == NXDOMAIN) {
            return Ok(End::answered(answers.into_iter().flatten().collect(), kinds, candidate));
        }
    }
    Ok(last)
}

/// The answers that count, one for each question in order; `None` where there is none.
fn send(
    look_up: &mut LookUp<'_, '_>,
    askings: &[Asking],
    candidate: u32,
) -> Result<Vec<Option<Answer>>, Halt> {
    let LookUp { setup, wire, spent_beside, .. } = look_up;
    let timeout = setup.conf.timeout;
    let mut answers: Vec<Option<Answer>> = vec![None; askings.len()];
    if setup.tcp {
        // musl does so only after an answer that was cut; here it was asked for.
        for (asking, answer) in askings.iter().zip(&mut answers) {
            for &server in &setup.servers {
                let place = Place { candidate, attempt: 1 };
                if answer.is_none()
                    && let Ok(mut answered) =
                        tcp::ask(wire, server, std::slice::from_ref(asking), place, timeout)?
                {
                    *answer = answered.pop();
                }
            }
        }
        return Ok(answers);
    }
    wire.clear();
    let mut lines = Vec::new();
    for &server in &setup.servers {
        match wire.open(server) {
            Ok(line) => lines.push((server, line)),
            Err(error) => {
                for asking in askings {
                    let place = Place { candidate, attempt: 1 };
                    let transport = dbgctl_proto::v1::DnsTransport::Udp;
                    let row = wire.row(server, asking, place, transport, Instant::now());
                    wire.unsent(row, &error)?;
                }
            }
        }
    }
    // Of each number of the wire: which question it is, and to which server.
    let mut sent: Vec<(usize, (std::net::SocketAddr, usize))> = Vec::new();
    let started = Instant::now();
    let every = timeout / setup.conf.attempts.max(1);
    let mut cut: Vec<(usize, std::net::SocketAddr)> = Vec::new();
    let mut attempt = 0;
    while started.elapsed() < timeout && answers.iter().any(Option::is_none) {
        attempt += 1;
        let place = Place { candidate, attempt };
        for (nth, asking) in askings.iter().enumerate() {
            if answers[nth].is_some() {
                continue;
            }
            for &(server, line) in &lines {
                if let Ok(number) = wire.send(line, server, asking, place)? {
                    debug_assert_eq!(number, sent.len());
                    sent.push((nth, (server, line)));
                }
            }
        }
        let until = (started + every * attempt).min(started + timeout);
        let mut again = 2 * askings.len();
        while answers.iter().any(Option::is_none) {
            let (number, answer) = match wire.next(until)? {
                Event::Answer(number, answer) => (number, *answer),
                Event::Broken(_) => continue,
                Event::Deadline => break,
            };
            let (nth, (server, line)) = sent[number];
            if answers[nth].is_some() {
                continue;
            }
            match answer.rcode() {
                NO_ERROR | NXDOMAIN => {
                    if answer.told.truncated {
                        cut.push((nth, server));
                    }
                    answers[nth] = Some(answer);
                }
                SERVFAIL if again > 0 => {
                    again -= 1;
                    if let Ok(number) = wire.send(line, server, &askings[nth], place)? {
                        debug_assert_eq!(number, sent.len());
                        sent.push((nth, (server, line)));
                    }
                }
                _ => {}
            }
        }
        if answers.iter().any(Option::is_none) {
            wire.end_all(DnsOutcome::TimedOut)?;
        }
    }
    let decided = Instant::now();
    let others = decided + started.elapsed().saturating_mul(4).min(LONGEST_WAIT_FOR_OTHERS);
    while wire.cares_for_the_slower() && (0..sent.len()).any(|number| wire.is_open(number)) {
        if let Event::Deadline = wire.next(others)? {
            wire.end_all(DnsOutcome::Abandoned)?;
        }
    }
    *spent_beside += decided.elapsed();
    for (nth, server) in cut {
        let place = Place { candidate, attempt: 1 };
        let left = timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        let whole = tcp::ask(wire, server, &askings[nth..=nth], place, left)?;
        answers[nth] = whole.ok().and_then(|mut whole| whole.pop());
    }
    Ok(answers)
}
