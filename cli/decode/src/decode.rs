//! From one header to the next, until the packet or what was captured of it ends.

use crate::packet::{Ending, Layer, Packet};
use crate::span::{Fault, Span};
use crate::{LinkType, arp, icmp, icmpv6, igmp, ip, ipv4, ipv6, link, sctp, tcp, transport, tunnel, udp};

/// Headers that are read of one packet. An honest one has no more.
const MOST_LAYERS: usize = 16;

/// What begins where the last header ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Link(LinkType),
    EtherType(u16),
    Llc,
    SpanningTree,
    /// IP of the version that its first bits say.
    Ip,
    /// A protocol of IP, by its number.
    Protocol(u8, ip::Carrier),
    /// What a transport carries.
    Content(transport::Carried),
    /// What is known by its name only.
    Unread(ip::Opaque),
    /// Payload that is not looked into.
    Nothing,
}

/// One header that was read.
pub(crate) struct Step<'a> {
    layer: Option<Layer<'a>>,
    next: Next,
    rest: Span<'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn to(layer: Layer<'a>, next: Next, rest: Span<'a>) -> Self {
        Self { layer: Some(layer), next, rest }
    }

    pub(crate) fn without_layer(next: Next, rest: Span<'a>) -> Self {
        Self { layer: None, next, rest }
    }
}

/// Decodes a frame: `bytes` is what was captured of it, `wire_length` how long it was.
///
/// Never fails: what can not be read is told by [`Packet::ending`], beside what was read before.
pub fn packet(link: LinkType, bytes: &[u8], wire_length: u32) -> Packet<'_> {
    let span = Span::new(bytes, usize::try_from(wire_length).unwrap_or(usize::MAX));
    let mut layers = Vec::with_capacity(6);
    let mut step = Step::without_layer(Next::Link(link), span);
    let ending = loop {
        if layers.len() == MOST_LAYERS {
            break Ending::Deeper;
        }
        let Step { next, rest, .. } = step;
        if matches!(next, Next::Nothing) {
            break Ending::Whole;
        }
        if is_tunnel_in_tunnel(next, &layers) {
            break Ending::Deeper;
        }
        match read(next, rest) {
            Ok(done) => step = done,
            Err(Fault::Cut) => break Ending::Cut(name(next)),
            Err(Fault::Bad(what)) => break Ending::Bad(name(next), what),
        }
        layers.extend(step.layer.take());
    };
    Packet::new(span, layers, step.rest, ending)
}

/// Packets within packets are read one level deep.
fn is_tunnel_in_tunnel(next: Next, layers: &[Layer<'_>]) -> bool {
    let starts_inner = |next| matches!(next, Next::Ip | Next::Link(_) | Next::EtherType(0x0800 | 0x86dd));
    starts_inner(next)
        && layers.iter().filter(|layer| matches!(layer, Layer::Ipv4(_) | Layer::Ipv6(_))).count() >= 2
}

fn read(next: Next, span: Span<'_>) -> Result<Step<'_>, Fault> {
    match next {
        Next::Link(LinkType::Ethernet) => link::ethernet(span),
        Next::Link(LinkType::LinuxCookedV1) => link::cooked_v1(span),
        Next::Link(LinkType::LinuxCookedV2) => link::cooked_v2(span),
        Next::Link(LinkType::Loopback) => {
            link::loopback(span).map(|(next, rest)| Step::without_layer(next, rest))
        }
        Next::Link(LinkType::Raw) | Next::Ip => match span.u8(0)? >> 4 {
            4 => ipv4::read(span),
            6 => ipv6::read(span),
            _ => Err(Fault::Bad("version")),
        },
        Next::EtherType(0x0800) => ipv4::read(span),
        Next::EtherType(0x86dd) => ipv6::read(span),
        Next::EtherType(0x0806) => arp::read(span),
        Next::EtherType(0x8100 | 0x88a8 | 0x9100) => link::vlan(span),
        Next::EtherType(kind) => Ok(ip::unread(ip::Opaque::EtherType(kind), span)),
        Next::Llc => link::llc(span),
        Next::SpanningTree => Ok(ip::unread(ip::Opaque::SpanningTree, span)),
        Next::Protocol(protocol, carrier) => match protocol {
            1 => icmp::read(span),
            2 => igmp::read(span),
            4 | 41 => Ok(Step::without_layer(Next::Ip, span)),
            6 => tcp::read(span),
            17 => udp::read(span, carrier),
            47 => tunnel::gre(span),
            58 => icmpv6::read(span),
            132 => sctp::read(span),
            _ => Ok(ip::unread(ip::Opaque::Protocol(protocol), span)),
        },
        Next::Content(carried) => Ok(transport::read(carried, span)),
        Next::Unread(opaque) => Ok(ip::unread(opaque, span)),
        Next::Nothing => Ok(Step::without_layer(Next::Nothing, span)),
    }
}

/// What was about to be read, for the message that it could not be.
fn name(next: Next) -> &'static str {
    match next {
        Next::Link(LinkType::Ethernet) => "Ethernet",
        Next::Link(LinkType::LinuxCookedV1 | LinkType::LinuxCookedV2) => "cooked header",
        Next::Link(LinkType::Loopback) => "loopback header",
        Next::EtherType(0x0800) => "IPv4",
        Next::EtherType(0x86dd) => "IPv6",
        Next::EtherType(kind) => ip::ethertype_word(kind).unwrap_or("frame"),
        Next::Link(LinkType::Raw) | Next::Ip => "IP",
        Next::Llc => "LLC",
        Next::SpanningTree => "STP",
        Next::Protocol(protocol, _) => ip::protocol_word(protocol).unwrap_or("packet"),
        Next::Content(_) | Next::Unread(_) | Next::Nothing => "payload",
    }
}
