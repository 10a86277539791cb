//! What is forwarded where to, as written on the command line.

use std::fmt;
use std::str::FromStr;

use crate::commands::connect::peer::Peer;

/// A port of this machine, and whom in the target's network it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    /// 0: any that is free.
    pub(super) local: u16,
    /// An empty host is the target itself.
    pub(super) to: Peer,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (local, rest) = match text.split_once(':') {
            Some((local, rest)) if is_number(local) => (Some(local), rest),
            _ => (None, text),
        };
        let local = match local.map(str::parse) {
            None => None,
            Some(Ok(port)) => Some(port),
            Some(Err(_)) => {
                return Err(format!(
                    "`{}` is not a port; ports go from 1 to 65535",
                    local.unwrap_or_default()
                ));
            }
        };
        let to = if is_number(rest) { Peer::of_target(rest)? } else { rest.parse::<Peer>()? };
        Ok(Self { local: local.unwrap_or(to.port.get()), to })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.to.host.is_empty() { write!(f, "port {}", self.to.port) } else { self.to.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_the_same_number_here_unless_another_is_given() {
        let port = |text: &str| {
            let Port { local, to } = text.parse().unwrap();
            (local, to.host.clone(), to.port.get())
        };
        assert_eq!(port("8080"), (8080, String::new(), 8080));
        assert_eq!(port("9000:80"), (9000, String::new(), 80));
        assert_eq!(port("0:80"), (0, String::new(), 80));
        assert_eq!(port("db:5432"), (5432, "db".into(), 5432));
        assert_eq!(port("9000:db:5432"), (9000, "db".into(), 5432));
        assert_eq!(port("[::1]:80"), (80, "::1".into(), 80));
        assert_eq!(port("0:[fe80::1%eth0]:80"), (0, "fe80::1%eth0".into(), 80));
        assert_eq!(port("10.0.0.1:80"), (80, "10.0.0.1".into(), 80));
    }

    #[test]
    fn an_error_says_which_piece_is_wrong() {
        let error = |text: &str| text.parse::<Port>().unwrap_err();
        assert_eq!(error("0"), "`0` is not a port; ports go from 1 to 65535");
        assert_eq!(error("70000:80"), "`70000` is not a port; ports go from 1 to 65535");
        assert_eq!(error("80:70000"), "`70000` is not a port; ports go from 1 to 65535");
        assert_eq!(error("db"), "there is no port; write db:PORT, for example db:443");
        assert_eq!(error("80:"), "there is no port; write :PORT, for example :443");
    }
}
