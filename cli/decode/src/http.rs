//! HTTP: the first line of a request or response, and the preface of HTTP/2.

use std::fmt::{self, Display};

use crate::decode::{Next, Step};
use crate::escape::Quoted;
use crate::packet::Layer;
use crate::span::Span;

/// Bytes in which the first line must end. Longer ones are shown as far as that.
const LONGEST_LINE: usize = 256;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a message of HTTP begins: RFC 9112 and RFC 9113.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http<'a> {
    /// The first line of a request, as far as it is in this packet.
    Request(&'a [u8]),
    /// The first line of a response, as far as it is in this packet.
    Response(&'a [u8]),
    /// What an HTTP/2 client says first.
    Preface,
}

/// Reads the first line if it looks like one of HTTP.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    let bytes = span.bytes();
    if bytes.starts_with(PREFACE) {
        return Some(Step::to(Layer::Http(Http::Preface), Next::Nothing, span.after(PREFACE.len())));
    }
    let within = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let line = within.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let layer = if line.starts_with(b"HTTP/1.") {
        Http::Response(line)
    } else if is_request(line) {
        Http::Request(line)
    } else {
        return None;
    };
    Some(Step::to(Layer::Http(layer), Next::Nothing, span))
}

/// A method that is in use, and a target. The version may be in the next packet.
fn is_request(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] = [
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"CONNECT",
        b"OPTIONS",
        b"TRACE",
        b"PATCH",
        b"PROPFIND",
    ];
    let mut words = line.split(|&byte| byte == b' ');
    let is_method = words.next().is_some_and(|word| METHODS.contains(&word));
    let has_target =
        words.next().is_some_and(|word| !word.is_empty() && word.iter().all(u8::is_ascii_graphic));
    is_method
        && has_target
        && words.next().is_none_or(|word| b"HTTP/1.1".starts_with(word) || word == b"HTTP/1.0")
}

impl Display for Http<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(line) | Self::Response(line) => write!(f, "HTTP {}", Quoted(line)),
            Self::Preface => f.write_str("HTTP/2 preface"),
        }
    }
}
