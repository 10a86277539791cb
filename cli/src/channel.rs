//! gRPC over the byte stream to an agent, and the handshake that opens it.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dbgctl_proto::v1::agent_service_client::AgentServiceClient;
use dbgctl_proto::{MAX_MESSAGE_BYTES, PROTOCOL, v1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tonic::transport::{Channel, Endpoint, Uri};

/// A silent agent is asked whether it is there this often, and may take that long to answer. A stopped agent
/// is found in the sum of both; a dead one at once, by the end of its stream.
const HEARTBEAT: Duration = Duration::from_millis(1000);
const HEARTBEAT_ANSWER: Duration = Duration::from_millis(1500);

/// Bytes in flight per call and per connection, before the agent waits for us.
const CALL_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// The longest frame that is taken: what is carried fits into one, with what stands around it.
const FRAME_BYTES: u32 = 66 << 10;

/// How long an agent may take from its start to its first answer.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// Opens a channel over a stream that exists already, as soon as the agent at its other end has spoken: on a busy
/// machine its start takes longer than it may be silent afterwards.
///
/// # Errors
///
/// If the stream can not even be written to.
pub(crate) async fn open(
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Channel, tonic::transport::Error> {
    // The server of HTTP/2 speaks first. An agent that never does fails the handshake, and that says why.
    let mut spoken = [0; 1];
    let length = tokio::time::timeout(HANDSHAKE, stream.read(&mut spoken)).await;
    let length = length.map_or(0, Result::unwrap_or_default);
    let spoken = io::Cursor::new(spoken).take(u64::try_from(length).unwrap_or_default());
    let (input, output) = tokio::io::split(stream);
    let stream = tokio::io::join(spoken.chain(input), output);
    let slot = Mutex::new(Some(stream));
    // Once the stream has ended, tonic wants to connect again: there is nothing to connect to.
    let connector = tower::service_fn(move |_: Uri| {
        let stream = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        async { stream.map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    // The name is an authority for HTTP/2's sake. Nothing is resolved.
    Endpoint::from_static("http://agent.invalid")
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(HEARTBEAT_ANSWER)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
}

/// Why an agent is not one that we can talk to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the agent did not answer within {} s", HANDSHAKE.as_secs())]
    TimedOut,
    #[error("{0}")]
    Failed(tonic::Status),
    #[error(
        "the agent is dbgctl {agent} and speaks protocol {protocol}; this is dbgctl {cli}, which speaks {PROTOCOL}",
        cli = env!("CARGO_PKG_VERSION")
    )]
    OtherProtocol { agent: String, protocol: u32 },
}

/// Asks the agent who it is, and refuses one that speaks another protocol.
pub(crate) async fn handshake(channel: &Channel) -> Result<v1::HandshakeResponse, HandshakeError> {
    let request = v1::HandshakeRequest { version: env!("CARGO_PKG_VERSION").to_owned() };
    let answer = tokio::time::timeout(HANDSHAKE, agent(channel).handshake(request)).await;
    let answer = answer.map_err(|_| HandshakeError::TimedOut)?.map_err(HandshakeError::Failed)?.into_inner();
    if answer.protocol == PROTOCOL {
        return Ok(answer);
    }
    Err(HandshakeError::OtherProtocol { agent: answer.version, protocol: answer.protocol })
}

/// Asks the agent whether it still answers. It counts as a question: a session is not idle then.
pub(crate) async fn still_there(channel: &Channel) -> Result<(), tonic::Status> {
    let request = v1::HandshakeRequest { version: env!("CARGO_PKG_VERSION").to_owned() };
    agent(channel).handshake(request).await.map(drop)
}

/// Lets the agent outlive this connection.
pub(crate) async fn keep(
    channel: &Channel,
    time_to_live: Duration,
    idle: Duration,
) -> Result<(), tonic::Status> {
    let time = |time: Duration| prost_types::Duration::try_from(time).ok();
    let request = v1::KeepRequest { time_to_live: time(time_to_live), idle: time(idle) };
    agent(channel).keep(request).await.map(drop)
}

fn agent(channel: &Channel) -> AgentServiceClient<Channel> {
    AgentServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
}
