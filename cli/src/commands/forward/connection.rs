//! One connection of the user's, and what is to be said of it.

use std::net::SocketAddr;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::MOST_CONNECT_ATTEMPTS;
use dbgctl_proto::v1::forward_frame::Frame;
use dbgctl_proto::v1::forward_service_client::ForwardServiceClient;
use dbgctl_proto::v1::{ForwardFailed, ForwardFrame, ForwardOpen};
use dbgctl_tunnel::{Carried, Ended, WAITING_FRAMES, carry};
use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Shared;
use super::port::Port;
use crate::commands::dns;
use crate::render::human::Bytes;

/// A connection that was accepted.
pub(super) struct Connection<'c> {
    pub(super) from: SocketAddr,
    pub(super) port: &'c Port,
    pub(super) shared: &'c Shared,
}

/// What is said of a connection.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) line: String,
    /// Whether the way to the agent may be gone.
    pub(super) lost: bool,
}

/// Why there is nothing to carry to.
enum NotOpen {
    Failed(ForwardFailed),
    Status(Status),
    Nonsense,
}

impl From<Status> for NotOpen {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl Connection<'_> {
    /// Carries it to its end. `None`: there is nothing to say.
    pub(super) async fn carry(&self, stream: TcpStream) -> Option<Told> {
        let (outgoing, frames) = mpsc::channel(WAITING_FRAMES);
        let told = match self.open(&outgoing, frames).await {
            Ok(incoming) => {
                let Carried { sent_bytes, received_bytes, ended } =
                    carry(stream, incoming, outgoing, &self.shared.budget).await;
                let (what, lost) = why(ended)?;
                let carried = format!("{} sent, {} received", Bytes(sent_bytes), Bytes(received_bytes));
                return Some(self.told(&format!("{what} after {carried}"), lost));
            }
            Err(NotOpen::Failed(failed)) => self.told(&reason(&self.port.to.host, &failed), false),
            Err(NotOpen::Status(status)) => self.told(&format!("not carried: {}", status.message()), true),
            Err(NotOpen::Nonsense) => self.told("not carried: the agent's answer makes no sense", false),
        };
        // So that its client does not take it for an empty answer.
        let _gone_already = stream.set_zero_linger();
        Some(told)
    }

    async fn open(
        &self,
        outgoing: &mpsc::Sender<Frame>,
        frames: mpsc::Receiver<Frame>,
    ) -> Result<Streaming<ForwardFrame>, NotOpen> {
        let Shared { agent, timeout, .. } = self.shared;
        let to = &self.port.to;
        let open = ForwardOpen {
            host: to.host.clone(),
            port: to.port.get().into(),
            timeout: prost_types::Duration::try_from(*timeout).ok(),
        };
        // The receiver is in the hands of this function.
        let _has_room = outgoing.send(Frame::Open(open)).await;
        let frames = ReceiverStream::new(frames).map(|frame| ForwardFrame { frame: Some(frame) });
        let mut client =
            ForwardServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let mut incoming = client.forward(frames).await?.into_inner();
        match incoming.message().await?.and_then(|first| first.frame) {
            Some(Frame::Opened(_)) => Ok(incoming),
            Some(Frame::Failed(failed)) => Err(NotOpen::Failed(failed)),
            _ => Err(NotOpen::Nonsense),
        }
    }

    fn told(&self, what: &str, lost: bool) -> Told {
        Told { line: format!("{} to {}: {what}", self.from, self.port), lost }
    }
}

/// What there is to say of an end, and whether the way to the agent may be gone.
fn why(ended: Ended<Status>) -> Option<(String, bool)> {
    Some(match ended {
        Ended::Closed => return None,
        Ended::ResetHere(error) => (format!("reset on this side ({error})"), false),
        Ended::ResetThere => ("reset by the other side".to_owned(), false),
        Ended::Lost(status) => {
            let why = status.map_or_else(String::new, |status| format!(": {}", status.message()));
            (format!("cut{why}"), true)
        }
        Ended::Broken(what) => (format!("cut: {what}"), false),
    })
}

/// Why no address took the connection.
fn reason(host: &str, failed: &ForwardFailed) -> String {
    if failed.attempts.is_empty() {
        let told = dns::look_up::sentences(host, failed.look_up.as_deref());
        let told: String = told.iter().map(|sentence| format!("; {sentence}")).collect();
        return format!("not connected: {}{told}", failed.resolve_error);
    }
    let attempts = failed.attempts.iter().take(MOST_CONNECT_ATTEMPTS);
    let attempts: Vec<_> =
        attempts.map(|attempt| format!("{}: {}", attempt.address, attempt.error)).collect();
    format!("not connected: {}", attempts.join("; "))
}
