//! What a program calculates from a packet: numbers, lengths, fields, and what is made of them.
//!
//! The same calculation is the same value: who knows something of a value knows it wherever the value is used.

use std::collections::HashMap;

use crate::error::Fault;
use crate::tree::Operator;

/// A value, by its place in [`Values`]. What it is calculated from has smaller numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ValueId(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Constant(u32),
    /// The length of the packet on the wire.
    PacketLength,
    /// The bytes at `base + offset`, big-endian. A packet that does not have them is rejected.
    Load {
        size: Size,
        base: Option<ValueId>,
        offset: u32,
    },
    Negative(ValueId),
    Binary {
        operator: Operator,
        left: ValueId,
        right: ValueId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Size {
    Byte,
    Half,
    Word,
}

/// All values of one program.
#[derive(Debug, Default)]
pub(crate) struct Values {
    list: Vec<Value>,
    places: HashMap<Value, ValueId>,
}

impl Values {
    pub(crate) fn get(&self, id: ValueId) -> Value {
        self.list[id.0 as usize]
    }

    pub(crate) fn as_constant(&self, id: ValueId) -> Option<u32> {
        match self.get(id) {
            Value::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    fn intern(&mut self, value: Value) -> ValueId {
        let Self { list, places } = self;
        *places.entry(value).or_insert_with(|| {
            list.push(value);
            ValueId(u32::try_from(list.len() - 1).unwrap_or(u32::MAX))
        })
    }

    pub(crate) fn constant(&mut self, constant: u32) -> ValueId {
        self.intern(Value::Constant(constant))
    }

    pub(crate) fn packet_length(&mut self) -> ValueId {
        self.intern(Value::PacketLength)
    }

    /// A base that is known is part of the offset.
    pub(crate) fn load(&mut self, size: Size, base: Option<ValueId>, offset: u32) -> ValueId {
        match base.map(|base| (base, self.as_constant(base))) {
            Some((_, Some(constant))) => {
                self.intern(Value::Load { size, base: None, offset: offset.wrapping_add(constant) })
            }
            _ => self.intern(Value::Load { size, base, offset }),
        }
    }

    pub(crate) fn negative(&mut self, of: ValueId) -> ValueId {
        match self.as_constant(of) {
            Some(constant) => self.constant(constant.wrapping_neg()),
            None => self.intern(Value::Negative(of)),
        }
    }

    /// Calculates what can be calculated already. What has no result is a fault; what does not depend on the packet after
    /// all does not read it either.
    pub(crate) fn binary(
        &mut self,
        operator: Operator,
        left: ValueId,
        right: ValueId,
    ) -> Result<ValueId, Fault> {
        use Operator as O;
        let (known_left, known_right) = (self.as_constant(left), self.as_constant(right));
        match (operator, known_right) {
            (O::Divide, Some(0)) => return Err(Fault::new("this divides by zero")),
            (O::Remainder, Some(0)) => {
                return Err(Fault::new("this takes the remainder of a division by zero"));
            }
            (O::ShiftLeft | O::ShiftRight, Some(32..)) => {
                return Err(Fault::new("this shifts by more than 31 bits"));
            }
            _ => {}
        }
        Ok(match (known_left, known_right) {
            (Some(left), Some(right)) => {
                let result = calculate(operator, left, right).unwrap_or(0);
                self.constant(result)
            }
            (_, Some(0)) => match operator {
                O::Add | O::Subtract | O::Or | O::ExclusiveOr | O::ShiftLeft | O::ShiftRight => left,
                O::Multiply | O::And | O::Divide | O::Remainder => self.constant(0),
            },
            (Some(0), _) => match operator {
                O::Add | O::Or | O::ExclusiveOr => right,
                O::Subtract => self.intern(Value::Binary { operator, left, right }),
                _ => self.constant(0),
            },
            // Operands of one order only, with what is known to the right.
            (Some(_), None) if commutes(operator) => {
                self.intern(Value::Binary { operator, left: right, right: left })
            }
            _ => self.intern(Value::Binary { operator, left, right }),
        })
    }

    /// The offset of the byte whose lower half is the value in units of four bytes: how long an IPv4 header says it is.
    pub(crate) fn as_header_length(&self, id: ValueId) -> Option<u32> {
        let words = self.operand(id, Operator::ShiftLeft, 2)?;
        let byte = self.operand(words, Operator::And, 0x0f)?;
        match self.get(byte) {
            Value::Load { size: Size::Byte, base: None, offset } => Some(offset),
            _ => None,
        }
    }

    /// The left operand, if that is the operation and its right operand.
    fn operand(&self, id: ValueId, wanted: Operator, constant: u32) -> Option<ValueId> {
        match self.get(id) {
            Value::Binary { operator, left, right } if operator == wanted => {
                (self.as_constant(right) == Some(constant)).then_some(left)
            }
            _ => None,
        }
    }
}

pub(crate) fn commutes(operator: Operator) -> bool {
    use Operator as O;
    matches!(operator, O::Add | O::Multiply | O::And | O::Or | O::ExclusiveOr)
}

/// As the kernel's machine calculates: 32 bits without sign. `None` for a division by zero.
pub(crate) fn calculate(operator: Operator, left: u32, right: u32) -> Option<u32> {
    Some(match operator {
        Operator::Add => left.wrapping_add(right),
        Operator::Subtract => left.wrapping_sub(right),
        Operator::Multiply => left.wrapping_mul(right),
        Operator::Divide => left.checked_div(right)?,
        Operator::Remainder => left.checked_rem(right)?,
        Operator::And => left & right,
        Operator::Or => left | right,
        Operator::ExclusiveOr => left ^ right,
        Operator::ShiftLeft => left.checked_shl(right).unwrap_or(0),
        Operator::ShiftRight => left.checked_shr(right).unwrap_or(0),
    })
}
