//! What is wrong with routes and neighbours.

use dbgctl_proto::v1::{Neighbour, Route, RouteType};

use super::super::state::State;
use super::super::words::{self, address, neighbour};
use super::{Finding, Severity};

/// So many of one kind are told one by one.
const MOST_OF_A_KIND: usize = 5;
/// `RTNH_F_DEAD`, `RTNH_F_LINKDOWN`
const DEAD: u32 = 0x11;

pub(super) fn find(state: &State, findings: &mut Vec<Finding>) {
    defaults(state, findings);
    nowhere(state, findings);
    learnt(state, findings);
    neighbours(state, findings);
}

fn is_default(route: &Route) -> bool {
    // Other tables are looked into for some packets only.
    route.prefix_bits == 0 && !leads_nowhere(route) && route.table == words::MAIN
}

fn leads_nowhere(route: &Route) -> bool {
    let kind = RouteType::try_from(route.r#type);
    matches!(kind, Ok(RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit))
}

fn defaults(state: &State, findings: &mut Vec<Finding>) {
    for (bytes, family) in [(4, "IPv4"), (16, "IPv6")] {
        // An address that others can reach.
        let has_address = state
            .addresses
            .iter()
            .any(|it| it.ip.len() == bytes && it.scope == 0 && it.flags & address::DUPLICATE == 0);
        let mut defaults =
            state.routes.iter().filter(|it| it.destination.len() == bytes && is_default(it)).peekable();
        if has_address && defaults.peek().is_none() {
            let text = format!(
                "there is no default route of {family}: only networks that have a route can be reached"
            );
            findings.push(Finding::warning("no_default_route", text));
        }
        for route in defaults {
            if !route.next_hops.is_empty() && route.next_hops.iter().all(|hop| hop.flags & DEAD != 0) {
                let hop = route.next_hops.first().map(|hop| state.name(hop.interface)).unwrap_or_default();
                let text = format!("the default route of {family} leads through {hop}, which is down");
                findings.push(Finding::serious("dead_route", text));
            }
        }
    }
}

fn nowhere(state: &State, findings: &mut Vec<Finding>) {
    // The kernel has one of its own for all of IPv6 where there is no default, with the worst metric.
    let of_kernel = |route: &Route| route.protocol == 2 && route.metric == Some(u32::MAX);
    let all: Vec<_> = state.routes.iter().filter(|route| leads_nowhere(route) && !of_kernel(route)).collect();
    for route in all.iter().take(MOST_OF_A_KIND) {
        let to = words::network(&route.destination, route.prefix_bits, "default");
        let what = match RouteType::try_from(route.r#type) {
            Ok(RouteType::Blackhole) => "drops what goes there without a word (blackhole)",
            Ok(RouteType::Prohibit) => "prohibits to send there (EACCES)",
            _ => "says that nothing there can be reached (EHOSTUNREACH)",
        };
        let severity = if route.prefix_bits == 0 { Severity::Warning } else { Severity::Note };
        let text = format!("the route to {to} in table {} {what}", words::table(route.table));
        findings.push(Finding::new(severity, "route_to_nowhere", text));
    }
    if all.len() > MOST_OF_A_KIND {
        let text = format!("{} more routes lead nowhere", all.len() - MOST_OF_A_KIND);
        findings.push(Finding::note("route_to_nowhere", text));
    }
}

fn learnt(state: &State, findings: &mut Vec<Finding>) {
    let smaller = state.routes.iter().filter(|route| route.cached && route.mtu_bytes.is_some());
    let mut count = 0_usize;
    for route in smaller {
        count += 1;
        if count <= MOST_OF_A_KIND {
            let text = format!(
                "a router on the way to {} takes packets of at most {} bytes",
                address(&route.destination),
                route.mtu_bytes.unwrap_or_default()
            );
            findings.push(Finding::note("path_mtu", text));
        }
    }
}

fn neighbours(state: &State, findings: &mut Vec<Finding>) {
    let silent = |it: &&Neighbour| it.state & neighbour::FAILED != 0;
    let mut others = Vec::new();
    for found in state.neighbours.iter().filter(silent) {
        let is_gateway =
            state.routes.iter().flat_map(|route| &route.next_hops).any(|hop| hop.gateway == found.ip);
        let (who, name) = (address(&found.ip), state.name(found.interface));
        if is_gateway {
            let text =
                format!("the gateway {who} does not answer on {name}: what is sent through it is lost");
            findings.push(Finding::serious("gateway_failed", text));
        } else {
            others.push(format!("{who} on {name}"));
        }
    }
    if !others.is_empty() {
        let more = others.len().saturating_sub(MOST_OF_A_KIND);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        others.truncate(MOST_OF_A_KIND);
        let (verb, they) = if others.len() == 1 { ("does", "it is") } else { ("do", "they are") };
        let text = format!("{}{more} {verb} not answer: {they} down, or not on that link", others.join(", "));
        findings.push(Finding::warning("neighbour_failed", text));
    }
}
