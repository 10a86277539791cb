//! Opens TCP connections from the target's network namespace, and says why one does not open.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_CONNECT_TIMEOUT, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::connect_service_server::{ConnectService, ConnectServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use nix::errno::Errno;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError};
use crate::resolve::{self, Resolved, resolve};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The service.
pub(crate) fn service() -> ConnectServiceServer<impl ConnectService> {
    ConnectServiceServer::new(Connect)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Connect;

#[tonic::async_trait]
impl ConnectService for Connect {
    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<v1::ConnectResponse>, Status> {
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        Ok(Response::new(collect(&plan).await))
    }
}

/// What to connect to, with every field checked.
#[derive(Debug)]
struct Plan {
    host: String,
    port: NonZeroU16,
    timeout: Duration,
}

impl TryFrom<v1::ConnectRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::ConnectRequest) -> Result<Self, BadRequest> {
        resolve::check(&request.host)?;
        Ok(Self { port: port(request.port)?, timeout: time(request.timeout)?, host: request.host })
    }
}

/// Checks a port of a request.
pub(super) fn port(port: u32) -> Result<NonZeroU16, BadRequest> {
    let port = u16::try_from(port).ok().and_then(NonZeroU16::new);
    port.ok_or_else(|| BadRequest::new("port", "is not between 1 and 65535"))
}

/// Checks how long each address may take.
pub(super) fn time(timeout: Option<prost_types::Duration>) -> Result<Duration, BadRequest> {
    let Some(given) = timeout else { return Ok(DEFAULT_TIMEOUT) };
    Duration::try_from(given)
        .ok()
        .filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST_CONNECT_TIMEOUT)
        .ok_or_else(|| BadRequest::new("timeout", "is not between 0 and 60 seconds"))
}

async fn collect(plan: &Plan) -> v1::ConnectResponse {
    let mut response = v1::ConnectResponse::default();
    let Resolved { took, addresses } = resolve(&plan.host, plan.port.get(), plan.timeout).await;
    response.resolve_nanos = took.map(nanos);
    let addresses = match addresses {
        Ok(addresses) => addresses,
        Err(reason) => {
            response.resolve_error = reason;
            return response;
        }
    };
    // A name with more is left unfinished, and the answer says so.
    let left_out = addresses.len().saturating_sub(MOST_CONNECT_ATTEMPTS);
    response.addresses_left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    for address in addresses.into_iter().take(MOST_CONNECT_ATTEMPTS) {
        let (attempt, _closed_at_once) = attempt(address, plan.timeout).await;
        response.attempts.push(attempt);
    }
    response
}

/// Tries one address. The connection is there if, and only if, the attempt says so.
pub(super) async fn attempt(address: SocketAddr, limit: Duration) -> (v1::ConnectAttempt, Option<TcpStream>) {
    let started = Instant::now();
    let outcome = timeout(limit, TcpStream::connect(address)).await;
    let nanos = nanos(started.elapsed());
    let (outcome, stream, error) = match outcome {
        Err(_) => (v1::ConnectOutcome::TimedOut, None, format!("no answer within {limit:?}")),
        Ok(Err(error)) => (classify(&error), None, describe(&error)),
        Ok(Ok(stream)) => (v1::ConnectOutcome::Connected, Some(stream), String::new()),
    };
    let local = stream.as_ref().and_then(|stream| stream.local_addr().ok()).map(|local| local.to_string());
    let attempt = v1::ConnectAttempt {
        address: address.ip().to_string(),
        outcome: outcome.into(),
        nanos,
        local,
        error,
    };
    (attempt, stream)
}

/// Which of the ways to fail it was, from the error number of connect(2).
fn classify(error: &io::Error) -> v1::ConnectOutcome {
    match errno(error) {
        Some(Errno::ECONNREFUSED) => v1::ConnectOutcome::Refused,
        Some(Errno::ECONNRESET) => v1::ConnectOutcome::Reset,
        Some(Errno::ETIMEDOUT) => v1::ConnectOutcome::TimedOut,
        Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => v1::ConnectOutcome::Unreachable,
        _ => v1::ConnectOutcome::Failed,
    }
}

/// The kernel's words with the name that manual pages use.
fn describe(error: &io::Error) -> String {
    errno(error)
        .map_or_else(|| error.to_string(), |errno| format!("{} ({errno:?})", errno.desc().to_lowercase()))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    async fn ask(host: &str, port: u16) -> v1::ConnectResponse {
        let request = v1::ConnectRequest { host: host.to_owned(), port: port.into(), timeout: None };
        collect(&Plan::try_from(request).unwrap()).await
    }

    #[tokio::test]
    async fn a_listener_is_reached_and_the_kernels_choice_of_port_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let response = ask("127.0.0.1", listener.local_addr().unwrap().port()).await;
        let attempt = &response.attempts[0];
        assert_eq!(attempt.outcome(), v1::ConnectOutcome::Connected);
        assert!(attempt.local.as_deref().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(response.resolve_nanos, None);
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let response = ask("127.0.0.1", port).await;
        assert_eq!(response.attempts[0].outcome(), v1::ConnectOutcome::Refused);
        assert!(response.attempts[0].error.ends_with("(ECONNREFUSED)"), "{:?}", response.attempts);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_an_answer_with_its_reason() {
        let response = ask("no-such-name.invalid", 80).await;
        assert!(response.attempts.is_empty());
        assert!(!response.resolve_error.is_empty());
    }

    #[test]
    fn a_request_that_makes_no_sense_is_refused() {
        for (host, port) in [("", 80), ("a", 0), ("a", 65536), (&*"a".repeat(254), 80)] {
            let request = v1::ConnectRequest { host: host.to_owned(), port, timeout: None };
            assert!(Plan::try_from(request).is_err(), "{host}:{port}");
        }
    }
}
