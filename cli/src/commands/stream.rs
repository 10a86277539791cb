//! Reading a list of the agent's to its end, and no further than there is room for it.

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::MOST_ROWS;
use dbgctl_proto::list::{List, Part};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use super::Failure;
use super::agent::Agent;
use crate::render::closing::Closing;

/// What the agent sent.
#[derive(Debug)]
pub(super) struct Listing<L: List> {
    /// The last one, if several came.
    pub(super) header: Option<L::Header>,
    pub(super) rows: Vec<L::Row>,
    pub(super) closing: Closing,
}

impl<L: List> Default for Listing<L> {
    fn default() -> Self {
        Self { header: None, rows: Vec::new(), closing: Closing::default() }
    }
}

/// Asks for a list, and reads it as far as there is room for it.
pub(super) async fn read<L: List>(agent: &Agent, request: L::Request) -> Result<Listing<L>, Failure> {
    let mut last = None;
    let listing = read_and(agent, request, |header| last = Some(header)).await?;
    Ok(Listing { header: last, ..listing })
}

/// The same, but each header is handed to `take` as it comes, and none is kept.
pub(super) async fn read_and<L: List>(
    agent: &Agent,
    request: L::Request,
    mut take: impl FnMut(L::Header),
) -> Result<Listing<L>, Failure> {
    let mut listing = Listing::default();
    let news = |news| {
        match news {
            News::Header(header) => take(header),
            News::Rows(rows) => listing.rows.extend(rows),
        }
        Ok(())
    };
    listing.closing = read_as_it_comes::<L>(agent, request, news).await?;
    Ok(listing)
}

/// What comes before the end of a list.
#[derive(Debug)]
pub(super) enum News<L: List> {
    Header(L::Header),
    Rows(Vec<L::Row>),
}

/// The same, but nothing is kept: all of it is handed to `take` as it comes.
pub(super) async fn read_as_it_comes<L: List>(
    agent: &Agent,
    request: L::Request,
    take: impl FnMut(News<L>) -> Result<(), Failure>,
) -> Result<Closing, Failure> {
    read_of(agent, L::RPC, request, take).await
}

/// The same of another RPC that answers with such a list.
pub(super) async fn read_of<L: List>(
    agent: &Agent,
    rpc: &'static str,
    request: L::Request,
    mut take: impl FnMut(News<L>) -> Result<(), Failure>,
) -> Result<Closing, Failure> {
    let mut stream = ask::<L>(agent, rpc, request).await?;
    let mut closing = Closing::default();
    let mut budget = Budget::new();
    while let Some(message) = stream.message().await? {
        // `None`: a part that only a newer agent knows.
        let part = message.into_part();
        let bytes = match &part {
            Some(Part::Rows(rows)) => rows.iter().map(L::row_bytes).fold(0, usize::saturating_add),
            Some(Part::Header(header)) => L::header_bytes(header),
            // There is only ever one of them.
            Some(Part::Summary(_)) | None => 0,
        };
        if !budget.take(bytes) {
            closing.broken_off = Some("the list was cut here: the agent sent more than there can be");
            return Ok(closing);
        }
        match part {
            Some(Part::Header(header)) => take(News::Header(header))?,
            Some(Part::Rows(rows)) => take(News::Rows(rows))?,
            Some(Part::Summary(summary)) => closing.summary = Some(summary),
            None => {}
        }
    }
    if closing.summary.is_none() {
        closing.broken_off = Some("the list broke off: the agent ended it without a summary");
    }
    Ok(closing)
}

/// Asks for a list that is shown while it comes: each part is handed to `take`, and nothing is kept but the end.
///
/// Returns how it closed. If it was left early, by an error of `take` or because the future was dropped, the agent ends too.
pub(super) async fn read_each<L: List>(
    agent: &Agent,
    request: L::Request,
    mut take: impl FnMut(Part<L>) -> Result<(), Failure>,
) -> Result<Closing, Failure> {
    let mut stream = ask::<L>(agent, L::RPC, request).await?;
    let mut budget = Budget::new();
    let mut closing = Closing::default();
    while let Some(message) = stream.message().await? {
        if !budget.take(0) {
            closing.broken_off = Some("the list was cut here: the agent sent more than there can be");
            return Ok(closing);
        }
        match message.into_part() {
            Some(Part::Summary(summary)) => closing.summary = Some(summary),
            Some(part) => take(part)?,
            // One that only a newer agent knows.
            None => {}
        }
    }
    if closing.summary.is_none() {
        closing.broken_off = Some("the list broke off: the agent ended it without a summary");
    }
    Ok(closing)
}

async fn ask<L: List>(agent: &Agent, rpc: &'static str, request: L::Request) -> Result<Streaming<L>, Status> {
    let mut client = Grpc::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    client.ready().await.map_err(|error| Status::unknown(format!("the agent is not ready: {error}")))?;
    let path = PathAndQuery::from_static(rpc);
    let streaming = client.server_streaming(agent.request(request), path, ProstCodec::default()).await?;
    Ok(streaming.into_inner())
}

/// What a list may still cost. An agent that has been taken over must not exhaust this side.
#[derive(Debug)]
struct Budget {
    frames: u64,
    bytes: usize,
}

impl Budget {
    /// Room for the longest list, even one with a row in each message. What is made of the rows to show them takes as
    /// much again, at most.
    fn new() -> Self {
        Self { frames: MOST_ROWS, bytes: 1 << 30 }
    }

    /// Takes one frame of that size in memory. Returns false if there is no room for it.
    fn take(&mut self, bytes: usize) -> bool {
        match (self.frames.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(frames), Some(left)) => {
                *self = Self { frames, bytes: left };
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_many_small_frames_nor_few_big_ones_pass() {
        let mut budget = Budget { frames: 2, bytes: 100 };
        assert!(!budget.take(101));
        assert!(budget.take(40));
        assert!(!budget.take(61));
        assert!(budget.take(0));
        assert!(!budget.take(0));
    }
}
