//! DNS, and what has taken its messages over: mDNS and LLMNR.

mod data;
mod message;
mod words;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, DecodeError};

pub use self::data::Data;
use crate::decode::{Next, Step};
use crate::packet::Layer;
use crate::span::{Fault, Span};

const HEADER_LENGTH: usize = 12;

/// Pointers of one name that are followed.
const MOST_POINTERS: usize = 16;

/// Labels of a name: each takes at least two of its 255 bytes, and the root one.
const MOST_LABELS: usize = 127;

/// Which relative of DNS it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 1035, over UDP.
    Dns,
    /// The same over TCP.
    DnsOverTcp,
    /// Multicast DNS, RFC 6762.
    Mdns,
    /// Link-local multicast name resolution, RFC 4795.
    Llmnr,
}

/// A message of the DNS: RFC 1035, read as far as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dns<'a> {
    /// Which relative of DNS it is.
    pub dialect: Dialect,
    /// Identification.
    pub id: u16,
    flags: u16,
    counts: [u16; 4],
    message: Span<'a>,
}

/// A question of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// About which name.
    pub name: Name,
    /// For which records.
    pub kind: RecordType,
    /// In which class; 1 is the internet. The highest bit means something else in mDNS.
    pub class: u16,
}

/// A record of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Of which name.
    pub name: Name,
    /// Of which type.
    pub kind: RecordType,
    /// In which class; 1 is the internet. The highest bit means something else in mDNS.
    pub class: u16,
    /// For how long it may be kept.
    pub ttl_seconds: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// What a message consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// What is asked.
    Question(Question),
    /// What is answered, or said beside.
    Record(Section, Record<'a>),
}

/// Where in a message a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// It answers.
    Answer,
    /// It says who would know.
    Authority,
    /// It helps.
    Additional,
}

/// Reads a message if it looks like one; else it is some payload.
pub(crate) fn read(dialect: Dialect, span: Span<'_>) -> Option<Step<'_>> {
    let message = match dialect {
        // A message over TCP has its length before it, and may have others after it.
        Dialect::DnsOverTcp => span.after(2).first(span.u16(0).ok()?.into()),
        _ => span,
    };
    let header: [u8; HEADER_LENGTH] = message.array(0).ok()?;
    let [id, flags, questions, answers, authorities, additionals] =
        [0, 2, 4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    let layer = Dns { dialect, id, flags, counts: [questions, answers, authorities, additionals], message };
    Some(Step::to(Layer::Dns(layer), Next::Nothing, span.after(HEADER_LENGTH)))
}

/// Whether bytes begin like a message of the DNS that asks one thing: for ports that could be anyone's.
pub(crate) fn is_likely(span: Span<'_>) -> bool {
    let word = |at| span.u16(at).unwrap_or(u16::MAX);
    // Opcode QUERY, the reserved bit not set, one question, and not more records than fit.
    word(2) & 0x7840 == 0 && word(4) == 1 && [6, 8, 10].iter().all(|&at| word(at) < 64)
}

impl<'a> Dns<'a> {
    /// Whether it is an answer.
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// What the server says of the question. `None` in a question. Without the upper bits that an OPT record may add.
    pub fn response_code(&self) -> Option<ResponseCode> {
        self.is_response().then(|| ResponseCode::from_low(self.code()))
    }

    /// Whether the answer did not fit.
    pub fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// Whether the server is the authority.
    pub fn is_authoritative(&self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// Whether the server is asked to ask others.
    pub fn is_recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// Whether the server would ask others.
    pub fn is_recursion_available(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// What kind of question it is; 0 is the usual one.
    pub fn operation(&self) -> u8 {
        self.flags.to_be_bytes()[0] >> 3 & 0xf
    }

    /// How many questions, answers, authorities and additional records the header promises.
    pub fn counts(&self) -> [u16; 4] {
        self.counts
    }

    /// Questions and records, in the order of the message. Ends at the first that can not be read, with why.
    pub fn items(&self) -> Items<'a> {
        Items { message: self.message, at: HEADER_LENGTH, left: self.counts, has_failed: false }
    }

    fn code(&self) -> u8 {
        self.flags.to_be_bytes()[1] & 0xf
    }

    fn is_multicast(&self) -> bool {
        self.dialect == Dialect::Mdns
    }
}

/// Questions and records of a message, one after the other.
pub struct Items<'a> {
    message: Span<'a>,
    at: usize,
    left: [u16; 4],
    has_failed: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let section = self.left.iter().position(|&left| left > 0)?;
        if self.has_failed {
            return None;
        }
        self.left[section] -= 1;
        let item = match section {
            0 => self.question().map(Item::Question),
            1 => self.record().map(|record| Item::Record(Section::Answer, record)),
            2 => self.record().map(|record| Item::Record(Section::Authority, record)),
            _ => self.record().map(|record| Item::Record(Section::Additional, record)),
        };
        self.has_failed = item.is_err();
        Some(item)
    }
}

impl<'a> Items<'a> {
    fn question(&mut self) -> Result<Question, Fault> {
        let name = self.name()?;
        let question =
            Question { name, kind: self.message.u16(self.at)?.into(), class: self.message.u16(self.at + 2)? };
        self.at += 4;
        Ok(question)
    }

    fn record(&mut self) -> Result<Record<'a>, Fault> {
        let name = self.name()?;
        let at = self.at;
        let kind = RecordType::from(self.message.u16(at)?);
        let length = usize::from(self.message.u16(at + 8)?);
        let data = Data::parse(self.message, kind, at + 10, length)?;
        self.at = at + 10 + length;
        Ok(Record {
            name,
            kind,
            class: self.message.u16(at + 2)?,
            ttl_seconds: self.message.u32(at + 4)?,
            data,
        })
    }

    fn name(&mut self) -> Result<Name, Fault> {
        let (name, end) = name_at(self.message, self.at)?;
        self.at = end;
        Ok(name)
    }
}

/// The name that begins there, and where it ends. Pointers lead backwards only, and a name has at most 255 bytes.
fn name_at(message: Span<'_>, at: usize) -> Result<(Name, usize), Fault> {
    if has_many_pointers(message, at) {
        return Err(Fault::Bad("name"));
    }
    let start = u16::try_from(at).map_err(|_| Fault::Bad("too long"))?;
    let mut decoder = BinDecoder::new(message.bytes()).clone(start);
    match Name::read(&mut decoder) {
        Ok(name) => Ok((name, decoder.index())),
        Err(DecodeError::InsufficientBytes) if message.is_cut() => Err(Fault::Cut),
        Err(_) => Err(Fault::Bad("name")),
    }
}

/// Whether a name leads from pointer to pointer, as no server writes it. The library follows as many as fit, which takes
/// it long enough to be worth sending.
fn has_many_pointers(message: Span<'_>, mut at: usize) -> bool {
    let mut pointers = 0;
    for _ in 0..MOST_LABELS + MOST_POINTERS {
        at = match message.u8(at) {
            Err(_) | Ok(0) => return false,
            Ok(length @ 1..0xc0) => at + 1 + usize::from(length),
            Ok(_) => {
                pointers += 1;
                match message.u16(at) {
                    Ok(pointer) if pointers <= MOST_POINTERS => usize::from(pointer & 0x3fff),
                    Ok(_) => return true,
                    Err(_) => return false,
                }
            }
        };
    }
    true
}
