//! DHCPv6.

use std::fmt::{self, Display};
use std::net::Ipv6Addr;

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::Span;

/// Bytes of options that are read: what fits into a frame.
const LONGEST_OPTIONS: usize = 1_500;

/// A message of DHCPv6: RFC 8415.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcpv6 {
    /// Type of the message.
    pub kind: u8,
    /// Which exchange it belongs to. `None` of what a relay passes on.
    pub transaction: Option<u32>,
    /// The first address that it is about.
    pub address: Option<Ipv6Addr>,
    /// The first prefix that it is about, and its length.
    pub prefix: Option<(Ipv6Addr, u8)>,
    /// Status code, if it is not success.
    pub status: Option<u16>,
    /// Whether options were cut off.
    pub is_cut: bool,
}

/// Reads a message if it looks like one.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    let kind @ 1..=13 = span.u8(0).ok()? else { return None };
    let is_relayed = matches!(kind, 12 | 13);
    let mut layer = Dhcpv6 {
        kind,
        transaction: if is_relayed { None } else { Some(span.u24(1).ok()?) },
        address: None,
        prefix: None,
        status: None,
        is_cut: span.is_cut(),
    };
    let options = span.after(if is_relayed { 34 } else { 4 });
    layer.read_options(options.first(LONGEST_OPTIONS));
    Some(Step::to(Layer::Dhcpv6(layer), Next::Nothing, options))
}

impl Dhcpv6 {
    /// Reads options one after the other. Those that hold options are entered, by going on right behind their fields:
    /// what follows in them are options as well, and so is what follows them.
    fn read_options(&mut self, mut options: Span<'_>) {
        while let (Ok(kind), Ok(length)) = (options.u16(0), options.u16(2)) {
            let value = options.after(4);
            let fields = match kind {
                // For a non-temporary address, for a temporary one, for a prefix.
                3 | 25 => 12,
                4 => 4,
                5 => {
                    self.address = self.address.or(value.array::<16>(0).ok().map(Ipv6Addr::from));
                    24
                }
                26 => {
                    let prefix = value.array::<16>(9).ok().map(Ipv6Addr::from);
                    self.prefix = self.prefix.or(prefix.zip(value.u8(8).ok()));
                    25
                }
                13 => {
                    self.status = self.status.or(value.u16(0).ok().filter(|&status| status != 0));
                    length.into()
                }
                _ => usize::from(length),
            };
            options = value.after(fields.min(length.into()));
        }
    }

    /// Source: IANA's registry of DHCPv6 message types.
    fn word(&self) -> &'static str {
        match self.kind {
            1 => "solicit",
            2 => "advertise",
            3 => "request",
            4 => "confirm",
            5 => "renew",
            6 => "rebind",
            7 => "reply",
            8 => "release",
            9 => "decline",
            10 => "reconfigure",
            11 => "information request",
            12 => "relay forward",
            _ => "relay reply",
        }
    }
}

impl Display for Dhcpv6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DHCPv6 {}", self.word())?;
        if let Some(transaction) = self.transaction {
            write!(f, ", xid {transaction:#08x}")?;
        }
        if let Some(address) = self.address {
            write!(f, ", address {address}")?;
        }
        if let Some((prefix, length)) = self.prefix {
            write!(f, ", prefix {prefix}/{length}")?;
        }
        match self.status {
            Some(1) => f.write_str(", unspecified failure")?,
            Some(2) => f.write_str(", no addresses available")?,
            Some(3) => f.write_str(", no binding")?,
            Some(4) => f.write_str(", not on link")?,
            Some(5) => f.write_str(", use multicast")?,
            Some(6) => f.write_str(", no prefix available")?,
            Some(status) => write!(f, ", status {status}")?,
            None => {}
        }
        if self.is_cut { f.write_str(" [cut]") } else { Ok(()) }
    }
}
