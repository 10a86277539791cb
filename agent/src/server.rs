//! Serves the probes on any stream of connections, behind the guard.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::guard::GuardLayer;
use crate::handshake::Myself;
use crate::probes;
use crate::sources::Sources;
use crate::transport::Connection;

/// How often an otherwise silent client is asked whether it is still there, and how long it may take to answer.
/// It finds the client that vanished without a word, as behind a remote engine.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// Bytes in flight per call and per connection, before the sender waits for the reader.
const CALL_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// The longest frame that is taken: what is carried fits into one, with what stands around it.
const FRAME_BYTES: u32 = 66 << 10;

/// Calls at the same time on one connection: all that may be forwarded, and room for others. More wait for their turn.
const CALLS: u32 = 256 + 32;

/// Serves `connections` until `over`, then gives calls in flight no more time.
///
/// # Errors
///
/// If the transport can not be set up.
pub async fn serve(
    guard: GuardLayer,
    myself: Myself,
    sources: Arc<Sources>,
    connections: impl Stream<Item = io::Result<Connection>>,
    over: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let server = Server::builder()
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keepalive_interval(Some(HEARTBEAT))
        .http2_keepalive_timeout(Some(HEARTBEAT))
        .max_concurrent_streams(CALLS)
        .layer(guard.clone())
        .add_routes(routes(&guard, myself, &sources))
        .serve_with_incoming(connections);
    tokio::select! {
        served = server => served,
        () = over => Ok(()),
    }
}

fn routes(guard: &GuardLayer, myself: Myself, sources: &Arc<Sources>) -> Routes {
    let mut routes = Routes::builder();
    routes.add_service(myself.service(guard.lifetime.clone()));
    probes::add_all(&mut routes, sources);
    routes.routes()
}
