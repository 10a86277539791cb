//! As the GNU C library resolves: `resolv/res_query.c` and `resolv/res_send.c`, version 2.36 and later.
//!
//! A and AAAA are asked together on one socket. A server that times out, refuses or fails is followed by the next one,
//! all of them `attempts` times. An answer without what was looked for leads to the next name of the search path; one
//! server that fails does, too, but no server at all ends the search.

mod exchange;

use std::io;
use std::time::Duration;

use dbgctl_proto::v1::LookUpOutcome;

use self::exchange::{Exchange, Exchanged, One, Sending};
use super::message::{self, Answer, Asking, NO_ERROR, NXDOMAIN, SERVFAIL};
use super::wire::{Place, Wire};
use super::{A, AAAA, End, LookUp, candidates, tcp};
use crate::stream::Halt;

/// The buffer that getaddrinfo(3) begins with, and what an address takes in it.
const FIRST_BUFFER_BYTES: usize = 1024;
const ADDRESS_BYTES: usize = 40;

/// What it says it takes by UDP with the option `edns0`.
const EDNS_BYTES: u16 = 1200;

pub(super) fn look_up(look_up: &mut LookUp<'_, '_>, name: &[u8], kinds: &[u16]) -> Result<End, Halt> {
    if kinds.iter().any(|kind| matches!(*kind, A | AAAA)) && !candidates::is_glibc_host_name(name) {
        let end = End::new(LookUpOutcome::NoSuchName, 0);
        return Ok(end.because("the GNU C library asks no server for such a name"));
    }
    let pair: &[u16] = if look_up.setup.conf.no_aaaa { &[A] } else { &[A, AAAA] };
    let groups: Vec<&[u16]> = if kinds == [A, AAAA] { vec![pair] } else { kinds.chunks(1).collect() };
    let mut search = Search { look_up, is_single: false, reopens: false };
    search.is_single = search.look_up.setup.conf.single_request;
    search.reopens = search.look_up.setup.conf.single_request_reopen;
    let mut best: Option<End> = None;
    for kinds in groups {
        let mut end = search.search(name, kinds)?;
        // An answer that does not fit the buffer is thrown away, and all is asked again with one of twice the size.
        let mut buffer_bytes = FIRST_BUFFER_BYTES;
        while kinds.len() > 1 && end.outcome == LookUpOutcome::Found && result_bytes(&end) > buffer_bytes {
            buffer_bytes *= 2;
            end = search.search(name, kinds)?.because(
                "the answer is too long for the GNU C library's buffer: it asks everything again with a bigger one",
            );
        }
        match &mut best {
            Some(best) if best.outcome == LookUpOutcome::Found => best.answers.extend(end.answers),
            best => *best = Some(end),
        }
    }
    Ok(best.unwrap_or_else(|| End::new(LookUpOutcome::Failed, 0)))
}

/// What the addresses take in the buffer of getaddrinfo(3), with the name that they belong to.
fn result_bytes(end: &End) -> usize {
    let addresses: usize = end.answers.iter().map(|answer| answer.addresses.len()).sum();
    let name = end.answers.first().map_or(0, |answer| answer.canonical.len());
    addresses * ADDRESS_BYTES + name.next_multiple_of(8)
}

/// What the servers said to one name.
enum Told {
    /// There is something, which need not be what was asked for.
    Something(Vec<Answer>),
    NoSuchName,
    NoRecords,
    /// `SERVFAIL`, or silence.
    TryAgain {
        is_servfail: bool,
    },
    /// Every server refused the connection.
    NobodyThere,
    Refused,
}

/// What came of asking all servers.
enum Round {
    Accepted(Vec<Answer>),
    /// The code of the first answer from the last server that gave any.
    Failed {
        rcode: u32,
        is_nobody_there: bool,
    },
}

struct Search<'s, 'a, 'l> {
    look_up: &'s mut LookUp<'a, 'l>,
    /// Ask for the second type only when the first is answered. Also after a server took only one question at a time.
    is_single: bool,
    /// The same, from another port.
    reopens: bool,
}

impl<'l> Search<'_, '_, 'l> {
    fn wire(&mut self) -> &mut Wire<'l> {
        &mut self.look_up.wire
    }

    fn search(&mut self, name: &[u8], kinds: &[u16]) -> Result<End, Halt> {
        let names = candidates::of(self.look_up.setup, name);
        let is_rooted = name.ends_with(b".");
        let (mut first_told, mut no_records, mut servfail) = (None, None, None);
        let mut is_over = false;
        let mut last = LookUpOutcome::NoSuchName;
        for (candidate_name, candidate) in names.iter().zip(1_u32..) {
            let is_as_it_is = candidate_name.as_slice() == name;
            // After a failure that ends the search the name is still tried as it is.
            if is_over && !is_as_it_is {
                continue;
            }
            let told = self.query(candidate_name, kinds, candidate)?;
            last = match told {
                Told::Something(answers) => return Ok(End::answered(answers, kinds, candidate)),
                Told::NoSuchName => LookUpOutcome::NoSuchName,
                Told::NoRecords => {
                    no_records.get_or_insert(candidate);
                    LookUpOutcome::NoRecords
                }
                Told::TryAgain { is_servfail } => {
                    servfail = servfail.or(is_servfail.then_some(candidate));
                    is_over |= !is_servfail;
                    LookUpOutcome::TryAgain
                }
                Told::NobodyThere => {
                    if !is_as_it_is {
                        let end = End::new(LookUpOutcome::TryAgain, candidate);
                        return Ok(end.because("no server is there"));
                    }
                    LookUpOutcome::TryAgain
                }
                Told::Refused => {
                    is_over = true;
                    LookUpOutcome::Failed
                }
            };
            if is_as_it_is && candidate == 1 && names.len() > 1 {
                first_told = Some((last, candidate));
                // What it says of the name as it is, asked first, does not end the search.
                is_over = false;
            }
            if is_rooted {
                break;
            }
        }
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let (outcome, candidate) = first_told
            .or(no_records.map(|candidate| (LookUpOutcome::NoRecords, candidate)))
            .or(servfail.map(|candidate| (LookUpOutcome::TryAgain, candidate)))
            .unwrap_or((last, count));
        Ok(End::new(outcome, candidate))
    }

    fn query(&mut self, name: &[u8], kinds: &[u16], candidate: u32) -> Result<Told, Halt> {
        let conf = &self.look_up.setup.conf;
        let edns = conf.edns0.then_some(EDNS_BYTES);
        let askings = message::name(name).and_then(|name| {
            kinds
                .iter()
                .map(|&kind| Asking::new(&name, kind, edns, conf.trust_ad))
                .collect::<Option<Vec<_>>>()
        });
        // A name that no message has room for.
        let Some(askings) = askings else { return Ok(Told::Refused) };
        let answers = match self.send(&askings, candidate)? {
            Round::Accepted(answers) => answers,
            Round::Failed { is_nobody_there: true, .. } => return Ok(Told::NobodyThere),
            Round::Failed { rcode, .. } => return Ok(Told::TryAgain { is_servfail: rcode == SERVFAIL }),
        };
        let has_something = |answer: &Answer| answer.rcode() == NO_ERROR && answer.answers > 0;
        if answers.iter().any(has_something) {
            return Ok(Told::Something(answers));
        }
        let rcode = answers.iter().map(Answer::rcode).find(|&rcode| rcode != NO_ERROR);
        Ok(match rcode {
            None => Told::NoRecords,
            Some(NXDOMAIN) => Told::NoSuchName,
            Some(SERVFAIL) => Told::TryAgain { is_servfail: answers[0].rcode() == SERVFAIL },
            Some(_) => Told::Refused,
        })
    }

    /// Asks one server after the other until one gives an answer that counts.
    fn send(&mut self, askings: &[Asking], candidate: u32) -> Result<Round, Halt> {
        let setup = self.look_up.setup;
        let servers = &setup.servers;
        let offset = if setup.conf.rotate { self.look_up.nth } else { 0 };
        self.look_up.nth += 1;
        let mut by_tcp = setup.tcp || setup.conf.use_vc;
        let mut state = Sending { got_somewhere: false, rcode: NO_ERROR };
        let mut is_nobody_there = true;
        for attempt in 1..=setup.conf.attempts {
            for shift in 0..servers.len() {
                let server = (shift + offset) % servers.len();
                let place = Place { candidate, attempt };
                if !by_tcp {
                    match self.by_udp(server, askings, place, &mut state)? {
                        One::Accepted(answers) => return Ok(Round::Accepted(answers)),
                        One::Next => continue,
                        One::Truncated => by_tcp = true,
                    }
                }
                let timeout = setup.conf.timeout.max(Duration::from_secs(1));
                let address = servers[server];
                match tcp::ask(self.wire(), address, askings, place, timeout)? {
                    Ok(answers) => return Ok(Round::Accepted(answers)),
                    Err(error) => is_nobody_there = error.kind() == io::ErrorKind::ConnectionRefused,
                }
            }
            // By TCP each server is asked once.
            if by_tcp {
                return Ok(Round::Failed { rcode: state.rcode, is_nobody_there });
            }
        }
        Ok(Round::Failed { rcode: state.rcode, is_nobody_there: !state.got_somewhere })
    }

    /// How long that server is waited for: twice as long for each that comes before it, over all of them.
    fn patience(&self, server: usize) -> Duration {
        let setup = self.look_up.setup;
        let whole = setup.conf.timeout.saturating_mul(1 << server.min(8));
        let servers = u32::try_from(setup.servers.len()).unwrap_or(1);
        let patience = if server > 0 { Duration::from_secs((whole / servers).as_secs()) } else { whole };
        if setup.timeout_is_given { setup.conf.timeout } else { patience.max(Duration::from_secs(1)) }
    }

    fn by_udp(
        &mut self,
        server: usize,
        askings: &[Asking],
        place: Place,
        state: &mut Sending,
    ) -> Result<One, Halt> {
        let address = self.look_up.setup.servers[server];
        let before = state.got_somewhere;
        loop {
            let patience = self.patience(server);
            let (is_single, reopens) = (self.is_single || self.reopens, self.reopens);
            let exchange = Exchange { address, askings, place, is_single, reopens, patience };
            match exchange.run(self.wire(), state)? {
                Exchanged::One(one) => return Ok(one),
                // One of two was answered. There are servers that can not have two questions of one port before them.
                Exchanged::OneOfTwo(answers) => {
                    if self.reopens {
                        return Ok(One::Accepted(answers));
                    }
                    self.reopens = self.is_single;
                    self.is_single = true;
                    state.got_somewhere = before;
                }
            }
        }
    }
}
