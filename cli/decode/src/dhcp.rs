//! DHCP and BOOTP.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use crate::decode::{Next, Step};
use crate::escape::{Hardware, Quoted};
use crate::packet::Layer;
use crate::span::Span;

/// Where options begin: after the header and the magic cookie.
const OPTIONS_AT: usize = 240;

/// Bytes of options that are read: what fits into a frame.
const LONGEST_OPTIONS: usize = 1_500;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A message of DHCP: RFC 2131, with options of RFC 2132.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp<'a> {
    /// Type of the message; `None` for BOOTP, and if it was not captured.
    pub kind: Option<u8>,
    /// Whether it comes from a server.
    pub is_reply: bool,
    /// Which exchange it belongs to.
    pub transaction: u32,
    /// Hardware address of the client.
    pub client: [u8; 6],
    /// Address that the client has.
    pub client_address: Ipv4Addr,
    /// Address that the client gets.
    pub your_address: Ipv4Addr,
    /// Relay that passes the message on.
    pub relay: Ipv4Addr,
    /// Address that the client asks for.
    pub requested: Option<Ipv4Addr>,
    /// Who serves.
    pub server: Option<Ipv4Addr>,
    /// For how long.
    pub lease_seconds: Option<u32>,
    /// Name of the client.
    pub host_name: Option<&'a [u8]>,
    /// Whether options were cut off.
    pub is_cut: bool,
}

/// Reads a message if it looks like one.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    let [operation @ 1..=2, 1, 6, _] = span.array(0).ok()? else { return None };
    let address = |at| span.array::<4>(at).ok().map(Ipv4Addr::from);
    let mut layer = Dhcp {
        kind: None,
        is_reply: operation == 2,
        transaction: span.u32(4).ok()?,
        client_address: address(12)?,
        your_address: address(16)?,
        relay: address(24)?,
        client: span.array(28).ok()?,
        requested: None,
        server: None,
        lease_seconds: None,
        host_name: None,
        is_cut: span.is_cut(),
    };
    if span.array(OPTIONS_AT - COOKIE.len()) == Ok(COOKIE) {
        layer.read_options(span.after(OPTIONS_AT).first(LONGEST_OPTIONS));
    }
    Some(Step::to(Layer::Dhcp(layer), Next::Nothing, span.after(OPTIONS_AT)))
}

impl<'a> Dhcp<'a> {
    fn read_options(&mut self, mut options: Span<'a>) {
        loop {
            match options.u8(0) {
                Ok(0) => {
                    options = options.after(1);
                    continue;
                }
                Ok(255) => self.is_cut = false,
                Ok(kind) => {
                    let length = options.u8(1).map(usize::from);
                    if let Ok(length) = length
                        && let Ok(value) = options.slice(2, length)
                    {
                        self.read_option(kind, value);
                        options = options.after(2 + length);
                        continue;
                    }
                }
                Err(_) => {}
            }
            return;
        }
    }

    fn read_option(&mut self, kind: u8, value: &'a [u8]) {
        let address = || <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from);
        match kind {
            12 => self.host_name = Some(value),
            50 => self.requested = address(),
            51 => self.lease_seconds = value.try_into().ok().map(u32::from_be_bytes),
            53 => self.kind = value.first().copied(),
            54 => self.server = address(),
            _ => {}
        }
    }

    /// What kind of message it is. Source: IANA's registry of DHCP message types.
    fn word(&self) -> &'static str {
        match self.kind {
            Some(1) => "discover",
            Some(2) => "offer",
            Some(3) => "request",
            Some(4) => "decline",
            Some(5) => "ack",
            Some(6) => "nak",
            Some(7) => "release",
            Some(8) => "inform",
            Some(9) => "force renew",
            Some(10) => "lease query",
            Some(_) => "message of unknown type",
            None if self.is_reply => "BOOTP reply",
            None => "BOOTP request",
        }
    }
}

impl Display for Dhcp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DHCP {}, client {}, xid {:#010x}", self.word(), Hardware(&self.client), self.transaction)?;
        let known = |address: Ipv4Addr| Some(address).filter(|address| !address.is_unspecified());
        let addresses = [
            ("has", known(self.client_address)),
            ("gets", known(self.your_address)),
            ("wants", self.requested),
            ("server", self.server),
            ("relay", known(self.relay)),
        ];
        for (word, address) in addresses {
            if let Some(address) = address {
                write!(f, ", {word} {address}")?;
            }
        }
        if let Some(seconds) = self.lease_seconds {
            write!(f, ", lease {seconds} s")?;
        }
        if let Some(name) = self.host_name {
            write!(f, ", host {}", Quoted(name))?;
        }
        if self.is_cut { f.write_str(" [cut]") } else { Ok(()) }
    }
}
