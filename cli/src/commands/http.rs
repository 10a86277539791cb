//! `http`: what does an HTTP server answer, and where does the time go?

mod row;
mod words;

pub(super) use self::words::peer;

use std::str::FromStr;
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::{LONGEST_HTTP_BODY_BYTES, LONGEST_URL_BYTES, MOST_REDIRECTS};
use dbgctl_proto::v1::http_service_client::HttpServiceClient;
use dbgctl_proto::v1::{self, HttpOutcome, HttpResponse};

use self::row::ExchangeRow;
use super::agent::Agent;
use super::connect;
use super::tls;
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl http web http://api:8080/health     status, headers and body, and the time for each phase
  dbgctl http web https://api/ --location    redirects are followed
  dbgctl http web https://10.0.0.7/ --sni api.example.org --header 'Host: api.example.org'
  dbgctl http web http://api/ -X POST --body '{}' --header 'Content-Type: application/json'
  dbgctl http web https://api/ --http1       without HTTP/2
  dbgctl http web https://api/ --insecure    although its certificate would be rejected

One request, and one for each redirect with --location, each over a connection of its own; they are sent from the \
container's address. A server whose certificate the container would reject is sent nothing, unless --insecure. What in \
headers looks like a secret is not shown, and not sent on to another host.

Exit status: 0 there is an answer below 400, 1 there is another or none.";

/// Send an HTTP request from the target's network
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to ask for, with http:// or https://
    #[arg(value_name = "URL", value_parser = url)]
    url: String,

    /// Method of the request [default: GET, or POST with --body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,

    /// Send this header as well; may be repeated
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<Header>,

    /// Send this as the body
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,

    /// Read so many bytes of the answer's body; at most 1048576
    #[arg(long, value_name = "BYTES", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    max_body: u32,

    /// Speak HTTP/1.1, and nothing else
    #[arg(long, conflicts_with = "http2")]
    http1: bool,

    /// Speak HTTP/2, also without TLS
    #[arg(long)]
    http2: bool,

    /// Follow redirects, at most 10
    #[arg(short = 'L', long)]
    location: bool,

    /// Go on although the certificate would be rejected
    #[arg(short = 'k', long)]
    insecure: bool,

    #[command(flatten)]
    tls: tls::Options,

    /// Time for each phase: look-up, each address, handshake, first byte, body; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = connect::timeout)]
    timeout: Duration,
}

/// A header as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once(':').ok_or("expected NAME: VALUE, for example `Accept: text/html`")?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("`{name}` is not the name of a header"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("the value of {name} has a control character in it"));
        }
        Ok(Self { name: name.to_owned(), value: value.trim().to_owned() })
    }
}

pub(super) fn url(text: &str) -> Result<String, String> {
    if text.len() > LONGEST_URL_BYTES {
        return Err(format!("a URL may have {LONGEST_URL_BYTES} bytes"));
    }
    match text.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(text.to_owned()),
        Some((other, _)) => Err(format!("expected http:// or https://, found {other}://")),
        None => Err(format!("expected a URL, for example http://{text}/")),
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        match self.is_plain() {
            true => "/dbgctl.v1.HttpService/ExchangePlain",
            false => "/dbgctl.v1.HttpService/Exchange",
        }
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut client = HttpServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = self.request()?;
        let answer = agent.within_limit(async {
            let answered = if self.is_plain() {
                client.exchange_plain(request).await
            } else {
                client.exchange(request).await
            };
            Ok(answered?.into_inner())
        });
        let response = answer.await?;
        unless_pipe_closed(show(response, output, talk))
    }
}

impl Args {
    /// Whether no certificate is going to be judged: then the container's trust store is not needed.
    fn is_plain(&self) -> bool {
        self.url.starts_with("http://") && !self.location
    }

    fn request(&self) -> Result<v1::HttpRequest, Failure> {
        let body = self.body.clone().unwrap_or_default().into_bytes();
        if body.len() > LONGEST_HTTP_BODY_BYTES {
            return Err(Failure::Request {
                because: "the body is too long".to_owned(),
                suggestion: format!("at most {LONGEST_HTTP_BODY_BYTES} bytes"),
            });
        }
        let version = match (self.http1, self.http2) {
            (true, _) => v1::HttpVersion::Http1,
            (_, true) => v1::HttpVersion::Http2,
            _ => v1::HttpVersion::Unspecified,
        };
        let headers = self.header.iter().map(|Header { name, value }| v1::HttpHeader {
            name: name.clone(),
            value: value.clone().into_bytes(),
        });
        Ok(v1::HttpRequest {
            url: self.url.clone(),
            method: self.method.clone().unwrap_or_default(),
            headers: headers.collect(),
            body,
            max_body_bytes: self.max_body,
            version: version.into(),
            follow: self.location,
            timeout: prost_types::Duration::try_from(self.timeout).ok(),
            tls: Some(self.tls.request(&[])),
            insecure: self.insecure,
        })
    }
}

/// What came of an exchange in a few words, and what is wrong in sentences.
pub(super) fn in_words(exchange: v1::HttpExchange) -> (String, Vec<String>) {
    let row = ExchangeRow(exchange);
    (words::closing(&row), words::verdicts(&row))
}

fn show(mut response: HttpResponse, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    // No agent of ours sends more.
    response.exchanges.truncate(MOST_REDIRECTS + 1);
    let rows: Vec<_> = response.exchanges.into_iter().map(ExchangeRow).collect();
    let verdicts = rows.last().map(words::verdicts).unwrap_or_default();
    let verdicts: Vec<_> =
        verdicts.into_iter().chain(Some(response.not_followed).filter(|why| !why.is_empty())).collect();
    output.rows(&rows)?;
    if output.is_table() {
        let last = rows.last().map(|ExchangeRow(last)| last);
        if let Some(last) = last.filter(|last| last.status > 0) {
            let headers = last.headers.iter().take(row::MOST_HEADERS);
            let headers = headers.map(|it| format!("{}: {}", it.name, String::from_utf8_lossy(&it.value)));
            output.sentences([String::new()].into_iter().chain(headers).chain([String::new()]))?;
            output.content(&last.body)?;
            if !last.body.ends_with(b"\n") && !last.body.is_empty() {
                output.sentence("")?;
            }
        }
        output.beside(talk, rows.last().map(words::closing))?;
        output.beside(talk, &verdicts)?;
    } else {
        output.object(|object| {
            object.object("summary", |object| {
                object.raws("verdicts", verdicts.iter().map(String::as_bytes));
            });
        })?;
    }
    output.flush()?;
    let is_good = rows.last().is_some_and(|ExchangeRow(last)| {
        last.outcome() == HttpOutcome::Answered && (100..400).contains(&last.status)
    });
    Ok(if is_good { Exit::Answered } else { Exit::No })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_urls_are_checked_before_anything_is_started() {
        let header = |text: &str| text.parse::<Header>();
        assert_eq!(header("Accept: a:b "), Ok(Header { name: "Accept".into(), value: "a:b".into() }));
        for bad in ["Accept", ": x", "A b: x", "A: x\r\nB: y"] {
            assert!(header(bad).is_err(), "{bad}");
        }
        assert!(url("http://db/").is_ok() && url("db/").unwrap_err().contains("http://db/"));
        assert!(url("ftp://db/").is_err() && url("http://").is_err());
    }
}
