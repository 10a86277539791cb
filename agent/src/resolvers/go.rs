//! As Go's package `net` resolves without cgo: `net/dnsclient_unix.go`, Go 1.19 and later.
//!
//! A and AAAA go their own ways at the same time, each question from a port of its own. Whatever is wrong with a server
//! leads to the next one, all of them `attempts` times; a name without such records is one that does not exist. Whatever
//! is wrong with a name of the search path leads to the next.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dbgctl_proto::v1::{DnsOutcome, DnsTransport, LookUpOutcome};

use super::message::{self, Answer, Asking, NO_ERROR, NXDOMAIN, SERVFAIL};
use super::wire::{Event, Place};
use super::{A, AAAA, End, LookUp, candidates, tcp};
use crate::stream::Halt;

/// What it says it takes by UDP.
const EDNS_BYTES: u16 = 1232;

pub(super) fn look_up(look_up: &mut LookUp<'_, '_>, name: &[u8], kinds: &[u16]) -> Result<End, Halt> {
    if kinds.iter().any(|kind| matches!(*kind, A | AAAA)) && !candidates::is_go_domain_name(name) {
        let end = End::new(LookUpOutcome::NoSuchName, 0);
        return Ok(end.because("Go takes that for no name of the DNS, and asks no server"));
    }
    let mut last = End::new(LookUpOutcome::NoSuchName, 0);
    let as_it_is = [name.strip_suffix(b".").unwrap_or(name), b"."].concat();
    for (text, candidate) in candidates::of(look_up.setup, name).iter().zip(1..) {
        let mut tries: Vec<_> = kinds.iter().map(|&kind| Try::new(look_up, text, kind, candidate)).collect();
        if look_up.setup.conf.single_request {
            for one in &mut tries {
                run(look_up, std::slice::from_mut(one))?;
            }
        } else {
            run(look_up, &mut tries)?;
        }
        let answers: Vec<_> = tries.iter_mut().filter_map(|one| one.answer.take()).collect();
        if !answers.is_empty() {
            return Ok(End::answered(answers, kinds, candidate));
        }
        // What is said of the name as it is tells more than what is said of the others.
        let outcome = tries.first().map_or(LookUpOutcome::Failed, |one| one.outcome);
        if candidate == 1 || *text == as_it_is {
            last = End::new(outcome, candidate);
        }
    }
    Ok(last)
}

/// One type of one name, on its way through the servers.
struct Try {
    place: Place,
    /// `None`: no message has room for it.
    asking: Option<Asking>,
    kind: u16,
    offset: usize,
    /// Servers that were asked, times attempts.
    step: usize,
    answer: Option<Answer>,
    outcome: LookUpOutcome,
    is_over: bool,
}

/// A question that waits for its answer.
struct Open {
    number: usize,
    line: usize,
    deadline: Instant,
}

impl Try {
    fn new(look_up: &mut LookUp<'_, '_>, text: &[u8], kind: u16, candidate: u32) -> Self {
        let conf = &look_up.setup.conf;
        let asking =
            message::name(text).and_then(|name| Asking::new(&name, kind, Some(EDNS_BYTES), conf.trust_ad));
        let offset = if conf.rotate { look_up.nth } else { 0 };
        look_up.nth += 1;
        Self {
            place: Place { candidate, attempt: 1 },
            is_over: asking.is_none(),
            asking,
            kind,
            offset,
            step: 0,
            answer: None,
            outcome: LookUpOutcome::Failed,
        }
    }

    /// The server whose turn it is. `None`: all were asked often enough.
    fn turn(&mut self, servers: &[SocketAddr], attempts: u32) -> Option<SocketAddr> {
        let attempt = u32::try_from(self.step / servers.len()).ok()?;
        if self.is_over || attempt >= attempts {
            self.is_over = true;
            return None;
        }
        self.place.attempt = attempt + 1;
        let server = servers[(self.step + self.offset) % servers.len()];
        self.step += 1;
        Some(server)
    }

    /// Takes an answer. What does not end it leads to the next server.
    fn take(&mut self, answer: Answer) {
        self.outcome = match answer.rcode() {
            NXDOMAIN => LookUpOutcome::NoSuchName,
            NO_ERROR if answer.has(self.kind) => LookUpOutcome::Found,
            NO_ERROR if answer.is_lame() || !answer.broken.is_empty() => LookUpOutcome::Failed,
            NO_ERROR => LookUpOutcome::NoSuchName,
            SERVFAIL => LookUpOutcome::TryAgain,
            _ => LookUpOutcome::Failed,
        };
        self.is_over = matches!(self.outcome, LookUpOutcome::Found | LookUpOutcome::NoSuchName);
        if self.outcome == LookUpOutcome::Found {
            self.answer = Some(answer);
        }
    }
}

/// Takes all of `tries` to their end, at the same time.
fn run(look_up: &mut LookUp<'_, '_>, tries: &mut [Try]) -> Result<(), Halt> {
    let LookUp { setup, wire, .. } = look_up;
    let by_tcp = setup.tcp || setup.conf.use_vc;
    let timeout = setup.conf.timeout.max(Duration::from_millis(1));
    wire.clear();
    let mut open: Vec<Option<Open>> = tries.iter().map(|_| None).collect();
    // Answers that were cut are had in whole when nothing else is waited for, so that no time is told wrongly.
    let mut cut: Vec<Option<SocketAddr>> = vec![None; tries.len()];
    loop {
        for (one, (open, cut)) in tries.iter_mut().zip(open.iter_mut().zip(&mut cut)) {
            while open.is_none() && cut.is_none() {
                let Some(server) = one.turn(&setup.servers, setup.conf.attempts) else { break };
                // Each exchange has an id of its own.
                let Some(asking) = one.asking.as_ref().and_then(|asking| {
                    Asking::new(&asking.name, asking.kind, Some(EDNS_BYTES), setup.conf.trust_ad)
                }) else {
                    break;
                };
                one.asking = Some(asking.clone());
                if by_tcp {
                    *cut = Some(server);
                    break;
                }
                match wire.open(server) {
                    Ok(line) => match wire.send(line, server, &asking, one.place)? {
                        Ok(number) => *open = Some(Open { number, line, deadline: Instant::now() + timeout }),
                        Err(_) => one.outcome = LookUpOutcome::TryAgain,
                    },
                    Err(error) => {
                        one.outcome = LookUpOutcome::TryAgain;
                        let row = wire.row(server, &asking, one.place, DnsTransport::Udp, Instant::now());
                        wire.unsent(row, &error)?;
                    }
                }
            }
        }
        let Some(deadline) = open.iter().flatten().map(|open| open.deadline).min() else {
            if cut.iter().all(Option::is_none) {
                return Ok(());
            }
            for (one, cut) in tries.iter_mut().zip(&mut cut) {
                let (Some(server), Some(asking)) = (cut.take(), &one.asking) else { continue };
                match tcp::ask(wire, server, std::slice::from_ref(asking), one.place, timeout)? {
                    Ok(answers) => answers.into_iter().for_each(|answer| one.take(answer)),
                    Err(_) => one.outcome = LookUpOutcome::TryAgain,
                }
            }
            continue;
        };
        match wire.next(deadline)? {
            Event::Answer(number, answer) => {
                let is_it = |open: &Option<Open>| open.as_ref().is_some_and(|open| open.number == number);
                if let Some(nth) = open.iter().position(is_it) {
                    open[nth] = None;
                    if answer.told.truncated {
                        cut[nth] = Some(
                            setup.servers[(tries[nth].step - 1 + tries[nth].offset) % setup.servers.len()],
                        );
                    } else {
                        tries[nth].take(*answer);
                    }
                }
            }
            Event::Broken(line) => {
                let is_it = |open: &Option<Open>| open.as_ref().is_some_and(|open| open.line == line);
                if let Some(nth) = open.iter().position(is_it) {
                    open[nth] = None;
                    tries[nth].outcome = LookUpOutcome::TryAgain;
                }
            }
            Event::Deadline => {
                let now = Instant::now();
                for (one, open) in tries.iter_mut().zip(&mut open) {
                    if let Some(late) = open.take_if(|open| open.deadline <= now) {
                        wire.end(late.number, DnsOutcome::TimedOut, String::new())?;
                        one.outcome = LookUpOutcome::TryAgain;
                    }
                }
            }
        }
    }
}
