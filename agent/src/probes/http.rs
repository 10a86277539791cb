//! Sends HTTP requests from the target's network namespace, and says where the time went.

mod exchange;
mod location;
mod redact;

use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::bounds::{
    DEFAULT_HTTP_BODY_BYTES, LONGEST_HTTP_BODY_BYTES, LONGEST_HTTP_HEADERS_BYTES, LONGEST_METHOD_BYTES,
    LONGEST_URL_BYTES, MOST_HTTP_HEADERS, MOST_REDIRECTS,
};
use dbgctl_proto::v1::http_service_server::{HttpService, HttpServiceServer};
use dbgctl_proto::{MAX_MESSAGE_BYTES, v1};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tonic::{Request, Response, Status};

use self::exchange::exchange;
use self::location::Location;
use super::connect;
use crate::error::{BadRequest, ProbeError};
use crate::sources::Sources;

/// The service.
pub(crate) fn service(sources: Arc<Sources>) -> HttpServiceServer<impl HttpService> {
    HttpServiceServer::new(Http { sources })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

struct Http {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl HttpService for Http {
    async fn exchange(
        &self,
        request: Request<v1::HttpRequest>,
    ) -> Result<Response<v1::HttpResponse>, Status> {
        let lacks_ptrace = super::lacks_ptrace(&request);
        let plan = Plan::new(request.into_inner(), lacks_ptrace).map_err(ProbeError::from)?;
        Ok(Response::new(follow(plan, &self.sources).await))
    }

    async fn exchange_plain(
        &self,
        request: Request<v1::HttpRequest>,
    ) -> Result<Response<v1::HttpResponse>, Status> {
        let plan = Plan::new(request.into_inner(), true).map_err(ProbeError::from)?;
        Ok(Response::new(follow(plan, &self.sources).await))
    }
}

/// What to ask, with every field checked.
#[derive(Debug, Clone)]
struct Plan {
    location: Location,
    method: Method,
    headers: HeaderMap,
    body: Vec<u8>,
    max_body_bytes: usize,
    version: v1::HttpVersion,
    follow: bool,
    timeout: Duration,
    tls: v1::TlsOptions,
    insecure: bool,
    lacks_ptrace: bool,
}

impl Plan {
    fn new(request: v1::HttpRequest, lacks_ptrace: bool) -> Result<Self, BadRequest> {
        if request.url.len() > LONGEST_URL_BYTES {
            return Err(BadRequest::new("url", format!("is longer than {LONGEST_URL_BYTES} bytes")));
        }
        let version = request.version();
        let location = Location::parse(&request.url).map_err(|problem| BadRequest::new("url", problem))?;
        if request.body.len() > LONGEST_HTTP_BODY_BYTES {
            return Err(BadRequest::new("body", format!("is longer than {LONGEST_HTTP_BODY_BYTES} bytes")));
        }
        let usual = if request.body.is_empty() { Method::GET } else { Method::POST };
        let method = match request.method.as_bytes() {
            b"" => usual,
            name if name.len() > LONGEST_METHOD_BYTES => {
                return Err(BadRequest::new("method", "is longer than any there is"));
            }
            name => Method::from_bytes(name).map_err(|_| BadRequest::new("method", "is none"))?,
        };
        if method == Method::CONNECT {
            return Err(BadRequest::new("method", "CONNECT makes a tunnel: `connect` and `tls` say more"));
        }
        let max_body_bytes = match request.max_body_bytes {
            0 => DEFAULT_HTTP_BODY_BYTES,
            some => usize::try_from(some).unwrap_or(usize::MAX).min(LONGEST_HTTP_BODY_BYTES),
        };
        let plan = Self {
            location,
            method,
            headers: headers(request.headers)?,
            body: request.body,
            max_body_bytes,
            version,
            follow: request.follow,
            timeout: connect::time(request.timeout)?,
            tls: request.tls.unwrap_or_default(),
            insecure: request.insecure,
            lacks_ptrace,
        };
        if plan.location.is_https {
            super::tls::Options::new(plan.tls.clone(), &plan.location.host)?;
        }
        Ok(plan)
    }

    /// What is asked next, if the answer is a redirect: that, or why it is not followed.
    fn redirected(&self, status: StatusCode, to: &Location) -> Self {
        let mut next = Self { location: to.clone(), ..self.clone() };
        // RFC 9110 15.4: 303 is answered with GET, and so are in practice POST with 301 and 302.
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            next.method = Method::GET;
            next.body.clear();
            next.headers.remove(http::header::CONTENT_LENGTH);
            next.headers.remove(http::header::CONTENT_TYPE);
        }
        if !to.is_same_origin(&self.location) {
            next.headers.remove(http::header::HOST);
            redact::remove_secrets(&mut next.headers);
        }
        next
    }
}

fn headers(given: Vec<v1::HttpHeader>) -> Result<HeaderMap, BadRequest> {
    let bytes: usize = given.iter().map(|header| header.name.len() + header.value.len()).sum();
    if given.len() > MOST_HTTP_HEADERS || bytes > LONGEST_HTTP_HEADERS_BYTES {
        let problem =
            format!("are more than {MOST_HTTP_HEADERS}, or than {LONGEST_HTTP_HEADERS_BYTES} bytes together");
        return Err(BadRequest::new("headers", problem));
    }
    let mut headers = HeaderMap::new();
    for v1::HttpHeader { name, value } in given {
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| BadRequest::new("headers", "have a name that is none"))?;
        let value = HeaderValue::from_bytes(&value)
            .map_err(|_| BadRequest::new("headers", format!("have a bad value of {name}")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

async fn follow(mut plan: Plan, sources: &Arc<Sources>) -> v1::HttpResponse {
    let mut response = v1::HttpResponse::default();
    let mut seen = vec![plan.location.to_string()];
    loop {
        let (exchanged, location) = exchange(&plan, sources).await;
        let status = u16::try_from(exchanged.status).ok().and_then(|it| StatusCode::from_u16(it).ok());
        response.exchanges.push(exchanged);
        let (Some(location), Some(status), true) = (location, status, plan.follow) else { return response };
        let next = match plan.location.join(&location) {
            Ok(next) => next,
            Err(problem) => {
                response.not_followed = format!("the redirect leads nowhere: {problem}");
                return response;
            }
        };
        if seen.contains(&next.to_string()) {
            response.not_followed = format!("the redirects go in a circle: {next} was asked before");
            return response;
        }
        if response.exchanges.len() > MOST_REDIRECTS {
            response.not_followed = format!("there were {MOST_REDIRECTS} redirects already");
            return response;
        }
        // Only the last body is of interest, and there is one message for all of them.
        if let Some(last) = response.exchanges.last_mut() {
            last.body.clear();
        }
        seen.push(next.to_string());
        plan = plan.redirected(status, &next);
    }
}
