//! What names mean: hosts as the caller resolves them, services and protocols from tables.

use std::net::IpAddr;

/// Looks up names. Hosts are the caller's to resolve, where the packets are; the rest has an answer of its own.
pub trait Names {
    /// The addresses of a host, in the order in which they are to be compared, or why there are none.
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String>;

    /// The ports of a service, as in services(5). `None` if it is unknown.
    fn service(&self, name: &str) -> Option<Service> {
        service(name)
    }

    /// The number of a protocol above IP, as in protocols(5). `None` if it is unknown.
    fn protocol(&self, name: &str) -> Option<u8> {
        protocol(name)
    }
}

/// The port of a service over TCP and over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// `None` if it is not spoken over TCP.
    pub tcp: Option<u16>,
    /// `None` if it is not spoken over UDP.
    pub udp: Option<u16>,
}

/// Names that need no look-up: there are no others.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHosts;

impl Names for NoHosts {
    fn host(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Err("names of hosts are not looked up here".to_owned())
    }
}

/// One line for each service, by name: the port over TCP, the port over UDP, `-` for none. As IANA assigns them.
const SERVICES: &str = include_str!("services.txt");

/// One line for each protocol, by name: its number. As IANA assigns them.
const PROTOCOLS: &str = include_str!("protocols.txt");

fn service(name: &str) -> Option<Service> {
    let (tcp, udp) = entry(SERVICES, name)?.split_once(' ')?;
    Some(Service { tcp: tcp.parse().ok(), udp: udp.parse().ok() })
}

fn protocol(name: &str) -> Option<u8> {
    entry(PROTOCOLS, name)?.parse().ok()
}

fn entry(table: &'static str, name: &str) -> Option<&'static str> {
    table
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// The names of services.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    SERVICES.lines().filter_map(|line| line.split(' ').next())
}

/// The names of protocols above IP.
pub(crate) fn protocols() -> impl Iterator<Item = &'static str> {
    PROTOCOLS.lines().filter_map(|line| line.split(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_a_port_for_each_of_the_two_protocols_or_none() {
        assert_eq!(service("http"), Some(Service { tcp: Some(80), udp: None }));
        assert_eq!(service("domain"), Some(Service { tcp: Some(53), udp: Some(53) }));
        assert_eq!(service("tftp"), Some(Service { tcp: None, udp: Some(69) }));
        assert_eq!(service("htpp"), None);
        assert_eq!(protocol("ospf"), Some(89));
    }

    #[test]
    fn each_line_of_the_tables_can_be_looked_up() {
        assert!(services().all(|name| service(name).is_some_and(|ports| ports.tcp.or(ports.udp).is_some())));
        assert!(protocols().all(|name| protocol(name).is_some()));
    }
}
