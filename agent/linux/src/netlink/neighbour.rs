//! Neighbours on the link as rtnetlink tells them: `struct ndmsg` and `NDA_…` of rtnetlink(7), see arp(7).

use std::net::IpAddr;

use super::{attributes, i32_at, ip, u16_at, u32_at};

/// `struct ndmsg`
const FIXED_BYTES: usize = 12;

/// Another host on the link, or what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Number of the interface.
    pub interface: u32,
    /// Its address.
    pub ip: IpAddr,
    /// The address of its device. Empty: not known.
    pub hardware_address: Vec<u8>,
    /// `NUD_…`, one bit: 1 incomplete, 2 reachable, 4 stale, 8 delay, 16 probe, 32 failed, 64 not asked for, 128 permanent.
    pub state: u16,
    /// `NTF_…`: 0x80 a router, 8 answered for by this host.
    pub flags: u8,
    /// How often it was asked for and did not answer.
    pub probes: u32,
}

impl Neighbour {
    /// Parses the message of a neighbour. `None` if it is none, or not of IPv4 or IPv6.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let interface = i32_at(payload, 4)?.try_into().ok()?;
        let (state, flags) = (u16_at(payload, 8)?, *payload.get(10)?);
        let (mut address, mut hardware_address, mut probes) = (None, Vec::new(), 0);
        for (kind, value) in attributes(payload.get(FIXED_BYTES..)?) {
            match kind {
                1 => address = ip(value),
                2 => hardware_address = value.to_vec(),
                4 => probes = u32_at(value, 0).unwrap_or(0),
                _ => {}
            }
        }
        Some(Self { interface, ip: address?, hardware_address, state, flags, probes })
    }
}
