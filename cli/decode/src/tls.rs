//! TLS: records by name, and what a client says first.

use std::fmt::{self, Display};

use crate::decode::{Next, Step};
use crate::escape::Word;
use crate::packet::Layer;
use crate::span::Span;

const RECORD_HEADER: usize = 5;
const HANDSHAKE_HEADER: usize = 4;

/// Records that are named of one segment.
const MOST_RECORDS: usize = 4;

/// Extensions of a hello that are looked through.
const MOST_EXTENSIONS: usize = 64;

/// Protocols that are named of one list.
const MOST_PROTOCOLS: usize = 4;

/// Records of TLS that begin in one segment: RFC 8446, RFC 5246.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls<'a> {
    records: Span<'a>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRecord<'a> {
    /// From here on, what is sent is encrypted.
    ChangeCipherSpec,
    /// Something is wrong, or the connection ends: level and description. `None` if encrypted.
    Alert(Option<(u8, u8)>),
    /// What a client says first.
    ClientHello(Hello<'a>),
    /// What a server answers.
    ServerHello(Hello<'a>),
    /// Another message of a handshake, by its type.
    Handshake(u8),
    /// A message of a handshake that is encrypted, or the middle of one.
    OpaqueHandshake,
    /// Data, or anything that version 1.3 hides as such.
    ApplicationData,
    /// Is someone there?
    Heartbeat,
}

/// What both sides say to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The highest version that is offered, or the one that was chosen.
    pub version: u16,
    /// Name of the server that the client wants.
    pub server_name: Option<&'a [u8]>,
    /// Protocols that are offered, or the one that was chosen, as they stand: each after its length.
    pub protocols: Option<&'a [u8]>,
    /// Whether it goes on in another segment, or was not captured to its end.
    pub is_partial: bool,
}

/// Reads records if the segment begins with one.
pub(crate) fn read(span: Span<'_>) -> Option<Step<'_>> {
    const LONGEST_RECORD: u16 = (1 << 14) + 2048;
    let [20..=24, 3, 0..=4] = span.array(0).ok()? else { return None };
    if !(1..=LONGEST_RECORD).contains(&span.u16(3).ok()?) {
        return None;
    }
    Some(Step::to(Layer::Tls(Tls { records: span }), Next::Nothing, span))
}

impl<'a> Tls<'a> {
    /// The records that begin in this segment, as far as they were captured.
    pub fn records(&self) -> TlsRecords<'a> {
        TlsRecords(self.records)
    }

    /// What the client says first, if it says so here.
    pub fn client_hello(&self) -> Option<Hello<'a>> {
        self.records().take(MOST_RECORDS).find_map(|record| match record {
            TlsRecord::ClientHello(hello) => Some(hello),
            _ => None,
        })
    }
}

/// Records, one after the other.
pub struct TlsRecords<'a>(Span<'a>);

impl<'a> Iterator for TlsRecords<'a> {
    type Item = TlsRecord<'a>;

    fn next(&mut self) -> Option<TlsRecord<'a>> {
        let [kind @ 20..=24, 3, 0..=4] = self.0.array(0).ok()? else { return None };
        let length = usize::from(self.0.u16(3).ok()?);
        let content = self.0.after(RECORD_HEADER);
        self.0 = content.after(length);
        Some(match kind {
            20 => TlsRecord::ChangeCipherSpec,
            21 if length == 2 => TlsRecord::Alert(content.u8(0).ok().zip(content.u8(1).ok())),
            21 => TlsRecord::Alert(None),
            22 => handshake(content, length),
            23 => TlsRecord::ApplicationData,
            _ => TlsRecord::Heartbeat,
        })
    }
}

/// The message that a record of a handshake begins with. Encrypted ones have a length that does not fit.
fn handshake(content: Span<'_>, record_length: usize) -> TlsRecord<'_> {
    let (Ok(kind), Ok(length)) = (content.u8(0), content.u24(1)) else { return TlsRecord::OpaqueHandshake };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // A message may go on in the next record, but none that is read here is that long.
    if handshake_word(kind).is_none() || length > 1 << 17 || record_length < HANDSHAKE_HEADER {
        return TlsRecord::OpaqueHandshake;
    }
    let here = content.first(record_length).after(HANDSHAKE_HEADER).first(length);
    match kind {
        1 => TlsRecord::ClientHello(hello(here, length, true)),
        2 => TlsRecord::ServerHello(hello(here, length, false)),
        kind => TlsRecord::Handshake(kind),
    }
}

fn hello(body: Span<'_>, length: usize, is_client: bool) -> Hello<'_> {
    let mut hello = Hello { is_partial: body.bytes().len() < length, ..Hello::default() };
    hello.version = body.u16(0).unwrap_or_default();
    if let Some(mut extensions) = extensions(body, is_client) {
        for _ in 0..MOST_EXTENSIONS {
            let (Ok(kind), Ok(length)) = (extensions.u16(0), extensions.u16(2)) else { break };
            hello.read_extension(kind, extensions.after(4).first(length.into()), is_client);
            extensions = extensions.after(4 + usize::from(length));
        }
    }
    hello
}

/// Extensions of a hello: after version, random, session id, cipher suites and compression methods.
fn extensions(body: Span<'_>, is_client: bool) -> Option<Span<'_>> {
    let mut at = 34;
    at += 1 + usize::from(body.u8(at).ok()?);
    if is_client {
        at += 2 + usize::from(body.u16(at).ok()?);
        at += 1 + usize::from(body.u8(at).ok()?);
    } else {
        at += 3;
    }
    let length = usize::from(body.u16(at).ok()?);
    Some(body.after(at + 2).first(length))
}

impl<'a> Hello<'a> {
    fn read_extension(&mut self, kind: u16, value: Span<'a>, is_client: bool) {
        match kind {
            // RFC 6066: a list of one name of type 0.
            0 if is_client && value.u8(2) == Ok(0) => {
                let length = value.u16(3).map(usize::from);
                self.server_name = length.and_then(|length| value.slice(5, length)).ok();
            }
            // RFC 7301.
            16 => {
                let length = value.u16(0).map(usize::from);
                self.protocols = length.and_then(|length| value.slice(2, length)).ok();
            }
            // RFC 8446: versions, of which some are grease (RFC 8701); or the one that was chosen.
            43 if is_client => {
                let versions = value.after(1).bytes().chunks_exact(2).filter_map(|pair| pair.try_into().ok());
                let highest = versions.map(u16::from_be_bytes).filter(|&version| version >> 8 == 3).max();
                self.version = highest.unwrap_or(self.version);
            }
            43 => self.version = value.u16(0).unwrap_or(self.version),
            _ => {}
        }
    }

    /// Names of the protocols, in the order of preference.
    pub fn protocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.protocols.unwrap_or_default();
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (name, after) = after.split_at_checked(length.into())?;
            rest = after;
            Some(name)
        })
    }
}

impl Display for Tls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS ")?;
        let mut comma = "";
        for (at, record) in self.records().enumerate() {
            f.write_str(comma)?;
            if at == MOST_RECORDS {
                return f.write_str("…");
            }
            record.fmt(f)?;
            comma = ", ";
        }
        Ok(())
    }
}

impl Display for TlsRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeCipherSpec => f.write_str("change cipher spec"),
            Self::Alert(None) => f.write_str("encrypted alert"),
            Self::Alert(Some((level, description))) => {
                f.write_str(if *level == 2 { "fatal alert " } else { "alert " })?;
                alert(*description, f)
            }
            Self::ClientHello(hello) => write!(f, "ClientHello{hello}"),
            Self::ServerHello(hello) => write!(f, "ServerHello{hello}"),
            Self::Handshake(kind) => f.write_str(handshake_word(*kind).unwrap_or("handshake")),
            Self::OpaqueHandshake => f.write_str("encrypted handshake"),
            Self::ApplicationData => f.write_str("application data"),
            Self::Heartbeat => f.write_str("heartbeat"),
        }
    }
}

impl Display for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            0 => {}
            0x0300 => f.write_str(", SSL 3.0")?,
            version @ 0x0301..=0x0304 => write!(f, ", version 1.{}", version - 0x0301)?,
            version => write!(f, ", version {version:#06x}")?,
        }
        if let Some(name) = self.server_name {
            write!(f, ", server name {}", Word(name))?;
        }
        if self.protocols.is_some() {
            f.write_str(", ALPN")?;
        }
        for name in self.protocols().take(MOST_PROTOCOLS) {
            write!(f, " {}", Word(name))?;
        }
        if self.is_partial { f.write_str(" [in part]") } else { Ok(()) }
    }
}

/// Source: IANA's registry of TLS handshake types.
fn handshake_word(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        22 => "CertificateStatus",
        24 => "KeyUpdate",
        _ => return None,
    })
}

/// Source: IANA's registry of TLS alerts.
fn alert(description: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match description {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record MAC",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown CA",
        49 => "access denied",
        50 => "decode error",
        51 => "decrypt error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        86 => "inappropriate fallback",
        90 => "user canceled",
        109 => "missing extension",
        110 => "unsupported extension",
        112 => "unrecognized name",
        116 => "certificate required",
        120 => "no application protocol",
        other => return write!(f, "{other}"),
    })
}
