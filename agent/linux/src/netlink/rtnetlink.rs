//! `NETLINK_ROUTE`: interfaces, addresses, routes, rules and neighbours of the agent's network namespace, which is the
//! target's.
//!
//! Format: rtnetlink(7). Nothing is sent to anyone but the kernel, and nothing is changed by a question.

use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use nix::libc;
use nix::sys::socket::SockProtocol;

use super::socket::{Conversation, Dumped};
use super::{aligned, dump_request, socket};
use crate::{Buffer, ReadError, Root};

/// Of recorded answers.
const SEQUENCE: u32 = 1;
/// A recorded answer is no longer.
const RECORDED_BYTES: usize = 16 << 20;
/// Message type `RTM_GETROUTE`
const GET_ROUTE: u16 = 26;

/// A table of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Table {
    Links,
    Addresses,
    Routes,
    Routes6,
    Rules,
    Rules6,
    Neighbours,
}

impl Table {
    /// All of them, in the order in which each is understood with what came before.
    pub const ALL: [Self; 7] = [
        Self::Links,
        Self::Addresses,
        Self::Routes,
        Self::Routes6,
        Self::Rules,
        Self::Rules6,
        Self::Neighbours,
    ];

    /// What is missing if it can not be read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Links => "interfaces",
            Self::Addresses => "addresses",
            Self::Routes => "routes of IPv4",
            Self::Routes6 => "routes of IPv6",
            Self::Rules => "rules of IPv4",
            Self::Rules6 => "rules of IPv6",
            Self::Neighbours => "neighbours",
        }
    }

    /// Where a scene has it.
    fn recorded(self) -> &'static CStr {
        match self {
            Self::Links => c"netlink/links",
            Self::Addresses => c"netlink/addresses",
            Self::Routes => c"netlink/routes",
            Self::Routes6 => c"netlink/routes6",
            Self::Rules => c"netlink/rules",
            Self::Rules6 => c"netlink/rules6",
            Self::Neighbours => c"netlink/neighbours",
        }
    }

    /// The same as text.
    pub fn recorded_file(self) -> &'static str {
        self.recorded().to_str().unwrap_or_default()
    }

    /// Message type, address family, and length of the structure that begins with it.
    fn request(self) -> (u16, Vec<u8>) {
        let (kind, family, bytes) = match self {
            Self::Links => (18, libc::AF_UNSPEC, 16),
            Self::Addresses => (22, libc::AF_UNSPEC, 8),
            Self::Routes => (GET_ROUTE, libc::AF_INET, 12),
            Self::Routes6 => (GET_ROUTE, libc::AF_INET6, 12),
            Self::Rules => (34, libc::AF_INET, 12),
            Self::Rules6 => (34, libc::AF_INET6, 12),
            Self::Neighbours => (30, libc::AF_UNSPEC, 12),
        };
        let mut payload = vec![0; bytes];
        payload[0] = u8::try_from(family).unwrap_or(0);
        (kind, payload)
    }
}

/// Where tables are asked for: the kernel, or a scene.
#[derive(Debug)]
pub struct Rtnetlink<'r> {
    root: &'r Root,
    /// `None`: a scene.
    kernel: Option<Conversation>,
    buffer: Vec<u8>,
}

impl<'r> Rtnetlink<'r> {
    /// Begins to ask.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] if the kernel does not have it or refuses it.
    pub fn open(root: &'r Root) -> Result<Self, ReadError> {
        let kernel = match root.is_recorded() {
            true => None,
            false => Some(
                Conversation::open(SockProtocol::NetlinkRoute)
                    .map_err(|source| cannot("open a socket for", source))?,
            ),
        };
        Ok(Self { root, kernel, buffer: Vec::new() })
    }

    /// Hands what is told of each entry of a table to `take`, until that returns false; then nothing more can be asked.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], for example `EOPNOTSUPP` if this kernel has no such table.
    pub fn dump(&mut self, table: Table, mut take: impl FnMut(&[u8]) -> bool) -> Result<Dumped, ReadError> {
        if let Some(kernel) = &mut self.kernel {
            let (kind, payload) = table.request();
            let dumped = kernel.dump(kind, &payload, &mut self.buffer, take);
            return dumped.map_err(|source| cannot("ask", source));
        }
        let mut buffer = Buffer::default();
        let content = self.root.read_top(table.recorded(), RECORDED_BYTES, &mut buffer)?;
        let mut dumped = Dumped::default();
        socket::answer(content.bytes, SEQUENCE, &mut dumped, &mut take)
            .map_err(|source| cannot("read", source))?;
        Ok(dumped)
    }

    /// The answer of the kernel as a scene has it.
    ///
    /// # Errors
    ///
    /// As [`Rtnetlink::dump`].
    pub fn record(&mut self, table: Table) -> Result<Vec<u8>, ReadError> {
        let mut answer = Vec::new();
        let (kind, _) = table.request();
        self.dump(table, |payload| {
            answer.extend(dump_request(kind, SEQUENCE, payload));
            answer.resize(aligned(answer.len()), 0);
            true
        })?;
        Ok(answer)
    }

    /// Which way a packet would go: what [`super::route::Route::parse`] understands.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: for IPv4 `ENETUNREACH` without a route, `EHOSTUNREACH`, `EACCES` and `EINVAL` for routes that are
    /// unreachable, prohibited and black holes. `ENOENT` in a scene.
    pub fn route_to(&mut self, asked: Asked) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(kernel) = &mut self.kernel else {
            return Err(cannot("ask", io::Error::from_raw_os_error(libc::ENOENT)));
        };
        let mut told = None;
        kernel
            .ask(GET_ROUTE, &asked.payload(), &mut self.buffer, |payload| {
                told = Some(payload.to_vec());
                false
            })
            .map_err(|source| cannot("ask", source))?;
        Ok(told)
    }
}

/// A packet of which the way is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Where it is to go.
    pub destination: IpAddr,
    /// Where it comes from: an address of the namespace, of the same family.
    pub source: Option<IpAddr>,
    /// Number of the interface that its socket is bound to.
    pub interface: Option<u32>,
    /// The mark that its socket has.
    pub mark: Option<u32>,
}

impl Asked {
    fn payload(self) -> Vec<u8> {
        let octets = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (family, bits) =
            if self.destination.is_ipv4() { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
        let source_bits = if self.source.is_some() { bits } else { 0 };
        let mut payload = vec![0; 12];
        payload[0] = u8::try_from(family).unwrap_or(0);
        (payload[1], payload[2]) = (bits, source_bits);
        let mut attribute = |kind: u16, value: &[u8]| {
            payload.extend(u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend(value);
            payload.resize(aligned(payload.len()), 0);
        };
        attribute(1, &octets(self.destination));
        if let Some(source) = self.source {
            attribute(2, &octets(source));
        }
        if let Some(interface) = self.interface {
            attribute(4, &interface.to_ne_bytes());
        }
        if let Some(mark) = self.mark {
            attribute(16, &mark.to_ne_bytes());
        }
        payload
    }
}

fn cannot(op: &'static str, source: io::Error) -> ReadError {
    ReadError::Io { op, path: PathBuf::from("rtnetlink"), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::address::Address;
    use crate::netlink::link::Link;
    use crate::netlink::route::Route;

    #[test]
    fn the_loopback_interface_is_told_with_its_address_and_the_way_to_itself() {
        let root = Root::live().unwrap();
        let mut kernel = Rtnetlink::open(&root).unwrap();
        let (mut loopback, mut addresses) = (None, Vec::new());
        kernel
            .dump(Table::Links, |told| {
                loopback = loopback.take().or_else(|| Link::parse(told).filter(|link| link.name == b"lo"));
                true
            })
            .unwrap();
        kernel
            .dump(Table::Addresses, |told| {
                addresses.extend(Address::parse(told));
                true
            })
            .unwrap();
        let loopback = loopback.unwrap();
        assert_eq!((loopback.index, loopback.hardware_type, &*loopback.queueing), (1, 772, &b"noqueue"[..]));
        assert!(loopback.statistics.is_some() && loopback.mtu_bytes > Some(0));
        let own: IpAddr = "127.0.0.1".parse().unwrap();
        let found = addresses.iter().find(|address| address.ip == own).unwrap();
        assert_eq!((found.interface, found.prefix_bits, found.scope), (1, 8, 254));

        let asked = Asked { destination: own, source: None, interface: None, mark: None };
        // Twice, since an answer that is not read to its end would be taken for the next.
        for _ in 0..2 {
            let route = Route::parse(&kernel.route_to(asked).unwrap().unwrap()).unwrap();
            assert_eq!((route.kind, route.next_hops[0].interface), (2, 1));
        }
    }

    #[test]
    fn a_multipath_route_has_all_its_next_hops() {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
        };
        let hop = |weight: u8, interface: u32, gateway: [u8; 4]| {
            let gateway = attribute(5, &gateway);
            let length = u16::try_from(8 + gateway.len()).unwrap();
            [&length.to_ne_bytes()[..], &[0, weight - 1], &interface.to_ne_bytes(), &gateway].concat()
        };
        let mut payload = vec![2, 8, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        payload.extend(attribute(1, &[10, 0, 0, 0]));
        payload.extend(attribute(8, &attribute(2, &1300_u32.to_ne_bytes())));
        payload.extend(attribute(9, &[hop(3, 2, [10, 1, 0, 1]), hop(1, 3, [10, 2, 0, 1])].concat()));
        let route = Route::parse(&payload).unwrap();
        assert_eq!((route.prefix_bits, route.mtu_bytes, route.table), (8, Some(1300), 254));
        let hops: Vec<_> =
            route.next_hops.iter().map(|hop| (hop.interface, hop.weight, hop.gateway.unwrap())).collect();
        assert_eq!(hops, [(2, 3, IpAddr::from([10, 1, 0, 1])), (3, 1, IpAddr::from([10, 2, 0, 1]))]);
    }
}
