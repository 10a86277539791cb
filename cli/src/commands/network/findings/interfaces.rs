//! What is wrong with interfaces and addresses.

use dbgctl_proto::v1::NetworkLink;

use super::super::state::State;
use super::super::words::{address, interface};
use super::Finding;
use crate::render::cell;
use crate::render::human::Percent;

/// `ARPHRD_ETHER`
const ETHERNET: u32 = 1;
const USUAL_MTU: u32 = 1500;
/// RFC 8200: less, and there is no IPv6.
const LEAST_MTU_OF_IPV6: u32 = 1280;
/// So many of one kind are told one by one.
const MOST_OF_A_KIND: usize = 5;

pub(super) fn find(state: &State, findings: &mut Vec<Finding>) {
    if !state.links.is_empty() && state.links.iter().all(is_loopback) {
        let text = "there is no interface but the loopback: nothing outside the container can be reached \
                    (as with --network none)";
        findings.push(Finding::warning("no_interface", text));
    }
    for link in &state.links {
        let name = cell(|cell| cell.raw(&link.name));
        link_state(link, &name, state, findings);
        mtu(link, &name, findings);
        losses(link, &name, findings);
    }
    addresses(state, findings);
}

fn is_loopback(link: &NetworkLink) -> bool {
    link.flags.map_or(link.name == b"lo", |flags| flags & interface::LOOPBACK != 0)
}

fn link_state(link: &NetworkLink, name: &str, state: &State, findings: &mut Vec<Finding>) {
    let Some(flags) = link.flags else { return };
    let is_used = state.addresses_of(link).any(|address| address.scope == 0);
    if flags & interface::UP == 0 {
        if is_loopback(link) {
            let text = format!("{name} is down: nothing in the container reaches 127.0.0.1 or ::1");
            findings.push(Finding::serious("interface_down", text));
        } else if is_used {
            findings
                .push(Finding::serious("interface_down", format!("{name} is down, and it has an address")));
        }
    } else if link.carrier == Some(false) || matches!(link.operational_state, Some(2 | 3)) {
        let text = format!("{name} is up but has no carrier: its other end is down or gone");
        let kind = if is_used { Finding::serious } else { Finding::note };
        findings.push(kind("no_carrier", text));
    } else if !is_loopback(link) && link.master.is_none() && state.addresses_of(link).next().is_none() {
        findings.push(Finding::note("no_address", format!("{name} is up and has no address")));
    }
}

fn mtu(link: &NetworkLink, name: &str, findings: &mut Vec<Finding>) {
    let Some(mtu) = link.mtu_bytes.filter(|_| !is_loopback(link)) else { return };
    if link.flags.is_some_and(|flags| flags & interface::UP == 0) {
        return;
    }
    if mtu < LEAST_MTU_OF_IPV6 {
        let text =
            format!("{name} has an MTU of {mtu}: IPv6 needs {LEAST_MTU_OF_IPV6} and does not work there");
        findings.push(Finding::warning("mtu", text));
    } else if link.hardware_type == Some(ETHERNET) && mtu < USUAL_MTU {
        let text = format!(
            "{name} has an MTU of {mtu}, less than the usual {USUAL_MTU}: where routers on the way keep quiet about it, \
             connections open and large answers never arrive"
        );
        findings.push(Finding::note("mtu", text));
    } else if link.hardware_type == Some(ETHERNET) && mtu > USUAL_MTU {
        let text = format!(
            "{name} has an MTU of {mtu}, more than the usual {USUAL_MTU}: the whole way has to carry such packets"
        );
        findings.push(Finding::note("mtu", text));
    }
}

/// `eth0 dropped 12 of 3456 packets that came in (0.3%)`
fn losses(link: &NetworkLink, name: &str, findings: &mut Vec<Finding>) {
    let (received, transmitted) = (link.received.unwrap_or_default(), link.transmitted.unwrap_or_default());
    let received_now = link.received_over_sample.unwrap_or_default();
    let transmitted_now = link.transmitted_over_sample.unwrap_or_default();
    let mut tell = |about, verb: &str, way: &str, ever: (u64, u64), now: (u64, u64)| {
        let share = |(lost, packets): (u64, u64)| {
            let all = packets.saturating_add(lost);
            (all, Percent(lost as f64 / all as f64 * 100.0))
        };
        let (all, percent) = share(ever);
        let since = format!("{} of {all} packets that {way} ({percent}%)", ever.0);
        if now.0 > 0 {
            let (all, percent) = share(now);
            let text = format!(
                "{name} {verb} {} of {all} packets that {way} during the sample ({percent}%); since it was made {since}",
                now.0
            );
            findings.push(Finding::warning(about, text));
        } else if ever.0 > 0 {
            let text = format!("{name} {verb} {since} since it was made, none of them during the sample");
            findings.push(Finding::note(about, text));
        }
    };
    let (ever, now) = (received, received_now);
    tell("receive_drops", "dropped", "came in", (ever.dropped, ever.packets), (now.dropped, now.packets));
    tell(
        "receive_errors",
        "could not read",
        "came in",
        (ever.errors, ever.packets),
        (now.errors, now.packets),
    );
    let (ever, now) = (transmitted, transmitted_now);
    tell(
        "transmit_drops",
        "dropped",
        "were to go out",
        (ever.dropped, ever.packets),
        (now.dropped, now.packets),
    );
    tell(
        "transmit_errors",
        "could not send",
        "were to go out",
        (ever.errors, ever.packets),
        (now.errors, now.packets),
    );
}

fn addresses(state: &State, findings: &mut Vec<Finding>) {
    for found in &state.addresses {
        let who = format!("{} on {}", address(&found.ip), state.name(found.interface));
        if found.flags & address::DUPLICATE != 0 {
            let text = format!(
                "{who} is a duplicate: another host on the link has it, and the kernel does not use it"
            );
            findings.push(Finding::serious("duplicate_address", text));
        } else if found.flags & address::TENTATIVE != 0 && found.flags & address::OPTIMISTIC == 0 {
            let text = format!("{who} is tentative: not used until it is known that no other host has it");
            findings.push(Finding::warning("tentative_address", text));
        }
    }
    let deprecated = state.addresses.iter().filter(|found| found.flags & address::DEPRECATED != 0);
    for found in deprecated.take(MOST_OF_A_KIND) {
        let who = format!("{} on {}", address(&found.ip), state.name(found.interface));
        findings.push(Finding::note(
            "deprecated_address",
            format!("{who} is deprecated: no new connection uses it"),
        ));
    }
}
