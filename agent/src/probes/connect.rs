//! Opens TCP connections from the target's network namespace, and says why one does not open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_CONNECT_TIMEOUT, LONGEST_HOST_BYTES, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::connect_service_server::{ConnectService, ConnectServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use nix::errno::Errno;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError};

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
        if request.host.is_empty() || request.host.len() > LONGEST_HOST_BYTES {
            return Err(BadRequest::new("host", format!("is not between 1 and {LONGEST_HOST_BYTES} bytes")));
        }
        let port = u16::try_from(request.port).ok().and_then(NonZeroU16::new);
        let port = port.ok_or_else(|| BadRequest::new("port", "is not between 1 and 65535"))?;
        let timeout = match request.timeout {
            None => DEFAULT_TIMEOUT,
            Some(given) => Duration::try_from(given)
                .ok()
                .filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST_CONNECT_TIMEOUT)
                .ok_or_else(|| BadRequest::new("timeout", "is not between 0 and 60 seconds"))?,
        };
        Ok(Self { host: request.host, port, timeout })
    }
}

async fn collect(plan: &Plan) -> v1::ConnectResponse {
    let mut response = v1::ConnectResponse::default();
    let addresses = match plan.host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let started = Instant::now();
            let answer = resolve(plan).await;
            response.resolve_nanos = Some(nanos(started.elapsed()));
            match answer {
                Ok(addresses) => addresses,
                Err(reason) => {
                    response.resolve_error = reason;
                    return response;
                }
            }
        }
    };
    // A name with more is left unfinished, and the answer says so.
    let left_out = addresses.len().saturating_sub(MOST_CONNECT_ATTEMPTS);
    response.addresses_left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    for address in addresses.into_iter().take(MOST_CONNECT_ATTEMPTS) {
        response.attempts.push(attempt(SocketAddr::new(address, plan.port.get()), plan.timeout).await);
    }
    response
}

/// The host's addresses in the resolver's order, each once.
///
/// The sidecar shares the target's `/etc/resolv.conf` and `/etc/hosts` with its network namespace, so the C
/// library's resolver asks what the target would ask.
async fn resolve(plan: &Plan) -> Result<Vec<IpAddr>, String> {
    let found = match timeout(plan.timeout, lookup_host((plan.host.as_str(), plan.port.get()))).await {
        Err(_) => return Err(format!("no answer from the resolver within {:?}", plan.timeout)),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(found)) => found,
    };
    let mut addresses = Vec::new();
    for address in found.map(|found| found.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err("the name has no address".to_owned()) } else { Ok(addresses) }
}

async fn attempt(address: SocketAddr, limit: Duration) -> v1::ConnectAttempt {
    let started = Instant::now();
    let outcome = timeout(limit, TcpStream::connect(address)).await;
    let nanos = nanos(started.elapsed());
    let (outcome, local, error) = match outcome {
        Err(_) => (v1::ConnectOutcome::TimedOut, None, format!("no answer within {limit:?}")),
        Ok(Err(error)) => (classify(&error), None, describe(&error)),
        Ok(Ok(stream)) => {
            let local = stream.local_addr().ok().map(|local| local.to_string());
            (v1::ConnectOutcome::Connected, local, String::new())
        }
    };
    v1::ConnectAttempt { address: address.ip().to_string(), outcome: outcome.into(), nanos, local, error }
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
