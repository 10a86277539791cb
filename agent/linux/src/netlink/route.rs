//! Routes as rtnetlink tells them: `struct rtmsg` and `RTA_…` of rtnetlink(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{aligned, attributes, i32_at, ip, u16_at, u32_at};

/// `struct rtmsg`
const FIXED_BYTES: usize = 12;
/// `struct rtnexthop`
const NEXT_HOP_BYTES: usize = 8;
/// Flag `RTM_F_CLONED`: not configured, but learnt, for example from a router that wants smaller packets.
const CLONED: u32 = 0x200;
/// More of them are not told one by one.
const MOST_NEXT_HOPS: usize = 64;

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads: the network. All zeros with `prefix_bits` 0: anywhere.
    pub destination: IpAddr,
    /// Bits of the destination that count.
    pub prefix_bits: u8,
    /// Only for packets from this network.
    pub from: Option<(IpAddr, u8)>,
    /// `RTN_…`: 1 unicast, 2 local, 3 broadcast, 6 blackhole, 7 unreachable, 8 prohibit, 9 throw.
    pub kind: u8,
    /// 254 main, 255 local, 253 default.
    pub table: u32,
    /// `RTPROT_…`, who made it: 2 the kernel, 3 at boot, 4 by hand, 16 DHCP, 9 by router advertisement.
    pub protocol: u8,
    /// `RT_SCOPE_…`
    pub scope: u8,
    /// `RTNH_F_…` and `RTM_F_…`
    pub flags: u32,
    /// The smaller, the sooner it is taken.
    pub metric: Option<u32>,
    /// The address that packets are sent from.
    pub source: Option<IpAddr>,
    /// The largest packet that may go this way.
    pub mtu_bytes: Option<u32>,
    /// Where it goes next; several share the packets. None of a route that leads nowhere.
    pub next_hops: Vec<NextHop>,
    /// The kernel's error number for packets that go this way. 0: none.
    pub errno: u32,
}

/// Where a packet goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// Number of the interface.
    pub interface: u32,
    /// The router. `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// How large a part of the packets goes here, from 1.
    pub weight: u16,
    /// `RTNH_F_…`: 1 dead, 16 the link is down.
    pub flags: u8,
}

impl Route {
    /// Parses the message of a route. `None` if it is none, or not of IPv4 or IPv6.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[family, prefix_bits, from_bits, _, table, protocol, scope, kind] = payload.first_chunk()?;
        let unspecified = match i32::from(family) {
            nix::libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            nix::libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let mut route = Self {
            destination: unspecified,
            prefix_bits,
            from: None,
            kind,
            table: table.into(),
            protocol,
            scope,
            flags: u32_at(payload, 8)?,
            metric: None,
            source: None,
            mtu_bytes: None,
            next_hops: Vec::new(),
            errno: 0,
        };
        let (mut interface, mut gateway) = (None, None);
        for (kind, value) in attributes(payload.get(FIXED_BYTES..)?) {
            match kind {
                1 => route.destination = ip(value)?,
                2 => route.from = ip(value).map(|from| (from, from_bits)),
                4 => interface = u32_at(value, 0),
                5 => gateway = ip(value),
                6 => route.metric = u32_at(value, 0),
                7 => route.source = ip(value),
                // RTA_METRICS, RTAX_MTU
                8 => {
                    route.mtu_bytes =
                        attributes(value).find(|(kind, _)| *kind == 2).and_then(|(_, it)| u32_at(it, 0))
                }
                9 => route.next_hops = next_hops(value),
                // rta_error of struct rta_cacheinfo
                12 => route.errno = i32_at(value, 12).unwrap_or(0).unsigned_abs(),
                15 => route.table = u32_at(value, 0)?,
                // RTA_VIA: a gateway of the other family.
                18 => gateway = value.get(2..).and_then(ip),
                _ => {}
            }
        }
        if let Some(interface) = interface.filter(|_| route.next_hops.is_empty()) {
            let flags = u8::try_from(route.flags & 0xff).unwrap_or(0);
            route.next_hops.push(NextHop { interface, gateway, weight: 1, flags });
        }
        Some(route)
    }

    /// It was learnt, and not configured.
    pub fn is_cached(&self) -> bool {
        self.flags & CLONED != 0
    }
}

fn next_hops(mut bytes: &[u8]) -> Vec<NextHop> {
    let mut hops = Vec::new();
    while let (Some(length), Some(interface)) = (u16_at(bytes, 0).map(usize::from), u32_at(bytes, 4))
        && let Some(tail) = bytes.get(NEXT_HOP_BYTES..length)
        && hops.len() < MOST_NEXT_HOPS
    {
        let gateway = attributes(tail).find_map(|(kind, value)| match kind {
            5 => ip(value),
            18 => value.get(2..).and_then(ip),
            _ => None,
        });
        hops.push(NextHop { interface, gateway, weight: u16::from(bytes[3]) + 1, flags: bytes[2] });
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    hops
}
