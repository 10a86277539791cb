//! Numbers of the kernel, in the words of ip(8).

use std::borrow::Cow;
use std::fmt::Write as _;

use dbgctl_proto::v1::{RouteType, RuleAction};

use super::ip;

/// Flags of an interface, see netdevice(7).
pub(super) mod interface {
    pub(in crate::commands::network) const UP: u32 = 1;
    pub(in crate::commands::network) const LOOPBACK: u32 = 8;
    pub(in crate::commands::network) const RUNNING: u32 = 0x40;
}

/// Flags of an address.
pub(super) mod address {
    pub(in crate::commands::network) const OPTIMISTIC: u32 = 4;
    pub(in crate::commands::network) const DUPLICATE: u32 = 8;
    pub(in crate::commands::network) const DEPRECATED: u32 = 0x20;
    pub(in crate::commands::network) const TENTATIVE: u32 = 0x40;
}

/// States of a neighbour.
pub(super) mod neighbour {
    pub(in crate::commands::network) const INCOMPLETE: u32 = 1;
    pub(in crate::commands::network) const FAILED: u32 = 32;
    pub(in crate::commands::network) const NOARP: u32 = 64;
}

/// Tables of routes.
pub(super) const LOCAL: u32 = 255;
pub(super) const MAIN: u32 = 254;

/// Names of the bits that are set, joined by commas.
fn bits(value: u32, names: &[(u32, &str)]) -> String {
    let set: Vec<_> = names.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    set.join(",")
}

/// The name of a number, or the number.
fn named(number: u32, names: &[(u32, &'static str)]) -> Cow<'static, str> {
    let found = names.iter().find(|(known, _)| *known == number);
    found.map_or_else(|| number.to_string().into(), |(_, name)| Cow::Borrowed(*name))
}

pub(super) fn interface_flags(flags: u32) -> String {
    const NAMES: [(u32, &str); 13] = [
        (0x1, "up"),
        (0x2, "broadcast"),
        (0x8, "loopback"),
        (0x10, "point-to-point"),
        (0x40, "running"),
        (0x80, "noarp"),
        (0x100, "promiscuous"),
        (0x200, "allmulti"),
        (0x400, "master"),
        (0x800, "slave"),
        (0x1000, "multicast"),
        (0x2_0000, "dormant"),
        (0x4_0000, "echo"),
    ];
    bits(flags, &NAMES)
}

/// As RFC 2863 names it.
pub(super) fn operational_state(state: u32) -> Cow<'static, str> {
    let names = [
        (0, "unknown"),
        (1, "not present"),
        (2, "down"),
        (3, "lower layer down"),
        (4, "testing"),
        (5, "dormant"),
        (6, "up"),
    ];
    named(state, &names)
}

pub(super) fn address_flags(flags: u32) -> String {
    const NAMES: [(u32, &str); 9] = [
        (0x1, "secondary"),
        (0x2, "nodad"),
        (0x4, "optimistic"),
        (0x8, "duplicate"),
        (0x20, "deprecated"),
        (0x40, "tentative"),
        (0x80, "permanent"),
        (0x200, "noprefixroute"),
        (0x800, "stable-privacy"),
    ];
    bits(flags, &NAMES)
}

pub(super) fn scope(scope: u32) -> Cow<'static, str> {
    named(scope, &[(0, "global"), (200, "site"), (253, "link"), (254, "host"), (255, "nowhere")])
}

pub(super) fn table(table: u32) -> Cow<'static, str> {
    named(table, &[(253, "default"), (MAIN, "main"), (LOCAL, "local")])
}

/// Who made a route.
pub(super) fn protocol(protocol: u32) -> Cow<'static, str> {
    let names = [
        (1, "redirect"),
        (2, "kernel"),
        (3, "boot"),
        (4, "static"),
        (9, "ra"),
        (12, "bird"),
        (16, "dhcp"),
        (42, "babel"),
        (186, "bgp"),
        (188, "ospf"),
    ];
    named(protocol, &names)
}

pub(super) fn route_type(number: i32) -> Cow<'static, str> {
    Cow::Borrowed(match RouteType::try_from(number) {
        Ok(RouteType::Unspecified) => "none",
        Ok(RouteType::Unicast) => "unicast",
        Ok(RouteType::Local) => "local",
        Ok(RouteType::Broadcast) => "broadcast",
        Ok(RouteType::Anycast) => "anycast",
        Ok(RouteType::Multicast) => "multicast",
        Ok(RouteType::Blackhole) => "blackhole",
        Ok(RouteType::Unreachable) => "unreachable",
        Ok(RouteType::Prohibit) => "prohibit",
        Ok(RouteType::Throw) => "throw",
        Err(_) => return Cow::Owned(format!("unknown({number})")),
    })
}

pub(super) fn rule_action(number: i32) -> Cow<'static, str> {
    Cow::Borrowed(match RuleAction::try_from(number) {
        Ok(RuleAction::Unspecified) => "unspecified",
        Ok(RuleAction::Table) => "table",
        Ok(RuleAction::Goto) => "goto",
        Ok(RuleAction::Nop) => "nop",
        Ok(RuleAction::Blackhole) => "blackhole",
        Ok(RuleAction::Unreachable) => "unreachable",
        Ok(RuleAction::Prohibit) => "prohibit",
        Err(_) => return Cow::Owned(format!("unknown({number})")),
    })
}

pub(super) fn neighbour_state(state: u32) -> Cow<'static, str> {
    let names = [
        (0, "none"),
        (1, "INCOMPLETE"),
        (2, "REACHABLE"),
        (4, "STALE"),
        (8, "DELAY"),
        (16, "PROBE"),
        (32, "FAILED"),
        (64, "NOARP"),
        (128, "PERMANENT"),
    ];
    named(state, &names)
}

/// `02:42:ac:11:00:02`
pub(super) fn hardware_address(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (nth, byte) in bytes.iter().take(32).enumerate() {
        let colon = if nth > 0 { ":" } else { "" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// An address, or `?` for what is none.
pub(super) fn address(bytes: &[u8]) -> String {
    ip(bytes).map_or_else(|| "?".to_owned(), |ip| ip.to_string())
}

/// `10.0.0.0/8`; `any` for bits 0.
pub(super) fn network(bytes: &[u8], bits: u32, any: &'static str) -> String {
    match (ip(bytes), bits) {
        (_, 0) => any.to_owned(),
        (Some(ip), bits) if bits == if ip.is_ipv4() { 32 } else { 128 } => ip.to_string(),
        (Some(ip), bits) => format!("{ip}/{bits}"),
        (None, _) => "?".to_owned(),
    }
}
