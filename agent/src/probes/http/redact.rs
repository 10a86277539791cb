//! What of headers looks like a secret. It does not leave the agent.

use http::HeaderMap;

use crate::redaction::{MARK, Verdict, judge};

/// Headers that tell how to authenticate, and not with what.
const HARMLESS: [&str; 3] = ["www-authenticate", "proxy-authenticate", "sec-websocket-key"];

/// The value of a header as it may be shown.
pub(super) fn shown(name: &str, value: &[u8]) -> Vec<u8> {
    if HARMLESS.contains(&name) {
        return value.to_vec();
    }
    if name == "set-cookie" {
        return cookie(value);
    }
    match judge(name.as_bytes(), value) {
        Verdict::Harmless => value.to_vec(),
        Verdict::Password(shown) => shown,
        Verdict::Name | Verdict::Value | Verdict::Nameless => MARK.to_vec(),
    }
}

/// A cookie with its name and attributes, which are what goes wrong with them.
fn cookie(value: &[u8]) -> Vec<u8> {
    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    let (pair, attributes) = value.split_at(end);
    let name = pair.iter().position(|&byte| byte == b'=').map_or(&b""[..], |at| &pair[..=at]);
    [name, MARK, attributes].concat()
}

/// Leaves out what is for one server only.
pub(super) fn remove_secrets(headers: &mut HeaderMap) {
    let secret: Vec<_> = headers
        .iter()
        .filter(|(name, value)| shown(name.as_str(), value.as_bytes()) != value.as_bytes())
        .map(|(name, _)| name.clone())
        .collect();
    for name in secret {
        headers.remove(name);
    }
    headers.remove(http::header::COOKIE);
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn secrets_do_not_appear_and_what_one_looks_for_does() {
        let text = |name, value: &str| String::from_utf8(shown(name, value.as_bytes())).unwrap();
        assert_eq!(text("authorization", "Bearer abcdefgh12345"), "[redacted]");
        assert_eq!(text("cookie", "a=b"), "[redacted]");
        assert_eq!(text("x-api-key", "1234"), "[redacted]");
        assert_eq!(text("set-cookie", "sid=abc; Path=/; Secure"), "sid=[redacted]; Path=/; Secure");
        assert_eq!(text("set-cookie", "abc"), "[redacted]");
        assert_eq!(text("www-authenticate", "Basic realm=\"x\""), "Basic realm=\"x\"");
        assert_eq!(text("content-type", "text/html; charset=utf-8"), "text/html; charset=utf-8");
        assert_eq!(text("location", "/next?page=2"), "/next?page=2");
        assert_eq!(text("location", "/next?access_token=abcdef"), "[redacted]");
    }

    #[test]
    fn another_host_gets_no_secret() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Basic abc"), ("cookie", "a=b"), ("accept", "*/*")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        remove_secrets(&mut headers);
        assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["accept"]);
    }
}
