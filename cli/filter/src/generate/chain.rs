//! `protochain`: a protocol behind the extension headers of IPv6 and authentication headers.
//!
//! libpcap goes from header to header in a loop, which the kernel's machine does not have. Here the steps are written out,
//! so there is an end to them: a packet with more headers in a row than [`MOST_HEADERS`] is rejected.

use super::{Generated, Generator};
use crate::condition::{Comparison, Condition, any};
use crate::error::Fault;
use crate::layers::{Place, ethertype};
use crate::tree::{Identity, Operator, Protocol};
use crate::value::{Size, ValueId};

/// What RFC 8200, section 4.1 recommends to send is no more than six, one of them twice.
pub(super) const MOST_HEADERS: usize = 8;

const AUTHENTICATION: u32 = 51;

/// Hop-by-hop options, destination options, routing, fragment: the second byte tells their length in units of 8 bytes,
/// without the first.
const EXTENSIONS: [u32; 4] = [0, 60, 43, 44];

impl Generator<'_> {
    pub(super) fn protocol_chain(&mut self, protocol: Option<Protocol>, identity: &Identity) -> Generated {
        let number = self.protocol_number(protocol, identity)?;
        if !matches!(protocol, None | Some(Protocol::Ip | Protocol::Ip6)) {
            return Err(Fault::new("only `ip` and `ip6` have chains of protocols"));
        }
        if self.fields.layers.link_payload.base.is_some() {
            return Err(Fault::new("`protochain` can not follow headers whose length is not known"));
        }
        Ok(match protocol {
            Some(Protocol::Ip) => self.ip_chain(number)?,
            Some(_) => self.ip6_chain(number)?,
            None => self.ip_chain(number)?.or(self.ip6_chain(number)?),
        })
    }

    fn ip_chain(&mut self, number: u32) -> Generated {
        let carried = self.fields.carries(ethertype::IP)?;
        let network = self.fields.layers.network_place();
        let first = self.fields.at(network.plus(9), Size::Byte);
        let start = self.fields.behind_ip();
        Ok(carried.and(self.headers(number, first, start, false)))
    }

    fn ip6_chain(&mut self, number: u32) -> Generated {
        let carried = self.fields.carries(ethertype::IP6)?;
        let network = self.fields.layers.network_place();
        let first = self.fields.at(network.plus(6), Size::Byte);
        Ok(carried.and(self.headers(number, first, network.plus(40), true)))
    }

    /// The header at `place` is of the kind `kind`: it is what is looked for, or one that another follows.
    fn headers(&mut self, number: u32, kind: ValueId, place: Place, extensions: bool) -> Condition {
        let mut steps = Vec::new();
        let (mut kind, mut place) = (kind, place);
        for _ in 0..MOST_HEADERS {
            let found = self.fields.test(kind, Comparison::Equal, number);
            let authentication = self.fields.test(kind, Comparison::Equal, AUTHENTICATION);
            let goes_on = match extensions {
                true => {
                    let tests =
                        EXTENSIONS.map(|extension| self.fields.test(kind, Comparison::Equal, extension));
                    any(tests.into_iter().chain([authentication]))
                }
                false => authentication,
            };
            steps.push((found, goes_on));
            // Both bytes are taken at once: a header that has only one of them is none.
            let header = self.fields.at(place, Size::Half);
            let length = self.header_length(kind, header, extensions);
            kind = self.fields.calculate(Operator::ShiftRight, header, 8);
            place = match place.base {
                Some(base) => Place { base: Some(self.fields.combine(Operator::Add, base, length)), ..place },
                None => Place { base: Some(length), ..place },
            };
        }
        let last = self.fields.test(kind, Comparison::Equal, number);
        steps.into_iter().rev().fold(last, |next, (found, goes_on)| found.or(goes_on.and(next)))
    }

    /// The second byte counts. In an authentication header it counts units of 4 bytes, without the first two of them (RFC
    /// 4302). Which of the two it is is calculated: 1 if the kinds are equal, else 0.
    fn header_length(&mut self, kind: ValueId, header: ValueId, extensions: bool) -> ValueId {
        let fields = &mut self.fields;
        let units = fields.calculate(Operator::And, header, 0xff);
        if !extensions {
            let units = fields.calculate(Operator::Add, units, 2);
            return fields.calculate(Operator::ShiftLeft, units, 2);
        }
        let difference = fields.calculate(Operator::ExclusiveOr, kind, AUTHENTICATION);
        let below_zero = fields.calculate(Operator::Subtract, difference, 1);
        let is_authentication = fields.calculate(Operator::ShiftRight, below_zero, 31);
        let units = fields.calculate(Operator::Add, units, 1);
        let units = fields.combine(Operator::Add, units, is_authentication);
        let bytes = fields.calculate(Operator::ShiftLeft, units, 3);
        fields.combine(Operator::ShiftRight, bytes, is_authentication)
    }
}
