//! Shakes hands with TLS servers from the target's network namespace, and judges them as the target would.

pub(super) mod session;
pub(super) mod trust;
pub(super) mod verdict;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_ALPN_BYTES, LONGEST_HOST_BYTES, MOST_ALPN};
use dbgctl_proto::v1::tls_service_server::{TlsService, TlsServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tonic::{Request, Response, Status};

use self::session::Shaken;
use super::connect::{self, Reached};
use crate::error::{BadRequest, ProbeError};
use crate::resolve;
use crate::sources::Sources;

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> TlsServiceServer<impl TlsService> {
    TlsServiceServer::new(Tls { sources })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Tls {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl TlsService for Tls {
    async fn handshake(&self, request: Request<v1::TlsRequest>) -> Result<Response<v1::TlsResponse>, Status> {
        let lacks = super::lacks_ptrace(&request);
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        Ok(Response::new(collect(&plan, &self.sources, lacks).await))
    }
}

/// With whom to shake hands, with every field checked.
#[derive(Debug)]
struct Plan {
    host: String,
    port: NonZeroU16,
    timeout: Duration,
    options: Options,
}

/// How to shake hands, with every field checked.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) server_name: ServerName<'static>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    pub(super) trust_path: Vec<u8>,
}

impl TryFrom<v1::TlsRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::TlsRequest) -> Result<Self, BadRequest> {
        resolve::check(&request.host)?;
        Ok(Self {
            port: connect::port(request.port)?,
            timeout: connect::time(request.timeout)?,
            options: Options::new(request.options.unwrap_or_default(), &request.host)?,
            host: request.host,
        })
    }
}

impl Options {
    pub(super) fn new(options: v1::TlsOptions, host: &str) -> Result<Self, BadRequest> {
        let versions = versions(options.min_version(), options.max_version())?;
        let name = if options.server_name.is_empty() { host } else { &options.server_name };
        if name.len() > LONGEST_HOST_BYTES {
            return Err(BadRequest::new("server_name", "is longer than a name can be"));
        }
        // A zone and the dot of the root are no part of what certificates name.
        let name = name.split('%').next().unwrap_or_default().trim_end_matches('.');
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| BadRequest::new("server_name", "is no name that a certificate could be for"))?;
        let fits = |protocol: &Vec<u8>| (1..=LONGEST_ALPN_BYTES).contains(&protocol.len());
        if options.alpn.len() > MOST_ALPN || !options.alpn.iter().all(fits) {
            let problem = format!("is more than {MOST_ALPN}, or not of 1 to {LONGEST_ALPN_BYTES} bytes each");
            return Err(BadRequest::new("alpn", problem));
        }
        Ok(Self { server_name, alpn: options.alpn, versions, trust_path: options.trust_path })
    }
}

static BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn versions(
    min: v1::TlsVersion,
    max: v1::TlsVersion,
) -> Result<&'static [&'static SupportedProtocolVersion], BadRequest> {
    use v1::TlsVersion::{Unspecified, V12, V13};
    match (min, max) {
        (Unspecified | V12, Unspecified | V13) => Ok(&BOTH),
        (Unspecified | V12, V12) => Ok(&BOTH[..1]),
        (V13, Unspecified | V13) => Ok(&BOTH[1..]),
        (V13, V12) => Err(BadRequest::new("max_version", "is less than min_version")),
    }
}

async fn collect(plan: &Plan, sources: &Arc<Sources>, lacks_ptrace: bool) -> v1::TlsResponse {
    let Reached { resolve_nanos, resolve_error, look_up, attempts, connection } =
        connect::reach(sources, &plan.host, plan.port.get(), plan.timeout).await;
    let mut response = v1::TlsResponse { resolve_nanos, resolve_error, attempts, handshake: None, look_up };
    if let Some(connection) = connection {
        let Shaken { mut handshake, presented, .. } =
            session::shake(connection, &plan.options, plan.timeout).await;
        verdict::judge(&mut handshake, presented, &plan.options, sources, lacks_ptrace).await;
        response.handshake = Some(handshake);
    }
    response
}
