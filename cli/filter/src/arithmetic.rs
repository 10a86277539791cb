//! Parses what is compared: numbers, lengths and fields, and what is calculated from them.
//!
//! Which operator binds closer is as in libpcap's grammar. `%` and `^` have no rank there: whatever stands to their right,
//! and whatever they stand to the right of, is calculated after them.

use crate::error::{Error, Fault};
use crate::lexer::Token;
use crate::parser::Parser;
use crate::tree::{Arithmetic, Operator, Protocol};
use crate::words;

/// How deep a calculation may be nested. What works on it calls itself.
const DEEPEST: usize = 100;

/// A calculation, and how deep it is.
type Measured = (Arithmetic, usize);

#[derive(Clone, Copy)]
enum Pending {
    Negative,
    Binary(Operator),
}

impl Pending {
    fn rank(self) -> Option<u8> {
        match self {
            Self::Negative => Some(5),
            Self::Binary(Operator::Multiply | Operator::Divide) => Some(4),
            Self::Binary(Operator::Add | Operator::Subtract) => Some(3),
            Self::Binary(Operator::ShiftLeft | Operator::ShiftRight) => Some(2),
            Self::Binary(Operator::And) => Some(1),
            Self::Binary(Operator::Or) => Some(0),
            Self::Binary(Operator::Remainder | Operator::ExclusiveOr) => None,
        }
    }

    /// Whether it is calculated before an operator that stands to its right.
    fn comes_before(self, next: Operator) -> bool {
        match (self.rank(), Self::Binary(next).rank()) {
            (Some(own), Some(next)) => own >= next,
            _ => false,
        }
    }
}

impl Parser<'_> {
    /// Parses as much as belongs to one calculation.
    pub(crate) fn arithmetic(&mut self) -> Result<Arithmetic, Error> {
        self.measured_arithmetic().map(|(arithmetic, _)| arithmetic)
    }

    fn measured_arithmetic(&mut self) -> Result<Measured, Error> {
        let mut pending = Vec::new();
        let mut values = Vec::new();
        loop {
            while self.take_sign("-") {
                pending.push(Pending::Negative);
            }
            values.push(self.operand_of_arithmetic()?);
            let next = self.operator();
            while let Some(last) = pending.pop_if(|last| next.is_none_or(|next| last.comes_before(next))) {
                self.calculate(last, &mut values)?;
            }
            match next {
                Some(next) => {
                    self.advance();
                    pending.push(Pending::Binary(next));
                }
                None => return values.pop().ok_or_else(|| self.expected("a number or a field")),
            }
        }
    }

    fn calculate(&self, pending: Pending, values: &mut Vec<Measured>) -> Result<(), Error> {
        let Some((right, right_depth)) = values.pop() else {
            return Err(self.expected("a number or a field"));
        };
        let result = match pending {
            Pending::Negative => (Arithmetic::Negative(Box::new(right)), right_depth + 1),
            Pending::Binary(operator) => {
                let Some((left, left_depth)) = values.pop() else {
                    return Err(self.expected("a number or a field"));
                };
                let (left, right) = (Box::new(left), Box::new(right));
                (Arithmetic::Binary { operator, left, right }, left_depth.max(right_depth) + 1)
            }
        };
        values.push(self.shallow(result)?);
        Ok(())
    }

    fn shallow(&self, measured: Measured) -> Result<Measured, Error> {
        match measured.1 {
            0..=DEEPEST => Ok(measured),
            _ => {
                Err(self.fault_here(Fault::new(format!("a calculation may be at most {DEEPEST} steps deep"))))
            }
        }
    }

    fn operand_of_arithmetic(&mut self) -> Result<Measured, Error> {
        match self.peek() {
            Some(Token::Number(value)) => {
                let value = *value;
                self.advance();
                Ok((Arithmetic::Number(value), 0))
            }
            Some(Token::Word("len")) => {
                self.advance();
                Ok((Arithmetic::PacketLength, 0))
            }
            Some(Token::Sign("(")) => self.nested(|parser| {
                parser.advance();
                let inner = parser.measured_arithmetic()?;
                parser.close()?;
                parser.shallow((inner.0, inner.1 + 1))
            }),
            Some(Token::Word(word)) if self.is_sign(1, "[") => match Protocol::named(word) {
                Some(protocol) => self.nested(|parser| parser.field(protocol)),
                None => Err(self.expected("a number or a field")),
            },
            Some(Token::Name(name)) => {
                let fault = Fault::new(format!("`{name}` is no name of a number or a field"));
                Err(self.fault_here(fault.suggest_nearest(name, words::numbers())))
            }
            _ => Err(self.expected("a number or a field")),
        }
    }

    /// `tcp[12:2]`, from the protocol's name on.
    fn field(&mut self, protocol: Protocol) -> Result<Measured, Error> {
        if !has_fields(protocol) {
            return Err(self.fault_here(Fault::new(format!(
                "`{}` has no bytes that could be taken by number",
                protocol.name()
            ))));
        }
        self.advance();
        self.advance();
        let (index, depth) = self.measured_arithmetic()?;
        let mut bytes = 1;
        if self.take_sign(":") {
            bytes = match self.peek() {
                Some(Token::Number(bytes @ (1 | 2 | 4))) => *bytes,
                Some(Token::Number(_)) => {
                    return Err(self.fault_here(Fault::new("a field has 1, 2 or 4 bytes")));
                }
                _ => return Err(self.expected("how many bytes the field has: 1, 2 or 4")),
            };
            self.advance();
        }
        if !self.take_sign("]") {
            return Err(self.expected("`]`"));
        }
        self.shallow((Arithmetic::Load { protocol, index: Box::new(index), bytes }, depth + 1))
    }

    /// The operator that stands next, if it is one.
    pub(crate) fn operator(&self) -> Option<Operator> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        match *sign {
            "+" => Some(Operator::Add),
            "-" => Some(Operator::Subtract),
            "*" => Some(Operator::Multiply),
            "/" => Some(Operator::Divide),
            "%" => Some(Operator::Remainder),
            "&" => Some(Operator::And),
            "|" => Some(Operator::Or),
            "^" => Some(Operator::ExclusiveOr),
            "<<" => Some(Operator::ShiftLeft),
            ">>" => Some(Operator::ShiftRight),
            _ => None,
        }
    }
}

/// Whether pcap-filter(7) lets one take bytes of its header.
fn has_fields(protocol: Protocol) -> bool {
    use Protocol as P;
    !matches!(
        protocol,
        P::Ah
            | P::Esp
            | P::Aarp
            | P::Iso
            | P::Esis
            | P::Isis
            | P::Clnp
            | P::Stp
            | P::Ipx
            | P::Netbeui
            | P::IsisLevel1
            | P::IsisLevel2
            | P::IsisHello
            | P::IsisLinkState
            | P::IsisSequence
            | P::IsisCompleteSequence
            | P::IsisPartialSequence
    )
}
