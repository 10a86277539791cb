//! Addresses of interfaces as rtnetlink tells them: `struct ifaddrmsg` and `IFA_…` of rtnetlink(7).

use std::net::IpAddr;

use super::{attributes, ip, u32_at};

/// `struct ifaddrmsg`
const FIXED_BYTES: usize = 8;
/// A lifetime without end: `INFINITY_LIFE_TIME`.
const FOR_EVER: u32 = u32::MAX;

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Number of the interface.
    pub interface: u32,
    /// The address itself.
    pub ip: IpAddr,
    /// Bits that it shares with its network.
    pub prefix_bits: u8,
    /// The other end of a point-to-point interface, if it is not the same.
    pub peer: Option<IpAddr>,
    /// `RT_SCOPE_…`: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// `IFA_F_…`
    pub flags: u32,
    /// For so long new connections may use it. `None`: for ever, or not told.
    pub preferred_seconds: Option<u32>,
    /// For so long it exists. `None`: for ever, or not told.
    pub valid_seconds: Option<u32>,
}

impl Address {
    /// Parses the message of an address. `None` if it is none, or not of IPv4 or IPv6.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[_, prefix_bits, flags, scope] = payload.first_chunk()?;
        let interface = u32_at(payload, 4)?;
        let (mut address, mut local, mut all_flags, mut lifetimes) = (None, None, None, None);
        for (kind, value) in attributes(payload.get(FIXED_BYTES..)?) {
            match kind {
                1 => address = ip(value),
                2 => local = ip(value),
                6 => lifetimes = Some((u32_at(value, 0), u32_at(value, 4))),
                8 => all_flags = u32_at(value, 0),
                _ => {}
            }
        }
        let own = local.or(address)?;
        let limited = |seconds: Option<u32>| seconds.filter(|&seconds| seconds != FOR_EVER);
        let (preferred, valid) = lifetimes.unwrap_or_default();
        Some(Self {
            interface,
            ip: own,
            prefix_bits,
            peer: address.filter(|&peer| peer != own),
            scope,
            flags: all_flags.unwrap_or_else(|| flags.into()),
            preferred_seconds: limited(preferred),
            valid_seconds: limited(valid),
        })
    }
}
