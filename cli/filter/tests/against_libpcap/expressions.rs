//! Expressions: by hand for each production of pcap-filter(7), and from its grammar with a fixed seed.

use crate::packets::Random;

/// All of them, each once.
pub(crate) fn expressions() -> Vec<String> {
    let mut expressions: Vec<String> = by_hand().map(str::to_owned).collect();
    expressions.extend(systematic());
    let mut random = Random(0x5eed_0002);
    expressions.extend((0..6000).map(|_| Grammar(&mut random).expression(0)));
    let mut seen = std::collections::HashSet::new();
    expressions.retain(|expression| seen.insert(expression.clone()));
    expressions
}

/// The expressions by hand.
fn by_hand() -> impl Iterator<Item = &'static str> {
    include_str!("by_hand.txt").lines().filter(|line| !line.starts_with('#'))
}

/// Whether libpcap's program may read memory that it has not written: see the tests for stored packets.
pub(crate) fn is_undefined(expression: &str) -> bool {
    expression.contains("geneve") && has_alternatives(expression)
}

/// Whether a part of it may be left out when a packet is looked at.
pub(crate) fn has_alternatives(expression: &str) -> bool {
    ["or ", "||", "not ", "!"].iter().any(|word| expression.contains(word))
}

const PROTOCOLS: &[&str] = &[
    "ether", "link", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp",
    "pim", "vrrp", "carp", "ah", "esp", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso",
    "esis", "isis", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "clnp", "stp", "ipx", "netbeui",
    "radio", "wlan", "es-is", "is-is",
];

const DIRECTIONS: &[&str] =
    &["", "src", "dst", "src or dst", "src and dst", "dst or src", "dst and src", "ra", "addr1"];

const KINDS: &[&str] = &["", "host", "net", "port", "portrange", "proto", "protochain", "gateway"];

const VALUES: &[&str] = &[
    "10.0.0.1",
    "10",
    "10.0.0.0/8",
    "80",
    "8000-8010",
    "fe80::1",
    "2001:db8::/32",
    "02:42:ac:11:00:02",
    "\\tcp",
    "http",
];

/// Each combination of qualifiers, whether it makes sense or not.
fn systematic() -> Vec<String> {
    let mut expressions = Vec::new();
    for (number, protocol) in [""].iter().chain(PROTOCOLS).enumerate() {
        expressions.push((*protocol).to_owned());
        expressions.push(format!("not {protocol}"));
        expressions.push(format!("{protocol} broadcast"));
        expressions.push(format!("{protocol} multicast"));
        expressions.push(format!("{protocol}[0] == 5"));
        expressions.push(format!("{protocol}[2:2] & 0xfff0 = 0x40"));
        expressions.push(format!("{protocol}[{protocol}[0]:4] > 7"));
        for kind in KINDS {
            for (place, value) in VALUES.iter().enumerate() {
                // Names of hosts would be asked for in the DNS.
                if matches!(*kind, "" | "host" | "net") && matches!(*value, "\\tcp" | "http" | "8000-8010") {
                    continue;
                }
                let direction = DIRECTIONS[(number + place) % DIRECTIONS.len()];
                expressions.push(format!("{protocol} {kind} {value}"));
                if place % 2 == 0 {
                    expressions.push(format!("{protocol} {direction} {kind} {value}"));
                }
            }
        }
    }
    expressions
}

/// Makes expressions, most of which make sense.
struct Grammar<'r>(&'r mut Random);

impl Grammar<'_> {
    fn expression(&mut self, depth: usize) -> String {
        let mut text = self.term(depth);
        for _ in 0..self.0.below(4) {
            let junction = self.0.pick(&[" and ", " or ", " and ", " or ", " && ", "||"]);
            let next = if self.0.one_in(10) { self.value() } else { self.term(depth) };
            text = format!("{text}{junction}{next}");
        }
        text
    }

    fn term(&mut self, depth: usize) -> String {
        match self.0.below(12) {
            0 => format!("not {}", self.term(depth)),
            1 if depth < 3 => format!("({})", self.expression(depth + 1)),
            2 if depth < 3 => format!("! ( {} )", self.expression(depth + 1)),
            _ => self.primitive(),
        }
    }

    fn primitive(&mut self) -> String {
        match self.0.below(20) {
            0..=2 => self
                .0
                .pick(&[
                    "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp", "stp", "rarp", "igmp", "esp",
                ])
                .to_owned(),
            3..=5 => {
                format!("{}{}host {}", self.0.pick(&["", "", "ip ", "arp "]), self.direction(), self.ipv4())
            }
            6 => format!("{}host {}", self.direction(), self.ipv6()),
            7 => format!("{}net {}", self.direction(), self.network()),
            8..=10 => format!(
                "{}{}port {}",
                self.0.pick(&["", "tcp ", "udp ", "sctp "]),
                self.direction(),
                self.port()
            ),
            11 => format!(
                "{}{}portrange {}-{}",
                self.0.pick(&["", "tcp ", "udp "]),
                self.direction(),
                self.number(9000),
                self.number(9000)
            ),
            12 => format!(
                "{} proto {}",
                self.0.pick(&["ip", "ip6", "", "ether"]),
                self.0.pick(&["6", "17", "\\tcp", "\\udp", "0x800", "58", "2048"])
            ),
            13 => format!(
                "ether {}host {}",
                self.direction(),
                self.0.pick(&["02:42:ac:11:00:02", "ff:ff:ff:ff:ff:ff", "0011.2233.4455"])
            ),
            14 => self.layer(),
            15 => self
                .0
                .pick(&[
                    "broadcast",
                    "multicast",
                    "ip multicast",
                    "ip6 multicast",
                    "less 60",
                    "greater 100",
                    "len > 70",
                    "llc",
                    "llc i",
                    "iso",
                    "isis",
                    "l1",
                ])
                .to_owned(),
            _ => self.relation(),
        }
    }

    fn layer(&mut self) -> String {
        match self.0.below(10) {
            0..=2 => self.0.pick(&["vlan", "vlan 100", "vlan 200", "vlan (1)"]).to_owned(),
            3..=5 => self.0.pick(&["mpls", "mpls 1000", "mpls 100000"]).to_owned(),
            6..=8 => self.0.pick(&["pppoes", "pppoes 7", "pppoed"]).to_owned(),
            _ => self.0.pick(&["geneve", "geneve 42"]).to_owned(),
        }
    }

    fn direction(&mut self) -> &'static str {
        self.0.pick(&["", "", "", "src ", "dst ", "src or dst ", "src and dst "])
    }

    fn ipv4(&mut self) -> &'static str {
        self.0.pick(&["10.0.0.1", "10.0.0.2", "192.168.1.1", "10.1", "127.0.0.1", "8.8.8.8"])
    }

    fn ipv6(&mut self) -> &'static str {
        self.0.pick(&["fe80::1", "2001:db8::1", "::1", "ff02::1", "2001:db8:0:1::2"])
    }

    fn network(&mut self) -> &'static str {
        self.0.pick(&[
            "10.0.0.0/8",
            "10",
            "192.168",
            "10.0.0.0 mask 255.255.0.0",
            "172.16.0.0/12",
            "2001:db8::/32",
            "fe80::/10",
            "0.0.0.0/0",
            "2001:db8:0:1::/64",
        ])
    }

    fn port(&mut self) -> String {
        match self.0.below(5) {
            0 => self.0.pick(&["(80 or 443)", "(22 or 53 or 80)", "not 80"]).to_owned(),
            _ => self.0.pick(&["22", "53", "80", "443", "8080", "0", "65535"]).to_owned(),
        }
    }

    fn value(&mut self) -> String {
        self.0.pick(&["80", "443", "10.0.0.2", "(22 or 53)", "not 80", "fe80::1", "(8080)"]).to_owned()
    }

    fn number(&mut self, end: usize) -> String {
        self.0.below(end).to_string()
    }

    fn relation(&mut self) -> String {
        let relation = self.0.pick(&["==", "=", "!=", ">", "<", ">=", "<="]);
        match self.0.below(4) {
            0 => format!("{} {relation} {}", self.calculation(0), self.calculation(0)),
            _ => format!("{} {relation} {}", self.calculation(0), self.constant()),
        }
    }

    fn constant(&mut self) -> String {
        match self.0.below(4) {
            0 => self
                .0
                .pick(&["tcp-syn", "tcp-ack", "icmp-echo", "0x45", "0", "6", "17", "5", "020"])
                .to_owned(),
            1 => format!("0x{:x}", self.0.below(65536)),
            _ => self.0.below(300).to_string(),
        }
    }

    fn calculation(&mut self, depth: usize) -> String {
        match self.0.below(9) {
            0 if depth < 3 => {
                let operator = self.0.pick(&["+", "-", "*", "&", "|", "^", " % ", "/", "<<", ">>", " - "]);
                let left = self.calculation(depth + 1);
                let right = if matches!(operator, "<<" | ">>" | "/" | " % ") {
                    (1 + self.0.below(9)).to_string()
                } else {
                    self.calculation(depth + 1)
                };
                format!("{left}{operator}{right}")
            }
            1 if depth < 3 => format!("({})", self.calculation(depth + 1)),
            2 if depth < 3 => format!("-{}", self.calculation(depth + 1)),
            3 => "len".to_owned(),
            4 => format!("{} & {}", self.field(depth), self.constant()),
            _ => self.field(depth),
        }
    }

    fn field(&mut self, depth: usize) -> String {
        let protocol =
            self.0.pick(&["ether", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "tcp", "ip"]);
        let index = match self.0.below(8) {
            0 if depth < 2 => self.calculation(depth + 2),
            1 => self.0.pick(&["tcpflags", "icmptype", "icmpcode"]).to_owned(),
            _ => self.0.below(40).to_string(),
        };
        format!("{protocol}[{index}{}]", self.0.pick(&["", "", ":1", ":2", ":4"]))
    }
}
