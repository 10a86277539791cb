//! Where a path leads to, as written on the command line.

use std::fmt;
use std::str::FromStr;

use crate::commands::connect::peer::Peer;
use crate::commands::http;

/// A host and port, or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) peer: Peer,
    /// As it was written. `None`: only a host and port were.
    pub(super) url: Option<String>,
}

impl Destination {
    pub(super) fn is_https(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            return Ok(Self { peer: text.parse()?, url: None });
        }
        let url = http::url(text)?;
        let peer = http::peer(&url).ok_or_else(|| format!("`{text}` has no host, or no port that is one"))?;
        Ok(Self { peer, url: Some(url) })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => f.write_str(url),
            None => self.peer.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_a_port_lead_somewhere() {
        let parse = |text: &str| text.parse::<Destination>();
        let to = parse("https://db/x?y").unwrap();
        assert_eq!((to.peer.to_string().as_str(), to.is_https()), ("db:443", true));
        assert_eq!(to.to_string(), "https://db/x?y");
        let to = parse("[::1]:80").unwrap();
        assert_eq!((to.url.as_ref(), to.to_string().as_str()), (None, "[::1]:80"));
        assert!(parse("db").is_err() && parse("ftp://db/").is_err() && parse("http://:0/").is_err());
    }
}
