//! Messages of the DNS: questions into bytes, bytes into answers. Format: RFC 1035, RFC 6891.

use std::fmt::Write as _;
use std::net::IpAddr;

use dbgctl_proto::v1;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};

pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;

pub(super) const NO_ERROR: u32 = 0;
pub(super) const SERVFAIL: u32 = 2;
pub(super) const NXDOMAIN: u32 = 3;
pub(super) const NOTIMP: u32 = 4;
pub(super) const REFUSED: u32 = 5;

const HEADER_BYTES: usize = 12;
const MOST_RECORDS: usize = 64;
const LONGEST_VALUE_BYTES: usize = 1024;
const LONGEST_ERROR_TEXT_BYTES: usize = 256;

/// The code of RFC 8914.
const EXTENDED_ERROR: u16 = 15;

/// A name of the DNS from its text: labels between dots, any bytes; a dot at the end or not.
///
/// `None` if a label is empty or longer than 63 bytes, or all of it longer than 255: no server can be asked for it.
pub(super) fn name(text: &[u8]) -> Option<Name> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    if text.is_empty() {
        return Some(Name::root());
    }
    let labels: Vec<_> = text.split(|&byte| byte == b'.').collect();
    if labels.iter().any(|label| label.is_empty() || label.len() > 63) {
        return None;
    }
    Name::from_labels(labels).ok()
}

/// A name as RFC 4343 writes it, with the dot at its end: what is no letter, digit or sign of ASCII by its number.
pub(super) fn text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        for &byte in label {
            match byte {
                b'.' | b'\\' => text.extend(['\\', char::from(byte)]),
                b'!'..=b'~' => text.push(char::from(byte)),
                // Writing to a string cannot fail.
                _ => drop(write!(text, "\\{byte:03}")),
            }
        }
        text.push('.');
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// What is asked in one message.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    pub(super) name: Name,
    pub(super) kind: u16,
    pub(super) id: u16,
    pub(super) bytes: Vec<u8>,
}

impl Asking {
    /// A question with an id that cannot be foreseen. `edns_bytes`: what is taken by UDP, if anything is said of it.
    pub(super) fn new(name: &Name, kind: u16, edns_bytes: Option<u16>, authentic: bool) -> Option<Self> {
        let mut message = Message::query();
        message.metadata.message_type = MessageType::Query;
        message.metadata.op_code = OpCode::Query;
        message.metadata.recursion_desired = true;
        message.metadata.authentic_data = authentic;
        message.add_query(Query::query(name.clone(), RecordType::from(kind)));
        if let Some(bytes) = edns_bytes {
            let mut edns = Edns::new();
            edns.set_max_payload(bytes).set_version(0);
            message.set_edns(edns);
        }
        let bytes = message.to_vec().ok()?;
        Some(Self { name: name.clone(), kind, id: message.metadata.id, bytes })
    }
}

/// A message that came from a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(super) id: u16,
    /// As the contract has it.
    pub(crate) told: v1::DnsAnswer,
    /// The question that it repeats.
    pub(super) question: Option<(Name, u16)>,
    /// Records of the answer section by the header.
    pub(super) answers: u16,
    pub(super) additionals: u16,
    /// The addresses in it, whatever was asked.
    pub(crate) addresses: Vec<IpAddr>,
    /// The types of the records in the answer section.
    pub(super) kinds: Vec<u16>,
    /// The name at the end of the aliases.
    pub(crate) canonical: String,
    /// What is wrong with the rest. Empty: nothing.
    pub(super) broken: String,
}

impl Answer {
    /// Takes a message apart, as far as it can be. `None`: it is too short for a header, or a question itself.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = word(2);
        let has = |bit: u16| flags & bit != 0;
        if !has(0x8000) {
            return None;
        }
        let mut answer = Self { id: word(0), answers: word(6), additionals: word(10), ..Self::default() };
        answer.told = v1::DnsAnswer {
            rcode: (flags & 0xf).into(),
            authoritative: has(0x0400),
            truncated: has(0x0200),
            recursion_available: has(0x0080),
            authentic_data: has(0x0020),
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            ..v1::DnsAnswer::default()
        };
        match Message::from_vec(bytes) {
            Ok(message) => answer.fill(message),
            // The header and the question may still be good: what resolvers look at first.
            Err(error) => {
                answer.broken = format!("the message is damaged: {error}");
                answer.question = question(bytes);
            }
        }
        Some(answer)
    }

    fn fill(&mut self, message: Message) {
        self.question =
            message.queries.first().map(|query| (query.name().clone(), query.query_type().into()));
        let told = &mut self.told;
        told.rcode = u32::from(u16::from(message.metadata.response_code));
        told.records_left_out =
            u32::try_from(message.answers.len().saturating_sub(MOST_RECORDS)).unwrap_or(u32::MAX);
        told.records = message.answers.iter().take(MOST_RECORDS).map(record).collect();
        told.negative_ttl_seconds = message.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
            _ => None,
        });
        told.edns = message.edns.as_ref().map(edns);
        self.kinds = message.answers.iter().map(|record| record.record_type().into()).collect();
        self.addresses = message.answers.iter().filter_map(address).collect();
        let last = message.answers.iter().rev().find(|record| address(record).is_some());
        self.canonical = last.map(|record| text(&record.name)).unwrap_or_default();
    }

    /// Whether it repeats the question, whatever the case of its letters.
    pub(super) fn is_to(&self, asking: &Asking) -> bool {
        self.question
            .as_ref()
            .is_some_and(|(name, kind)| *kind == asking.kind && name.eq_ignore_root(&asking.name))
    }

    pub(super) fn rcode(&self) -> u32 {
        self.told.rcode
    }

    /// A referral of a server that neither knows nor asks others.
    pub(super) fn is_lame(&self) -> bool {
        self.rcode() == NO_ERROR
            && self.answers == 0
            && self.additionals == 0
            && !self.told.authoritative
            && !self.told.recursion_available
    }

    pub(super) fn has(&self, kind: u16) -> bool {
        self.kinds.contains(&kind)
    }
}

/// The question of a message whose rest is damaged. Names in a question are never compressed.
fn question(bytes: &[u8]) -> Option<(Name, u16)> {
    let mut labels = Vec::new();
    let mut rest = bytes.get(HEADER_BYTES..)?;
    loop {
        let (&length, behind) = rest.split_first()?;
        if length == 0 {
            rest = behind;
            break;
        }
        if length > 63 {
            return None;
        }
        labels.push(behind.get(..length.into())?);
        rest = behind.get(length.into()..)?;
    }
    let kind = u16::from_be_bytes(*rest.first_chunk()?);
    Some((Name::from_labels(labels).ok()?, kind))
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

fn record(record: &Record) -> v1::DnsRecord {
    let mut value = String::new();
    match &record.data {
        // Names as they are on the wire, and not as characters that look alike.
        RData::CNAME(name) => value = text(&name.0),
        // What a type has no text for is left empty.
        data => drop(write!(value, "{data}")),
    }
    value.truncate(value.floor_char_boundary(LONGEST_VALUE_BYTES));
    v1::DnsRecord {
        name: text(&record.name),
        record_type: u16::from(record.record_type()).into(),
        ttl_seconds: record.ttl,
        value,
    }
}

fn edns(edns: &Edns) -> v1::DnsEdns {
    let extended = edns.option(EdnsCode::from(EXTENDED_ERROR)).and_then(|option| match option {
        EdnsOption::Unknown(_, bytes) => bytes.split_first_chunk(),
        _ => None,
    });
    v1::DnsEdns {
        version: edns.version().into(),
        udp_payload_bytes: edns.max_payload().into(),
        extended_error: extended.map(|(code, _)| u16::from_be_bytes(*code).into()),
        extended_error_text: extended
            .map(|(_, text)| text[..text.len().min(LONGEST_ERROR_TEXT_BYTES)].to_vec())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asking() -> Asking {
        Asking::new(&name(b"www.example.com").unwrap(), A, Some(1232), false).unwrap()
    }

    #[test]
    fn names_have_labels_of_1_to_63_bytes_and_any_of_them() {
        assert_eq!(name(b"a.b.").unwrap(), name(b"a.b").unwrap());
        assert!(name(b".").unwrap().is_root());
        assert!(name(&[b'a'; 63]).is_some() && name(b"\xc3\xbc\\.x").is_some());
        assert!(
            [&b"a..b"[..], b".a", b"a..", &[b'a'; 64], &b"a.".repeat(128)]
                .iter()
                .all(|text| name(text).is_none())
        );
    }

    #[test]
    fn a_name_is_written_so_that_it_can_be_read_back() {
        assert_eq!(text(&name(b"w w\r\xc3\\.x").unwrap()), "w\\032w\\013\\195\\\\.x.");
        assert_eq!(text(&Name::root()), ".");
    }

    #[test]
    fn an_answer_belongs_to_the_question_that_it_repeats() {
        let asking = asking();
        let mut bytes = asking.bytes.clone();
        assert!(Answer::read(&bytes).is_none(), "that is the question itself");
        bytes[2] |= 0x80;
        bytes[13] = b'W';
        let answer = Answer::read(&bytes).unwrap();
        assert!(answer.is_to(&asking) && answer.id == asking.id && answer.broken.is_empty());
        bytes[13] = b'x';
        let answer = Answer::read(&bytes).unwrap();
        assert!(!answer.is_to(&asking));
    }

    #[test]
    fn a_damaged_message_still_tells_its_question() {
        let asking = asking();
        let mut bytes = asking.bytes.clone();
        bytes[2] |= 0x80;
        bytes[7] = 9; // nine answers that are not there
        let answer = Answer::read(&bytes).unwrap();
        assert!(answer.is_to(&asking) && answer.broken.starts_with("the message is damaged"), "{answer:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(mut bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0..600_usize, byte: u8) {
            let _ = Answer::read(&bytes);
            let mut real = asking().bytes;
            real[2] |= 0x80;
            real.append(&mut bytes);
            let at = at % real.len();
            real[at] = byte;
            let _ = Answer::read(&real);
        }
    }
}
