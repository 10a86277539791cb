//! Says in words, as a tree, how an expression was understood.

use std::fmt::Write as _;

use crate::tree::{
    Arithmetic, Body, ByteOperator, Chain, Direction, Expression, Identity, Junction, Kind, Llc, Operator,
    Primitive, Protocol, Qualifiers, Relation, Term,
};

/// What is shown: a line, and what belongs to it.
struct Shown {
    line: String,
    below: Vec<Shown>,
}

impl Expression {
    /// One line for each condition, and below what ties them. Names are shown without control characters.
    pub fn explain(&self) -> String {
        let shown = match &self.chain {
            Some(chain) => of_chain(chain),
            None => leaf("every packet"),
        };
        let mut text = format!("{}\n", shown.line);
        write_below(&mut text, &shown.below, "");
        text
    }
}

fn write_below(text: &mut String, below: &[Shown], indent: &str) {
    for (number, shown) in below.iter().enumerate() {
        let (branch, deeper) =
            if number + 1 == below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let _ = writeln!(text, "{indent}{branch}{}", shown.line);
        write_below(text, &shown.below, &format!("{indent}{deeper}"));
    }
}

fn leaf(line: impl Into<String>) -> Shown {
    Shown { line: line.into(), below: Vec::new() }
}

/// Alternations of `and` and `or` are nested to the left, as they are tied.
fn of_chain(chain: &Chain) -> Shown {
    let mut shown = of_term(&chain.first);
    let mut last = None;
    for (junction, term) in &chain.rest {
        let next = of_term(term);
        if last != Some(*junction) {
            let line = match junction {
                Junction::And => "all of",
                Junction::Or => "any of",
            };
            shown = Shown { line: line.to_owned(), below: vec![shown] };
        }
        shown.below.push(next);
        last = Some(*junction);
    }
    shown
}

fn of_term(term: &Term) -> Shown {
    let shown = match &term.body {
        Body::Group(chain) => of_chain(chain),
        Body::Primitive(primitive, _) => leaf(of_primitive(primitive)),
    };
    match (term.negated, shown.below.is_empty()) {
        (false, _) => shown,
        (true, true) => leaf(format!("not {}", shown.line)),
        (true, false) => Shown { line: "not".to_owned(), below: vec![shown] },
    }
}

fn of_primitive(primitive: &Primitive) -> String {
    let behind = |what: &str, number: &Option<u32>| match number {
        Some(number) => format!("{what} {number}; what follows is about what it carries"),
        None => format!("{what}; what follows is about what it carries"),
    };
    let link = |protocol: &Option<Protocol>| protocol.map_or("ether", Protocol::name);
    match primitive {
        Primitive::Protocol(protocol) => format!("protocol {}", protocol.name()),
        Primitive::Identity(qualifiers, identity) => of_identity(*qualifiers, identity),
        Primitive::Relation { left, relation, right } => {
            format!("{} {} {}", of_arithmetic(left), of_relation(*relation), of_arithmetic(right))
        }
        Primitive::Broadcast(protocol) => format!("{} broadcast", link(protocol)),
        Primitive::Multicast(protocol) => format!("{} multicast", link(protocol)),
        Primitive::AtMost(length) => format!("at most {length} bytes on the wire"),
        Primitive::AtLeast(length) => format!("at least {length} bytes on the wire"),
        Primitive::Byte { index, operator, value } => match operator {
            ByteOperator::Equal => format!("byte {index} of the packet == {value}"),
            ByteOperator::Less => format!("byte {index} of the packet < {value}"),
            ByteOperator::Greater => format!("byte {index} of the packet > {value}"),
            ByteOperator::And => format!("byte {index} of the packet & {value} != 0"),
            ByteOperator::Or => format!("byte {index} of the packet | {value} != 0"),
        },
        Primitive::Inbound => "comes in".to_owned(),
        Primitive::Outbound => "goes out".to_owned(),
        Primitive::Interface(index) => format!("interface number {index}"),
        Primitive::Vlan(tag) => behind("VLAN", tag),
        Primitive::Mpls(label) => behind("MPLS label", label),
        Primitive::PppoeDiscovery => "PPPoE discovery".to_owned(),
        Primitive::PppoeSession(session) => behind("PPPoE session", session),
        Primitive::Geneve(network) => behind("Geneve network", network),
        Primitive::Llc(llc) => match llc {
            Llc::Any => "LLC frame".to_owned(),
            Llc::Information => "LLC information frame".to_owned(),
            Llc::Supervisory => "LLC supervisory frame".to_owned(),
            Llc::Unnumbered => "LLC unnumbered frame".to_owned(),
            Llc::SupervisoryType(kind) => format!("LLC supervisory frame of type {kind:#04x}"),
            Llc::UnnumberedType(kind) => format!("LLC unnumbered frame of type {kind:#04x}"),
        },
    }
}

fn of_identity(qualifiers: Qualifiers, identity: &Identity) -> String {
    let value = match identity {
        Identity::Number(number) => number.to_string(),
        Identity::Dotted(address, 32) => address.to_string(),
        Identity::Dotted(address, bits) => format!("{address}/{bits}"),
        Identity::Masked(address, mask) => match u32::from(*mask) {
            bits if bits.leading_ones() == bits.count_ones() => format!("{address}/{}", bits.count_ones()),
            _ => format!("{address} mask {mask}"),
        },
        Identity::Ipv6(address, None) => address.to_string(),
        Identity::Ipv6(address, Some(prefix)) => format!("{address}/{prefix}"),
        Identity::Mac([a, b, c, d, e, f]) => format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
        Identity::Name(name) => name.chars().filter(|c| !c.is_control()).collect(),
    };
    let kind = match qualifiers.kind {
        Kind::Any | Kind::Host => "host",
        Kind::Network => "network",
        Kind::Port => "port",
        Kind::PortRange => "ports",
        Kind::Protocol => return format!("{} carries protocol {value}", carrier(qualifiers.protocol)),
        Kind::ProtocolChain => {
            return format!(
                "{} carries protocol {value}, behind extension headers as well",
                carrier(qualifiers.protocol)
            );
        }
    };
    let protocol = qualifiers.protocol.map(|protocol| format!("{} ", protocol.name())).unwrap_or_default();
    let direction = match qualifiers.direction {
        Direction::Any | Direction::Either => "source or destination",
        Direction::Source => "source",
        Direction::Destination => "destination",
        Direction::Both => "source and destination",
    };
    format!("{protocol}{kind} {value} as {direction}")
}

fn carrier(protocol: Option<Protocol>) -> &'static str {
    protocol.map_or("ip or ip6", Protocol::name)
}

fn of_relation(relation: Relation) -> &'static str {
    match relation {
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
        Relation::Equal => "==",
        Relation::LessOrEqual => "<=",
        Relation::Less => "<",
        Relation::NotEqual => "!=",
    }
}

/// With every parenthesis that could be there: what binds closer is often not what was meant.
fn of_arithmetic(arithmetic: &Arithmetic) -> String {
    match arithmetic {
        Arithmetic::Number(number) => number.to_string(),
        Arithmetic::PacketLength => "len".to_owned(),
        Arithmetic::Load { protocol, index, bytes } => {
            format!("{}[{}:{bytes}]", protocol.name(), of_arithmetic(index))
        }
        Arithmetic::Negative(of) => format!("-{}", of_arithmetic(of)),
        Arithmetic::Binary { operator, left, right } => {
            format!("({} {} {})", of_arithmetic(left), of_operator(*operator), of_arithmetic(right))
        }
    }
}

fn of_operator(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Remainder => "%",
        Operator::And => "&",
        Operator::Or => "|",
        Operator::ExclusiveOr => "^",
        Operator::ShiftLeft => "<<",
        Operator::ShiftRight => ">>",
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn what_is_tied_and_how_is_seen() {
        let explained =
            parse("tcp port 80 or 443 and not (host 10.0.0.1 or vlan 100) and ip[2:2] % 4 + 1 = 5")
                .unwrap()
                .explain();
        let expected = "\
all of
├─ any of
│  ├─ tcp port 80 as source or destination
│  └─ tcp port 443 as source or destination
├─ not
│  └─ any of
│     ├─ host 10.0.0.1 as source or destination
│     └─ VLAN 100; what follows is about what it carries
└─ (ip[2:2] % (4 + 1)) == 5
";
        assert_eq!(explained, expected);
        assert_eq!(parse("").unwrap().explain(), "every packet\n");
        assert_eq!(
            parse("not net 10.0.0.0/8").unwrap().explain(),
            "not network 10.0.0.0/8 as source or destination\n"
        );
    }
}
