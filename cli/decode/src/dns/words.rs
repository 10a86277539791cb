//! Names and numbers of the DNS as people write them.

use std::fmt::{self, Display};

use hickory_proto::rr::{Name, RecordType};

use crate::escape::Word;

/// A name, with a dot after each label.
pub(super) struct ShownName<'a>(pub(super) &'a Name);

impl Display for ShownName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_root() {
            return f.write_str(".");
        }
        for label in self.0.iter() {
            // A dot within a label is no end of it.
            for (at, part) in label.split(|&byte| byte == b'.').enumerate() {
                let dot = if at == 0 { "" } else { "\\." };
                write!(f, "{dot}{}", Word(part))?;
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

/// A type of records: its name, or `TYPE64000`, as RFC 3597 has it.
pub(super) struct KindName(pub(super) RecordType);

impl Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RecordType::Unknown(39) => f.write_str("DNAME"),
            RecordType::Unknown(number) => write!(f, "TYPE{number}"),
            known => known.fmt(f),
        }
    }
}

/// A class of records, as IANA's registry writes it.
pub(super) struct ClassName(pub(super) u16);

impl Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "IN",
            3 => "CH",
            4 => "HS",
            254 => "NONE",
            255 => "ANY",
            class => return write!(f, "{class}"),
        })
    }
}

/// A response code, as IANA's registry and all tools write it.
pub(super) fn code_word(code: u8) -> CodeWord {
    CodeWord(code)
}

pub(super) struct CodeWord(u8);

impl Display for CodeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            code => return write!(f, "rcode {code}"),
        })
    }
}

/// What comes before "query" and "answer"; nothing for the usual operation.
pub(super) fn operation_word(operation: u8) -> &'static str {
    match operation {
        0 => "",
        1 => "inverse ",
        2 => "status ",
        4 => "notify ",
        5 => "update ",
        _ => "unknown operation ",
    }
}
