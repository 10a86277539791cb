//! The peer's host and port, as written on the command line.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use dbgctl_proto::bounds::LONGEST_HOST_BYTES;

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// A name or an address, without brackets.
    pub(in crate::commands) host: String,
    pub(in crate::commands) port: NonZeroU16,
}

impl Peer {
    /// That port of the target itself: a peer without a host.
    pub(in crate::commands) fn of_target(port: &str) -> Result<Self, String> {
        Ok(Self { host: String::new(), port: number(port)? })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_port(&self.host, self.port))
    }
}

/// A host and its port as one text, IPv6 in brackets.
pub(in crate::commands) fn with_port(host: &str, port: NonZeroU16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((scheme, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            return Err(format!(
                "expected HOST:PORT, found a URL; without `{scheme}://`, write for example {host}:443"
            ));
        }
        let (host, port) = split(text)?;
        if host.is_empty() {
            return Err(format!("there is no host before `:{port}`"));
        }
        if host.len() > LONGEST_HOST_BYTES {
            return Err(format!(
                "a name has at most {LONGEST_HOST_BYTES} bytes, this one has {}",
                host.len()
            ));
        }
        if let Some(odd) =
            host.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@'))
        {
            return Err(format!("`{}` cannot be part of a host", odd.escape_default()));
        }
        Ok(Self { host: host.to_owned(), port: number(port)? })
    }
}

fn number(port: &str) -> Result<NonZeroU16, String> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("`{port}` is not a port; ports go from 1 to 65535"))
}

/// Host and port as they stand, the host without its brackets.
fn split(text: &str) -> Result<(&str, &str), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| format!("`{text}` has a `[` without a `]`"))?;
        let address = host.split('%').next().unwrap_or_default();
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`{host}` is not an IPv6 address; brackets are for these only"));
        }
        let port = rest.strip_prefix(':').ok_or_else(|| format!("there is no port; write [{host}]:PORT"))?;
        return Ok((host, port));
    }
    match text.rsplit_once(':') {
        None => Err(format!("there is no port; write {text}:PORT, for example {text}:443")),
        Some((host, _)) if host.contains(':') => {
            Err(format!("an IPv6 address stands in brackets: [{host}]:PORT, or [{text}]:PORT"))
        }
        Some(parts) => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(host: &str, port: u16) -> Peer {
        Peer { host: host.to_owned(), port: NonZeroU16::new(port).unwrap() }
    }

    #[test]
    fn names_and_addresses_of_both_families_are_peers() {
        assert_eq!("db:5432".parse(), Ok(peer("db", 5432)));
        assert_eq!("10.0.0.7:1".parse(), Ok(peer("10.0.0.7", 1)));
        assert_eq!("[::1]:443".parse(), Ok(peer("::1", 443)));
        assert_eq!("[fe80::1%eth0]:65535".parse(), Ok(peer("fe80::1%eth0", 65535)));
    }

    #[test]
    fn an_error_says_which_piece_is_wrong() {
        let error = |text: &str| text.parse::<Peer>().unwrap_err();
        assert_eq!(error("db"), "there is no port; write db:PORT, for example db:443");
        assert_eq!(error("db:"), "`` is not a port; ports go from 1 to 65535");
        assert_eq!(error("db:0"), "`0` is not a port; ports go from 1 to 65535");
        assert_eq!(error("db:+80"), "`+80` is not a port; ports go from 1 to 65535");
        assert_eq!(error("db:65536"), "`65536` is not a port; ports go from 1 to 65535");
        assert_eq!(error(":80"), "there is no host before `:80`");
        assert_eq!(error("::1:443"), "an IPv6 address stands in brackets: [::1]:PORT, or [::1:443]:PORT");
        assert_eq!(error("[::1]"), "there is no port; write [::1]:PORT");
        assert_eq!(error("[::1"), "`[::1` has a `[` without a `]`");
        assert_eq!(error("[db]:80"), "`db` is not an IPv6 address; brackets are for these only");
        assert!(error("https://db/x").contains("write for example db:443"));
        assert_eq!(error("a b:80"), "` ` cannot be part of a host");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_back_alike(text in ".{0,20}:?[0-9]{0,6}") {
            if let Ok(peer) = text.parse::<Peer>() {
                prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            }
        }
    }
}
