//! `Trace`: which routers packets pass on their way to a host.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use dbgctl_proto::bounds::{MOST_HOPS, MOST_PACKETS_PER_HOP};
use dbgctl_proto::v1::trace_service_server::{TraceService, TraceServiceServer};
use dbgctl_proto::v1::{self, PacketAnswer, PacketMethod, PacketOutcome};
use tonic::{Request, Response, Status};

use super::packets::{Flight, Found, LOOK_UP, NotSent, Packet, Way, is_of_host, refused, timed_out, wait};
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, waiting};

/// Packets that are on their way at the same time: routers answer a few in a row and no more.
const MOST_FLIGHTS: usize = 16;

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> TraceServiceServer<impl TraceService> {
    TraceServiceServer::new(Trace { sources })
}

struct Trace {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl TraceService for Trace {
    type TraceStream = Bounded<v1::TraceResponse>;

    async fn trace(&self, request: Request<v1::TraceRequest>) -> Result<Response<Self::TraceStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        let Found { resolve_nanos, to, look_up } = plan.way.resolve(&self.sources).await;
        let header = v1::TraceHeader {
            resolve_nanos,
            method: plan.way.method.into(),
            port: plan.way.port.into(),
            look_up,
            ..v1::TraceHeader::default()
        };
        let produce = move |out: &mut Out<v1::TraceResponse>| collect(&plan, header, to, out);
        Ok(Response::new(waiting(terms, produce)?))
    }
}

/// What was asked for, with every field checked.
#[derive(Debug)]
struct Plan {
    way: Way,
    most_hops: u8,
    packets_per_hop: u8,
    dont_fragment: bool,
}

impl TryFrom<v1::TraceRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::TraceRequest) -> Result<Self, BadRequest> {
        let way = Way::check(
            request.host,
            (request.method, PacketMethod::Udp),
            request.port,
            request.family,
            request.timeout_millis,
            request.size_bytes,
        )?;
        let within = |field, asked: u32, usual: u8, most: u32| match u8::try_from(asked) {
            Ok(0) => Ok(usual),
            Ok(number) if asked <= most => Ok(number),
            _ => Err(BadRequest::new(field, format!("is more than {most}"))),
        };
        Ok(Self {
            way,
            most_hops: within("most_hops", request.most_hops, 30, MOST_HOPS)?,
            packets_per_hop: within("packets_per_hop", request.packets_per_hop, 3, MOST_PACKETS_PER_HOP)?,
            dont_fragment: request.dont_fragment,
        })
    }
}

impl Plan {
    /// The nth packet of all.
    fn packet(&self, to: SocketAddr, nth: u16, ttl: u8) -> Packet {
        let mut to = to;
        if self.way.method == PacketMethod::Udp {
            // Whoever answers one port may not answer the next.
            to.set_port(to.port().saturating_add(nth));
        }
        let dont_fragment = self.dont_fragment;
        Packet { sequence: nth + 1, ttl: Some(ttl), dont_fragment, ..self.way.packet(to) }
    }
}

fn collect(
    plan: &Plan,
    header: v1::TraceHeader,
    to: Result<SocketAddr, String>,
    out: &mut Out<v1::TraceResponse>,
) -> Result<(), Halt> {
    let to = match to {
        Ok(to) => to,
        Err(error) => return out.lead(v1::TraceHeader { error, ..header }),
    };
    let address = match to.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let packet_bytes = plan.packet(to, 0, 1).length();
    Round {
        plan,
        to,
        header: Some(v1::TraceHeader { address, packet_bytes, ..header }),
        ..Round::new(plan, to)
    }
    .go(out)
}

/// A packet that was sent.
struct Waiting {
    ttl: u8,
    nth: usize,
    flight: Flight,
}

struct Round<'p> {
    plan: &'p Plan,
    to: SocketAddr,
    /// Told with the first packet, when it is known whether there are such sockets.
    header: Option<v1::TraceHeader>,
    flights: Vec<Waiting>,
    /// What came of the packets of each hop. `None`: not known yet.
    hops: BTreeMap<u8, Vec<Option<PacketAnswer>>>,
    /// No hop beyond this one is of interest.
    last: u8,
    /// The next hop to be told.
    next: u8,
}

impl<'p> Round<'p> {
    fn new(plan: &'p Plan, to: SocketAddr) -> Self {
        let (flights, hops) = (Vec::new(), BTreeMap::new());
        Self { plan, to, header: None, flights, hops, last: plan.most_hops, next: 1 }
    }

    fn go(mut self, out: &mut Out<v1::TraceResponse>) -> Result<(), Halt> {
        let packets = u16::from(self.plan.packets_per_hop);
        for nth in 0..u16::from(self.plan.most_hops) * packets {
            let ttl = u8::try_from(nth / packets + 1).unwrap_or(u8::MAX);
            while self.flights.len() >= MOST_FLIGHTS && ttl <= self.last {
                self.listen(out)?;
            }
            if ttl > self.last {
                break;
            }
            let of_hop = usize::from(nth % packets);
            self.hops.entry(ttl).or_insert_with(|| vec![None; usize::from(packets)]);
            let launched = Flight::launch(self.plan.packet(self.to, nth, ttl));
            if let Some(header) = self.header.take() {
                let refusal = launched.as_ref().err().and_then(|it| refused(self.plan.way.method, it));
                let is_refused = refusal.is_some();
                out.lead(v1::TraceHeader { error: refusal.unwrap_or_default(), ..header })?;
                if is_refused {
                    return Ok(());
                }
            }
            match launched {
                Ok(flight) => self.flights.push(Waiting { ttl, nth: of_hop, flight }),
                Err(NotSent { answer, .. }) => self.take(ttl, of_hop, answer),
            }
            self.tell(out)?;
        }
        while self.next <= self.last && !self.flights.is_empty() {
            self.listen(out)?;
        }
        Ok(())
    }

    /// Waits for answers for a while, and tells the hops that are complete.
    fn listen(&mut self, out: &mut Out<v1::TraceResponse>) -> Result<(), Halt> {
        out.wanted()?;
        let timeout = self.plan.way.timeout;
        let over = self.flights.iter().map(|waiting| waiting.flight.sent() + timeout).min();
        let until = Instant::now() + LOOK_UP;
        wait(self.flights.iter().map(|waiting| &waiting.flight), over.unwrap_or(until).min(until));
        let mut told = Vec::new();
        self.flights.retain(|waiting| {
            let late = || (waiting.flight.sent().elapsed() >= timeout).then(timed_out);
            let answer = waiting.flight.answer().or_else(late);
            let is_open = answer.is_none();
            told.extend(answer.map(|answer| (waiting.ttl, waiting.nth, answer)));
            is_open
        });
        told.into_iter().for_each(|(ttl, nth, answer)| self.take(ttl, nth, answer));
        self.tell(out)
    }

    fn take(&mut self, ttl: u8, nth: usize, answer: PacketAnswer) {
        let is_end = !matches!(answer.outcome(), PacketOutcome::TimeExceeded | PacketOutcome::TimedOut);
        if is_end && ttl < self.last {
            // Those on their way beyond are of no interest any more.
            self.last = ttl;
            self.flights.retain(|waiting| waiting.ttl <= ttl);
        }
        if let Some(place) = self.hops.get_mut(&ttl).and_then(|answers| answers.get_mut(nth)) {
            *place = Some(answer);
        }
    }

    fn tell(&mut self, out: &mut Out<v1::TraceResponse>) -> Result<(), Halt> {
        while self.next <= self.last
            && let Some(answers) = self.hops.get(&self.next)
            && answers.iter().all(Option::is_some)
        {
            let answers: Vec<_> = answers.iter().flatten().cloned().collect();
            let arrived = answers.iter().any(is_of_host);
            out.row(v1::TraceHop { ttl: self.next.into(), answers, arrived })?;
            out.flush()?;
            self.next += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_makes_no_sense_is_refused() {
        let sound = v1::TraceRequest { host: "a".to_owned(), ..v1::TraceRequest::default() };
        let plan = Plan::try_from(sound.clone()).unwrap();
        assert_eq!((plan.most_hops, plan.packets_per_hop, plan.way.port), (30, 3, 33_434));
        for request in [
            v1::TraceRequest { most_hops: 65, ..sound.clone() },
            v1::TraceRequest { packets_per_hop: 11, ..sound.clone() },
            v1::TraceRequest { method: PacketMethod::Tcp.into(), ..sound },
        ] {
            assert!(Plan::try_from(request.clone()).is_err(), "{request:?}");
        }
    }
}
