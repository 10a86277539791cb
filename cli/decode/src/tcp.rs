//! TCP.

use std::fmt::{self, Display};

use pnet_packet::tcp::TcpPacket;

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::{Fault, Span};
use crate::transport::Carried;

const LEAST_LENGTH: usize = 20;

/// A TCP header: RFC 9293.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Number of the first byte.
    pub sequence: u32,
    /// Number of the byte that is expected next; says nothing without the flag ACK.
    pub acknowledgement: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window, as in the header: not scaled.
    pub window: u16,
    /// Where urgent data ends; says nothing without the flag URG.
    pub urgent: u16,
    /// Options, as they stand.
    pub options: &'a [u8],
    /// Bytes that it carries.
    pub payload_length: usize,
}

/// The flags of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from here.
    pub const FIN: Self = Self(0x01);
    /// Opens a connection.
    pub const SYN: Self = Self(0x02);
    /// Ends a connection at once.
    pub const RST: Self = Self(0x04);
    /// To be handed on without waiting.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// Congestion was seen (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// The sender has slowed down (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// Whether all flags of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(TcpFlags, &str); 8] = [
            (TcpFlags::SYN, "SYN"),
            (TcpFlags::FIN, "FIN"),
            (TcpFlags::RST, "RST"),
            (TcpFlags::PSH, "PSH"),
            (TcpFlags::ACK, "ACK"),
            (TcpFlags::URG, "URG"),
            (TcpFlags::ECE, "ECE"),
            (TcpFlags::CWR, "CWR"),
        ];
        let mut space = "";
        for (_, name) in NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{space}{name}")?;
            space = " ";
        }
        if self.0 == 0 { f.write_str("none") } else { Ok(()) }
    }
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    let packet = TcpPacket::new(span.slice(0, LEAST_LENGTH)?).ok_or(Fault::Cut)?;
    let header_length = usize::from(packet.get_data_offset()) * 4;
    if header_length < LEAST_LENGTH {
        return Err(Fault::Bad("header length"));
    }
    let payload_length = span.wire_length().checked_sub(header_length).ok_or(Fault::Bad("header length"))?;
    let layer = Tcp {
        source: packet.get_source(),
        destination: packet.get_destination(),
        sequence: packet.get_sequence(),
        acknowledgement: packet.get_acknowledgement(),
        flags: TcpFlags(packet.get_flags()),
        window: packet.get_window(),
        urgent: packet.get_urgent_ptr(),
        // What was captured of them: the rest of the header says enough without.
        options: span.first(header_length).after(LEAST_LENGTH).bytes(),
        payload_length,
    };
    let carried = Carried::Tcp { source: layer.source, destination: layer.destination };
    Ok(Step::to(Layer::Tcp(layer), Next::Content(carried), span.after(header_length)))
}

/// One option of a TCP header. Source: IANA's registry of TCP option kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Padding.
    Nop,
    /// The longest segment that the sender takes.
    MaximumSegment(u16),
    /// The window counts in units of two to this power (RFC 7323).
    WindowScale(u8),
    /// Selective acknowledgements may be sent (RFC 2018).
    SackPermitted,
    /// What arrived out of order: pairs of sequence numbers, four bytes each.
    Sack(&'a [u8]),
    /// Time of sending, and the time that is answered (RFC 7323).
    Timestamp(u32, u32),
    /// Multipath TCP (RFC 8684).
    Multipath,
    /// Fast open, with its cookie (RFC 7413).
    FastOpen(&'a [u8]),
    /// Another, by its kind.
    Other(u8),
    /// Its length is wrong, or it was not captured: nothing is read after it.
    Unreadable,
}

/// Options, in their order.
pub struct TcpOptions<'a>(&'a [u8]);

impl<'a> Tcp<'a> {
    /// The options, as far as they were captured.
    pub fn options(&self) -> TcpOptions<'a> {
        TcpOptions(self.options)
    }
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        let (&kind, rest) = self.0.split_first()?;
        self.0 = match kind {
            0 => return None,
            1 => rest,
            _ => {
                let length = rest.first().map(|&length| usize::from(length)).filter(|&length| length >= 2);
                let parts = length.and_then(|length| self.0.split_at_checked(length));
                let Some((option, after)) = parts else {
                    self.0 = &[];
                    return Some(TcpOption::Unreadable);
                };
                self.0 = after;
                return Some(option_of(kind, option.get(2..).unwrap_or_default()));
            }
        };
        Some(TcpOption::Nop)
    }
}

fn option_of(kind: u8, value: &[u8]) -> TcpOption<'_> {
    match (kind, value) {
        (2, &[high, low]) => TcpOption::MaximumSegment(u16::from_be_bytes([high, low])),
        (3, &[shift]) => TcpOption::WindowScale(shift),
        (4, []) => TcpOption::SackPermitted,
        (5, blocks) if blocks.len() % 8 == 0 => TcpOption::Sack(blocks),
        (8, &[a, b, c, d, e, f, g, h]) => {
            TcpOption::Timestamp(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
        }
        (30, _) => TcpOption::Multipath,
        (34, cookie) => TcpOption::FastOpen(cookie),
        _ => TcpOption::Other(kind),
    }
}

impl Display for TcpOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nop => f.write_str("nop"),
            Self::MaximumSegment(bytes) => write!(f, "mss {bytes}"),
            Self::WindowScale(shift) => write!(f, "window scale {shift}"),
            Self::SackPermitted => f.write_str("SACK permitted"),
            Self::Sack(blocks) => {
                f.write_str("SACK")?;
                for block in blocks.chunks_exact(8) {
                    let &[a, b, c, d, e, g, h, i] = block else { break };
                    let (start, end) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, g, h, i]));
                    write!(f, " {start}:{end}")?;
                }
                Ok(())
            }
            Self::Timestamp(value, echo) => write!(f, "timestamp {value} echo {echo}"),
            Self::Multipath => f.write_str("multipath"),
            Self::FastOpen(cookie) => write!(f, "fast open {} bytes", cookie.len()),
            Self::Other(kind) => write!(f, "option {kind}"),
            Self::Unreadable => f.write_str("unreadable"),
        }
    }
}

/// Where a connection's sequence numbers begin, to tell them relative to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Of the sender.
    pub sequence: u32,
    /// Of the receiver.
    pub acknowledgement: u32,
}

impl Origin {
    /// The same for packets of the other direction.
    pub(crate) fn turned(self) -> Self {
        Self { sequence: self.acknowledgement, acknowledgement: self.sequence }
    }
}

/// A header in words.
pub(crate) struct TcpText<'a>(pub(crate) &'a Tcp<'a>, pub(crate) Origin);

impl Display for TcpText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tcp, origin) = *self;
        write!(f, "TCP [{}]", tcp.flags)?;
        let sequence = tcp.sequence.wrapping_sub(origin.sequence);
        // Without data, a sequence number matters where a connection begins or ends.
        if tcp.payload_length > 0 {
            let length = u32::try_from(tcp.payload_length).unwrap_or(u32::MAX);
            write!(f, ", seq {sequence}:{}", sequence.wrapping_add(length))?;
        } else if tcp.flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0) != 0 {
            write!(f, ", seq {sequence}")?;
        }
        if tcp.flags.contains(TcpFlags::ACK) {
            write!(f, ", ack {}", tcp.acknowledgement.wrapping_sub(origin.acknowledgement))?;
        }
        write!(f, ", win {}", tcp.window)?;
        if tcp.flags.contains(TcpFlags::URG) {
            write!(f, ", urgent {}", tcp.urgent)?;
        }
        let mut before = ", options [";
        for option in tcp.options().filter(|option| *option != TcpOption::Nop) {
            write!(f, "{before}{option}")?;
            before = ", ";
        }
        if before == ", " {
            f.write_str("]")?;
        }
        write!(f, ", length {}", tcp.payload_length)
    }
}
