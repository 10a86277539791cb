//! What a transport carries: told by port where the protocol has one of its own, else by what it looks like.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::{Next, Step};
use crate::dns::{self, Dialect};
use crate::ip::Carrier;
use crate::span::Span;
use crate::{dhcp, dhcpv6, http, ntp, quic, tls, tunnel};

/// Where Docker's own DNS server listens in each container, at a port that differs.
const DOCKER_DNS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// By what the payload came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carried {
    Tcp { source: u16, destination: u16 },
    Udp { source: u16, destination: u16, carrier: Carrier },
}

/// Reads the payload, if it is of a protocol that is known.
pub(crate) fn read(carried: Carried, span: Span<'_>) -> Step<'_> {
    let known = match carried {
        _ if span.bytes().is_empty() => None,
        Carried::Tcp { source, destination } => over_tcp([source, destination], span),
        Carried::Udp { source, destination, carrier } => over_udp([source, destination], carrier, span),
    };
    known.unwrap_or(Step::without_layer(Next::Nothing, span))
}

fn over_tcp(ports: [u16; 2], span: Span<'_>) -> Option<Step<'_>> {
    // A segment may also begin in the middle of a message: then its first two bytes are no length.
    let is_message = || span.u16(0).is_ok_and(|length| length >= 12) && dns::is_likely(span.after(2));
    if ports.contains(&53) && is_message() {
        return dns::read(Dialect::DnsOverTcp, span);
    }
    tls::read(span).or_else(|| http::read(span))
}

fn over_udp(ports: [u16; 2], carrier: Carrier, span: Span<'_>) -> Option<Step<'_>> {
    let has = |wanted: &[u16]| ports.iter().any(|port| wanted.contains(port));
    if has(&[53]) {
        dns::read(Dialect::Dns, span)
    } else if has(&[5353]) {
        dns::read(Dialect::Mdns, span)
    } else if has(&[5355]) {
        dns::read(Dialect::Llmnr, span)
    } else if has(&[67, 68]) {
        dhcp::read(span)
    } else if has(&[546, 547]) {
        dhcpv6::read(span)
    } else if has(&[123]) {
        ntp::read(span)
    } else if has(&[4789]) {
        tunnel::vxlan(span)
    } else if (carrier.source == DOCKER_DNS || carrier.destination == DOCKER_DNS) && dns::is_likely(span) {
        dns::read(Dialect::Dns, span)
    } else {
        quic::read(span)
    }
}
