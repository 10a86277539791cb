//! A message of the DNS in words.

use std::fmt::{self, Display};

use hickory_proto::rr::{Name, RecordType};

use super::words::{ClassName, KindName, ShownName, code_word, operation_word};
use super::{Dialect, Dns, Item, Question, Record, Section};
use crate::span::Fault;

/// Questions and records that are shown of one message.
const MOST_SHOWN: usize = 8;

impl Display for Dns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.dialect {
            Dialect::Dns | Dialect::DnsOverTcp => "DNS ",
            Dialect::Mdns => "mDNS ",
            Dialect::Llmnr => "LLMNR ",
        })?;
        // All messages of mDNS have the same.
        if !self.is_multicast() || self.id != 0 {
            write!(f, "{} ", self.id)?;
        }
        self.fmt_flags(f)?;
        let mut asked = None;
        let mut left = MOST_SHOWN;
        for item in self.items() {
            if left == 0 {
                return f.write_str(", …");
            }
            left -= 1;
            match item {
                Ok(Item::Question(question)) => {
                    self.fmt_question(&question, f)?;
                    asked = asked.or(Some(question.name));
                }
                Ok(Item::Record(section, record)) => self.fmt_record(section, &record, asked.as_ref(), f)?,
                Err(Fault::Cut) => return f.write_str(" [cut]"),
                Err(Fault::Bad(what)) => return write!(f, " [bad {what}]"),
            }
        }
        Ok(())
    }
}

impl Dns<'_> {
    fn fmt_flags(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(operation_word(self.operation()))?;
        let [_, answers, authorities, additionals] = self.counts;
        if self.is_response() {
            f.write_str("answer ")?;
            code_word(self.code()).fmt(f)?;
            write!(f, " {answers}/{authorities}/{additionals}")?;
        } else {
            f.write_str("query")?;
            if !self.is_recursion_desired() && self.dialect == Dialect::Dns {
                f.write_str(" without recursion")?;
            }
        }
        if self.is_authoritative() && !self.is_multicast() {
            f.write_str(" authoritative")?;
        }
        if self.is_truncated() { f.write_str(" truncated") } else { Ok(()) }
    }

    fn fmt_question(&self, question: &Question, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", {}?", KindName(question.kind))?;
        let class = self.class(question.class);
        if class.0 != 1 {
            write!(f, " class {}", ClassName(class.0))?;
        }
        if class.1 {
            f.write_str(" by unicast")?;
        }
        write!(f, " {}", ShownName(&question.name))
    }

    /// Without the name if it is the one that was asked for.
    fn fmt_record(
        &self,
        section: Section,
        record: &Record<'_>,
        asked: Option<&Name>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        // It is about the message, not about a name.
        if record.kind == RecordType::OPT {
            return write!(f, ", EDNS {} bytes", record.class);
        }
        f.write_str(match section {
            Section::Answer => ", ",
            Section::Authority => ", authority ",
            Section::Additional => ", additional ",
        })?;
        if asked != Some(&record.name) {
            write!(f, "{} ", ShownName(&record.name))?;
        }
        KindName(record.kind).fmt(f)?;
        let class = self.class(record.class);
        if class.0 != 1 {
            write!(f, " class {}", ClassName(class.0))?;
        }
        record.data.fmt(f)
    }

    /// A class, and the highest bit, which is not part of it in mDNS: RFC 6762, 5.4 and 10.2.
    fn class(&self, class: u16) -> (u16, bool) {
        if self.is_multicast() { (class & 0x7fff, class & 0x8000 != 0) } else { (class, false) }
    }
}
