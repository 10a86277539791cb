//! One or two questions to one server by UDP: `send_dg` in `resolv/res_send.c`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dbgctl_proto::v1::{DnsOutcome, DnsTransport};

use crate::resolvers::message::{Answer, Asking, NOTIMP, REFUSED, SERVFAIL};
use crate::resolvers::wire::{Event, Place, Wire};
use crate::stream::Halt;

/// What came of asking one server by UDP.
pub(super) enum One {
    Accepted(Vec<Answer>),
    Next,
    Truncated,
}

/// What is kept from one server to the next.
pub(super) struct Sending {
    /// A server answered, or at least its machine did not refuse.
    pub(super) got_somewhere: bool,
    pub(super) rcode: u32,
}

/// One or two questions to one server by UDP.
pub(super) struct Exchange<'e> {
    pub(super) address: SocketAddr,
    pub(super) askings: &'e [Asking],
    pub(super) place: Place,
    pub(super) is_single: bool,
    pub(super) reopens: bool,
    pub(super) patience: Duration,
}

pub(super) enum Exchanged {
    One(One),
    OneOfTwo(Vec<Answer>),
}

impl Exchange<'_> {
    pub(super) fn run(&self, wire: &mut Wire<'_>, state: &mut Sending) -> Result<Exchanged, Halt> {
        let next = Ok(Exchanged::One(One::Next));
        wire.clear();
        let Some(mut line) = self.open(wire)? else { return next };
        let deadline = Instant::now() + self.patience;
        let is_pair = self.askings.len() > 1;
        let at_once = if self.is_single { 1 } else { self.askings.len() };
        let mut numbers = Vec::new();
        for asking in &self.askings[..at_once] {
            match wire.send(line, self.address, asking, self.place)? {
                Ok(number) => numbers.push(number),
                Err(_) => {
                    wire.end_all(DnsOutcome::Abandoned)?;
                    return next;
                }
            }
        }
        // Of each question whether it was answered; of what was answered well, the answers.
        let mut is_answered = [false; 2];
        let mut good: Vec<Answer> = Vec::new();
        loop {
            let (number, answer) = match wire.next(deadline)? {
                Event::Answer(number, answer) => (number, *answer),
                Event::Broken(_) => return next,
                Event::Deadline => {
                    wire.end_all(DnsOutcome::TimedOut)?;
                    if is_pair && !good.is_empty() {
                        return Ok(Exchanged::OneOfTwo(good));
                    }
                    state.got_somewhere = true;
                    return next;
                }
            };
            let nth = numbers.iter().position(|&known| known == number).unwrap_or(0);
            state.got_somewhere = true;
            if !is_answered.contains(&true) {
                state.rcode = answer.rcode();
            }
            if matches!(answer.rcode(), SERVFAIL | NOTIMP | REFUSED) || answer.is_lame() {
                // The other answer counts, if there is or will be one.
                if is_answered.contains(&true) {
                    wire.end_all(DnsOutcome::Abandoned)?;
                    let one = if good.is_empty() { One::Next } else { One::Accepted(good) };
                    return Ok(Exchanged::One(one));
                }
                if is_pair && !self.is_single {
                    is_answered[nth] = true;
                    continue;
                }
                return next;
            }
            if answer.told.truncated {
                wire.end_all(DnsOutcome::Abandoned)?;
                return Ok(Exchanged::One(One::Truncated));
            }
            is_answered[nth] = true;
            good.push(answer);
            if is_answered.iter().filter(|&&is| is).count() == self.askings.len() {
                return Ok(Exchanged::One(One::Accepted(good)));
            }
            if self.is_single {
                if self.reopens {
                    let Some(new) = self.open(wire)? else { return next };
                    line = new;
                }
                match wire.send(line, self.address, &self.askings[1], self.place)? {
                    Ok(number) => numbers.push(number),
                    Err(_) => return next,
                }
            }
        }
    }

    /// `None`, and a row that says so: there is no way to the server.
    fn open(&self, wire: &mut Wire<'_>) -> Result<Option<usize>, Halt> {
        match wire.open(self.address) {
            Ok(line) => Ok(Some(line)),
            Err(error) => {
                for asking in self.askings {
                    let transport = DnsTransport::Udp;
                    let row = wire.row(self.address, asking, self.place, transport, Instant::now());
                    wire.unsent(row, &error)?;
                }
                Ok(None)
            }
        }
    }
}
