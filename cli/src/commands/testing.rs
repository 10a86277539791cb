//! A service at the other end of a pipe, for tests of the whole path from request to text.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::{Endpoint, Server};

use super::Verb;
use super::agent::{Agent, Subject};

/// A question as it is typed, without the container.
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What a service of these tests streams.
pub(crate) type Replies<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, tonic::Status>>>;

/// An agent that has only `service`.
pub(crate) async fn agent_with<S>(service: S) -> Agent
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let incoming = tokio_stream::once(Ok::<_, io::Error>(theirs));
    // An endless stream of connections, since a server ends with it.
    let incoming = tokio_stream::StreamExt::chain(incoming, tokio_stream::pending());
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    agent_over(ours).await
}

/// The agent at the other end of a pipe.
pub(crate) async fn agent_over(pipe: DuplexStream) -> Agent {
    let mut pipe = Some(pipe);
    let connector = tower::service_fn(move |_| {
        let pipe = pipe.take().ok_or_else(|| io::Error::other("there is one connection only"));
        async { pipe.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://agent").connect_with_connector(connector).await.unwrap();
    Agent::new(channel, Subject::default(), Duration::from_secs(60))
}

/// What has been written to it can be read back by its clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
