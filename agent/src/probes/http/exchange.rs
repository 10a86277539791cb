//! One request over a connection of its own.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use dbgctl_proto::v1;
use dbgctl_proto::v1::{HttpOutcome, HttpVersion};
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{Plan, redact};
use crate::probes::connect::{self, Reached, nanos};
use crate::probes::tls::session::{self, First, Shaken, Tap};
use crate::probes::tls::{Options, verdict};
use crate::sources::Sources;

/// The most that is read of the head of an answer.
const LONGEST_HEAD_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 100;

/// The exchange, and where it redirects to.
pub(super) async fn exchange(plan: &Plan, sources: &Arc<Sources>) -> (v1::HttpExchange, Option<String>) {
    let started = Instant::now();
    let mut told = v1::HttpExchange {
        url: plan.location.to_string(),
        method: plan.method.to_string(),
        ..v1::HttpExchange::default()
    };
    let location = go(plan, sources, &mut told).await.unwrap_or_else(|(outcome, error)| {
        (told.outcome, told.error) = (outcome.into(), error);
        None
    });
    told.total_nanos = nanos(started.elapsed());
    (told, location)
}

type Broken = (HttpOutcome, String);

async fn go(
    plan: &Plan,
    sources: &Arc<Sources>,
    told: &mut v1::HttpExchange,
) -> Result<Option<String>, Broken> {
    let location = &plan.location;
    let Reached { resolve_nanos, resolve_error, look_up, attempts, connection } =
        connect::reach(sources, &location.host, location.port, plan.timeout).await;
    (told.resolve_nanos, told.resolve_error, told.attempts) = (resolve_nanos, resolve_error, attempts);
    told.look_up = look_up;
    let Some(connection) = connection else { return Err((HttpOutcome::NotConnected, String::new())) };
    // Small requests wait for nothing.
    let _works_without = connection.set_nodelay(true);
    if !location.is_https {
        let is_http2 = plan.version == HttpVersion::Http2;
        return ask(connection, is_http2, plan, told).await;
    }
    let options = tls_options(plan).map_err(|error| (HttpOutcome::Failed, error))?;
    let Shaken { mut handshake, presented, stream } =
        session::shake(connection, &options, plan.timeout).await;
    verdict::judge(&mut handshake, presented, &options, sources, plan.lacks_ptrace).await;
    let is_trusted = plan.insecure || handshake.problems.is_empty();
    let is_http2 = plan.version == HttpVersion::Http2
        || (plan.version == HttpVersion::Unspecified && handshake.alpn == b"h2");
    told.handshake = Some(handshake);
    let Some(stream) = stream else { return Err((HttpOutcome::NoHandshake, String::new())) };
    if !is_trusted {
        return Err((HttpOutcome::NotTrusted, String::new()));
    }
    ask(stream, is_http2, plan, told).await
}

fn tls_options(plan: &Plan) -> Result<Options, String> {
    let alpn: &[&[u8]] = match plan.version {
        HttpVersion::Unspecified => &[b"h2", b"http/1.1"],
        HttpVersion::Http1 => &[b"http/1.1"],
        HttpVersion::Http2 => &[b"h2"],
    };
    let alpn = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let options = v1::TlsOptions { alpn, ..plan.tls.clone() };
    Options::new(options, &plan.location.host).map_err(|error| error.to_string())
}

/// Sends the request and reads the answer.
async fn ask(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    plan: &Plan,
    told: &mut v1::HttpExchange,
) -> Result<Option<String>, Broken> {
    let first = First::default();
    let started = Instant::now();
    let answered = timeout(plan.timeout, send(Tap::new(connection, first.clone()), is_http2, plan)).await;
    let first = first.take();
    let (response, _driver) = match answered {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            let (outcome, error) = explain(&error, &first, is_http2);
            if outcome == HttpOutcome::NotHttp {
                told.first_bytes = first;
            }
            return Err((outcome, error));
        }
        Err(_) if first.is_empty() || is_http2 => {
            let error = format!("the server took the request and said nothing for {:?}", plan.timeout);
            return Err((HttpOutcome::NoFirstByte, error));
        }
        Err(_) => {
            let error = format!("the head of the answer began and did not end within {:?}", plan.timeout);
            return Err((HttpOutcome::BadHead, error));
        }
    };
    told.first_byte_nanos = Some(nanos(started.elapsed()));
    let (head, body) = response.into_parts();
    told.status = head.status.as_u16().into();
    let version = if head.version == Version::HTTP_2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
    told.version = version.into();
    told.headers = headers(&head.headers);
    told.outcome = HttpOutcome::Answered.into();
    read(body, plan, told).await?;
    let location = head.headers.get(LOCATION).filter(|_| head.status.is_redirection());
    Ok(location.map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned()))
}

/// Drives a connection as long as its answer is read.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send(
    connection: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
    plan: &Plan,
) -> hyper::Result<(Response<Incoming>, Driver)> {
    let io = TokioIo::new(connection);
    let request = request(plan, is_http2);
    if is_http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(u32::try_from(LONGEST_HEAD_BYTES).unwrap_or(u32::MAX));
        let (mut sender, driven) = builder.handshake(io).await?;
        let driver = Driver(tokio::spawn(async {
            // Whoever waits for the answer learns of it.
            let _error = driven.await;
        }));
        return Ok((sender.send_request(request).await?, driver));
    }
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LONGEST_HEAD_BYTES).max_headers(MOST_HEADERS);
    let (mut sender, driven) = builder.handshake(io).await?;
    let driver = Driver(tokio::spawn(async {
        let _error = driven.await;
    }));
    Ok((sender.send_request(request).await?, driver))
}

fn request(plan: &Plan, is_http2: bool) -> Request<Full<Bytes>> {
    let location = &plan.location;
    let mut request = Request::new(Full::new(Bytes::from(plan.body.clone())));
    *request.method_mut() = plan.method.clone();
    *request.headers_mut() = plan.headers.clone();
    let headers = request.headers_mut();
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"));
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!("dbgctl/", env!("CARGO_PKG_VERSION"))));
    if !plan.body.is_empty() {
        headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(plan.body.len()));
    }
    if is_http2 {
        // What HTTP/1.1 says in this header stands in the address.
        headers.remove(HOST);
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = location.uri().unwrap_or_else(|| location.path.clone().into());
    } else {
        // A zone means nothing to the server.
        let host = location.authority();
        let zone = host.find('%').map_or(0..0, |at| at..host.rfind(']').unwrap_or(host.len()));
        let mut host = host;
        host.replace_range(zone, "");
        headers.entry(HOST).or_insert(text(&host));
        *request.uri_mut() = location.path.clone().into();
    }
    request
}

fn headers(headers: &HeaderMap) -> Vec<v1::HttpHeader> {
    let told = headers.iter().take(MOST_HEADERS).map(|(name, value)| v1::HttpHeader {
        name: name.to_string(),
        value: redact::shown(name.as_str(), value.as_bytes()),
    });
    told.collect()
}

/// Reads as much of the body as is wanted.
async fn read(mut body: Incoming, plan: &Plan, told: &mut v1::HttpExchange) -> Result<(), Broken> {
    let deadline = Instant::now() + plan.timeout;
    loop {
        let frame = tokio::time::timeout_at(deadline, body.frame()).await;
        let so_far = told.body_bytes;
        let frame = match frame {
            Err(_) => {
                let error =
                    format!("the body stopped after {so_far} bytes, and was given {:?}", plan.timeout);
                return Err((HttpOutcome::BodyBroken, error));
            }
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => {
                let error = format!("the body broke off after {so_far} bytes: {}", chain(&error));
                return Err((HttpOutcome::BodyBroken, error));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are of no interest.
        let Ok(data) = frame.into_data() else { continue };
        told.body_bytes += data.len() as u64;
        let room = plan.max_body_bytes.saturating_sub(told.body.len());
        told.body.extend(&data[..data.len().min(room)]);
        if data.len() > room {
            told.body_cut = true;
            return Ok(());
        }
    }
}

/// What went wrong before there was an answer, and in words.
fn explain(error: &hyper::Error, first: &[u8], is_http2: bool) -> Broken {
    let begins_well = first.is_empty() || is_http2 || b"HTTP/".iter().zip(first).all(|(a, b)| a == b);
    if error.is_parse_too_large() {
        let limit = LONGEST_HEAD_BYTES >> 10;
        let error = format!("the head of the answer has more than {limit} KiB or {MOST_HEADERS} headers");
        return (HttpOutcome::BadHead, error);
    }
    if !begins_well {
        return (HttpOutcome::NotHttp, "what the server sent is not HTTP".to_owned());
    }
    if error.is_parse() {
        return (HttpOutcome::BadHead, format!("the head of the answer makes no sense: {}", chain(error)));
    }
    let reset = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let is_cut = reset.is_some_and(|it| it.kind() == io::ErrorKind::ConnectionReset);
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || is_cut {
        let when = if first.is_empty() { "instead of answering" } else { "in the middle of the head" };
        let how = if is_cut { "cut" } else { "closed" };
        return (HttpOutcome::Closed, format!("the server {how} the connection {when}"));
    }
    (HttpOutcome::Failed, chain(error))
}

fn chain(error: &hyper::Error) -> String {
    crate::error::chain(error)
}
