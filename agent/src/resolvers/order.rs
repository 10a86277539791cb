//! The order in which a program gets the addresses of a name: RFC 6724, section 6, as each resolver has it.
//!
//! From which own address the kernel would reach each of them is asked of it by connecting a datagram socket, as the
//! resolvers do. Nothing is sent by that.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use dbgctl_linux::Root;
use dbgctl_linux::etc::resolv_conf::Resolver;
use dbgctl_linux::netlink::address::Address;
use dbgctl_linux::netlink::rtnetlink::{Rtnetlink, Table};

/// Any will do: nothing is sent to it.
const PORT: u16 = 9;

/// `IFA_F_DEPRECATED`
const DEPRECATED: u32 = 0x20;

const LINK_LOCAL: u8 = 2;
const SITE_LOCAL: u8 = 5;
const GLOBAL: u8 = 14;

/// Addresses of one kind: the beginning that they share and its length, how much they are preferred, and their label.
type Policy = (Ipv6Addr, u32, u8, u8);

/// `default_labels` and `default_precedence` of `sysdeps/posix/getaddrinfo.c`, the longest beginnings first. What the
/// target's gai.conf says instead is not heeded.
const GLIBC: &[Policy] = &[
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 10, 4),
    (Ipv6Addr::UNSPECIFIED, 96, 20, 3),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 40, 7),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 40, 5),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 40, 6),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

/// `defpolicy` of `src/network/lookup_name.c`.
const MUSL: &[Policy] = &[
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

/// `rfc6724policyTable` of `net/addrselect.go`.
const GO: &[Policy] = &[
    (Ipv6Addr::LOCALHOST, 128, 50, 0),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
    (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
    (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

/// Puts addresses into the order in which `resolver` hands them out.
pub(super) fn sort(addresses: &mut [IpAddr], resolver: Resolver, root: &Root) {
    let is_left = resolver == Resolver::Musl && addresses.iter().all(IpAddr::is_ipv4);
    if addresses.len() < 2 || is_left {
        return;
    }
    // Only the GNU C library heeds what is known of the target's own addresses.
    let own = if resolver == Resolver::Glibc { own_addresses(root) } else { Vec::new() };
    sort_by(addresses, resolver, &own, source);
}

fn sort_by(
    addresses: &mut [IpAddr],
    resolver: Resolver,
    own: &[Address],
    source: impl Fn(IpAddr) -> Option<IpAddr>,
) {
    addresses.sort_by_cached_key(|&to| Reverse(Merit::of(to, source(to), resolver, own)));
}

/// What speaks for an address, the weightiest first. Among equals the order stays as it was.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    is_usable: bool,
    has_same_scope: bool,
    has_lasting_source: bool,
    has_same_label: bool,
    precedence: u8,
    scope: Reverse<u8>,
    shared_bits: u32,
}

impl Merit {
    fn of(to: IpAddr, from: Option<IpAddr>, resolver: Resolver, own: &[Address]) -> Self {
        let scope = |address: IpAddr| scope(address, resolver);
        let (_, _, precedence, label) = policy(to, resolver);
        let Some(from) = from else {
            // To Go all that can not be reached is alike.
            let (precedence, scope) = if resolver == Resolver::Go { (0, 0) } else { (precedence, scope(to)) };
            return Self {
                is_usable: false,
                has_same_scope: false,
                has_lasting_source: false,
                has_same_label: false,
                precedence,
                scope: Reverse(scope),
                shared_bits: 0,
            };
        };
        let interface = own.iter().find(|address| address.ip == from);
        Self {
            is_usable: true,
            has_same_scope: scope(to) == scope(from),
            has_lasting_source: interface.is_none_or(|it| it.flags & DEPRECATED == 0),
            has_same_label: policy(from, resolver).3 == label,
            precedence,
            scope: Reverse(scope(to)),
            shared_bits: shared_bits(to, from, resolver, interface),
        }
    }
}

/// Bits at the beginning that both have, as far as they count.
fn shared_bits(to: IpAddr, from: IpAddr, resolver: Resolver, interface: Option<&Address>) -> u32 {
    let bits = (mapped(to).to_bits() ^ mapped(from).to_bits()).leading_zeros();
    match (resolver, to) {
        (Resolver::Musl, _) => bits,
        (Resolver::Go, IpAddr::V6(_)) => bits.min(64),
        (Resolver::Go, IpAddr::V4(_)) => 0,
        (Resolver::Glibc, IpAddr::V6(_)) => bits,
        // Only within the network that the target is in.
        (Resolver::Glibc, IpAddr::V4(_)) => {
            let bits = bits.saturating_sub(96);
            let network_bits = interface.map_or(0, |it| u32::from(it.prefix_bits));
            if bits >= network_bits { bits } else { 0 }
        }
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn policy(address: IpAddr, resolver: Resolver) -> Policy {
    let table = match resolver {
        Resolver::Glibc => GLIBC,
        Resolver::Musl => MUSL,
        Resolver::Go => GO,
    };
    let address = mapped(address).to_bits();
    let is_in = |(beginning, bits, ..): &&Policy| (address ^ beginning.to_bits()).leading_zeros() >= *bits;
    table.iter().copied().find(|policy| is_in(&policy)).unwrap_or((Ipv6Addr::UNSPECIFIED, 0, 40, 1))
}

fn scope(address: IpAddr, resolver: Resolver) -> u8 {
    match address {
        // To musl they are all the same.
        IpAddr::V4(_) if resolver == Resolver::Musl => GLOBAL,
        IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => LINK_LOCAL,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(address) if address.is_multicast() => address.octets()[1] & 0xf,
        IpAddr::V6(address) if address.is_loopback() || address.is_unicast_link_local() => LINK_LOCAL,
        IpAddr::V6(address) if address.segments()[0] & 0xffc0 == 0xfec0 => SITE_LOCAL,
        IpAddr::V6(_) => GLOBAL,
    }
}

/// The address that the kernel would come from. `None`: it knows no way.
fn source(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(to, PORT)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What is known of the target's addresses: nothing, where the kernel does not tell.
fn own_addresses(root: &Root) -> Vec<Address> {
    let mut own = Vec::new();
    if let Ok(mut rtnetlink) = Rtnetlink::open(root) {
        let _not_told = rtnetlink.dump(Table::Addresses, |payload| {
            own.extend(Address::parse(payload));
            true
        });
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Resolver; 3] = [Resolver::Glibc, Resolver::Musl, Resolver::Go];

    fn own(ip: &str, prefix_bits: u8, flags: u32) -> Address {
        let ip = ip.parse().unwrap();
        let (peer, preferred_seconds, valid_seconds) = (None, None, None);
        Address { interface: 2, ip, prefix_bits, peer, scope: 0, flags, preferred_seconds, valid_seconds }
    }

    fn sorted(resolver: Resolver, addresses: &[(&str, Option<&str>)], own: &[Address]) -> Vec<String> {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let source = |to| {
            let from = addresses.iter().find(|(address, _)| parse(address) == to).unwrap().1;
            from.map(parse)
        };
        let mut sorted: Vec<_> = addresses.iter().map(|(address, _)| parse(address)).collect();
        sort_by(&mut sorted, resolver, own, source);
        sorted.iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn what_can_be_reached_comes_first_and_then_ipv6() {
        for resolver in ALL {
            let found = sorted(resolver, &[("2001:db8::1", None), ("10.0.0.1", Some("10.0.0.2"))], &[]);
            assert_eq!(found[0], "10.0.0.1", "{resolver:?}");
            let both = [("10.0.0.1", Some("10.0.0.2")), ("2001:db8::1", Some("2001:db8::2"))];
            assert_eq!(sorted(resolver, &both, &[])[0], "2001:db8::1", "{resolver:?}");
        }
    }

    #[test]
    fn a_unique_local_address_is_preferred_by_the_gnu_c_library_only() {
        let both = [("10.0.0.1", Some("10.0.0.2")), ("fd00::1", Some("fd00::2"))];
        let first = ALL.map(|resolver| sorted(resolver, &both, &[])[0].clone());
        assert_eq!(first, ["fd00::1", "10.0.0.1", "10.0.0.1"]);
    }

    #[test]
    fn neighbours_of_ipv4_come_first_where_the_network_is_known() {
        let both = [("192.0.2.9", Some("192.0.2.200")), ("192.0.2.201", Some("192.0.2.200"))];
        let known = [own("192.0.2.200", 24, 0)];
        assert_eq!(sorted(Resolver::Glibc, &both, &known)[0], "192.0.2.201");
        assert_eq!(sorted(Resolver::Go, &both, &known)[0], "192.0.2.9");
        let narrow = [own("192.0.2.200", 32, 0)];
        assert_eq!(sorted(Resolver::Glibc, &both, &narrow)[0], "192.0.2.9");
    }

    #[test]
    fn a_source_that_is_about_to_go_is_avoided() {
        let both = [("2001:db8:1::1", Some("2001:db8:1::2")), ("2001:db8:2::1", Some("2001:db8:2::2"))];
        let going = [own("2001:db8:1::2", 64, DEPRECATED), own("2001:db8:2::2", 64, 0)];
        assert_eq!(sorted(Resolver::Glibc, &both, &going)[0], "2001:db8:2::1");
    }
}
