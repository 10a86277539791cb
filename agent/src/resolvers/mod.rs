//! Turning a name into addresses as the target's own program would: the same questions, to the same servers, in the same
//! order, and with the same patience. Each question is told, with what came of it.
//!
//! Three resolvers are known, each in a module of its own, written after what they do and held against them by a test:
//! that of the GNU C library, that of musl, and Go's.

mod candidates;
mod compare;
mod environment;
mod glibc;
mod go;
mod message;
mod musl;
mod order;
mod setup;
mod tcp;
mod wire;

use std::time::{Duration, Instant};

use dbgctl_linux::Root;
use dbgctl_linux::etc::hosts;
use dbgctl_linux::etc::nsswitch::Reply;
use dbgctl_linux::etc::resolv_conf::{self, Resolver};
use dbgctl_proto::v1::{self, LookUpOutcome};

use self::message::Answer;
pub(crate) use self::message::{A, AAAA};
pub(crate) use self::setup::{Setup, interface};
pub(crate) use self::wire::Listener;
use self::wire::{Wire, nanos};
use crate::stream::Halt;

/// Most addresses that a verdict carries.
const MOST_ADDRESSES: usize = 64;

/// What a resolver makes of the answers of its servers.
#[derive(Debug)]
struct End {
    outcome: LookUpOutcome,
    /// In the order in which they came.
    answers: Vec<Answer>,
    /// Counted from 1. 0: none.
    candidate: u32,
    reason: String,
    /// What was waited for although the resolver would not have waited.
    spent_beside: Duration,
}

impl End {
    fn new(outcome: LookUpOutcome, candidate: u32) -> Self {
        let spent_beside = Duration::ZERO;
        Self { outcome, answers: Vec::new(), candidate, reason: String::new(), spent_beside }
    }

    fn because(self, reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..self }
    }

    /// Answers that count, whether or not they have what was asked for.
    fn answered(answers: Vec<Answer>, kinds: &[u16], candidate: u32) -> Self {
        let is_found = answers.iter().any(|answer| kinds.iter().any(|&kind| answer.has(kind)));
        let outcome = if is_found { LookUpOutcome::Found } else { LookUpOutcome::NoRecords };
        Self { answers, ..Self::new(outcome, candidate) }
    }
}

/// What the resolvers have in common in one round.
struct LookUp<'a, 'l> {
    setup: &'a Setup,
    wire: Wire<'l>,
    /// How many look-ups this process has made before, which is where `rotate` begins.
    nth: usize,
    /// As in [`End`].
    spent_beside: Duration,
}

/// Looks up `name` once, for records of these types, and tells `listener` of each question. `round` counts from 1.
///
/// # Errors
///
/// What the listener returns: that nothing was found is no error.
pub(crate) fn look_up(
    setup: &Setup,
    root: &Root,
    name: &[u8],
    kinds: &[u16],
    round: u32,
    listener: &mut dyn Listener,
) -> Result<v1::LookUpVerdict, Halt> {
    let started = Instant::now();
    let verdict = v1::LookUpVerdict { round, ..v1::LookUpVerdict::default() };
    let for_addresses = kinds.iter().all(|kind| matches!(*kind, A | AAAA));
    if for_addresses && let Some(address) = resolv_conf::address(name) {
        return Ok(v1::LookUpVerdict {
            outcome: LookUpOutcome::Found.into(),
            source: "literal".to_owned(),
            addresses: vec![address.to_string()],
            nanos: nanos(started.elapsed()),
            ..verdict
        });
    }
    let mut verdict = v1::LookUpVerdict {
        outcome: LookUpOutcome::NoSuchName.into(),
        reason: "no source of names is configured".to_owned(),
        ..verdict
    };
    let mut addresses = Vec::new();
    let mut spent_beside = Duration::ZERO;
    for source in &setup.sources {
        let reply = match source.name.as_str() {
            "files" if for_addresses => {
                addresses = hosts::addresses(&setup.hosts, name, setup.resolver);
                addresses.retain(|address| kinds.contains(&if address.is_ipv4() { A } else { AAAA }));
                if addresses.is_empty() {
                    // What a server said before tells more.
                    if verdict.candidate == 0 {
                        verdict.reason = "it is not in /etc/hosts".to_owned();
                    }
                    Reply::NotFound
                } else {
                    verdict.outcome = LookUpOutcome::Found.into();
                    verdict.source = "files".to_owned();
                    verdict.canonical_name = String::from_utf8_lossy(name).into_owned();
                    verdict.reason.clear();
                    Reply::Success
                }
            }
            "dns" => {
                let end = ask_servers(setup, name, kinds, round, listener)?;
                fill(&mut verdict, &end);
                addresses = end.answers.iter().flat_map(|answer| &answer.addresses).copied().collect();
                spent_beside += end.spent_beside;
                match end.outcome {
                    LookUpOutcome::Found => Reply::Success,
                    LookUpOutcome::TryAgain => Reply::TryAgain,
                    LookUpOutcome::Failed => Reply::Unavailable,
                    _ => Reply::NotFound,
                }
            }
            // Others are not dbgctl's to ask; the remarks say so.
            _ => Reply::Unavailable,
        };
        if reply == Reply::Success || source.ends_with(reply) {
            break;
        }
    }
    if for_addresses {
        order::sort(&mut addresses, setup.resolver, root);
    }
    verdict.addresses = addresses.iter().take(MOST_ADDRESSES).map(ToString::to_string).collect();
    verdict.nanos = nanos(started.elapsed().saturating_sub(spent_beside));
    Ok(verdict)
}

fn ask_servers(
    setup: &Setup,
    name: &[u8],
    kinds: &[u16],
    round: u32,
    listener: &mut dyn Listener,
) -> Result<End, Halt> {
    let wire = Wire::new(listener, round, setup.resolver == Resolver::Musl);
    let nth = usize::try_from(round.saturating_sub(1)).unwrap_or(0);
    let mut look_up = LookUp { setup, wire, nth, spent_beside: Duration::ZERO };
    let end = match setup.resolver {
        Resolver::Glibc => glibc::look_up(&mut look_up, name, kinds),
        Resolver::Musl => musl::look_up(&mut look_up, name, kinds),
        Resolver::Go => go::look_up(&mut look_up, name, kinds),
    };
    Ok(End { spent_beside: look_up.spent_beside, ..end? })
}

fn fill(verdict: &mut v1::LookUpVerdict, end: &End) {
    verdict.outcome = end.outcome.into();
    verdict.candidate = end.candidate;
    verdict.reason.clone_from(&end.reason);
    verdict.source = if end.outcome == LookUpOutcome::Found { "dns".to_owned() } else { String::new() };
    let names = end.answers.iter().map(|answer| &answer.canonical);
    verdict.canonical_name = names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
}

/// Asks every server for what decided the look-up, to compare their answers. Round 0.
///
/// # Errors
///
/// What the listener returns.
pub(crate) fn ask_every_server(
    setup: &Setup,
    name: &[u8],
    kinds: &[u16],
    candidate: u32,
    listener: &mut dyn Listener,
) -> Result<(), Halt> {
    let candidates = candidates::of(setup, name);
    let nth = usize::try_from(candidate.max(1) - 1).unwrap_or(0);
    let Some(text) = candidates.get(nth) else { return Ok(()) };
    compare::ask(setup, text, kinds, candidate.max(1), Wire::new(listener, 0, false))
}
