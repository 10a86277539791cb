//! `Ping`: sends packets to a host, and tells what comes of each.

mod mtu;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dbgctl_proto::bounds::MOST_PINGS;
use dbgctl_proto::list::PingNews;
use dbgctl_proto::v1::ping_service_server::{PingService, PingServiceServer};
use dbgctl_proto::v1::{self, PacketAnswer, PacketMethod};
use tonic::{Request, Response, Status};

use super::packets::{Flight, Found, LOOK_UP, NotSent, Packet, Way, millis, refused, timed_out, wait};
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, waiting};

/// Sockets that are open at the same time. With more, sending waits.
const MOST_FLIGHTS: usize = 256;
/// After the last answer a second one is waited for so long.
const FOR_DUPLICATES: Duration = Duration::from_millis(20);
/// Answers to one packet: whoever answers more often is not listened to.
const MOST_ANSWERS: u32 = 16;

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> PingServiceServer<impl PingService> {
    PingServiceServer::new(Ping { sources })
}

struct Ping {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl PingService for Ping {
    type PingStream = Bounded<v1::PingResponse>;

    async fn ping(&self, request: Request<v1::PingRequest>) -> Result<Response<Self::PingStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        let Found { resolve_nanos, to, look_up } = plan.way.resolve(&self.sources).await;
        let header = v1::PingHeader {
            resolve_nanos,
            method: plan.way.method.into(),
            port: plan.way.port.into(),
            look_up,
            ..v1::PingHeader::default()
        };
        let produce = move |out: &mut Out<v1::PingResponse>| collect(&plan, header, to, out);
        Ok(Response::new(waiting(terms, produce)?))
    }
}

/// What was asked for, with every field checked.
#[derive(Debug)]
struct Plan {
    way: Way,
    count: u32,
    interval: Duration,
    ttl: Option<u8>,
    dont_fragment: bool,
    find_mtu: bool,
}

impl TryFrom<v1::PingRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::PingRequest) -> Result<Self, BadRequest> {
        let way = Way::check(
            request.host,
            (request.method, PacketMethod::Icmp),
            request.port,
            request.family,
            request.timeout_millis,
            request.size_bytes,
        )?;
        if request.find_mtu && way.method == PacketMethod::Tcp {
            return Err(BadRequest::new(
                "find_mtu",
                "is not possible with TCP, whose packets the kernel makes",
            ));
        }
        if request.count > MOST_PINGS {
            return Err(BadRequest::new("count", format!("is more than {MOST_PINGS}")));
        }
        let ttl = u8::try_from(request.ttl).map_err(|_| BadRequest::new("ttl", "is more than 255"))?;
        Ok(Self {
            way,
            count: if request.count == 0 { 5 } else { request.count },
            interval: millis("interval_millis", request.interval_millis)?,
            ttl: Some(ttl).filter(|&ttl| ttl > 0),
            dont_fragment: request.dont_fragment,
            find_mtu: request.find_mtu,
        })
    }
}

impl Plan {
    fn packet(&self, to: SocketAddr, sequence: u32) -> Packet {
        // Beyond 65,535 they begin anew, as the field does.
        let sequence = u16::try_from(sequence & 0xffff).unwrap_or_default();
        Packet { sequence, ttl: self.ttl, dont_fragment: self.dont_fragment, ..self.way.packet(to) }
    }
}

fn collect(
    plan: &Plan,
    header: v1::PingHeader,
    to: Result<SocketAddr, String>,
    out: &mut Out<v1::PingResponse>,
) -> Result<(), Halt> {
    let to = match to {
        Ok(to) => to,
        Err(error) => return out.lead(PingNews::Header(v1::PingHeader { error, ..header })),
    };
    let address = match to.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let header = v1::PingHeader { address, ..header };
    // Whether there are such sockets at all shows with the first one.
    let first = Flight::launch(plan.packet(to, 1));
    if let Some(error) = first.as_ref().err().and_then(|not_sent| refused(plan.way.method, not_sent)) {
        return out.lead(PingNews::Header(v1::PingHeader { error, ..header }));
    }
    out.lead(PingNews::Header(header))?;
    if plan.find_mtu {
        drop(first);
        let found = mtu::find(plan, to, out)?;
        out.last_words(PingNews::PathMtu(found));
        return Ok(());
    }
    Round { plan, to, flights: Vec::new() }.go(first, out)
}

/// A packet that was sent, and how often it was answered.
struct Waiting {
    sequence: u32,
    flight: Flight,
    answers: u32,
}

/// All packets of one answer.
struct Round<'p> {
    plan: &'p Plan,
    to: SocketAddr,
    flights: Vec<Waiting>,
}

impl Round<'_> {
    fn go(mut self, first: Result<Flight, NotSent>, out: &mut Out<v1::PingResponse>) -> Result<(), Halt> {
        let mut next = Instant::now();
        let mut first = Some(first);
        for sequence in 1..=self.plan.count {
            while self.flights.len() >= MOST_FLIGHTS {
                self.listen(Instant::now() + LOOK_UP, out)?;
            }
            while Instant::now() < next {
                self.listen(next, out)?;
            }
            out.wanted()?;
            let launched =
                first.take().unwrap_or_else(|| Flight::launch(self.plan.packet(self.to, sequence)));
            match launched {
                Ok(flight) => self.flights.push(Waiting { sequence, flight, answers: 0 }),
                Err(NotSent { answer, .. }) => self.tell(sequence, answer, false, out)?,
            }
            // What was late is not made up for by a burst.
            next = (next + self.plan.interval).max(Instant::now());
        }
        let mut until = None;
        while !self.flights.is_empty() {
            if self.flights.iter().all(|waiting| waiting.answers > 0) {
                let until = *until.get_or_insert_with(|| Instant::now() + FOR_DUPLICATES);
                if Instant::now() >= until {
                    break;
                }
                self.listen(until, out)?;
            } else {
                self.listen(Instant::now() + LOOK_UP, out)?;
            }
        }
        Ok(())
    }

    /// Waits for answers until then, or less, and tells them.
    fn listen(&mut self, until: Instant, out: &mut Out<v1::PingResponse>) -> Result<(), Halt> {
        out.wanted()?;
        let timeout = self.plan.way.timeout;
        let over = self.flights.iter().map(|waiting| waiting.flight.sent() + timeout).min();
        let until = over.unwrap_or(until).min(until).min(Instant::now() + LOOK_UP);
        wait(self.flights.iter().map(|waiting| &waiting.flight), until);
        let mut told = Vec::new();
        self.flights.retain_mut(|waiting| {
            if let Some(answer) = waiting.flight.answer() {
                told.push((waiting.sequence, answer, waiting.answers > 0));
                waiting.answers += 1;
            } else if waiting.flight.sent().elapsed() >= timeout {
                if waiting.answers == 0 {
                    told.push((waiting.sequence, timed_out(), false));
                }
                return false;
            }
            // A connection is made or refused once.
            waiting.answers == 0
                || (waiting.answers < MOST_ANSWERS && self.plan.way.method != PacketMethod::Tcp)
        });
        told.into_iter().try_for_each(|(sequence, answer, again)| self.tell(sequence, answer, again, out))
    }

    fn tell(
        &self,
        sequence: u32,
        answer: PacketAnswer,
        duplicate: bool,
        out: &mut Out<v1::PingResponse>,
    ) -> Result<(), Halt> {
        let packet_bytes = self.plan.packet(self.to, sequence).length();
        out.row(v1::PingReply { sequence, packet_bytes, answer: Some(answer), duplicate })?;
        // Someone watches.
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use tokio_stream::StreamExt as _;

    use super::*;

    /// The outcomes of two packets to that port of 127.0.0.1.
    async fn outcomes(method: PacketMethod, port: u16) -> Vec<v1::PacketOutcome> {
        let request = v1::PingRequest {
            host: "127.0.0.1".to_owned(),
            method: method.into(),
            port: port.into(),
            count: 2,
            interval_millis: 10,
            timeout_millis: 10_000,
            ..v1::PingRequest::default()
        };
        let sources = Arc::new(Sources::live("a".repeat(64).parse().unwrap()).unwrap());
        let mut answer = Ping { sources }.ping(Request::new(request)).await.unwrap().into_inner();
        let mut outcomes = Vec::new();
        while let Some(message) = answer.next().await {
            if let Some(v1::ping_response::Part::Batch(batch)) = message.unwrap().part {
                outcomes.extend(batch.replies.iter().map(|reply| reply.answer.as_ref().unwrap().outcome()));
            }
        }
        outcomes
    }

    #[tokio::test]
    async fn who_listens_answers_and_who_does_not_refuses() {
        use v1::PacketOutcome::{Answered, Refused};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap().port();
        assert_eq!(outcomes(PacketMethod::Tcp, open).await, [Answered; 2]);
        drop(listener);
        assert_eq!(outcomes(PacketMethod::Tcp, open).await, [Refused; 2]);
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(outcomes(PacketMethod::Udp, closed).await, [Refused; 2]);
    }

    #[test]
    fn a_request_that_makes_no_sense_is_refused() {
        let sound = v1::PingRequest { host: "a".to_owned(), ..v1::PingRequest::default() };
        let tcp = v1::PingRequest { method: PacketMethod::Tcp.into(), port: 80, ..sound.clone() };
        assert!(Plan::try_from(sound.clone()).is_ok() && Plan::try_from(tcp.clone()).is_ok());
        for request in [
            v1::PingRequest { host: String::new(), ..sound.clone() },
            v1::PingRequest { count: MOST_PINGS + 1, ..sound.clone() },
            v1::PingRequest { interval_millis: 9, ..sound.clone() },
            v1::PingRequest { timeout_millis: 60_001, ..sound.clone() },
            v1::PingRequest { size_bytes: 65_001, ..sound.clone() },
            v1::PingRequest { ttl: 256, ..sound.clone() },
            v1::PingRequest { method: 7, ..sound.clone() },
            v1::PingRequest { port: 0, ..tcp.clone() },
            v1::PingRequest { find_mtu: true, ..tcp },
        ] {
            assert!(Plan::try_from(request.clone()).is_err(), "{request:?}");
        }
    }
}
