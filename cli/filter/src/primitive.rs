//! Parses what starts with a word: primitives, and qualifiers with what they qualify.

use std::net::Ipv4Addr;

use crate::error::{Error, Fault, nearest};
use crate::lexer::Token;
use crate::parser::Parser;
use crate::tree::{ByteOperator, Direction, Identity, Kind, Llc, Primitive, Protocol, Qualifiers, Term};
use crate::words;

/// What a word led to.
pub(crate) enum Found {
    Primitive(Primitive),
    Qualified(Term, Qualifiers),
}

impl Parser<'_> {
    /// Parses what starts with `word`, which stands next.
    pub(crate) fn primitive(&mut self, word: &'static str) -> Result<Found, Error> {
        let start = self.here().start;
        let protocol = Protocol::named(word);
        if protocol.is_some() {
            self.advance();
        }
        if let Some(qualifiers) = self.qualifiers(protocol)? {
            return Ok(Found::Qualified(self.qualified(qualifiers, start)?, qualifiers));
        }
        if self.take_word("broadcast") {
            return Ok(Found::Primitive(Primitive::Broadcast(protocol)));
        }
        if self.take_word("multicast") {
            return Ok(Found::Primitive(Primitive::Multicast(protocol)));
        }
        match protocol {
            Some(Protocol::Link) => Err(self.fault(
                start..self.end_of_last(),
                Fault::new(format!("`{word}` alone does not say what to look for"))
                    .suggest("`ether host 02:42:ac:11:00:02`, `ether proto 0x88cc`"),
            )),
            Some(protocol) => self.lone(protocol).map(Found::Primitive),
            None => self.keyword(word).map(Found::Primitive),
        }
    }

    /// A protocol that stands for itself. A name behind it may be a word that was misspelt.
    fn lone(&self, protocol: Protocol) -> Result<Primitive, Error> {
        if let Some(Token::Name(written)) = self.peek()
            && let Some(word) = nearest(written, words::all())
        {
            let fault = Fault::new(format!("`{written}` makes no sense after `{}`", protocol.name()));
            return Err(self.fault_here(fault.suggest(format!("did you mean `{word}`?"))));
        }
        Ok(Primitive::Protocol(protocol))
    }

    /// Takes direction and kind. `None` if there are neither: then nothing is taken.
    fn qualifiers(&mut self, protocol: Option<Protocol>) -> Result<Option<Qualifiers>, Error> {
        let direction = self.direction();
        let kind = match self.peek() {
            Some(Token::Word("host")) => Some(Kind::Host),
            Some(Token::Word("net")) => Some(Kind::Network),
            Some(Token::Word("port")) => Some(Kind::Port),
            Some(Token::Word("portrange")) => Some(Kind::PortRange),
            Some(Token::Word("proto")) => Some(Kind::Protocol),
            Some(Token::Word("protochain")) => Some(Kind::ProtocolChain),
            Some(Token::Word("gateway")) => {
                let fault = Fault::new(
                    "`gateway` needs a file of MAC addresses by name, which containers do not have",
                );
                return Err(self.fault_here(fault.suggest("write `ether host MAC and not host ADDRESS`")));
            }
            _ => None,
        };
        if let (Some(_), Some(Kind::Protocol | Kind::ProtocolChain)) = (direction, kind) {
            let fault = Fault::new(format!("`{}` has no direction", self.written()));
            return Err(self.fault_here(fault.suggest("leave out `src` and `dst`")));
        }
        if kind.is_some() {
            self.advance();
        }
        Ok(match (direction, kind) {
            (None, None) => None,
            (direction, kind) => Some(Qualifiers {
                protocol,
                direction: direction.unwrap_or(Direction::Any),
                kind: kind.unwrap_or(Kind::Any),
            }),
        })
    }

    fn direction(&mut self) -> Option<Direction> {
        let (other, direction) = match self.peek() {
            Some(Token::Word("src")) => ("dst", Direction::Source),
            Some(Token::Word("dst")) => ("src", Direction::Destination),
            _ => return None,
        };
        self.advance();
        for (junction, both) in [("or", Direction::Either), ("and", Direction::Both)] {
            if self.is_word(0, junction) && self.is_word(1, other) {
                self.advance();
                self.advance();
                return Some(both);
            }
        }
        Some(direction)
    }

    fn keyword(&mut self, word: &'static str) -> Result<Primitive, Error> {
        match word {
            "less" => self.after_word("a length in bytes").map(Primitive::AtMost),
            "greater" => self.after_word("a length in bytes").map(Primitive::AtLeast),
            "ifindex" => self.after_word("the number of an interface").map(Primitive::Interface),
            "byte" => self.byte(),
            "inbound" => Ok(self.and_advance(Primitive::Inbound)),
            "outbound" => Ok(self.and_advance(Primitive::Outbound)),
            "pppoed" => Ok(self.and_advance(Primitive::PppoeDiscovery)),
            "vlan" => self.maybe_number().map(Primitive::Vlan),
            "mpls" => self.maybe_number().map(Primitive::Mpls),
            "pppoes" => self.maybe_number().map(Primitive::PppoeSession),
            "geneve" => self.maybe_number().map(Primitive::Geneve),
            "llc" => self.llc().map(Primitive::Llc),
            _ => Err(match words::foreign(word) {
                Some(area) => self.fault_here(Fault::new(format!(
                    "`{}` is a word for {area}, which no interface of a container has",
                    self.written()
                ))),
                None => self.expected("what to look for"),
            }),
        }
    }

    fn and_advance(&mut self, primitive: Primitive) -> Primitive {
        self.advance();
        primitive
    }

    fn after_word(&mut self, what: &str) -> Result<u32, Error> {
        self.advance();
        self.plain_number(what)
    }

    fn plain_number(&mut self, what: &str) -> Result<u32, Error> {
        let Some(Token::Number(number)) = self.peek() else { return Err(self.expected(what)) };
        let number = *number;
        self.advance();
        Ok(number)
    }

    /// The number behind the word, in parentheses or not, if there is one.
    fn maybe_number(&mut self) -> Result<Option<u32>, Error> {
        self.advance();
        let opening = (0..).take_while(|ahead| self.is_sign(*ahead, "(")).count();
        match self.peek_at(opening) {
            Some(Token::Number(number)) => {
                let number = *number;
                (0..=opening).for_each(|_| self.advance());
                for _ in 0..opening {
                    self.close()?;
                }
                Ok(Some(number))
            }
            _ => Ok(None),
        }
    }

    /// `byte 0 & 1`.
    fn byte(&mut self) -> Result<Primitive, Error> {
        let index = self.after_word("the number of a byte")?;
        let operator = match self.peek() {
            Some(Token::Sign("==")) => ByteOperator::Equal,
            Some(Token::Sign("<")) => ByteOperator::Less,
            Some(Token::Sign(">")) => ByteOperator::Greater,
            Some(Token::Sign("&")) => ByteOperator::And,
            Some(Token::Sign("|")) => ByteOperator::Or,
            _ => return Err(self.expected("one of `=`, `<`, `>`, `&` and `|`")),
        };
        let value = self.after_word("a number")?;
        Ok(Primitive::Byte { index, operator, value })
    }

    fn llc(&mut self) -> Result<Llc, Error> {
        self.advance();
        let name = match self.peek() {
            Some(Token::Name(name)) => name.to_ascii_lowercase(),
            Some(Token::Word("rnr")) => "rnr".to_owned(),
            _ => return Ok(Llc::Any),
        };
        let Some((_, llc)) = LLC_FRAMES.iter().find(|(known, _)| *known == name) else {
            let fault = Fault::new(format!("`{name}` is no type of an LLC frame"));
            return Err(
                self.fault_here(fault.suggest_nearest(&name, LLC_FRAMES.iter().map(|(known, _)| *known)))
            );
        };
        self.advance();
        Ok(*llc)
    }

    /// What stands next as an address or name, and how many tokens it has.
    pub(crate) fn address(&self) -> Result<(Identity, usize), Error> {
        let written = self.written();
        match self.peek() {
            Some(Token::Dotted(address, bits)) => match (self.peek_at(1), self.peek_at(2)) {
                (Some(Token::Sign("/")), Some(Token::Number(prefix))) => {
                    let mask = match prefix {
                        0 => 0,
                        1..=32 => u32::MAX << (32 - prefix),
                        _ => return Err(self.fault_here(Fault::new("a prefix of IPv4 has at most 32 bits"))),
                    };
                    Ok((self.network(*address, mask)?, 3))
                }
                (Some(Token::Sign("/")), _) => {
                    Err(self.fault_here(Fault::new("the length of a prefix should follow `/`")))
                }
                (Some(Token::Word("mask")), Some(Token::Dotted(mask, _))) => {
                    Ok((self.network(*address, (*mask).into())?, 3))
                }
                (Some(Token::Word("mask")), _) => {
                    Err(self.fault_here(Fault::new("an address should follow `mask`")))
                }
                _ => Ok((Identity::Dotted(*address, *bits), 1)),
            },
            Some(Token::Ipv6(address)) => match (self.peek_at(1), self.peek_at(2)) {
                (Some(Token::Sign("/")), Some(Token::Number(prefix))) => {
                    let host_bits = match prefix {
                        0 => u128::MAX,
                        1..=128 => u128::MAX.checked_shr(*prefix).unwrap_or(0),
                        _ => return Err(self.fault_here(Fault::new("a prefix of IPv6 has at most 128 bits"))),
                    };
                    if u128::from(*address) & host_bits != 0 {
                        let network = std::net::Ipv6Addr::from(u128::from(*address) & !host_bits);
                        let fault = Fault::new(format!("`{written}` has bits set behind the first {prefix}"));
                        return Err(
                            self.fault_here(fault.suggest(format!("did you mean `{network}/{prefix}`?")))
                        );
                    }
                    Ok((Identity::Ipv6(*address, Some(*prefix)), 3))
                }
                (Some(Token::Sign("/")), _) => {
                    Err(self.fault_here(Fault::new("the length of a prefix should follow `/`")))
                }
                _ => Ok((Identity::Ipv6(*address, None), 1)),
            },
            Some(Token::Mac(address)) => Ok((Identity::Mac(*address), 1)),
            Some(Token::Name(name)) => Ok((Identity::Name(name.clone()), 1)),
            _ => Err(self.expected("an address, a number or a name")),
        }
    }

    fn network(&self, address: Ipv4Addr, mask: u32) -> Result<Identity, Error> {
        let network = Ipv4Addr::from(u32::from(address) & mask);
        if network != address {
            let fault = Fault::new(format!(
                "{address} has bits set that its mask {} leaves out",
                Ipv4Addr::from(mask)
            ));
            return Err(self.fault_here(fault.suggest(format!("did you mean `{network}`?"))));
        }
        Ok(Identity::Masked(address, mask.into()))
    }
}

/// The names of frames, in lower case, and their control bytes (IEEE 802.2).
const LLC_FRAMES: [(&str, Llc); 14] = [
    ("i", Llc::Information),
    ("s", Llc::Supervisory),
    ("u", Llc::Unnumbered),
    ("rr", Llc::SupervisoryType(0x01)),
    ("rnr", Llc::SupervisoryType(0x05)),
    ("rej", Llc::SupervisoryType(0x09)),
    ("ui", Llc::UnnumberedType(0x03)),
    ("ua", Llc::UnnumberedType(0x63)),
    ("disc", Llc::UnnumberedType(0x43)),
    ("dm", Llc::UnnumberedType(0x0f)),
    ("sabme", Llc::UnnumberedType(0x6f)),
    ("test", Llc::UnnumberedType(0xe3)),
    ("xid", Llc::UnnumberedType(0xaf)),
    ("frmr", Llc::UnnumberedType(0x87)),
];
