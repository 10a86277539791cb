//! UDP.

use std::fmt::{self, Display};

use pnet_packet::udp::UdpPacket;

use crate::decode::{Next, Step};
use crate::ip::Carrier;
use crate::packet::Layer;
use crate::span::{Fault, Span};
use crate::transport::Carried;

const LENGTH: usize = 8;

/// A UDP header: RFC 768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Bytes that it carries. 0 in the header stands for a packet that is longer than the field can say; it is then as
    /// long as the frame says.
    pub payload_length: usize,
}

pub(crate) fn read(span: Span<'_>, carrier: Carrier) -> Result<Step<'_>, Fault> {
    let packet = UdpPacket::new(span.slice(0, LENGTH)?).ok_or(Fault::Cut)?;
    let length = match usize::from(packet.get_length()) {
        0 => span.wire_length(),
        length => length,
    };
    let payload_length = length.checked_sub(LENGTH).ok_or(Fault::Bad("length"))?;
    if length > span.wire_length() && !carrier.is_part {
        return Err(Fault::Bad("length"));
    }
    let layer = Udp { source: packet.get_source(), destination: packet.get_destination(), payload_length };
    let carried = Carried::Udp { source: layer.source, destination: layer.destination, carrier };
    Ok(Step::to(Layer::Udp(layer), Next::Content(carried), span.first(length).after(LENGTH)))
}

impl Display for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UDP, length {}", self.payload_length)
    }
}
