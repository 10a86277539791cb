//! ARP.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use pnet_packet::arp::ArpPacket;

use crate::decode::{Next, Step};
use crate::escape::Hardware;
use crate::packet::Layer;
use crate::span::{Fault, Span};

/// A question or answer about who has an IPv4 address on Ethernet: RFC 826. Without addresses if it is about others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 is a question, 2 an answer.
    pub operation: u16,
    /// Who speaks: hardware address and IPv4 address.
    pub sender: Option<([u8; 6], Ipv4Addr)>,
    /// About whom, or to whom.
    pub target: Option<([u8; 6], Ipv4Addr)>,
    /// Bytes, padding included.
    pub length: usize,
}

pub(crate) fn read(span: Span<'_>) -> Result<Step<'_>, Fault> {
    const LENGTH: usize = 28;
    let kinds: [u8; 6] = span.array(0)?;
    let mut layer = Arp { operation: span.u16(6)?, sender: None, target: None, length: span.wire_length() };
    // Ethernet and IPv4, addresses of six and four bytes.
    if kinds == [0, 1, 8, 0, 6, 4] {
        let packet = ArpPacket::new(span.slice(0, LENGTH)?).ok_or(Fault::Cut)?;
        layer.sender = Some((packet.get_sender_hw_addr().octets(), packet.get_sender_proto_addr()));
        layer.target = Some((packet.get_target_hw_addr().octets(), packet.get_target_proto_addr()));
    }
    Ok(Step::to(Layer::Arp(layer), Next::Nothing, span.after(LENGTH)))
}

impl Display for Arp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ARP ")?;
        let (Some((sender_hardware, sender)), Some((target_hardware, target))) = (self.sender, self.target)
        else {
            return write!(f, "operation {} of other addresses, length {}", self.operation, self.length);
        };
        let (sender_hardware, target_hardware) = (Hardware(&sender_hardware), Hardware(&target_hardware));
        match self.operation {
            1 if sender == target => write!(f, "announcement {sender} is at {sender_hardware}"),
            1 if sender.is_unspecified() => write!(f, "probe who has {target}, asks {sender_hardware}"),
            1 => write!(f, "who has {target}, tell {sender} at {sender_hardware}"),
            2 => write!(f, "answer {sender} is at {sender_hardware}"),
            3 => write!(f, "reverse who is {target_hardware}, tell {sender_hardware}"),
            4 => write!(f, "reverse answer {target_hardware} is {target}"),
            operation => write!(f, "operation {operation} from {sender} to {target}"),
        }?;
        write!(f, ", length {}", self.length)
    }
}
