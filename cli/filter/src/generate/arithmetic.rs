//! Comparisons of what is calculated from fields.

use super::{Generated, Generator};
use crate::condition::{Comparison, Condition, Test};
use crate::error::Fault;
use crate::layers::{From, Place, ethertype};
use crate::link::beside;
use crate::tree::{Arithmetic, Operator, Protocol, Relation};
use crate::value::{Size, ValueId};

/// A value, and what must hold of a packet for the value to be in it.
struct Checked {
    value: ValueId,
    check: Option<Condition>,
}

impl Generator<'_> {
    pub(super) fn relation(
        &mut self,
        left: &Arithmetic,
        relation: Relation,
        right: &Arithmetic,
    ) -> Generated {
        let left = self.arithmetic(left)?;
        let right = self.arithmetic(right)?;
        let comparison = match relation {
            Relation::Greater | Relation::LessOrEqual => Comparison::Greater,
            Relation::GreaterOrEqual | Relation::Less => Comparison::GreaterOrEqual,
            Relation::Equal | Relation::NotEqual => Comparison::Equal,
        };
        let test = Condition::Test(Test { left: left.value, comparison, right: right.value });
        let test = match relation {
            Relation::LessOrEqual | Relation::Less | Relation::NotEqual => !test,
            _ => test,
        };
        Ok(match join(left.check, right.check) {
            Some(check) => check.and(test),
            None => test,
        })
    }

    fn arithmetic(&mut self, arithmetic: &Arithmetic) -> Result<Checked, Fault> {
        match arithmetic {
            Arithmetic::Number(number) => {
                Ok(Checked { value: self.fields.values.constant(*number), check: None })
            }
            Arithmetic::PacketLength => {
                Ok(Checked { value: self.fields.values.packet_length(), check: None })
            }
            Arithmetic::Negative(inner) => {
                let inner = self.arithmetic(inner)?;
                Ok(Checked { value: self.fields.values.negative(inner.value), ..inner })
            }
            Arithmetic::Binary { operator, left, right } => {
                let left = self.arithmetic(left)?;
                let right = self.arithmetic(right)?;
                // Only the leftmost field is checked to be in the packet. It is so in libpcap, and expressions in use rely
                // on it: `ip[2:2] - ((ip[0] & 0xf) << 2) - (tcp[12] >> 2)` must not look for TCP in other packets.
                Ok(Checked {
                    value: self.fields.values.binary(*operator, left.value, right.value)?,
                    check: left.check,
                })
            }
            Arithmetic::Load { protocol, index, bytes } => {
                let size = match bytes {
                    1 => Size::Byte,
                    2 => Size::Half,
                    _ => Size::Word,
                };
                self.field(*protocol, index, size)
            }
        }
    }

    fn field(&mut self, protocol: Protocol, index: &Arithmetic, size: Size) -> Result<Checked, Fault> {
        use Protocol as P;
        let index = self.arithmetic(index)?;
        let (start, check) = match protocol {
            P::Link => {
                self.has_link_header()?;
                (self.fields.layers.link_header, index.check)
            }
            P::Tcp | P::Udp | P::Sctp | P::Icmp | P::Igmp | P::Igrp | P::Pim | P::Vrrp | P::Carp => {
                let carried = self.fields.carries(ethertype::IP)?;
                let is_protocol = self.protocol(protocol)?;
                let whole = self.not_a_later_fragment();
                let check =
                    [Some(carried), index.check, Some(is_protocol), Some(whole)].into_iter().fold(None, join);
                (self.fields.behind_ip(), check)
            }
            P::Icmp6 => {
                let carried = self.fields.carries(ethertype::IP6)?;
                let is_protocol = self.fields.is(From::Network, 6, Size::Byte, 58);
                (
                    self.fields.layers.network_place().plus(40),
                    [index.check, Some(carried), Some(is_protocol)].into_iter().fold(None, join),
                )
            }
            _ => {
                let check = self.protocol(protocol)?;
                (self.fields.layers.network_place(), join(index.check, Some(check)))
            }
        };
        let place = self.indexed(start, index.value);
        // Offsets that would be below zero stand for what is beside a packet, and most of those for nothing.
        if place.base.is_none() && beside::is_beside(place.offset) {
            return Err(Fault::new("no packet can ever match this: no header has bytes of that number"));
        }
        Ok(Checked { value: self.fields.at(place, size), check })
    }

    fn indexed(&mut self, start: Place, index: ValueId) -> Place {
        match (self.fields.values.as_constant(index), start.base) {
            (Some(index), _) => start.plus(index),
            (None, None) => Place { base: Some(index), offset: start.offset },
            (None, Some(base)) => {
                Place { base: Some(self.fields.combine(Operator::Add, base, index)), offset: start.offset }
            }
        }
    }
}

fn join(before: Option<Condition>, next: Option<Condition>) -> Option<Condition> {
    match (before, next) {
        (Some(before), Some(next)) => Some(before.and(next)),
        (before, next) => before.or(next),
    }
}
