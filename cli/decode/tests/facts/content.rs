//! Transports, tunnels and applications.

use dbgctl_decode::{
    Data, Dhcp, Dhcpv6, Dialect, Dns, Http, Item, Layer, Sctp, Section, Tcp, TcpFlags, TcpOption,
};

use super::{Facts, hardware};

pub(super) fn content(layer: &Layer<'_>, next: Option<&Layer<'_>>, facts: &mut Facts) {
    match layer {
        Layer::Tcp(header) => tcp(header, facts),
        // Of what is decoded, tcpdump tells the length its own way.
        Layer::Udp(udp) => {
            let length = format!("UDP, length {}", udp.payload_length);
            let theirs =
                if matches!(next, None | Some(Layer::Quic(_))) { length.clone() } else { String::new() };
            facts.say(length, theirs);
            if matches!(next, Some(Layer::Ntp(_))) {
                facts.know("NTPv4");
            }
        }
        Layer::Sctp(header) => sctp(header, facts),
        Layer::Gre(gre) => {
            facts.know("GREv0");
            if let Some(key) = gre.key {
                facts.know(format!("key={key:#x}, "));
            }
            let theirs = format!("({:#06x}), length ", gre.protocol);
            facts.say("GRE ", theirs);
            if let Some(key) = gre.key {
                facts.say(format!("key {key:#x}"), "");
            }
        }
        Layer::Vxlan(vxlan) => {
            let network = vxlan.network.unwrap();
            facts.say(format!("VXLAN vni {network}"), format!("VXLAN, flags [I] (0x08), vni {network}"));
        }
        Layer::Dns(message) => dns(message, facts),
        Layer::Dhcp(message) => dhcp(message, facts),
        Layer::Dhcpv6(message) => dhcpv6(message, facts),
        Layer::Ntp(ntp) => {
            let stratum = ntp.stratum.unwrap();
            let [ours, theirs] = if ntp.mode == 3 { ["client", "Client"] } else { ["server", "Server"] };
            facts.say(format!("NTPv4 {ours}, stratum {stratum}"), format!(", {theirs}, length 48"));
            facts.know(format!("Stratum {stratum} "));
        }
        Layer::Http(Http::Request(line) | Http::Response(line)) => {
            let line = str::from_utf8(line).unwrap();
            facts.say(format!("HTTP \"{line}\""), line);
        }
        // It does not know these.
        Layer::Http(Http::Preface) => facts.say("HTTP/2 preface", ""),
        Layer::Tls(_) => facts.say("TLS ", ""),
        Layer::Quic(quic) => {
            facts.say(format!("QUIC {}, version 1, to {}", quic.kind, hardware(quic.destination)), "")
        }
        other => panic!("the mix has no {other:?}"),
    }
}

fn tcp(tcp: &Tcp<'_>, facts: &mut Facts) {
    const FLAGS: [(TcpFlags, &str, &str); 8] = [
        (TcpFlags::SYN, "SYN", "S"),
        (TcpFlags::FIN, "FIN", "F"),
        (TcpFlags::RST, "RST", "R"),
        (TcpFlags::PSH, "PSH", "P"),
        (TcpFlags::ACK, "ACK", "."),
        (TcpFlags::URG, "URG", "U"),
        (TcpFlags::ECE, "ECE", "E"),
        (TcpFlags::CWR, "CWR", "W"),
    ];
    let set = || FLAGS.iter().filter(|(flag, ..)| tcp.flags.contains(*flag));
    let ours = set().map(|(_, word, _)| *word).collect::<Vec<_>>().join(" ");
    let theirs: String = set().map(|(.., letter)| *letter).collect();
    facts.say(format!("TCP [{ours}]"), format!("Flags [{theirs}], "));
    let same = |text: String, facts: &mut Facts| facts.say(text.clone(), text);
    let is_told = |flag| tcp.flags.contains(flag);
    if tcp.payload_length > 0 {
        let end = tcp.sequence.wrapping_add(u32::try_from(tcp.payload_length).unwrap());
        same(format!("seq {}:{end},", tcp.sequence), facts);
    } else if [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST].into_iter().any(is_told) {
        same(format!("seq {},", tcp.sequence), facts);
    } else {
        facts.know(format!("seq {},", tcp.sequence));
    }
    if is_told(TcpFlags::ACK) {
        same(format!("ack {},", tcp.acknowledgement), facts);
    }
    same(format!("win {},", tcp.window), facts);
    if is_told(TcpFlags::URG) {
        facts.say(format!("urgent {},", tcp.urgent), format!("urg {},", tcp.urgent));
    }
    for option in tcp.options() {
        match option {
            TcpOption::Nop => facts.know("nop"),
            TcpOption::MaximumSegment(bytes) => same(format!("mss {bytes}"), facts),
            TcpOption::SackPermitted => facts.say("SACK permitted", "sackOK"),
            TcpOption::Timestamp(value, echo) => {
                facts.say(format!("timestamp {value} echo {echo}"), format!("TS val {value} ecr {echo}"));
            }
            TcpOption::WindowScale(shift) => {
                facts.say(format!("window scale {shift}"), format!("wscale {shift}]"))
            }
            TcpOption::Sack(block) => {
                let edge = |at: usize| u32::from_be_bytes(block[at..at + 4].try_into().unwrap());
                let range = format!("{}:{}", edge(0), edge(4));
                facts.say(format!("SACK {range}"), format!("sack 1 {{{range}}}"));
            }
            other => panic!("the mix has no {other:?}"),
        }
    }
    same(format!("length {}", tcp.payload_length), facts);
}

fn sctp(sctp: &Sctp<'_>, facts: &mut Facts) {
    facts.know("sctp");
    for chunk in sctp.chunks() {
        let [ours, theirs] = match chunk {
            0 => ["DATA", "[DATA]"],
            1 => ["INIT", "[INIT]"],
            3 => ["SACK", "[SACK]"],
            4 => ["HEARTBEAT", "[HB REQ]"],
            10 => ["COOKIE ECHO", "[COOKIE ECHO]"],
            other => panic!("the mix has no chunk {other}"),
        };
        facts.say(ours, theirs);
    }
}

fn dns(dns: &Dns<'_>, facts: &mut Facts) {
    let [_, answers, authorities, additionals] = dns.counts();
    if dns.dialect != Dialect::Mdns {
        facts.say(format!("DNS {} ", dns.id), "");
    }
    let counts = format!("{answers}/{authorities}/{additionals}");
    let Some(code) = dns.response_code() else {
        assert_eq!(answers + authorities, 0);
        facts.say("query", format!(" {}{}", dns.id, if dns.is_recursion_desired() { "+ " } else { " " }));
        return items(dns, None, facts);
    };
    let [ours, theirs] = match u16::from(code) {
        0 => ["NOERROR", ""],
        1 => ["FORMERR", " FormErr"],
        2 => ["SERVFAIL", " ServFail"],
        3 => ["NXDOMAIN", " NXDomain"],
        4 => ["NOTIMP", " NotImp"],
        5 => ["REFUSED", " Refused"],
        other => panic!("the mix has no code {other}"),
    };
    let flag = |is_set: bool, letter| if is_set { letter } else { "" };
    let theirs = format!(
        " {}{theirs}{}{}{} q: ",
        dns.id,
        flag(dns.is_authoritative(), "*"),
        flag(!dns.is_recursion_available(), "-"),
        flag(dns.is_truncated(), "|"),
    );
    facts.say(format!("answer {ours} {counts}"), theirs);
    items(dns, Some(counts), facts);
}

fn items(dns: &Dns<'_>, counts: Option<String>, facts: &mut Facts) {
    for item in dns.items() {
        match item.unwrap() {
            Item::Question(question) => {
                let kind = question.kind.to_string();
                let theirs = if kind == "HTTPS" { "Type65".to_owned() } else { kind.clone() };
                let how = if dns.dialect == Dialect::Mdns { " (QM)" } else { "" };
                facts.say(format!("{kind}? {}", question.name), format!("{theirs}{how}? {}", question.name));
                if let Some(counts) = &counts {
                    facts.know(format!(" {counts}"));
                }
            }
            Item::Record(Section::Additional, record) if record.kind.to_string() == "OPT" => {
                facts.say(format!("EDNS {} bytes", record.class), format!("OPT UDPsize={}", record.class));
            }
            Item::Record(section, record) => {
                let kind = &record.kind;
                let (ours, theirs) = match &record.data {
                    Data::A(address) => (address.to_string(), address.to_string()),
                    Data::Aaaa(address) => (address.to_string(), address.to_string()),
                    Data::Name(name) => (name.to_string(), name.to_string()),
                    Data::Soa(name) => (name.to_string(), format!("{name} ")),
                    Data::Mx(preference, name) => {
                        (format!("{preference} {name}"), format!("{name} {preference}"))
                    }
                    Data::Srv { priority, weight, port, target } => (
                        format!("{target}:{port} priority {priority} weight {weight}"),
                        format!("{target}:{port} {priority} {weight}"),
                    ),
                    Data::Txt(text) => {
                        let text = format!("\"{}\"", str::from_utf8(text).unwrap());
                        (text.clone(), text)
                    }
                    other @ Data::Other(_) => panic!("the mix has no {other:?}"),
                };
                if section == Section::Authority {
                    facts.say("authority", "ns: ");
                }
                // It shows nothing for the name of the root.
                let name = if record.name.is_root() { String::new() } else { record.name.to_string() };
                facts.say(format!("{kind} {ours}"), format!("{name} {kind} {theirs}"));
            }
        }
    }
}

fn dhcp(dhcp: &Dhcp<'_>, facts: &mut Facts) {
    let (ours, theirs) = match dhcp.kind.unwrap() {
        1 => ("discover", "Discover"),
        2 => ("offer", "Offer"),
        3 => ("request", "Request"),
        4 => ("decline", "Decline"),
        5 => ("ack", "ACK"),
        6 => ("nak", "NACK"),
        7 => ("release", "Release"),
        _ => ("inform", "Inform"),
    };
    facts.know(if dhcp.is_reply { "BOOTP/DHCP, Reply" } else { "BOOTP/DHCP, Request" });
    facts.say(
        format!("DHCP {ours}, client {}", hardware(&dhcp.client)),
        format!("xid {:#x}, ", dhcp.transaction),
    );
    if !dhcp.your_address.is_unspecified() {
        facts.say(format!("gets {}", dhcp.your_address), format!("Your-IP {}", dhcp.your_address));
    }
    facts.know(format!("Client-Ethernet-Address {}", hardware(&dhcp.client)));
    facts.know(format!("DHCP-Message (53), length 1: {theirs}"));
    if let Some(address) = dhcp.requested {
        facts.say(format!("wants {address}"), format!("Requested-IP (50), length 4: {address}"));
    }
    if let Some(address) = dhcp.server {
        facts.say(format!("server {address}"), format!("Server-ID (54), length 4: {address}"));
    }
    if let Some(seconds) = dhcp.lease_seconds {
        facts.say(format!("lease {seconds} s"), format!("Lease-Time (51), length 4: {seconds}"));
    }
    if let Some(name) = dhcp.host_name {
        let name = str::from_utf8(name).unwrap();
        facts.say(format!("host \"{name}\""), format!("Hostname (12), length {}: \"{name}\"", name.len()));
    }
}

fn dhcpv6(dhcp: &Dhcpv6, facts: &mut Facts) {
    const KINDS: [&str; 9] =
        ["solicit", "advertise", "request", "confirm", "renew", "rebind", "reply", "release", "decline"];
    let word = KINDS[usize::from(dhcp.kind) - 1];
    let (transaction, address) = (dhcp.transaction.unwrap(), dhcp.address.unwrap());
    facts.say(format!("DHCPv6 {word}"), format!("dhcp6 {word} (xid={transaction:x} "));
    facts.say(format!("address {address}"), format!("(IA_ADDR {address} "));
}
