//! Rules that choose a table of routes: `struct fib_rule_hdr` and `FRA_…` of the kernel's include/uapi/linux/fib_rules.h,
//! see ip-rule(8).

use std::net::IpAddr;

use super::{attributes, ip, text, u32_at};

/// `struct fib_rule_hdr`
const FIXED_BYTES: usize = 12;
/// Flag `FIB_RULE_INVERT`
const INVERT: u32 = 2;

/// A rule. Those with the lowest priority are looked at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Of IPv6; else of IPv4.
    pub is_ipv6: bool,
    /// Where it stands. 0 if not told.
    pub priority: u32,
    /// `FR_ACT_…`: 1 look into the table, 2 go to another rule, 6 blackhole, 7 unreachable, 8 prohibit.
    pub action: u8,
    /// Which table, if that is the action.
    pub table: u32,
    /// For packets that do not match.
    pub inverted: bool,
    /// For packets from this network.
    pub from: Option<(IpAddr, u8)>,
    /// For packets to this network.
    pub to: Option<(IpAddr, u8)>,
    /// For packets that came in through this interface. Empty: through any.
    pub in_interface: Vec<u8>,
    /// For packets of sockets bound to this interface. Empty: of all.
    pub out_interface: Vec<u8>,
    /// For packets with this mark, and which bits of it count.
    pub mark: Option<(u32, u32)>,
    /// It goes by more than that: users, ports, protocols.
    pub has_more: bool,
}

impl Rule {
    /// Parses the message of a rule. `None` if it is none, or not of IPv4 or IPv6.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[family, to_bits, from_bits, _, table, _, _, action] = payload.first_chunk()?;
        let is_ipv6 = match i32::from(family) {
            nix::libc::AF_INET => false,
            nix::libc::AF_INET6 => true,
            _ => return None,
        };
        let inverted = u32_at(payload, 8)? & INVERT != 0;
        let mut rule = Self { is_ipv6, action, table: table.into(), inverted, ..Self::default() };
        let (mut mark, mut mask) = (None, None);
        for (kind, value) in attributes(payload.get(FIXED_BYTES..)?) {
            match kind {
                1 => rule.to = ip(value).map(|to| (to, to_bits)),
                2 => rule.from = ip(value).map(|from| (from, from_bits)),
                3 => rule.in_interface = text(value),
                6 => rule.priority = u32_at(value, 0)?,
                10 => mark = u32_at(value, 0),
                15 => rule.table = u32_at(value, 0)?,
                16 => mask = u32_at(value, 0),
                17 => rule.out_interface = text(value),
                // Users, protocol and ports.
                20 | 22 | 23 | 24 => rule.has_more = true,
                _ => {}
            }
        }
        rule.mark = mark.or(mask.map(|_| 0)).map(|mark| (mark, mask.unwrap_or(u32::MAX)));
        Some(rule)
    }
}
