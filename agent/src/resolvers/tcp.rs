//! Questions by TCP: each message behind its length in two bytes, RFC 1035 4.2.2.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use dbgctl_proto::v1::{DnsOutcome, DnsTransport};

use super::message::{Answer, Asking};
use super::wire::{Place, Wire, nanos, outcome, words};
use crate::stream::Halt;

/// Messages that are passed over because they answer something else. A server that sends more is not to be trusted.
const MOST_STRAYS: u32 = 16;

/// Asks all of `askings` on one connection, one behind the other, as the C libraries do. The answers in the order in
/// which they came; `Err` if one is missing.
pub(super) fn ask(
    wire: &mut Wire<'_>,
    server: SocketAddr,
    askings: &[Asking],
    place: Place,
    timeout: Duration,
) -> Result<Result<Vec<Answer>, io::Error>, Halt> {
    wire.wanted()?;
    let at = Instant::now();
    let mut rows: Vec<_> =
        askings.iter().map(|asking| Some(wire.row(server, asking, place, DnsTransport::Tcp, at))).collect();
    let mut connection = match Connection::open(server, wire.at_the_latest(at + timeout)) {
        Ok(connection) => connection,
        Err(error) => return fail(wire, rows, at, error),
    };
    let mut out = Vec::new();
    for asking in askings {
        let length = u16::try_from(asking.bytes.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&asking.bytes);
    }
    if let Err(error) = connection.send(&out) {
        return fail(wire, rows, at, error);
    }
    let mut answers = Vec::new();
    let mut strays = 0;
    while rows.iter().any(Option::is_some) {
        let answer = match connection.receive() {
            Ok(answer) => answer,
            Err(error) => return fail(wire, rows, at, error),
        };
        let nth = askings.iter().zip(&rows).position(|(asking, row)| {
            let is_refusal = answer.question.is_none() && answer.rcode() != super::message::NO_ERROR;
            row.is_some() && asking.id == answer.id && (is_refusal || answer.is_to(asking))
        });
        let Some(mut row) = nth.and_then(|nth| rows[nth].take()) else {
            strays += 1;
            if strays > MOST_STRAYS {
                let error = io::Error::new(ErrorKind::InvalidData, "the server answers other questions");
                return fail(wire, rows, at, error);
            }
            continue;
        };
        row.nanos = nanos(at.elapsed());
        row.outcome = DnsOutcome::Answered.into();
        row.error.clone_from(&answer.broken);
        row.answer = Some(answer.told.clone());
        row.strays = std::mem::take(&mut strays);
        wire.tell(row)?;
        answers.push(answer);
    }
    Ok(Ok(answers))
}

fn fail(
    wire: &mut Wire<'_>,
    rows: Vec<Option<dbgctl_proto::v1::DnsQuestion>>,
    at: Instant,
    error: io::Error,
) -> Result<Result<Vec<Answer>, io::Error>, Halt> {
    for mut row in rows.into_iter().flatten() {
        row.nanos = nanos(at.elapsed());
        row.outcome = outcome(&error).into();
        row.error = words(&error);
        wire.tell(row)?;
    }
    Ok(Err(error))
}

/// A connection that is over at its deadline, however slowly the other side drips.
struct Connection {
    stream: TcpStream,
    deadline: Instant,
}

impl Connection {
    fn open(server: SocketAddr, deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, left(deadline)?)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, deadline })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write_all(bytes)
    }

    fn receive(&mut self) -> io::Result<Answer> {
        let mut length = [0; 2];
        self.fill(&mut length)?;
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        self.fill(&mut bytes)?;
        Answer::read(&bytes).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, "what the server sent is no answer of the DNS")
        })
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_read_timeout(Some(left(self.deadline)?))?;
            match self.stream.read(bytes) {
                Ok(0) => {
                    let ended = "the server ended the connection in the middle of its answer";
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, ended));
                }
                Ok(count) => bytes = &mut bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}
