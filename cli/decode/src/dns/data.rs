//! What a record says: addresses, names and texts. Of other types, only how long it is.

use std::fmt::{self, Display};
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{Name, RecordType};

use super::name_at;
use super::words::ShownName;
use crate::escape::Quoted;
use crate::span::{Fault, Span};

/// The data of a record: RFC 1035, RFC 3596, RFC 2782.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name: of CNAME, NS, PTR and DNAME.
    Name(Name),
    /// A server for mail, and its preference.
    Mx(u16, Name),
    /// Where a service is.
    Srv {
        /// The lowest is asked first.
        priority: u16,
        /// How many of those with the same priority should ask it.
        weight: u16,
        /// Port.
        port: u16,
        /// Name of the server.
        target: Name,
    },
    /// The primary server of a zone.
    Soa(Name),
    /// The first text of several.
    Txt(&'a [u8]),
    /// Bytes of another type: how many.
    Other(usize),
}

impl<'a> Data<'a> {
    /// Reads `length` bytes from `at` on.
    pub(super) fn parse(
        message: Span<'a>,
        kind: RecordType,
        at: usize,
        length: usize,
    ) -> Result<Self, Fault> {
        let bytes = message.slice(at, length)?;
        // Names may point to what came before, but begin and end within the record.
        let name = |offset: usize| {
            let (name, end) = name_at(message, at + offset)?;
            if end > at + length { Err(Fault::Bad("record length")) } else { Ok(name) }
        };
        let span = Span::new(bytes, length);
        Ok(match kind {
            RecordType::A if length == 4 => Self::A(span.array::<4>(0)?.into()),
            RecordType::AAAA if length == 16 => Self::Aaaa(span.array::<16>(0)?.into()),
            // Also DNAME, which hickory has no word for.
            RecordType::CNAME | RecordType::NS | RecordType::PTR | RecordType::Unknown(39) => {
                Self::Name(name(0)?)
            }
            RecordType::MX => Self::Mx(span.u16(0)?, name(2)?),
            RecordType::SRV => Self::Srv {
                priority: span.u16(0)?,
                weight: span.u16(2)?,
                port: span.u16(4)?,
                target: name(6)?,
            },
            RecordType::SOA => Self::Soa(name(0)?),
            RecordType::TXT if length > 0 => Self::Txt(span.slice(1, span.u8(0)?.into())?),
            _ => Self::Other(length),
        })
    }
}

impl Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => write!(f, " {address}"),
            Self::Aaaa(address) => write!(f, " {address}"),
            Self::Name(name) | Self::Soa(name) => write!(f, " {}", ShownName(name)),
            Self::Mx(preference, name) => write!(f, " {preference} {}", ShownName(name)),
            Self::Srv { priority, weight, port, target } => {
                write!(f, " {}:{port} priority {priority} weight {weight}", ShownName(target))
            }
            Self::Txt(text) => write!(f, " {}", Quoted(text)),
            Self::Other(length) => write!(f, " {length} bytes"),
        }
    }
}
