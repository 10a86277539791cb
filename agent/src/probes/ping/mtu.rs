//! How large packets to a host may be: the path MTU, found by trying, as RFC 4821 has it, and by listening to routers.

use std::net::SocketAddr;
use std::time::Instant;

use dbgctl_proto::v1::{self, PacketAnswer, PacketOutcome};

use super::Plan;
use crate::probes::packets::{Flight, LOOK_UP, NotSent, Packet, header_bytes, is_of_host, timed_out, wait};
use crate::stream::{Halt, Out};

/// Every router takes so much: RFC 791, RFC 8200.
const LEAST_BYTES: u32 = 68;
const LEAST_BYTES_OF_IPV6: u32 = 1280;
/// The length of a packet has 16 bits.
const MOST_BYTES: u32 = 65_535;
/// A packet may get lost for other reasons.
const TRIES: u32 = 3;
/// Routers on the way, each with a smaller MTU than the one before.
const MOST_SAID: u32 = 16;

/// Finds it. Every packet that is tried is told.
pub(super) fn find(
    plan: &Plan,
    to: SocketAddr,
    out: &mut Out<v1::PingResponse>,
) -> Result<v1::PathMtu, Halt> {
    let mut search = Search { plan, to, sequence: 0, found: v1::PathMtu::default() };
    let least = if to.is_ipv4() { LEAST_BYTES } else { LEAST_BYTES_OF_IPV6 };
    let mut largest = MOST_BYTES;
    // The kernel knows what its interface takes, and routers say what they take.
    for _ in 0..MOST_SAID {
        let answer = search.attempt(largest, out)?;
        match answer.outcome() {
            _ if is_of_host(&answer) => return Ok(search.found),
            PacketOutcome::TooBig => match answer.mtu_bytes.filter(|mtu| (least..largest).contains(mtu)) {
                Some(mtu) => {
                    if answer.from.is_empty() {
                        search.found.interface_bytes = Some(mtu);
                    } else {
                        (search.found.said_by, search.found.said_bytes) = (answer.from, Some(mtu));
                    }
                    largest = mtu;
                }
                None => break,
            },
            // Silence, or something that no size will change.
            PacketOutcome::TimedOut => break,
            _ => return Ok(search.found),
        }
    }
    // Nobody says how much: half, and half again.
    if !is_of_host(&search.attempt(least, out)?) {
        return Ok(search.found);
    }
    search.found.black_hole = true;
    let (mut passes, mut does_not) = (least, largest);
    while does_not - passes > 1 {
        let middle = passes + (does_not - passes) / 2;
        if is_of_host(&search.attempt(middle, out)?) {
            passes = middle;
        } else {
            does_not = middle;
        }
    }
    Ok(search.found)
}

struct Search<'p> {
    plan: &'p Plan,
    to: SocketAddr,
    sequence: u32,
    found: v1::PathMtu,
}

impl Search<'_> {
    /// Sends packets of that length until one is answered, or a few were not.
    fn attempt(&mut self, length: u32, out: &mut Out<v1::PingResponse>) -> Result<PacketAnswer, Halt> {
        let mut answer = timed_out();
        for _ in 0..TRIES {
            self.sequence += 1;
            let size_bytes = length.saturating_sub(header_bytes(self.to));
            let packet = self.plan.packet(self.to, self.sequence);
            let packet = Packet { size_bytes, dont_fragment: true, ..packet };
            answer = self.once(packet, out)?;
            let (sequence, told) = (self.sequence, Some(answer.clone()));
            out.row(v1::PingReply {
                sequence,
                packet_bytes: packet.length(),
                answer: told,
                duplicate: false,
            })?;
            out.flush()?;
            if is_of_host(&answer) {
                self.found.largest_bytes = self.found.largest_bytes.max(Some(packet.length()));
            }
            if answer.outcome() != PacketOutcome::TimedOut {
                break;
            }
        }
        Ok(answer)
    }

    fn once(&self, packet: Packet, out: &mut Out<v1::PingResponse>) -> Result<PacketAnswer, Halt> {
        let flight = match Flight::launch(packet) {
            Ok(flight) => flight,
            Err(NotSent { answer, .. }) => return Ok(answer),
        };
        let over = flight.sent() + self.plan.way.timeout;
        while Instant::now() < over {
            out.wanted()?;
            wait([&flight].into_iter(), over.min(Instant::now() + LOOK_UP));
            if let Some(answer) = flight.answer() {
                return Ok(answer);
            }
        }
        Ok(timed_out())
    }
}
