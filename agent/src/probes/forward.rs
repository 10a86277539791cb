//! Carries connections of the user's to what can be reached from the target's network namespace.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::bounds::MOST_CONNECT_ATTEMPTS;
use dbgctl_proto::v1::forward_frame::Frame;
use dbgctl_proto::v1::forward_service_server::{ForwardService, ForwardServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use dbgctl_tunnel::{Budget, MOST_CONNECTIONS, WAITING_FRAMES, carry};
use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::connect;
use crate::error::{BadRequest, ProbeError};
use crate::resolve::{self, Resolved, resolve};
use crate::sources::Sources;

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> ForwardServiceServer<impl ForwardService> {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let forward = Forward { budget: Arc::default(), places, sources };
    ForwardServiceServer::new(forward)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Forward {
    budget: Arc<Budget>,
    places: Arc<Semaphore>,
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl ForwardService for Forward {
    type ForwardStream = BoxStream<'static, Result<v1::ForwardFrame, Status>>;

    async fn forward(
        &self,
        request: Request<Streaming<v1::ForwardFrame>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| ProbeError::Busy("256 connections are being forwarded already"))?;
        let mut incoming = request.into_inner();
        let plan = Plan::try_from(incoming.message().await?).map_err(ProbeError::from)?;
        let (outgoing, frames) = mpsc::channel(WAITING_FRAMES);
        let (budget, sources) = (self.budget.clone(), self.sources.clone());
        tokio::spawn(async move {
            let _place = place;
            forward(&plan, &sources, incoming, outgoing, &budget).await;
        });
        let frames = ReceiverStream::new(frames).map(|frame| Ok(v1::ForwardFrame { frame: Some(frame) }));
        Ok(Response::new(frames.boxed()))
    }
}

/// Where to connect to, with every field checked.
#[derive(Debug)]
struct Plan {
    /// Empty: the target itself.
    host: String,
    port: NonZeroU16,
    timeout: Duration,
}

impl TryFrom<Option<v1::ForwardFrame>> for Plan {
    type Error = BadRequest;

    fn try_from(first: Option<v1::ForwardFrame>) -> Result<Self, BadRequest> {
        let Some(Frame::Open(open)) = first.and_then(|first| first.frame) else {
            return Err(BadRequest::new("open", "is not the first frame"));
        };
        if !open.host.is_empty() {
            resolve::check(&open.host)?;
        }
        Ok(Self { port: connect::port(open.port)?, timeout: connect::time(open.timeout)?, host: open.host })
    }
}

async fn forward(
    plan: &Plan,
    sources: &Arc<Sources>,
    incoming: impl Stream<Item = Result<v1::ForwardFrame, Status>>,
    outgoing: mpsc::Sender<Frame>,
    budget: &Budget,
) {
    let opened = tokio::select! {
        opened = open(plan, sources) => opened,
        // Who has hung up does not want to be connected any more.
        () = outgoing.closed() => return,
    };
    match opened {
        Err(failed) => drop(outgoing.send(Frame::Failed(failed)).await),
        Ok((address, connection)) => {
            let opened = v1::ForwardOpened { address: address.ip().to_string() };
            if outgoing.send(Frame::Opened(opened)).await.is_ok() {
                carry(connection, incoming, outgoing, budget).await;
            }
        }
    }
}

/// The first address that takes a connection.
async fn open(plan: &Plan, sources: &Arc<Sources>) -> Result<(SocketAddr, TcpStream), v1::ForwardFailed> {
    let port = plan.port.get();
    let mut failed = v1::ForwardFailed::default();
    let addresses = if plan.host.is_empty() {
        vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
    } else {
        let Resolved { addresses, look_up, .. } = resolve(sources, &plan.host, port, plan.timeout).await;
        failed.look_up = look_up;
        addresses.unwrap_or_else(|why| {
            failed.resolve_error = why;
            Vec::new()
        })
    };
    for address in addresses.into_iter().take(MOST_CONNECT_ATTEMPTS) {
        match connect::attempt(address, plan.timeout).await {
            (_, Some(connection)) => return Ok((address, connection)),
            (attempt, None) => failed.attempts.push(attempt),
        }
    }
    Err(failed)
}
