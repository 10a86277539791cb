//! netlink: questions to the kernel over a socket, answered in messages with attributes.
//!
//! Format: netlink(7) and the kernel's Documentation/userspace-api/netlink/intro.rst. What is here splits bytes; the
//! modules below know what they mean. Only [`socket`] talks to the kernel.

pub mod address;
pub mod inet_diag;
pub mod link;
pub mod neighbour;
pub mod netlink_diag;
pub mod packet_diag;
pub mod route;
pub mod rtnetlink;
pub mod rule;
pub mod sock_diag;
mod socket;
pub mod tcp_info;
pub mod unix_diag;

use std::net::IpAddr;

/// `struct nlmsghdr`
const HEADER_BYTES: usize = 16;
/// `struct nlattr`
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Flag `NLM_F_DUMP_INTR`: the table changed while it was told.
const INTERRUPTED: u16 = 0x10;
/// Message types below this are netlink's own.
const FIRST_TYPE: u16 = 0x10;
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'b> {
    /// What it is: netlink's own below 16, the subsystem's from there.
    pub kind: u16,
    /// `NLM_F_…`
    pub flags: u16,
    /// Of the request that it answers.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'b [u8],
}

/// What a message says of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'b> {
    /// The subsystem's own.
    Told(&'b [u8]),
    /// There is no more.
    Done,
    /// The kernel does not answer, because of this errno.
    Refused(i32),
    /// Neither.
    Nothing,
}

impl<'b> Message<'b> {
    /// What it says. The end of a dump may carry an error as well.
    pub fn part(&self) -> Part<'b> {
        let errno = || i32_at(self.payload, 0).unwrap_or(0).saturating_neg();
        match self.kind {
            TYPE_DONE | TYPE_ERROR if errno() > 0 => Part::Refused(errno()),
            TYPE_DONE | TYPE_ERROR => Part::Done,
            FIRST_TYPE.. => Part::Told(self.payload),
            _ => Part::Nothing,
        }
    }

    /// The table changed while it was told: something may be missing, or told twice.
    pub fn is_interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }
}

/// Splits a datagram into its messages. Ends where one does not fit: `None` then stands for the rest.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Option<Message<'_>>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let message = first_message(bytes);
        let length = message.map_or(bytes.len(), |message| aligned(HEADER_BYTES + message.payload.len()));
        bytes = bytes.get(length..).unwrap_or_default();
        Some(message)
    })
}

fn first_message(bytes: &[u8]) -> Option<Message<'_>> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    Some(Message {
        kind: u16_at(bytes, 4)?,
        flags: u16_at(bytes, 6)?,
        sequence: u32_at(bytes, 8)?,
        payload: bytes.get(HEADER_BYTES..length)?,
    })
}

/// The attributes that follow the fixed part of a message: type without its flags, and value. Ends where one does not
/// fit.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// `NLA_TYPE_MASK`: the upper two bits are flags.
    const TYPE: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & TYPE;
        let value = bytes.get(ATTRIBUTE_HEADER_BYTES..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// Makes a request of a subsystem that is answered with all there is: `NLM_F_REQUEST | NLM_F_DUMP`.
fn dump_request(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    request(kind, 0x1 | 0x300, sequence, payload)
}

/// Makes a request of a subsystem that is answered with one message: `NLM_F_REQUEST`.
fn single_request(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    request(kind, 0x1, sequence, payload)
}

fn request(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + payload.len()).unwrap_or(u32::MAX);
    let mut request = Vec::with_capacity(HEADER_BYTES + payload.len());
    request.extend(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    // The port is the kernel's to fill in.
    request.extend(0_u32.to_ne_bytes());
    request.extend(payload);
    request
}

/// An address of IPv4 or IPv6.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => array_at::<4>(bytes, 0).map(IpAddr::from),
        16 => array_at::<16>(bytes, 0).map(IpAddr::from),
        _ => None,
    }
}

/// Text of the kernel, without the zero that ends it.
fn text(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}

#[inline]
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_ne_bytes)
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_ne_bytes)
}

#[inline]
fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    array_at(bytes, at).map(i32::from_ne_bytes)
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut message = dump_request(kind, 7, payload);
        message.resize(aligned(message.len()), 0);
        message
    }

    #[test]
    fn a_datagram_falls_into_its_messages() {
        let datagram = [message(20, b"abcde"), message(TYPE_DONE, &0_i32.to_ne_bytes())].concat();
        let parts: Vec<_> = messages(&datagram).map(|message| message.unwrap().part()).collect();
        assert_eq!(parts, [Part::Told(b"abcde"), Part::Done]);
        assert_eq!(messages(&datagram).flatten().map(|message| message.sequence).collect::<Vec<_>>(), [7, 7]);
    }

    #[test]
    fn a_refusal_says_why_also_at_the_end_of_a_dump() {
        for kind in [TYPE_ERROR, TYPE_DONE] {
            let refused = message(kind, &(-13_i32).to_ne_bytes());
            assert_eq!(messages(&refused).next().unwrap().unwrap().part(), Part::Refused(13));
        }
        let odd = message(TYPE_ERROR, &i32::MIN.to_ne_bytes());
        assert_eq!(messages(&odd).next().unwrap().unwrap().part(), Part::Refused(i32::MAX));
    }

    #[test]
    fn what_does_not_fit_ends_the_datagram() {
        let mut datagram = [message(20, b"abcd"), message(20, b"efgh")].concat();
        datagram.truncate(datagram.len() - 1);
        let parts: Vec<_> =
            messages(&datagram).map(|message| message.map(|message| message.payload)).collect();
        assert_eq!(parts, [Some(&b"abcd"[..]), None]);
        let too_short = 15_u32.to_ne_bytes().repeat(4);
        assert_eq!(messages(&too_short).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn attributes_are_padded_and_lose_their_flags() {
        let mut bytes = Vec::new();
        for (kind, value) in [(0x8002_u16, &b"abc"[..]), (3, b""), (4, b"z")] {
            bytes.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value);
            bytes.resize(aligned(bytes.len()), 0);
        }
        // The last one needs no padding.
        bytes.truncate(bytes.len() - 3);
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found, [(2, &b"abc"[..]), (3, b""), (4, b"z")]);
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
    }
}
