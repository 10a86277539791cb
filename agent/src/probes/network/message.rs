//! What the kernel tells of a network, as messages.

use std::net::IpAddr;

use dbgctl_linux::netlink::address::Address;
use dbgctl_linux::netlink::link::{Link, Statistics};
use dbgctl_linux::netlink::neighbour::Neighbour;
use dbgctl_linux::netlink::route::Route;
use dbgctl_linux::netlink::rule::Rule;
use dbgctl_proto::v1;

pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An interface with what it carried since the first reading.
pub(super) fn link(link: &Link, before: Option<&Statistics>) -> v1::NetworkLink {
    let now = link.statistics.unwrap_or_default();
    let over_sample = before.filter(|_| link.statistics.is_some()).and_then(|before| between(before, &now));
    v1::NetworkLink {
        index: Some(link.index),
        name: link.name.clone(),
        flags: Some(link.flags),
        operational_state: link.operational_state.map(u32::from),
        carrier: link.carrier,
        carrier_changes: link.carrier_changes,
        mtu_bytes: link.mtu_bytes,
        kind: link.kind.clone(),
        hardware_type: Some(link.hardware_type.into()),
        hardware_address: link.hardware_address.clone(),
        queueing: link.queueing.clone(),
        queue_packets: link.queue_packets,
        master: link.master,
        lower: link.lower,
        received: link.statistics.as_ref().map(received),
        transmitted: link.statistics.as_ref().map(transmitted),
        received_over_sample: over_sample.as_ref().map(received),
        transmitted_over_sample: over_sample.as_ref().map(transmitted),
    }
}

/// `None` if a figure went back: then it is another interface of the same number.
fn between(before: &Statistics, now: &Statistics) -> Option<Statistics> {
    let grew = |of: fn(&Statistics) -> u64| of(now).checked_sub(of(before));
    Some(Statistics {
        received_bytes: grew(|it| it.received_bytes)?,
        received_packets: grew(|it| it.received_packets)?,
        receive_errors: grew(|it| it.receive_errors)?,
        receive_dropped: grew(|it| it.receive_dropped)?,
        receive_fifo_errors: grew(|it| it.receive_fifo_errors)?,
        receive_frame_errors: grew(|it| it.receive_frame_errors)?,
        received_compressed: grew(|it| it.received_compressed)?,
        received_multicast: grew(|it| it.received_multicast)?,
        transmitted_bytes: grew(|it| it.transmitted_bytes)?,
        transmitted_packets: grew(|it| it.transmitted_packets)?,
        transmit_errors: grew(|it| it.transmit_errors)?,
        transmit_dropped: grew(|it| it.transmit_dropped)?,
        transmit_fifo_errors: grew(|it| it.transmit_fifo_errors)?,
        collisions: grew(|it| it.collisions)?,
        carrier_errors: grew(|it| it.carrier_errors)?,
        transmitted_compressed: grew(|it| it.transmitted_compressed)?,
    })
}

fn received(statistics: &Statistics) -> v1::Received {
    v1::Received {
        bytes: statistics.received_bytes,
        packets: statistics.received_packets,
        errors: statistics.receive_errors,
        dropped: statistics.receive_dropped,
        fifo_errors: statistics.receive_fifo_errors,
        frame_errors: statistics.receive_frame_errors,
        compressed: statistics.received_compressed,
        multicast: statistics.received_multicast,
    }
}

fn transmitted(statistics: &Statistics) -> v1::Transmitted {
    v1::Transmitted {
        bytes: statistics.transmitted_bytes,
        packets: statistics.transmitted_packets,
        errors: statistics.transmit_errors,
        dropped: statistics.transmit_dropped,
        fifo_errors: statistics.transmit_fifo_errors,
        collisions: statistics.collisions,
        carrier_errors: statistics.carrier_errors,
        compressed: statistics.transmitted_compressed,
    }
}

pub(super) fn address(address: Address) -> v1::InterfaceAddress {
    v1::InterfaceAddress {
        interface: address.interface,
        ip: octets(address.ip),
        prefix_bits: address.prefix_bits.into(),
        peer: address.peer.map(octets).unwrap_or_default(),
        scope: address.scope.into(),
        flags: address.flags,
        preferred_seconds: address.preferred_seconds,
        valid_seconds: address.valid_seconds,
    }
}

pub(super) fn route(route: Route) -> v1::Route {
    let cached = route.is_cached();
    let (from, from_bits) = network(route.from);
    let next_hops = route.next_hops.iter().map(|hop| v1::NextHop {
        interface: hop.interface,
        gateway: hop.gateway.map(octets).unwrap_or_default(),
        weight: hop.weight.into(),
        flags: hop.flags.into(),
    });
    v1::Route {
        destination: octets(route.destination),
        prefix_bits: route.prefix_bits.into(),
        from,
        from_bits,
        // Numbers that the contract has no name for are unspecified.
        r#type: v1::RouteType::try_from(i32::from(route.kind)).unwrap_or_default().into(),
        table: route.table,
        protocol: route.protocol.into(),
        scope: route.scope.into(),
        metric: route.metric,
        source: route.source.map(octets).unwrap_or_default(),
        mtu_bytes: route.mtu_bytes,
        next_hops: next_hops.collect(),
        cached,
    }
}

pub(super) fn rule(rule: Rule) -> v1::RoutingRule {
    let (from, from_bits) = network(rule.from);
    let (to, to_bits) = network(rule.to);
    v1::RoutingRule {
        ipv6: rule.is_ipv6,
        priority: rule.priority,
        action: v1::RuleAction::try_from(i32::from(rule.action)).unwrap_or_default().into(),
        table: rule.table,
        inverted: rule.inverted,
        from,
        from_bits,
        to,
        to_bits,
        in_interface: rule.in_interface,
        out_interface: rule.out_interface,
        mark: rule.mark.map(|(mark, _)| mark),
        mark_mask: rule.mark.map(|(_, mask)| mask),
        has_more: rule.has_more,
    }
}

fn network(network: Option<(IpAddr, u8)>) -> (Vec<u8>, u32) {
    network.map_or((Vec::new(), 0), |(ip, bits)| (octets(ip), bits.into()))
}

pub(super) fn neighbour(neighbour: Neighbour) -> v1::Neighbour {
    v1::Neighbour {
        interface: neighbour.interface,
        ip: octets(neighbour.ip),
        hardware_address: neighbour.hardware_address,
        state: neighbour.state.into(),
        flags: neighbour.flags.into(),
        probes: neighbour.probes,
    }
}
