//! An exchange in sentences: at which layer it broke, and what that usually means.

use std::time::Duration;

use dbgctl_proto::v1::{HttpExchange, HttpOutcome, HttpVersion};

use super::row::ExchangeRow;
use crate::commands::connect::{self, peer::Peer};
use crate::commands::tls;
use crate::render::human::Took;
use crate::render::one_line;

/// An outcome in a word or two.
pub(super) fn outcome(outcome: HttpOutcome) -> &'static str {
    match outcome {
        HttpOutcome::Unspecified => "unknown",
        HttpOutcome::Answered => "answered",
        HttpOutcome::NotConnected => "not connected",
        HttpOutcome::NoHandshake => "no handshake",
        HttpOutcome::NotTrusted => "not trusted",
        HttpOutcome::NoFirstByte => "no first byte",
        HttpOutcome::BadHead => "bad head",
        HttpOutcome::BodyBroken => "body broken",
        HttpOutcome::Closed => "closed",
        HttpOutcome::NotHttp => "not http",
        HttpOutcome::Failed => "failed",
    }
}

/// A version as people write it.
pub(super) fn version(version: HttpVersion) -> &'static str {
    match version {
        HttpVersion::Unspecified => "unknown",
        HttpVersion::Http1 => "HTTP/1.1",
        HttpVersion::Http2 => "HTTP/2",
    }
}

/// Host and port of a URL that the agent has written. `None`: it has none that make sense.
pub(in crate::commands) fn peer(url: &str) -> Option<Peer> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let port = if scheme == "https" { 443 } else { 80 };
    authority.parse().or_else(|_| format!("{authority}:{port}").parse()).ok()
}

/// What broke, and what else is wrong.
pub(super) fn verdicts(ExchangeRow(exchange): &ExchangeRow) -> Vec<String> {
    let HttpExchange { error, handshake, .. } = exchange;
    let mut lines = match handshake {
        None => Vec::new(),
        Some(handshake) => tls::words::verdicts(handshake, &tls::certificates(handshake)),
    };
    let broke = match exchange.outcome() {
        HttpOutcome::Answered => of_status(exchange.status),
        HttpOutcome::NotConnected => {
            let attempts = &exchange.attempts;
            let peer = peer(&exchange.url);
            let resolved = (exchange.resolve_error.as_str(), exchange.look_up.as_deref());
            let why = peer.map(|peer| connect::not_reached(&peer, resolved, attempts));
            return why.unwrap_or_else(|| vec![exchange.resolve_error.clone()]);
        }
        // The handshake says why.
        HttpOutcome::NoHandshake => None,
        HttpOutcome::NotTrusted => Some("nothing was sent; --insecure sends it all the same".to_owned()),
        HttpOutcome::NoFirstByte => Some(format!("HTTP: {error}: the program behind it is slow, or stuck")),
        HttpOutcome::NotHttp => {
            let first = String::from_utf8_lossy(&exchange.first_bytes);
            let first = first.lines().next().unwrap_or_default();
            let hint = if matches!(exchange.first_bytes.first(), Some(0x15 | 0x16)) {
                "it is TLS: try https://".to_owned()
            } else {
                format!("it begins with `{}`", one_line(first))
            };
            Some(format!("HTTP: {error}: {hint}"))
        }
        _ => Some(format!("HTTP: {error}")),
    };
    lines.extend(broke);
    lines
}

fn of_status(status: u32) -> Option<String> {
    let whose = match status {
        502..=504 => {
            "the one who answers could not get an answer from whoever is behind it, or is overloaded"
        }
        500..600 => "the server failed",
        401 | 407 => "it wants to know who asks",
        403 => "it does not let this be asked",
        404 | 410 => "there is no such thing",
        429 => "it is asked too often",
        400..500 => "it does not accept the request",
        _ => return None,
    };
    Some(format!("HTTP: {status}: {whose}"))
}

/// What came of it, in one line.
pub(super) fn closing(ExchangeRow(exchange): &ExchangeRow) -> String {
    let took = Took(Duration::from_nanos(exchange.total_nanos));
    let url = &exchange.url;
    match exchange.outcome() {
        HttpOutcome::Answered if exchange.body_cut => {
            format!(
                "{url}: {} after {took}; the body goes on after what is shown, see --max-body",
                exchange.status
            )
        }
        HttpOutcome::Answered => format!("{url}: {} after {took}", exchange.status),
        other => format!("{url}: {} after {took}", outcome(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_of_a_url_is_found() {
        let peer = |url| peer(url).map(|peer| peer.to_string());
        assert_eq!(peer("http://db/x"), Some("db:80".into()));
        assert_eq!(peer("https://db"), Some("db:443".into()));
        assert_eq!(peer("http://[::1]:8080/"), Some("[::1]:8080".into()));
        assert_eq!(peer("https://[::1]/?x"), Some("[::1]:443".into()));
        assert_eq!(peer("nonsense"), None);
    }
}
