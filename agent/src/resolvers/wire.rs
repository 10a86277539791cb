//! Questions on their way: connected UDP sockets, one for each server, and what comes back on them.
//!
//! A socket is connected, so that the kernel hands over nothing that did not come from the server's address and port,
//! and tells at once when the server's machine says that no one listens there.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use dbgctl_proto::v1::{self, DnsOutcome, DnsTransport};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::message::{Answer, Asking, text};
use crate::stream::Halt;

/// How long nobody looks whether the answer is still wanted.
const SLICE: Duration = Duration::from_millis(200);

/// Who is told of each question, as soon as its outcome is known.
pub(crate) trait Listener {
    /// A question and what came of it.
    ///
    /// # Errors
    ///
    /// If no more is wanted.
    fn heard(&mut self, question: v1::DnsQuestion) -> Result<(), Halt>;

    /// Whether there is still someone to tell. Asked while nothing happens.
    ///
    /// # Errors
    ///
    /// If not.
    fn wanted(&mut self) -> Result<(), Halt>;

    /// When nothing is wanted any more, whatever the resolver would wait for. `None`: as long as it waits.
    fn until(&self) -> Option<Instant> {
        None
    }

    /// Whether it matters what servers say that the resolver does not wait for.
    fn cares_for_the_slower(&self) -> bool {
        true
    }
}

/// A question that was sent.
#[derive(Debug)]
struct Sent {
    line: usize,
    asking: Asking,
    row: v1::DnsQuestion,
    at: Instant,
    is_open: bool,
}

#[derive(Debug)]
struct Line {
    socket: UdpSocket,
    strays: u32,
    garbled: u32,
}

/// What happened next.
#[derive(Debug)]
pub(super) enum Event {
    /// The question of that number was answered.
    Answer(usize, Box<Answer>),
    /// The way to the server is broken, and so are all questions that were open on that line.
    Broken(usize),
    /// Nothing happened until the deadline.
    Deadline,
}

/// The sockets and questions of one step of a look-up. Whoever sends questions says at the end what became of those that
/// are still open.
pub(super) struct Wire<'l> {
    listener: &'l mut dyn Listener,
    started: Instant,
    round: u32,
    /// Take any answer with the right id, as musl does.
    is_lax: bool,
    lines: Vec<Line>,
    sent: Vec<Sent>,
    buffer: Vec<u8>,
}

/// Where a question stands in a look-up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) candidate: u32,
    pub(super) attempt: u32,
}

impl<'l> Wire<'l> {
    pub(super) fn new(listener: &'l mut dyn Listener, round: u32, is_lax: bool) -> Self {
        let buffer = vec![0; usize::from(u16::MAX)];
        Self { listener, started: Instant::now(), round, is_lax, lines: Vec::new(), sent: Vec::new(), buffer }
    }

    /// Forgets the sockets and questions so far. Those that are open are not told of.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.sent.clear();
    }

    /// A new line to `server`.
    pub(super) fn open(&mut self, server: SocketAddr) -> io::Result<usize> {
        let local: SocketAddr = if server.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        self.lines.push(Line { socket, strays: 0, garbled: 0 });
        Ok(self.lines.len() - 1)
    }

    /// Sends a question. The number that it has from now on.
    ///
    /// # Errors
    ///
    /// Why it can not be sent. That is told already.
    pub(super) fn send(
        &mut self,
        line: usize,
        server: SocketAddr,
        asking: &Asking,
        place: Place,
    ) -> Result<Result<usize, io::Error>, Halt> {
        // Nothing between the clock and the packet.
        let mut row = self.row(server, asking, place, DnsTransport::Udp, Instant::now());
        let at = Instant::now();
        let mut result = self.lines[line].socket.send(&asking.bytes);
        // The kernel's answer to what was sent before comes back from this call, and nothing is sent.
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            result = self.lines[line].socket.send(&asking.bytes);
        }
        row.sent_nanos = nanos(at.duration_since(self.started));
        match result {
            Ok(_) => {
                self.sent.push(Sent { line, asking: asking.clone(), row, at, is_open: true });
                Ok(Ok(self.sent.len() - 1))
            }
            Err(error) => {
                self.unsent(row, &error)?;
                Ok(Err(error))
            }
        }
    }

    /// A row for a question that is sent at `at`.
    pub(super) fn row(
        &self,
        server: SocketAddr,
        asking: &Asking,
        place: Place,
        transport: DnsTransport,
        at: Instant,
    ) -> v1::DnsQuestion {
        v1::DnsQuestion {
            round: self.round,
            candidate: place.candidate,
            name: text(&asking.name),
            record_type: asking.kind.into(),
            server: server.to_string(),
            transport: transport.into(),
            attempt: place.attempt,
            sent_nanos: nanos(at.duration_since(self.started)),
            ..v1::DnsQuestion::default()
        }
    }

    /// Tells of a question that could not be sent.
    pub(super) fn unsent(&mut self, mut row: v1::DnsQuestion, error: &io::Error) -> Result<(), Halt> {
        row.outcome = outcome(error).into();
        row.error = words(error);
        self.listener.heard(row)
    }

    /// Tells of a question that was dealt with elsewhere.
    pub(super) fn tell(&mut self, row: v1::DnsQuestion) -> Result<(), Halt> {
        self.listener.heard(row)
    }

    /// Whether there is still someone to tell. What is open then goes unanswered, and that is the last that is told.
    pub(super) fn wanted(&mut self) -> Result<(), Halt> {
        let wanted = self.listener.wanted();
        if wanted.is_err() {
            self.end_all(DnsOutcome::TimedOut)?;
        }
        wanted
    }

    /// A deadline, or when nothing is wanted any more.
    pub(super) fn at_the_latest(&self, deadline: Instant) -> Instant {
        self.listener.until().map_or(deadline, |until| until.min(deadline))
    }

    pub(super) fn cares_for_the_slower(&self) -> bool {
        self.listener.cares_for_the_slower()
    }

    /// Waits for what happens next.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Event, Halt> {
        let mut looked = Instant::now();
        let until = self.listener.until();
        loop {
            let now = Instant::now();
            if now >= looked + SLICE || until.is_some_and(|until| now >= until) {
                self.wanted()?;
                looked = now;
            }
            // Also while packets come without end.
            if now >= deadline {
                return Ok(Event::Deadline);
            }
            for line in 0..self.lines.len() {
                if let Some(event) = self.receive(line)? {
                    return Ok(event);
                }
            }
            let wait = self.at_the_latest(deadline).saturating_duration_since(Instant::now()).min(SLICE);
            let mut fds: Vec<_> =
                self.lines.iter().map(|line| PollFd::new(line.socket.as_fd(), PollFlags::POLLIN)).collect();
            // Rounded up: with less than a millisecond left it would turn round and round.
            let wait = PollTimeout::try_from(wait + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO);
            // Whatever comes of it, the sockets are looked at again.
            let _ = poll(&mut fds, wait);
        }
    }

    /// One packet from a line, if there is one that matters.
    fn receive(&mut self, line: usize) -> Result<Option<Event>, Halt> {
        let is_open = |sent: &Sent| sent.line == line && sent.is_open;
        if !self.sent.iter().any(is_open) {
            return Ok(None);
        }
        let count = match self.lines[line].socket.recv(&mut self.buffer) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => {
                for nth in 0..self.sent.len() {
                    if is_open(&self.sent[nth]) {
                        self.end(nth, outcome(&error), words(&error))?;
                    }
                }
                return Ok(Some(Event::Broken(line)));
            }
        };
        let now = Instant::now();
        let Some(answer) = Answer::read(&self.buffer[..count]) else {
            self.lines[line].garbled = self.lines[line].garbled.saturating_add(1);
            return Ok(None);
        };
        let fits = |sent: &Sent| {
            let is_refusal = answer.question.is_none() && answer.rcode() != super::message::NO_ERROR;
            sent.line == line
                && sent.asking.id == answer.id
                && (self.is_lax || is_refusal || answer.is_to(&sent.asking))
        };
        // An answer to an earlier attempt looks like one to the last.
        let Some(nth) = self.sent.iter().rposition(|sent| sent.is_open && fits(sent)) else {
            // Another copy of what is answered already is nothing strange.
            if !self.sent.iter().any(fits) {
                self.lines[line].strays = self.lines[line].strays.saturating_add(1);
            }
            return Ok(None);
        };
        self.sent[nth].row.nanos = nanos(now.duration_since(self.sent[nth].at));
        self.sent[nth].row.answer = Some(answer.told.clone());
        self.close(nth, DnsOutcome::Answered, answer.broken.clone())?;
        Ok(Some(Event::Answer(nth, Box::new(answer))))
    }

    /// Says what became of a question that got no answer. Nothing, if it is not open any more.
    pub(super) fn end(&mut self, nth: usize, outcome: DnsOutcome, error: String) -> Result<(), Halt> {
        if !self.sent[nth].is_open {
            return Ok(());
        }
        self.sent[nth].row.nanos = nanos(self.sent[nth].at.elapsed());
        self.close(nth, outcome, error)
    }

    /// The same of all that are open.
    pub(super) fn end_all(&mut self, outcome: DnsOutcome) -> Result<(), Halt> {
        (0..self.sent.len()).try_for_each(|nth| self.end(nth, outcome, String::new()))
    }

    fn close(&mut self, nth: usize, outcome: DnsOutcome, error: String) -> Result<(), Halt> {
        let sent = &mut self.sent[nth];
        sent.is_open = false;
        let line = &mut self.lines[sent.line];
        sent.row.outcome = outcome.into();
        sent.row.error = error;
        sent.row.strays = std::mem::take(&mut line.strays);
        sent.row.garbled = std::mem::take(&mut line.garbled);
        self.listener.heard(sent.row.clone())
    }

    /// Whether that question still waits for its answer.
    pub(super) fn is_open(&self, nth: usize) -> bool {
        self.sent[nth].is_open
    }
}

/// Which way to fail it was.
pub(super) fn outcome(error: &io::Error) -> DnsOutcome {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNREFUSED) => DnsOutcome::Refused,
        Some(
            Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ENETDOWN
            | Errno::EHOSTDOWN
            | Errno::EADDRNOTAVAIL
            | Errno::EAFNOSUPPORT,
        ) => DnsOutcome::Unreachable,
        Some(Errno::ETIMEDOUT) => DnsOutcome::TimedOut,
        _ if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => DnsOutcome::TimedOut,
        _ if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => DnsOutcome::Garbled,
        _ => DnsOutcome::Failed,
    }
}

/// The kernel's words with the name that manual pages use.
pub(super) fn words(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) => format!("{} ({errno:?})", errno.desc().to_lowercase()),
        None => error.to_string(),
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
