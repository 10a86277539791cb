//! Whether large packets vanish on the way. Then connections open, and hang as soon as much is sent: RFC 2923.

use dbgctl_proto::bounds::MOST_PACKET_BYTES;
use dbgctl_proto::v1::{PacketMethod, PacketOutcome, PingReply, PingRequest, PingResponse};

use crate::commands::agent::Agent;
use crate::commands::step::{Layer, Step};
use crate::commands::{Failure, stream};

/// One may be lost for other reasons.
const PACKETS: u32 = 4;
const INTERVAL_MILLIS: u32 = 50;
const TIMEOUT_MILLIS: u32 = 1000;
/// Of ping(8): whoever answers at all answers this.
const SMALL_BYTES: u32 = 56;

/// An address that took a connection.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) address: String,
    /// The longest packet that the kernel would send to it.
    pub(super) path_mtu_bytes: u32,
}

impl Reached {
    /// What there is to say if large packets to it vanish and small ones do not. `None`: they do not, or nobody can tell.
    pub(super) async fn black_hole(&self, agent: &Agent) -> Result<Option<Step>, Failure> {
        let headers = if self.address.contains(':') { 48 } else { 28 };
        let large = self.path_mtu_bytes.saturating_sub(headers).min(MOST_PACKET_BYTES);
        if large <= SMALL_BYTES
            || !self.answers(agent, SMALL_BYTES).await?
            || self.answers(agent, large).await?
        {
            return Ok(None);
        }
        let (bytes, address) = (large + headers, &self.address);
        let found = format!(
            "packets of {bytes} bytes to {address} or back vanish and no one says why, while small ones are answered (an \
             MTU black hole): connections open and hang as soon as much is sent; `dbgctl ping --mtu` finds what gets there"
        );
        let what = format!("{address}: no answer to packets of {bytes} bytes");
        Ok(Some(Step { layer: Layer::Mtu, is_broken: true, took: None, what, findings: vec![found] }))
    }

    /// Whether any packet with so many bytes beside its headers is not just lost without a word.
    async fn answers(&self, agent: &Agent, size_bytes: u32) -> Result<bool, Failure> {
        let request = PingRequest {
            host: self.address.clone(),
            method: PacketMethod::Icmp.into(),
            count: PACKETS,
            interval_millis: INTERVAL_MILLIS,
            timeout_millis: TIMEOUT_MILLIS,
            size_bytes,
            dont_fragment: true,
            ..PingRequest::default()
        };
        let listing = agent.within_limit(stream::read::<PingResponse>(agent, request)).await?;
        let is_lost = |reply: &PingReply| {
            reply.answer.as_ref().is_some_and(|answer| answer.outcome() == PacketOutcome::TimedOut)
        };
        // Of what is not sent at all nothing is known, and of small packets that is an answer of its own.
        Ok(listing.rows.iter().any(|reply| !is_lost(reply))
            || (listing.rows.is_empty() && size_bytes > SMALL_BYTES))
    }
}
