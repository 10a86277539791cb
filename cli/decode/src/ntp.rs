//! NTP.

use std::fmt::{self, Display};

use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::Span;

/// A message of NTP: RFC 5905.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntp {
    /// Version of the protocol.
    pub version: u8,
    /// Who speaks to whom.
    pub mode: u8,
    /// Whether a second is about to be left out or added; 3 means that the clock is not set.
    pub leap: u8,
    /// How far from a clock; 0 if not said, 16 if not set. `None` in messages of control.
    pub stratum: Option<u8>,
}

/// Reads a message if it looks like one.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    const LENGTH: usize = 48;
    let first = span.u8(0).ok()?;
    let (leap, version, mode) = (first >> 6, first >> 3 & 7, first & 7);
    let is_control = mode >= 6;
    if !(1..=4).contains(&version) || mode == 0 || (span.wire_length() < LENGTH && !is_control) {
        return None;
    }
    let stratum = if is_control { None } else { Some(span.u8(1).ok()?) };
    Some(Step::to(Layer::Ntp(Ntp { version, mode, leap, stratum }), Next::Nothing, span.after(LENGTH)))
}

impl Display for Ntp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            1 => "symmetric active",
            2 => "symmetric passive",
            3 => "client",
            4 => "server",
            5 => "broadcast",
            6 => "control",
            _ => "private",
        };
        write!(f, "NTPv{} {mode}", self.version)?;
        if let Some(stratum) = self.stratum {
            write!(f, ", stratum {stratum}")?;
        }
        match self.leap {
            1 => f.write_str(", leap second is added"),
            2 => f.write_str(", leap second is left out"),
            3 => f.write_str(", clock not set"),
            _ => Ok(()),
        }
    }
}
