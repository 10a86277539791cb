//! From what the ring holds to a packet as others know it.

use super::block::Frame;
use super::headers;

/// What a packet begins with, see pcap-linktype(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// `LINKTYPE_ETHERNET`: the header of Ethernet, which the loopback interface has as well.
    Ethernet,
    /// `LINKTYPE_RAW`: the header of IP, as of tunnels.
    Raw,
    /// `LINKTYPE_LINUX_SLL2`: a header that the kernel's account of the packet is made to.
    Cooked,
}

impl LinkType {
    /// Of an interface with this `ARPHRD_…` of linux/if_arp.h.
    pub fn of_hardware(hardware_type: u16) -> Self {
        match hardware_type {
            // Ethernet, loopback
            1 | 772 => Self::Ethernet,
            // raw IP, IP in IP of four kinds; nothing in front of IP, as of tun and WireGuard
            519 | 768 | 769 | 776 | 0xfffe => Self::Raw,
            _ => Self::Cooked,
        }
    }

    /// Its number.
    pub fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Cooked => 276,
        }
    }
}

/// How frames become packets.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What they begin with.
    pub link: LinkType,
    /// No packet is longer.
    pub snap_bytes: usize,
    /// They end behind their last header.
    pub headers_only: bool,
}

impl Shape {
    /// Appends the packet to `into`, and returns how long it was on the wire.
    pub fn put(&self, frame: &Frame<'_>, into: &mut Vec<u8>) -> u32 {
        let start = into.len();
        let mut added = 0;
        match (self.link, frame.vlan) {
            (LinkType::Ethernet, Some(vlan)) if frame.data.len() >= 12 => {
                // Where the kernel took it from: behind the two addresses.
                into.extend_from_slice(&frame.data[..12]);
                into.extend_from_slice(&vlan.kind.to_be_bytes());
                into.extend_from_slice(&vlan.control.to_be_bytes());
                into.extend_from_slice(&frame.data[12..]);
                added = 4;
            }
            (LinkType::Cooked, _) => {
                into.extend_from_slice(&cooked(frame));
                into.extend_from_slice(frame.data);
                added = 20;
            }
            _ => into.extend_from_slice(frame.data),
        }
        let mut length = (into.len() - start).min(self.snap_bytes);
        if self.headers_only {
            length = headers::length(self.link, &into[start..start + length]);
        }
        into.truncate(start + length);
        frame.wire_bytes.saturating_add(added)
    }
}

/// The header of `LINKTYPE_LINUX_SLL2`.
fn cooked(frame: &Frame<'_>) -> [u8; 20] {
    let sender = &frame.sender;
    let mut header = [0; 20];
    header[..2].copy_from_slice(&sender.protocol.to_be_bytes());
    header[4..8].copy_from_slice(&sender.index.to_be_bytes());
    header[8..10].copy_from_slice(&sender.hardware_type.to_be_bytes());
    header[10] = sender.packet_type;
    header[11] = sender.address_bytes;
    header[12..].copy_from_slice(&sender.address);
    header
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::block::{Sender, Vlan};
    use super::*;

    const DATA: &[u8] = &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x08, 0x00, 0x45, 0, 0, 0];

    fn frame(vlan: Option<Vlan>) -> Frame<'static> {
        let sender = Sender {
            protocol: 0x0800,
            index: 7,
            hardware_type: 1,
            packet_type: 4,
            address_bytes: 6,
            address: [2, 2, 2, 2, 2, 2, 0, 0],
        };
        Frame { time: Duration::ZERO, wire_bytes: 1000, data: DATA, vlan, sender }
    }

    fn put(link: LinkType, snap_bytes: usize, vlan: Option<Vlan>) -> (u32, Vec<u8>) {
        let mut into = vec![9];
        let wire_bytes = Shape { link, snap_bytes, headers_only: false }.put(&frame(vlan), &mut into);
        assert_eq!(into.remove(0), 9, "what was there stays");
        (wire_bytes, into)
    }

    #[test]
    fn a_tag_is_put_back_where_the_kernel_took_it_from() {
        let vlan = Some(Vlan { kind: 0x88a8, control: 0x6007 });
        let (wire_bytes, packet) = put(LinkType::Ethernet, 100, vlan);
        assert_eq!(wire_bytes, 1004);
        assert_eq!(packet, [&DATA[..12], &[0x88, 0xa8, 0x60, 0x07], &DATA[12..]].concat());
        assert_eq!(put(LinkType::Ethernet, 100, None), (1000, DATA.to_vec()));
        assert_eq!(put(LinkType::Ethernet, 13, vlan), (1004, packet[..13].to_vec()));
    }

    #[test]
    fn a_cooked_header_tells_interface_direction_and_protocol() {
        let (wire_bytes, packet) = put(LinkType::Cooked, 100, None);
        assert_eq!(wire_bytes, 1020);
        let header = [0x08, 0, 0, 0, 0, 0, 0, 7, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0];
        assert_eq!(packet, [&header, DATA].concat());
    }

    #[test]
    fn with_headers_only_what_follows_is_gone() {
        let mut into = Vec::new();
        let shape = Shape { link: LinkType::Ethernet, snap_bytes: 100, headers_only: true };
        shape.put(&frame(None), &mut into);
        assert_eq!(into, &DATA[..14], "the header of IP is not whole");
    }
}
