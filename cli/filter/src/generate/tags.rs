//! Headers that stand between the link header and the network's: what is to their right in the expression is about what
//! they carry.

use super::port::{Ports, Transport, UDP};
use super::{Generated, Generator};
use crate::condition::{Comparison, Condition, any};
use crate::error::Fault;
use crate::layers::{From, Link, Place, ethertype};
use crate::link::{LinkType, Mode, beside};
use crate::tree::{Direction, Operator};
use crate::value::{Size, ValueId};

/// UDP port of Geneve (RFC 8926).
const GENEVE: u32 = 6081;

/// The protocol number of MPLS in PPP.
const PPP_MPLS: u32 = 0x0281;

impl Generator<'_> {
    pub(super) fn vlan(&mut self, tag: Option<u32>) -> Generated {
        if self.fields.layers.labels > 0 {
            return Err(
                Fault::new("behind an MPLS label there is no VLAN tag").suggest("write `vlan` before `mpls`")
            );
        }
        self.only_ethernet("vlan")?;
        if let Some(tag) = tag.filter(|tag| *tag > 0x0fff) {
            return Err(Fault::new(format!("VLANs end at 4095, and this is {tag}")));
        }
        let types = [ethertype::VLAN, ethertype::PROVIDER_VLAN, ethertype::OLD_PROVIDER_VLAN];
        let mut conditions = Vec::new();
        for number in types {
            conditions.push(self.fields.carries(number)?);
        }
        let mut inside = any(conditions);
        if let Some(tag) = tag {
            inside = inside.and(self.fields.is_masked(From::Network, 0, Size::Half, tag, 0x0fff));
        }
        let layers = &self.fields.layers;
        let outermost = layers.tags == 0 && layers.link_header == Place::known(0);
        self.fields.layers.tags += 1;
        if self.mode == Mode::Stored || !outermost {
            self.fields.layers.link_payload = self.fields.layers.link_payload.plus(4);
            self.fields.layers.link_type = self.fields.layers.link_type.plus(4);
            return Ok(inside);
        }
        Ok(self.tag_beside(tag, inside))
    }

    /// Linux keeps the tag beside the packet. One that it has left in the packet takes up four bytes.
    fn tag_beside(&mut self, tag: Option<u32>, inside: Condition) -> Condition {
        let fields = &mut self.fields;
        let present = fields.values.load(Size::Byte, None, beside::VLAN_TAG_PRESENT);
        let absent = fields.calculate(Operator::ExclusiveOr, present, 1);
        let bytes = fields.calculate(Operator::ShiftLeft, absent, 2);
        fields.layers.link_payload.base = Some(bytes);
        fields.layers.link_type.base = Some(bytes);
        let is_present = fields.test(present, Comparison::Equal, 1);
        let Some(tag) = tag else { return is_present.or(inside) };
        let field = fields.values.load(Size::Half, None, beside::VLAN_TAG);
        let number = fields.calculate(Operator::And, field, 0x0fff);
        let is_number = fields.test(number, Comparison::Equal, tag);
        is_present.clone().and(is_number).or((!is_present).and(inside))
    }

    pub(super) fn mpls(&mut self, label: Option<u32>) -> Generated {
        let mut condition = match (self.fields.layers.labels, self.fields.layers.link) {
            // Another label follows if the last one does not say that it is the last.
            (1.., _) => self.fields.is_masked(From::LastLabel, 2, Size::Byte, 0, 1),
            (0, Link::Plain(LinkType::Ethernet)) => self.fields.carries(ethertype::MPLS)?,
            (0, Link::Ppp) => self.fields.carries(PPP_MPLS)?,
            (0, _) => {
                let fault = Fault::new(format!(
                    "`mpls` needs Ethernet headers; here they are {}",
                    self.fields.layers.link_name()
                ));
                return Err(fault.suggest("capture on one interface"));
            }
        };
        if let Some(label) = label {
            if label > 0x000f_ffff {
                return Err(Fault::new(format!("MPLS labels end at 1048575, and this is {label}")));
            }
            condition =
                condition.and(self.fields.is_masked(From::Network, 0, Size::Word, label << 12, 0xffff_f000));
        }
        self.fields.layers.network += 4;
        self.fields.layers.network_behind_llc += 4;
        self.fields.layers.labels += 1;
        Ok(condition)
    }

    pub(super) fn pppoe_session(&mut self, session: Option<u32>) -> Generated {
        let mut condition = self.fields.carries(ethertype::PPPOE_SESSION)?;
        if let Some(session) = session {
            if session > 0xffff {
                return Err(Fault::new(format!("PPPoE sessions end at 65535, and this is {session}")));
            }
            condition = condition.and(self.fields.is_masked(From::Network, 0, Size::Word, session, 0xffff));
        }
        let layers = &mut self.fields.layers;
        // PPPoE's header has six bytes, PPP's protocol number two (RFC 2516).
        layers.link_header = layers.network_place().plus(6);
        layers.link_type = layers.link_header;
        layers.link_payload = layers.link_header.plus(2);
        layers.link = Link::Ppp;
        layers.network = 0;
        layers.network_behind_llc = 0;
        Ok(condition)
    }

    pub(super) fn geneve(&mut self, network: Option<u32>) -> Generated {
        if let Some(network) = network.filter(|network| *network > 0x00ff_ffff) {
            return Err(Fault::new(format!("Geneve networks end at 16777215, and this is {network}")));
        }
        let to_geneve = (Ports::One(GENEVE), Transport::Only(UDP), Direction::Destination);
        let over_ip = self.ports4(to_geneve.0, to_geneve.1, to_geneve.2)?;
        let over_ip = over_ip.and(self.geneve_version(From::BehindIp, network));
        let over_ip6 = self.ports6(to_geneve.0, to_geneve.1, to_geneve.2)?;
        let over_ip6 = over_ip6.and(self.geneve_version(From::BehindIp6, network));
        self.enter_geneve()?;
        Ok(over_ip.or(over_ip6))
    }

    /// Version 0, and the number of the virtual network. UDP's header has eight bytes.
    fn geneve_version(&mut self, from: From, network: Option<u32>) -> Condition {
        let version = self.fields.is_masked(from, 8, Size::Byte, 0, 0xc0);
        let version = match network {
            None => version,
            Some(network) => {
                version.and(self.fields.is_masked(from, 12, Size::Word, network << 8, 0xffff_ff00))
            }
        };
        // Once more, with what Geneve carries: what is cut off before that is no Geneve.
        version.and(self.fields.is_masked(from, 8, Size::Word, 0, 0xc000_0000))
    }

    fn enter_geneve(&mut self) -> Result<(), Fault> {
        let header = self.behind_either_ip()?.plus(8);
        let fields = &mut self.fields;
        let first = fields.at(header, Size::Byte);
        let words = fields.calculate(Operator::And, first, 0x3f);
        let options = fields.calculate(Operator::ShiftLeft, words, 2);
        let base = header.base.unwrap_or(options);
        let inner =
            Place { base: Some(fields.combine(Operator::Add, base, options)), offset: header.offset + 8 };
        let inner = self.without_offset(inner);

        // Geneve carries Ethernet, or what its own protocol field says. Which of the two is calculated: 1 or 0.
        let fields = &mut self.fields;
        let protocol = fields.at(header.plus(2), Size::Half);
        let difference = fields.calculate(Operator::ExclusiveOr, protocol, ethertype::ETHERNET);
        let below_zero = fields.calculate(Operator::Subtract, difference, 1);
        let is_ethernet = fields.calculate(Operator::ShiftRight, below_zero, 31);
        let header_bytes = fields.calculate(Operator::Multiply, is_ethernet, 14);
        let payload = fields.combine(Operator::Add, inner, header_bytes);

        // In Geneve's header at 2, or in Ethernet's at 12.
        let own = self.without_offset(header.plus(2));
        let fields = &mut self.fields;
        let ethernets = fields.calculate(Operator::Add, inner, 12);
        let between = fields.combine(Operator::Subtract, ethernets, own);
        let between = fields.combine(Operator::Multiply, between, is_ethernet);
        let link_type = fields.combine(Operator::Add, own, between);

        let layers = &mut self.fields.layers;
        layers.link = Link::Plain(LinkType::Ethernet);
        layers.link_header = Place { base: Some(inner), offset: 0 };
        layers.link_type = Place { base: Some(link_type), offset: 0 };
        layers.link_payload = Place { base: Some(payload), offset: 0 };
        layers.network = 0;
        layers.in_geneve = true;
        Ok(())
    }

    /// The place behind the IP header, whichever version it has. The version is taken from where it was tested.
    fn behind_either_ip(&mut self) -> Result<Place, Fault> {
        let network = self.fields.layers.network_place();
        let is_ip6 = self.bit_of_ip6();
        let ip = self.fields.behind_ip();
        let fields = &mut self.fields;
        let is_ip = fields.calculate(Operator::ExclusiveOr, is_ip6, 1);
        let own_base = network.base;
        let first = fields.at(network, Size::Byte);
        let words = fields.calculate(Operator::And, first, 0x0f);
        let ip_bytes = fields.calculate(Operator::ShiftLeft, words, 2);
        let ip_bytes = fields.combine(Operator::Multiply, ip_bytes, is_ip);
        let ip6_bytes = fields.calculate(Operator::Multiply, is_ip6, 40);
        let bytes = fields.combine(Operator::Add, ip_bytes, ip6_bytes);
        let base = match own_base {
            Some(base) => fields.combine(Operator::Add, base, bytes),
            None => bytes,
        };
        Ok(Place { base: Some(base), offset: ip.offset })
    }

    /// 1 for IPv6 and 0 for IPv4, of a packet that is known to be one of them: a bit in which the numbers of the two differ.
    fn bit_of_ip6(&mut self) -> ValueId {
        let labels = self.fields.layers.labels;
        let (from, size, bit) = match self.fields.layers.link {
            // Versions 4 and 6, in the upper half of the byte.
            _ if labels > 0 => (From::Network, Size::Byte, 5),
            Link::Plain(LinkType::Raw) => (From::LinkHeader, Size::Byte, 5),
            // AF_INET is 2 and AF_INET6 is 10.
            Link::Plain(LinkType::Loopback) => (From::LinkHeader, Size::Byte, 3),
            // 0x0800 and 0x86dd.
            Link::Plain(_) => (From::LinkType, Size::Half, 15),
            // 0x0021 and 0x0057.
            Link::Ppp => (From::LinkType, Size::Half, 6),
        };
        let field = self.fields.load(from, 0, size);
        let shifted = self.fields.calculate(Operator::ShiftRight, field, bit);
        self.fields.calculate(Operator::And, shifted, 1)
    }

    fn without_offset(&mut self, place: Place) -> ValueId {
        match place.base {
            Some(base) => self.fields.calculate(Operator::Add, base, place.offset),
            None => self.fields.values.constant(place.offset),
        }
    }
}
