//! Which sockets are meant.

use std::net::IpAddr;
use std::str::FromStr;

use dbgctl_proto::v1::SocketAddress;

use super::row::SocketRow;

/// An address, or a network such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    ip: IpAddr,
    prefix_bits: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "expected an address such as 10.0.0.5 or ::1, or a network such as 10.0.0.0/8".to_owned();
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip: IpAddr = ip.trim_matches(['[', ']']).parse().map_err(|_| expected())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(most), str::parse).map_err(|_| expected())?;
        if prefix_bits > most {
            return Err(expected());
        }
        Ok(Self { ip, prefix_bits })
    }
}

impl Network {
    /// Whether one of the two ends of a socket is in it.
    pub(super) fn holds_either_end(&self, row: &SocketRow) -> bool {
        [&row.socket.local, &row.socket.peer].into_iter().flatten().any(|end| self.holds(end))
    }

    fn holds(&self, end: &SocketAddress) -> bool {
        let Some(ip) = end.ip() else { return false };
        // An IPv4 address that is written as one of IPv6 is meant as well.
        let ip = if self.ip.is_ipv4() { ip.to_canonical() } else { ip };
        match (self.ip, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                shifted(u32::from(net).into(), 32 - self.prefix_bits)
                    == shifted(u32::from(ip).into(), 32 - self.prefix_bits)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                shifted(net.into(), 128 - self.prefix_bits) == shifted(ip.into(), 128 - self.prefix_bits)
            }
            _ => false,
        }
    }
}

fn shifted(bits: u128, by: u32) -> u128 {
    bits.checked_shr(by).unwrap_or(0)
}

/// A process, by its number or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    Pid(u32),
    Name(String),
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected the number or the name of a process".to_owned());
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Pid))
    }
}

impl Holder {
    /// Whether the process holds that socket.
    pub(super) fn holds(&self, row: &SocketRow) -> bool {
        row.owners.iter().any(|owner| match self {
            Self::Pid(pid) => owner.pid == *pid,
            Self::Name(name) => *owner.command == *name.as_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn holds(network: &str, ip: &str) -> bool {
        let end = SocketAddr::new(ip.parse().unwrap(), 1).into();
        network.parse::<Network>().unwrap().holds(&end)
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.5", "10.0.0.5") && !holds("10.0.0.5", "10.0.0.4"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && holds("::/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1") && !holds("10.0.0.0/8", "::1"));
        for wrong in ["", "10.0.0", "10.0.0.1/33", "::1/129", "10.0.0.1/x"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
