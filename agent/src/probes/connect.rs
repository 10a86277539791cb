//! Tries to reach a host and port from the target's network namespace, and says what stands in the way.

mod outcome;
mod socket;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_linux::netlink::inet_diag::InetSocket;
use dbgctl_linux::netlink::sock_diag::{Request as DiagRequest, SockDiag, States, Table};
use dbgctl_proto::bounds::{LONGEST_CONNECT_TIMEOUT, LONGEST_INTERFACE_BYTES, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::connect_service_server::{ConnectService, ConnectServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use tokio::net::TcpStream;
use tonic::{Request, Response, Status};

use self::socket::From;
use crate::error::{BadRequest, ProbeError};
use crate::resolve::{self, Resolved, resolve};
use crate::sources::Sources;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> ConnectServiceServer<impl ConnectService> {
    ConnectServiceServer::new(Connect { sources })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Connect {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl ConnectService for Connect {
    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<v1::ConnectResponse>, Status> {
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        Ok(Response::new(collect(&plan, &self.sources).await))
    }
}

/// What to reach, and how, with every field checked.
#[derive(Debug)]
struct Plan {
    host: String,
    port: NonZeroU16,
    timeout: Duration,
    udp: bool,
    from: From,
}

impl TryFrom<v1::ConnectRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::ConnectRequest) -> Result<Self, BadRequest> {
        resolve::check(&request.host)?;
        Ok(Self {
            port: port(request.port)?,
            timeout: time(request.timeout)?,
            udp: request.udp,
            from: From { source: source(&request.source)?, interface: interface(request.interface)? },
            host: request.host,
        })
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

fn source(text: &str) -> Result<Option<IpAddr>, BadRequest> {
    let parse = |text: &str| text.parse().map_err(|_| BadRequest::new("source", "is not an address"));
    Some(text).filter(|text| !text.is_empty()).map(parse).transpose()
}

fn interface(name: String) -> Result<Option<String>, BadRequest> {
    if name.len() > LONGEST_INTERFACE_BYTES || name.bytes().any(|byte| byte == 0) {
        return Err(BadRequest::new("interface", "is not the name of an interface"));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

async fn collect(plan: &Plan, sources: &Arc<Sources>) -> v1::ConnectResponse {
    let mut response = v1::ConnectResponse::default();
    let Resolved { took, addresses, look_up } =
        resolve(sources, &plan.host, plan.port.get(), plan.timeout).await;
    (response.resolve_nanos, response.look_up) = (took.map(nanos), look_up);
    let mut addresses = match addresses {
        Ok(addresses) => addresses,
        Err(reason) => {
            response.resolve_error = reason;
            return response;
        }
    };
    if let Some(source) = plan.from.source {
        addresses.retain(|address| address.is_ipv4() == source.is_ipv4());
        if addresses.is_empty() {
            response.resolve_error = format!("{} has no address of the family of {source}", plan.host);
        }
    }
    // A name with more is left unfinished, and the answer says so.
    let left_out = addresses.len().saturating_sub(MOST_CONNECT_ATTEMPTS);
    response.addresses_left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    for address in addresses.into_iter().take(MOST_CONNECT_ATTEMPTS) {
        let mut attempt = if plan.udp {
            socket::send(address, &plan.from, plan.timeout).await
        } else {
            let (attempt, _closed_at_once) = socket::connect(address, &plan.from, plan.timeout).await;
            attempt
        };
        if attempt.outcome() == v1::ConnectOutcome::TimedOut && socket::is_own(&attempt, address.ip()) {
            attempt.accept_queue = accept_queue(sources.clone(), address).await;
        }
        response.attempts.push(attempt);
    }
    response
}

/// What came of reaching a host.
pub(super) struct Reached {
    /// How long the look-up took. `None`: the host is an address.
    pub(super) resolve_nanos: Option<u64>,
    /// Why there is no address to try.
    pub(super) resolve_error: String,
    pub(super) look_up: Option<Box<v1::NameLookUp>>,
    /// What became of each address that was tried.
    pub(super) attempts: Vec<v1::ConnectAttempt>,
    /// That of the last attempt, if it succeeded.
    pub(super) connection: Option<TcpStream>,
}

/// Connects to the first address of a host that takes it.
pub(super) async fn reach(sources: &Arc<Sources>, host: &str, port: u16, limit: Duration) -> Reached {
    let Resolved { took, addresses, look_up } = resolve(sources, host, port, limit).await;
    let mut reached = Reached {
        resolve_nanos: took.map(nanos),
        resolve_error: String::new(),
        look_up,
        attempts: Vec::new(),
        connection: None,
    };
    match addresses {
        Err(reason) => reached.resolve_error = reason,
        Ok(addresses) => {
            for address in addresses.into_iter().take(MOST_CONNECT_ATTEMPTS) {
                let (attempt, connection) = attempt(address, limit).await;
                reached.attempts.push(attempt);
                reached.connection = connection;
                if reached.connection.is_some() {
                    break;
                }
            }
        }
    }
    reached
}

/// Tries one address, as the routes have it. The connection is there if, and only if, the attempt says so.
pub(super) async fn attempt(address: SocketAddr, limit: Duration) -> (v1::ConnectAttempt, Option<TcpStream>) {
    socket::connect(address, &From::default(), limit).await
}

/// The queue of the socket that takes connections to an address of the target.
async fn accept_queue(sources: Arc<Sources>, address: SocketAddr) -> Option<v1::AcceptQueue> {
    let find = move || {
        let mut diag = SockDiag::open(sources.root()).ok()?;
        let mut found = None;
        for table in [Table::Tcp, Table::Tcp6] {
            let request = DiagRequest { table, states: States::LISTEN, tcp_info: false, details: false };
            let take = |bytes: &[u8]| {
                let listener = InetSocket::parse(bytes).filter(|listener| takes(listener, address));
                found = found
                    .or(listener.map(|it| v1::AcceptQueue { waiting: it.recv_queue, limit: it.send_queue }));
                found.is_none()
            };
            // What is not told is not known.
            let _not_told = diag.dump(request, take);
            if found.is_some() {
                break;
            }
        }
        found
    };
    tokio::task::spawn_blocking(find).await.ok().flatten()
}

fn takes(listener: &InetSocket<'_>, address: SocketAddr) -> bool {
    let bound = listener.local.ip().to_canonical();
    listener.local.port() == address.port()
        && (bound.is_unspecified() || bound == address.ip().to_canonical())
}

/// A duration as the contract has it.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    async fn ask(request: v1::ConnectRequest) -> v1::ConnectResponse {
        let sources = Arc::new(Sources::live("a".repeat(64).parse().unwrap()).unwrap());
        collect(&Plan::try_from(request).unwrap(), &sources).await
    }

    fn request(host: &str, port: u16) -> v1::ConnectRequest {
        v1::ConnectRequest { host: host.to_owned(), port: port.into(), ..v1::ConnectRequest::default() }
    }

    #[tokio::test]
    async fn a_listener_is_reached_and_what_the_kernel_chose_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let response = ask(request("127.0.0.1", listener.local_addr().unwrap().port())).await;
        let attempt = &response.attempts[0];
        assert_eq!(attempt.outcome(), v1::ConnectOutcome::Connected);
        assert!(attempt.local.as_deref().unwrap().starts_with("127.0.0.1:"));
        assert_eq!((attempt.interface.as_str(), attempt.syn_retransmits), ("lo", Some(0)));
        assert!(attempt.rtt_nanos.unwrap() > 0 && attempt.mss_bytes.unwrap() > 500, "{attempt:?}");
        assert_eq!(response.resolve_nanos, None);
    }

    #[tokio::test]
    async fn it_comes_from_where_it_is_told_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = request("127.0.0.1", listener.local_addr().unwrap().port());
        let from = v1::ConnectRequest { source: "127.0.0.9".into(), interface: "lo".into(), ..asked.clone() };
        let attempt = &ask(from).await.attempts[0];
        assert!(attempt.local.as_deref().unwrap().starts_with("127.0.0.9:"), "{attempt:?}");
        let nobody = v1::ConnectRequest { source: "192.0.2.1".into(), ..asked.clone() };
        assert_eq!(ask(nobody).await.attempts[0].outcome(), v1::ConnectOutcome::NoLocalAddress);
        let other_family = v1::ConnectRequest { source: "::1".into(), ..asked };
        assert!(ask(other_family).await.resolve_error.contains("family"));
    }

    #[tokio::test]
    async fn a_closed_port_refuses_tcp_with_a_reset_and_udp_with_a_message() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = &ask(request("127.0.0.1", port)).await.attempts[0];
        assert_eq!((refused.outcome(), &refused.icmp), (v1::ConnectOutcome::Refused, &None));
        assert!(refused.error.ends_with("(ECONNREFUSED)"), "{refused:?}");
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = ask(v1::ConnectRequest { udp: true, ..request("127.0.0.1", port) }).await;
        let refused = &refused.attempts[0];
        let icmp = refused.icmp.as_ref().unwrap();
        assert_eq!(refused.outcome(), v1::ConnectOutcome::Refused);
        assert_eq!((icmp.r#type, icmp.code, icmp.sender.as_str()), (3, 3, "127.0.0.1"));
    }

    #[tokio::test]
    async fn a_datagram_that_is_answered_is_told_from_one_that_is_not() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let asked = v1::ConnectRequest {
            udp: true,
            timeout: prost_types::Duration::try_from(Duration::from_millis(50)).ok(),
            ..request("127.0.0.1", peer.local_addr().unwrap().port())
        };
        assert_eq!(ask(asked.clone()).await.attempts[0].outcome(), v1::ConnectOutcome::Silent);
        let asked = v1::ConnectRequest { timeout: None, ..asked };
        let answering = std::thread::spawn(move || {
            // That of before came first.
            for _ in 0..2 {
                let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
                let _its_asker_is_gone = peer.send_to(b"hello", from);
            }
        });
        assert_eq!(ask(asked).await.attempts[0].outcome(), v1::ConnectOutcome::Answered);
        answering.join().unwrap();
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_an_answer_with_its_reason() {
        let response = ask(request("no-such-name.invalid", 80)).await;
        assert!(response.attempts.is_empty());
        assert!(!response.resolve_error.is_empty());
    }

    #[test]
    fn a_request_that_makes_no_sense_is_refused() {
        for (host, port) in [("", 80), ("a", 0), ("a", 65536), (&*"a".repeat(254), 80)] {
            let request = v1::ConnectRequest { port, ..request(host, 1) };
            assert!(Plan::try_from(request).is_err(), "{host}:{port}");
        }
        let sane = request("a", 1);
        assert!(Plan::try_from(v1::ConnectRequest { source: "a".into(), ..sane.clone() }).is_err());
        assert!(Plan::try_from(v1::ConnectRequest { interface: "i".repeat(16), ..sane }).is_err());
    }
}
