//! From the tree to conditions: which fields of which headers decide.
//!
//! In which order fields are looked at is part of the meaning: a packet that is too short for a field is rejected, unless
//! something before decided. The order is libpcap's.

mod arithmetic;
mod chain;
mod host;
mod port;
mod protocol;
mod tags;

use crate::condition::{Comparison, Condition, Test, all};
use crate::error::{Error, Fault};
use crate::fields::Fields;
use crate::layers::{From, Layers, Link, ethertype};
use crate::link::{LinkType, Mode, beside};
use crate::names::Names;
use crate::tree::{
    Body, ByteOperator, Chain, Direction, Identity, Kind, Llc, Operator, Primitive, Protocol, Qualifiers,
    Term,
};
use crate::value::{Size, Values};

/// What must hold of a packet, and the values that it speaks of.
pub(crate) fn generate(
    text: &str,
    chain: &Chain,
    link: LinkType,
    mode: Mode,
    names: &dyn Names,
) -> Result<(Condition, Values), Error> {
    let fields = Fields { values: Values::default(), layers: Layers::of(link, mode) };
    let mut generator = Generator { text, mode, names, fields };
    let condition = generator.chain(chain)?;
    Ok((condition, generator.fields.values))
}

struct Generator<'e> {
    text: &'e str,
    mode: Mode,
    names: &'e dyn Names,
    fields: Fields,
}

type Generated = Result<Condition, Fault>;

impl Generator<'_> {
    fn chain(&mut self, chain: &Chain) -> Result<Condition, Error> {
        let mut condition = self.term(&chain.first)?;
        for (junction, term) in &chain.rest {
            condition = condition.joined(*junction, self.term(term)?);
        }
        Ok(condition)
    }

    fn term(&mut self, term: &Term) -> Result<Condition, Error> {
        let condition = match &term.body {
            Body::Group(chain) => self.chain(chain)?,
            Body::Primitive(primitive, span) => {
                let generated = self.primitive(primitive);
                generated.map_err(|fault| Error::new(self.text, span.clone(), fault))?
            }
        };
        Ok(if term.negated { !condition } else { condition })
    }

    fn primitive(&mut self, primitive: &Primitive) -> Generated {
        match primitive {
            Primitive::Protocol(protocol) => self.protocol(*protocol),
            Primitive::Identity(qualifiers, identity) => self.identity(*qualifiers, identity),
            Primitive::Relation { left, relation, right } => self.relation(left, *relation, right),
            Primitive::Broadcast(protocol) => self.broadcast(*protocol),
            Primitive::Multicast(protocol) => self.multicast(*protocol),
            Primitive::AtMost(length) => {
                let field = self.fields.values.packet_length();
                Ok(!self.fields.test(field, Comparison::Greater, *length))
            }
            Primitive::AtLeast(length) => {
                let field = self.fields.values.packet_length();
                Ok(self.fields.test(field, Comparison::GreaterOrEqual, *length))
            }
            Primitive::Byte { index, operator, value } => self.byte(*index, *operator, *value),
            Primitive::Inbound => Ok(!self.outbound()),
            Primitive::Outbound => Ok(self.outbound()),
            Primitive::Interface(index) => Ok(self.interface(*index)),
            Primitive::Vlan(tag) => self.vlan(*tag),
            Primitive::Mpls(label) => self.mpls(*label),
            Primitive::PppoeDiscovery => self.fields.carries(ethertype::PPPOE_DISCOVERY),
            Primitive::PppoeSession(session) => self.pppoe_session(*session),
            Primitive::Geneve(network) => self.geneve(*network),
            Primitive::Llc(llc) => self.llc(*llc),
        }
    }

    fn identity(&mut self, qualifiers: Qualifiers, identity: &Identity) -> Generated {
        match qualifiers.kind {
            Kind::Any | Kind::Host | Kind::Network => self.address(qualifiers, identity),
            Kind::Port => self.port(qualifiers, identity),
            Kind::PortRange => self.port_range(qualifiers, identity),
            Kind::Protocol => self.encapsulated(qualifiers.protocol, identity),
            Kind::ProtocolChain => self.protocol_chain(qualifiers.protocol, identity),
        }
    }

    fn byte(&mut self, index: u32, operator: ByteOperator, value: u32) -> Generated {
        self.has_link_header()?;
        if beside::is_beside(index) {
            return Err(Fault::new("no packet can ever match this: no header has bytes of that number"));
        }
        let field = self.fields.load(From::LinkHeader, index, Size::Byte);
        Ok(match operator {
            ByteOperator::Equal => self.fields.test(field, Comparison::Equal, value),
            ByteOperator::Less => !self.fields.test(field, Comparison::GreaterOrEqual, value),
            ByteOperator::Greater => self.fields.test(field, Comparison::Greater, value),
            ByteOperator::And => self.fields.test(field, Comparison::AnyBit, value),
            ByteOperator::Or => {
                let combined = self.fields.calculate(Operator::Or, field, value);
                !self.fields.test(combined, Comparison::Equal, 0)
            }
        })
    }

    /// The bytes of a cooked header are not there yet when a live packet is looked at.
    fn has_link_header(&self) -> Result<(), Fault> {
        match self.fields.layers.link {
            Link::Plain(link) if self.mode == Mode::Live && link.is_cooked() => {
                let fault = Fault::new(
                    "packets of all interfaces have no link header whose bytes could be taken by number",
                );
                Err(fault.suggest("capture on one interface"))
            }
            _ => Ok(()),
        }
    }

    fn outbound(&mut self) -> Condition {
        match self.fields.layers.link {
            Link::Plain(LinkType::LinuxCookedV1) if self.mode == Mode::Stored => {
                self.fields.is(From::LinkHeader, 0, Size::Half, beside::OUTGOING)
            }
            Link::Plain(LinkType::LinuxCookedV2) if self.mode == Mode::Stored => {
                self.fields.is(From::LinkHeader, 10, Size::Byte, beside::OUTGOING)
            }
            _ => {
                let field = self.fields.values.load(Size::Half, None, beside::PACKET_TYPE);
                self.fields.test(field, Comparison::Equal, beside::OUTGOING)
            }
        }
    }

    fn interface(&mut self, index: u32) -> Condition {
        match self.fields.layers.link {
            Link::Plain(LinkType::LinuxCookedV2) if self.mode == Mode::Stored => {
                self.fields.is(From::LinkHeader, 4, Size::Word, index)
            }
            _ => {
                let field = self.fields.values.load(Size::Word, None, beside::INTERFACE);
                self.fields.test(field, Comparison::Equal, index)
            }
        }
    }

    fn broadcast(&mut self, protocol: Option<Protocol>) -> Generated {
        match protocol {
            None | Some(Protocol::Link) => self.ethernet_address([0xff; 6], Direction::Destination),
            Some(Protocol::Ip) => {
                Err(Fault::new("`ip broadcast` needs the mask of the network, which is not known here")
                    .suggest("write `ether broadcast`, or `dst host` with the broadcast address"))
            }
            Some(other) => Err(Fault::new(format!("`{}` has no broadcasts", other.name()))),
        }
    }

    fn multicast(&mut self, protocol: Option<Protocol>) -> Generated {
        match protocol {
            None | Some(Protocol::Link) => {
                self.only_ethernet("multicast")?;
                let inside = self.inside_ethernet();
                let first = self.fields.load(From::LinkHeader, 0, Size::Byte);
                Ok(inside.and(self.fields.test(first, Comparison::AnyBit, 1)))
            }
            Some(Protocol::Ip) => {
                let carried = self.fields.carries(ethertype::IP)?;
                let first = self.fields.load(From::Network, 16, Size::Byte);
                Ok(carried.and(self.fields.test(first, Comparison::GreaterOrEqual, 224)))
            }
            Some(Protocol::Ip6) => {
                let carried = self.fields.carries(ethertype::IP6)?;
                Ok(carried.and(self.fields.is(From::Network, 24, Size::Byte, 255)))
            }
            Some(other) => Err(Fault::new(format!("`{}` has no multicasts", other.name()))),
        }
    }

    fn llc(&mut self, llc: Llc) -> Generated {
        self.only_ethernet("llc")?;
        let framed = {
            let length = self.fields.load(From::LinkType, 0, Size::Half);
            !self.fields.test(length, Comparison::Greater, ethertype::LONGEST_FRAME)
        };
        // A frame that starts with these bytes is Novell's, without LLC.
        let bare = self.fields.is(From::LinkPayload, 0, Size::Half, 0xffff);
        let any = framed.and(!bare);
        Ok(match llc {
            Llc::Any => any,
            Llc::Information => {
                let control = self.fields.load(From::LinkPayload, 2, Size::Byte);
                any.and(!self.fields.test(control, Comparison::AnyBit, 1))
            }
            Llc::Supervisory => any.and(self.fields.is_masked(From::LinkPayload, 2, Size::Byte, 1, 0x03)),
            Llc::Unnumbered => any.and(self.fields.is_masked(From::LinkPayload, 2, Size::Byte, 3, 0x03)),
            Llc::SupervisoryType(kind) => {
                any.and(self.fields.is_masked(From::LinkPayload, 2, Size::Byte, kind.into(), 0x0f))
            }
            Llc::UnnumberedType(kind) => {
                any.and(self.fields.is_masked(From::LinkPayload, 2, Size::Byte, kind.into(), 0xef))
            }
        })
    }

    fn only_ethernet(&self, what: &str) -> Result<(), Fault> {
        match self.fields.layers.link {
            Link::Plain(LinkType::Ethernet) => Ok(()),
            _ => {
                let fault = Fault::new(format!(
                    "`{what}` needs Ethernet headers; here they are {}",
                    self.fields.layers.link_name()
                ));
                Err(fault.suggest("capture on one interface"))
            }
        }
    }

    /// Geneve may carry network packets without Ethernet: then there are no MAC addresses inside.
    fn inside_ethernet(&mut self) -> Condition {
        let layers = &self.fields.layers;
        match (layers.in_geneve, layers.link_header.base, layers.link_payload.base) {
            (true, Some(header), Some(payload)) => {
                !Condition::Test(Test { left: header, comparison: Comparison::Equal, right: payload })
            }
            _ => all([]),
        }
    }
}
