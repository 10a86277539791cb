//! ICMPv6, neighbour discovery and multicast listeners included.

use std::fmt::{self, Display};
use std::net::Ipv6Addr;

use crate::decode::{Next, Step};
use crate::escape::Hardware;
use crate::icmp::about;
use crate::packet::Layer;
use crate::quote::Quote;
use crate::span::{Fault, Span};

/// Options that are looked through.
const MOST_OPTIONS: usize = 32;

/// A message of ICMPv6: RFC 4443 (errors and echo), RFC 4861 (neighbours), RFC 2710 and RFC 3810 (multicast).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmpv6 {
    /// Type of the message.
    pub kind: u8,
    /// What it says more exactly.
    pub code: u8,
    /// What it means.
    pub message: Icmpv6Message,
    /// Bytes, header included.
    pub length: usize,
}

/// What an ICMPv6 message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmpv6Message {
    /// `ping`, and its answer.
    Echo {
        /// Whether it is the answer.
        is_reply: bool,
        /// Whose.
        id: u16,
        /// Which.
        sequence: u16,
    },
    /// A packet could not be delivered; the code says why.
    Unreachable(Option<Quote>),
    /// A packet was too long.
    TooBig {
        /// The longest that can go on.
        mtu: u32,
        /// Which packet.
        quote: Option<Quote>,
    },
    /// A packet took too many hops, or its parts did not arrive in time.
    TimeExceeded(Option<Quote>),
    /// A header is wrong.
    ParameterProblem {
        /// At which byte.
        pointer: u32,
        /// Of which packet.
        quote: Option<Quote>,
    },
    /// Who is a router here?
    RouterSolicitation,
    /// I am.
    RouterAdvertisement {
        /// Hop limit to use; 0 if the router does not say.
        hop_limit: u8,
        /// For how long it is a default router; 0 if it is none.
        lifetime_seconds: u16,
        /// Hardware address.
        hardware: Option<[u8; 6]>,
        /// The first prefix that it names, and its length.
        prefix: Option<(Ipv6Addr, u8)>,
    },
    /// Who has this address?
    NeighbourSolicitation {
        /// The address.
        target: Ipv6Addr,
        /// Hardware address of who asks.
        hardware: Option<[u8; 6]>,
    },
    /// I have it.
    NeighbourAdvertisement {
        /// The address.
        target: Ipv6Addr,
        /// Hardware address of who has it.
        hardware: Option<[u8; 6]>,
        /// Is a router.
        is_router: bool,
        /// Was asked.
        is_solicited: bool,
        /// Replaces what was known.
        overrides: bool,
    },
    /// There is a better way.
    Redirect {
        /// Over whom.
        target: Ipv6Addr,
        /// Where to.
        destination: Ipv6Addr,
    },
    /// About listeners of a multicast group: question, report or end.
    Listener {
        /// The group; unspecified if the question is about all.
        group: Ipv6Addr,
    },
    /// The second version of the report, which may be about many groups.
    ListenerReportV2 {
        /// How many.
        records: u16,
        /// Kind of change and group of the first.
        first: Option<(u8, Ipv6Addr)>,
    },
    /// Anything else.
    Other,
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let [kind, code, _, _] = span.array(0)?;
    let address = |at| span.array::<16>(at).map(Ipv6Addr::from);
    let quote = || Quote::parse(span.after(8));
    let message = match kind {
        1 => Icmpv6Message::Unreachable(quote()),
        2 => Icmpv6Message::TooBig { mtu: span.u32(4)?, quote: quote() },
        3 => Icmpv6Message::TimeExceeded(quote()),
        4 => Icmpv6Message::ParameterProblem { pointer: span.u32(4)?, quote: quote() },
        128 | 129 => Icmpv6Message::Echo { is_reply: kind == 129, id: span.u16(4)?, sequence: span.u16(6)? },
        130..=132 => Icmpv6Message::Listener { group: address(8)? },
        133 => Icmpv6Message::RouterSolicitation,
        134 => Icmpv6Message::RouterAdvertisement {
            hop_limit: span.u8(4)?,
            lifetime_seconds: span.u16(6)?,
            hardware: hardware_option(span.after(16), 1),
            prefix: option(span.after(16), 3).and_then(prefix),
        },
        135 => Icmpv6Message::NeighbourSolicitation {
            target: address(8)?,
            hardware: hardware_option(span.after(24), 1),
        },
        136 => {
            let flags = span.u8(4)?;
            Icmpv6Message::NeighbourAdvertisement {
                target: address(8)?,
                hardware: hardware_option(span.after(24), 2),
                is_router: flags & 0x80 != 0,
                is_solicited: flags & 0x40 != 0,
                overrides: flags & 0x20 != 0,
            }
        }
        137 => Icmpv6Message::Redirect { target: address(8)?, destination: address(24)? },
        143 => Icmpv6Message::ListenerReportV2 {
            records: span.u16(6)?,
            first: span.u8(8).ok().zip(address(12).ok()),
        },
        _ => Icmpv6Message::Other,
    };
    let layer = Icmpv6 { kind, code, message, length: span.wire_length() };
    Ok(Step::to(Layer::Icmpv6(layer), Next::Nothing, span.after(8)))
}

/// The value of the first option of that kind (RFC 4861, 4.6), as far as it was captured.
fn option(mut span: Span<'_>, wanted: u8) -> Option<Span<'_>> {
    for _ in 0..MOST_OPTIONS {
        let [kind, length @ 1..=255] = span.array(0).ok()? else { return None };
        let length = usize::from(length) * 8;
        if kind == wanted {
            return Some(span.first(length).after(2));
        }
        span = span.after(length);
    }
    None
}

fn hardware_option(span: Span<'_>, wanted: u8) -> Option<[u8; 6]> {
    option(span, wanted)?.array(0).ok()
}

fn prefix(span: Span<'_>) -> Option<(Ipv6Addr, u8)> {
    Some((span.array::<16>(14).ok()?.into(), span.u8(0).ok()?))
}

fn unreachable(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "no route",
        1 => "prohibited by filter",
        2 => "beyond the scope of the source address",
        3 => "address unreachable",
        4 => "port unreachable",
        5 => "source address refused by policy",
        6 => "route is a reject route",
        7 => "source route failed",
        _ => return None,
    })
}

impl Display for Icmpv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ICMP6 ")?;
        self.fmt_message(f)?;
        write!(f, ", length {}", self.length)
    }
}

impl Icmpv6 {
    fn fmt_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code;
        match &self.message {
            Icmpv6Message::Echo { is_reply, id, sequence } => {
                write!(f, "echo {}, id {id}, seq {sequence}", if *is_reply { "reply" } else { "request" })
            }
            Icmpv6Message::Unreachable(quote) => {
                match unreachable(code) {
                    Some(reason) => f.write_str(reason)?,
                    None => write!(f, "unreachable, code {code}")?,
                }
                about(*quote, f)
            }
            Icmpv6Message::TooBig { mtu, quote } => {
                write!(f, "packet too big, mtu {mtu}")?;
                about(*quote, f)
            }
            Icmpv6Message::TimeExceeded(quote) => {
                match code {
                    0 => f.write_str("time exceeded on the way")?,
                    1 => f.write_str("time exceeded waiting for fragments")?,
                    _ => write!(f, "time exceeded, code {code}")?,
                }
                about(*quote, f)
            }
            Icmpv6Message::ParameterProblem { pointer, quote } => {
                write!(f, "parameter problem, code {code}, at byte {pointer}")?;
                about(*quote, f)
            }
            Icmpv6Message::RouterSolicitation => f.write_str("router solicitation"),
            Icmpv6Message::RouterAdvertisement { hop_limit, lifetime_seconds, hardware, prefix } => {
                write!(f, "router advertisement, hop limit {hop_limit}, lifetime {lifetime_seconds} s")?;
                if let Some((prefix, length)) = prefix {
                    write!(f, ", prefix {prefix}/{length}")?;
                }
                from(hardware.as_ref(), f)
            }
            Icmpv6Message::NeighbourSolicitation { target, hardware } => {
                write!(f, "neighbour solicitation, who has {target}")?;
                from(hardware.as_ref(), f)
            }
            Icmpv6Message::NeighbourAdvertisement {
                target,
                hardware,
                is_router,
                is_solicited,
                overrides,
            } => {
                write!(f, "neighbour advertisement, {target}")?;
                if let Some(hardware) = hardware {
                    write!(f, " is at {}", Hardware(hardware))?;
                }
                let words = [(is_router, "router"), (is_solicited, "solicited"), (overrides, "override")];
                words.iter().filter(|(is_set, _)| **is_set).try_for_each(|(_, word)| write!(f, ", {word}"))
            }
            Icmpv6Message::Redirect { target, destination } => {
                write!(f, "redirect {destination} to {target}")
            }
            Icmpv6Message::Listener { group } => match self.kind {
                130 => write!(f, "multicast listener query {group}"),
                131 => write!(f, "multicast listener report {group}"),
                _ => write!(f, "multicast listener done {group}"),
            },
            Icmpv6Message::ListenerReportV2 { records, first } => {
                write!(f, "multicast listener report v2, {}", Records(*records))?;
                match first {
                    Some((kind, group)) => write!(f, ", {} {group}", change(*kind)),
                    None => Ok(()),
                }
            }
            Icmpv6Message::Other => write!(f, "type {} code {code}", self.kind),
        }
    }
}

fn from(hardware: Option<&[u8; 6]>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    hardware.map_or(Ok(()), |hardware| write!(f, ", from {}", Hardware(hardware)))
}

/// The kind of a record about a multicast group: RFC 3810, 5.2.12, and RFC 3376, 4.2.12.
pub(crate) fn change(kind: u8) -> &'static str {
    match kind {
        1 => "is include",
        2 => "is exclude",
        3 => "to include",
        4 => "to exclude",
        5 => "allow",
        6 => "block",
        _ => "unknown change",
    }
}

/// How many records a report has.
pub(crate) struct Records(pub(crate) u16);

impl Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "record" } else { "records" })
    }
}
