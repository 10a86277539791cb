//! ICMP.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::quote::Quote;
use crate::span::{Fault, Span};

/// A message of ICMP: RFC 792, and what later ones added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type of the message.
    pub kind: u8,
    /// What it says more exactly.
    pub code: u8,
    /// What it means.
    pub message: IcmpMessage,
    /// Bytes, header included.
    pub length: usize,
}

/// What an ICMP message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpMessage {
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
    Unreachable {
        /// Which.
        quote: Option<Quote>,
        /// The longest packet that can go on, if it was too long (RFC 1191). 0 if the router did not say.
        mtu: Option<u16>,
    },
    /// A packet took too many hops, or its parts did not arrive in time.
    TimeExceeded {
        /// Which.
        quote: Option<Quote>,
    },
    /// There is a better way.
    Redirect {
        /// Over which router.
        gateway: Ipv4Addr,
        /// For which packet.
        quote: Option<Quote>,
    },
    /// A header is wrong.
    ParameterProblem {
        /// At which byte.
        pointer: u8,
        /// Of which packet.
        quote: Option<Quote>,
    },
    /// Question for a time, and its answer.
    Timestamp {
        /// Whether it is the answer.
        is_reply: bool,
        /// Whose.
        id: u16,
        /// Which.
        sequence: u16,
    },
    /// Anything else.
    Other,
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let [kind, code, _, _] = span.array(0)?;
    let word = || Ok::<_, Fault>((span.u16(4)?, span.u16(6)?));
    let quote = Quote::parse(span.after(8));
    let message = match kind {
        0 | 8 => {
            let (id, sequence) = word()?;
            IcmpMessage::Echo { is_reply: kind == 0, id, sequence }
        }
        3 => {
            let mtu = if code == 4 { Some(word()?.1) } else { None };
            IcmpMessage::Unreachable { quote, mtu }
        }
        5 => IcmpMessage::Redirect { gateway: span.array::<4>(4)?.into(), quote },
        11 => IcmpMessage::TimeExceeded { quote },
        12 => IcmpMessage::ParameterProblem { pointer: span.u8(4)?, quote },
        13 | 14 => {
            let (id, sequence) = word()?;
            IcmpMessage::Timestamp { is_reply: kind == 14, id, sequence }
        }
        _ => IcmpMessage::Other,
    };
    let layer = Icmp { kind, code, message, length: span.wire_length() };
    Ok(Step::to(Layer::Icmp(layer), Next::Nothing, span.after(8)))
}

/// What a router or host could not reach. Source: IANA's registry of ICMP type numbers.
fn unreachable(code: u8) -> Option<&'static str> {
    Some(match code {
        0 => "network unreachable",
        1 => "host unreachable",
        2 => "protocol unreachable",
        3 => "port unreachable",
        4 => "fragmentation needed",
        5 => "source route failed",
        6 => "network unknown",
        7 => "host unknown",
        8 => "source host isolated",
        9 => "network prohibited",
        10 => "host prohibited",
        11 => "network unreachable for this type of service",
        12 => "host unreachable for this type of service",
        13 => "prohibited by filter",
        14 => "host precedence violation",
        15 => "precedence cutoff",
        _ => return None,
    })
}

impl Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ICMP ")?;
        let code = self.code;
        match self.message {
            IcmpMessage::Echo { is_reply, id, sequence } => {
                write!(f, "echo {}, id {id}, seq {sequence}", if is_reply { "reply" } else { "request" })
            }
            IcmpMessage::Timestamp { is_reply, id, sequence } => {
                write!(f, "timestamp {}, id {id}, seq {sequence}", if is_reply { "reply" } else { "request" })
            }
            IcmpMessage::Unreachable { quote, mtu } => {
                match unreachable(code) {
                    Some(reason) => f.write_str(reason)?,
                    None => write!(f, "unreachable, code {code}")?,
                }
                if let Some(mtu) = mtu {
                    write!(f, ", mtu {mtu}")?;
                }
                about(quote, f)
            }
            IcmpMessage::TimeExceeded { quote } => {
                match code {
                    0 => f.write_str("time exceeded on the way")?,
                    1 => f.write_str("time exceeded waiting for fragments")?,
                    _ => write!(f, "time exceeded, code {code}")?,
                }
                about(quote, f)
            }
            IcmpMessage::Redirect { gateway, quote } => {
                let scope = if matches!(code, 0 | 2) { "network" } else { "host" };
                write!(f, "redirect {scope} to {gateway}")?;
                about(quote, f)
            }
            IcmpMessage::ParameterProblem { pointer, quote } => {
                match code {
                    0 => write!(f, "parameter problem at byte {pointer}")?,
                    1 => f.write_str("parameter problem, option missing")?,
                    2 => f.write_str("parameter problem, bad length")?,
                    _ => write!(f, "parameter problem, code {code}")?,
                }
                about(quote, f)
            }
            IcmpMessage::Other => match self.kind {
                4 => f.write_str("source quench"),
                9 => f.write_str("router advertisement"),
                10 => f.write_str("router solicitation"),
                17 => f.write_str("address mask request"),
                18 => f.write_str("address mask reply"),
                42 => f.write_str("extended echo request"),
                43 => f.write_str("extended echo reply"),
                kind => write!(f, "type {kind} code {code}"),
            },
        }?;
        write!(f, ", length {}", self.length)
    }
}

/// Appends which packet an error is about, if it says so.
pub(crate) fn about(quote: Option<Quote>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    quote.map_or(Ok(()), |quote| write!(f, ", for {quote}"))
}
