//! What is captured: the program that the kernel runs on each packet.

use std::net::IpAddr;

use dbgctl_filter::{Expression, LinkType, Mode, Names};
use dbgctl_proto::bounds::MOST_FILTER_INSTRUCTIONS;
use dbgctl_proto::v1::CaptureInstruction;

use super::link::Link;
use crate::commands::Failure;
use crate::error::Error;

/// Which packets are wanted.
#[derive(Debug)]
pub(super) struct Filter {
    /// As its user wrote it. Empty: all of them.
    pub(super) text: String,
    expression: Option<Expression>,
}

impl Filter {
    /// Of the words of a command line, which are one expression.
    pub(super) fn of(words: &[String]) -> Result<Self, Error> {
        let text = words.join(" ");
        let expression = match words {
            [] => None,
            _ => Some(dbgctl_filter::parse(&text).map_err(|error| not_understood(&text, &error))?),
        };
        Ok(Self { text, expression })
    }

    /// The program for packets of that link, which keeps so much of each. Empty, which accepts every packet, if all are wanted.
    pub(super) fn program(&self, link: Link, snap_bytes: u32) -> Result<Vec<CaptureInstruction>, Failure> {
        let Some(expression) = &self.expression else { return Ok(Vec::new()) };
        let link = match link {
            Link::Ethernet => LinkType::Ethernet,
            Link::Raw => LinkType::Raw,
            Link::Cooked => LinkType::LinuxCookedV2,
        };
        let program = dbgctl_filter::compile(expression, link, Mode::Live, snap_bytes, &Addresses);
        let program = program.map_err(|error| Failure::Here(not_understood(&self.text, &error)))?;
        if program.instructions().len() > MOST_FILTER_INSTRUCTIONS {
            return Err(Failure::Request {
                because: "the filter makes a program that is too long for the kernel".to_owned(),
                suggestion: "a shorter filter; what is too much can be left out later".to_owned(),
            });
        }
        let instruction = |instruction: &dbgctl_filter::Instruction| CaptureInstruction {
            code: instruction.code.into(),
            jump_true: instruction.jt.into(),
            jump_false: instruction.jf.into(),
            operand: instruction.k,
        };
        Ok(program.instructions().iter().map(instruction).collect())
    }
}

/// Hosts are named by address: whoever captures sends nothing, also no look-up.
struct Addresses;

impl Names for Addresses {
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        Err(format!("{name} is no address, and capturing looks up no names: `dbgctl dns` tells it"))
    }
}

fn not_understood(text: &str, error: &dbgctl_filter::Error) -> Error {
    let place = match text.get(error.span()) {
        None | Some("") => "at its end".to_owned(),
        Some(part) => {
            let column = text[..error.span().start].chars().count() + 1;
            format!("at `{part}`, column {column}")
        }
    };
    let suggestion = error.suggestion().unwrap_or("the language is that of tcpdump, see pcap-filter(7)");
    Error::new("understand the filter", format!("{}, {place}", error.message()), suggestion.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(words: &str, link: Link) -> Result<Vec<CaptureInstruction>, Error> {
        let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
        match Filter::of(&words).map_err(Failure::Here).and_then(|filter| filter.program(link, 96)) {
            Ok(program) => Ok(program),
            Err(Failure::Here(error)) => Err(error),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_become_a_program_for_each_link() {
        assert_eq!(program("", Link::Ethernet), Ok(vec![]));
        for link in [Link::Ethernet, Link::Raw, Link::Cooked] {
            let program = program("tcp port 80 and host 192.0.2.1", link).unwrap();
            assert_eq!(program.iter().filter(|it| it.code == 6).map(|it| it.operand).max(), Some(96));
        }
    }

    #[test]
    fn what_is_not_understood_is_shown_where_it_stands() {
        let error = program("tcp prot 80", Link::Ethernet).unwrap_err();
        assert!(error.because.contains("`prot`, column 5"), "{error:?}");
        let error = program("host db", Link::Ethernet).unwrap_err();
        assert!(error.because.contains("looks up no names"), "{error:?}");
    }
}
