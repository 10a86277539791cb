//! Where a request goes: a URL taken apart, and where a redirect leads from there.

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery};

use dbgctl_proto::bounds::{LONGEST_HOST_BYTES, LONGEST_URL_BYTES};

/// A URL of http or https, without user and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) is_https: bool,
    /// A name or an address, IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins with `/`.
    pub(super) path: PathAndQuery,
}

impl Location {
    /// Takes a URL apart.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST_URL_BYTES {
            return Err("it is too long");
        }
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|_| "it is no URL")?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err("it is neither http nor https"),
            None => return Err("it does not begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.len() > LONGEST_HOST_BYTES {
            return Err("its host is empty, or longer than a name can be");
        }
        let port = match authority.port() {
            None if is_https => 443,
            None => 80,
            Some(port) => port.as_u16(),
        };
        if port == 0 {
            return Err("there is no port 0");
        }
        let path = uri.path_and_query().cloned();
        let path = path.filter(|path| path.as_str().starts_with('/'));
        // `?query` without a path.
        let path = path.map_or_else(
            || {
                PathAndQuery::try_from(format!(
                    "/{}",
                    uri.query().map(|it| format!("?{it}")).unwrap_or_default()
                ))
            },
            Ok,
        );
        Ok(Self { is_https, host: host.to_owned(), port, path: path.map_err(|_| "its path is none")? })
    }

    /// Where a `Location` header of an answer from here leads: RFC 3986 5.2.
    pub(super) fn join(&self, text: &str) -> Result<Self, &'static str> {
        let scheme = if self.is_https { "https" } else { "http" };
        if text.contains("://") && !text.starts_with(['/', '?', '#', '.']) {
            return Self::parse(text);
        }
        let path = self.path.path();
        let joined = if let Some(rest) = text.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        } else if text.starts_with('/') {
            text.to_owned()
        } else if text.starts_with('?') {
            format!("{path}{text}")
        } else if text.is_empty() || text.starts_with('#') {
            self.path.as_str().to_owned()
        } else {
            let directory = path.rfind('/').map_or("/", |end| &path[..=end]);
            format!("{directory}{text}")
        };
        Self::parse(&format!("{scheme}://{}{}", self.authority(), without_dots(&joined)))
    }

    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        (self.is_https, self.port) == (other.is_https, other.port)
            && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// Host and port as a `Host` header has them.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.is_https { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// The whole, as HTTP/2 wants it. `None`: the host can not be written so, as with a zone.
    pub(super) fn uri(&self) -> Option<Uri> {
        let authority = Authority::try_from(self.authority()).ok()?;
        let scheme = if self.is_https { "https" } else { "http" };
        Uri::builder().scheme(scheme).authority(authority).path_and_query(self.path.clone()).build().ok()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.is_https { "https" } else { "http" }, self.authority(), self.path)
    }
}

/// The path with `.` and `..` resolved: RFC 3986 5.2.4.
fn without_dots(text: &str) -> String {
    let (path, query) = text.find('?').map_or((text, ""), |at| text.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if parts.peek().is_none() {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Result<String, &'static str> {
        Location::parse(text).map(|location| location.to_string())
    }

    #[test]
    fn a_url_is_taken_apart_and_written_back() {
        assert_eq!(shown("http://db").unwrap(), "http://db/");
        assert_eq!(shown("https://db:443/a?b#c").unwrap(), "https://db/a?b");
        assert_eq!(shown("http://[::1]:8080/x").unwrap(), "http://[::1]:8080/x");
        assert_eq!(shown("http://me:secret@db/x").unwrap(), "http://db/x");
        assert_eq!(shown("http://db?x").unwrap(), "http://db/?x");
        for bad in ["", "db", "/x", "ftp://db/", "http://", "http://:80/", "http://db:0/", "http://a b/"] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redirect_leads_where_the_rfc_says() {
        let base = Location::parse("http://a/b/c/d?q").unwrap();
        let joined = |text: &str| base.join(text).map(|it| it.to_string()).unwrap();
        // RFC 3986 5.4.1, with the path of its base made shorter.
        assert_eq!(joined("g"), "http://a/b/c/g");
        assert_eq!(joined("./g"), "http://a/b/c/g");
        assert_eq!(joined("g/"), "http://a/b/c/g/");
        assert_eq!(joined("/g"), "http://a/g");
        assert_eq!(joined("//g"), "http://g/");
        assert_eq!(joined("?y"), "http://a/b/c/d?y");
        assert_eq!(joined("g?y"), "http://a/b/c/g?y");
        assert_eq!(joined(""), "http://a/b/c/d?q");
        assert_eq!(joined(".."), "http://a/b/");
        assert_eq!(joined("../../../g"), "http://a/g");
        assert_eq!(joined("https://other:8443/x"), "https://other:8443/x");
        assert_eq!(joined("?to=http://x/"), "http://a/b/c/d?to=http://x/");
        assert!(base.join("javascript:alert(1)").is_ok(), "a path, if an odd one");
        assert!(base.join("ftp://x/").is_err());
    }

    proptest! {
        #[test]
        fn whatever_a_server_sends_is_no_panic(text in ".{0,60}") {
            let base = Location::parse("http://a/b/c").unwrap();
            if let Ok(next) = base.join(&text) {
                prop_assert_eq!(Location::parse(&next.to_string()), Ok(next));
            }
        }
    }
}
