//! What an outcome means, and whose fault it usually is.

use std::net::IpAddr;

use dbgctl_proto::v1::{ConnectAttempt, ConnectOutcome, Icmp};

/// An outcome in a word or two.
pub(in crate::commands) fn result(outcome: ConnectOutcome) -> &'static str {
    match outcome {
        ConnectOutcome::Unspecified => "unknown",
        ConnectOutcome::Connected => "connected",
        ConnectOutcome::Refused => "refused",
        ConnectOutcome::Reset => "reset",
        ConnectOutcome::TimedOut => "timed out",
        ConnectOutcome::Unreachable => "unreachable",
        ConnectOutcome::Failed => "failed",
        ConnectOutcome::NoRoute => "no route",
        ConnectOutcome::Prohibited => "prohibited",
        ConnectOutcome::NoNeighbour => "no neighbour",
        ConnectOutcome::NoLocalAddress => "no local address",
        ConnectOutcome::Answered => "answered",
        ConnectOutcome::Silent => "silent",
    }
}

/// The usual cause, in words that a person can act on. `None`: there is nothing to say.
pub(in crate::commands) fn cause(attempt: &ConnectAttempt) -> Option<String> {
    let address = &attempt.address;
    let because = |errno: &str| attempt.error.contains(errno);
    Some(match attempt.outcome() {
        ConnectOutcome::Connected => return lost_syn(attempt),
        ConnectOutcome::Refused => refused(attempt),
        ConnectOutcome::Reset => {
            "reset: the connection was cut while it was made, often by a proxy or a firewall".to_owned()
        }
        ConnectOutcome::TimedOut => timed_out(attempt),
        ConnectOutcome::Unreachable => match &attempt.icmp {
            Some(icmp) => format!("unreachable: {} says that {}", sender(icmp), meaning(icmp)),
            None => {
                "unreachable: a router on the way says so; this kernel does not tell which one".to_owned()
            }
        },
        ConnectOutcome::NoRoute if because("EINVAL") => {
            format!("no route: the target's own routes swallow all for {address} (blackhole)")
        }
        ConnectOutcome::NoRoute if because("EHOSTUNREACH") => {
            format!("no route: a route of the target says that {address} is unreachable")
        }
        ConnectOutcome::NoRoute => format!(
            "no route: the target's own routes lead nowhere near {address}; has it a network, and a default route?"
        ),
        ConnectOutcome::Prohibited => match &attempt.icmp {
            Some(icmp) if icmp.sent_by_target => {
                format!("prohibited: a firewall in the target's own network rejects it: {}", meaning(icmp))
            }
            Some(icmp) => format!("prohibited: a firewall at {} rejects it: {}", sender(icmp), meaning(icmp)),
            None if because("EPERM") => {
                "prohibited: a firewall in the target's own network drops what it sends there".to_owned()
            }
            None => format!("prohibited: a route of the target forbids {address}"),
        },
        ConnectOutcome::NoNeighbour => {
            let through = Some(attempt.interface.as_str()).filter(|name| !name.is_empty());
            let through = through.map_or_else(String::new, |name| format!(" on {name}"));
            format!(
                "no neighbour: nobody{through} answers for {address}, or for the router to it (ARP, NDP): it is down, or \
                 the address is wrong"
            )
        }
        ConnectOutcome::NoLocalAddress => format!(
            "no local address: the target has none that it could reach {address} from, or no free port: no address of \
             that family, not its own, or all ports in use"
        ),
        ConnectOutcome::Silent => format!(
            "silent: nothing came back from {address}: whoever is there may have nothing to say to an empty datagram, or a \
             firewall drops it; UDP can not tell"
        ),
        ConnectOutcome::Failed | ConnectOutcome::Unspecified | ConnectOutcome::Answered => return None,
    })
}

fn refused(attempt: &ConnectAttempt) -> String {
    let Some(icmp) = &attempt.icmp else {
        return "refused: the host is there, but no one listens on that port, or a firewall rejects it"
            .to_owned();
    };
    // A closed TCP port answers with a reset, and only a closed UDP port with a message.
    let is_of_host = icmp.sender == attempt.address;
    let is_udp = attempt.syn_retransmits.is_none();
    if is_udp && is_of_host {
        return "refused: the host is there, but no one listens on that UDP port, or a firewall rejects it"
            .to_owned();
    }
    let whose = if icmp.sent_by_target && !is_of_host {
        "in the target's own network".to_owned()
    } else {
        format!("at {}", sender(icmp))
    };
    format!("refused: a firewall {whose} rejects it: {}", meaning(icmp))
}

fn timed_out(attempt: &ConnectAttempt) -> String {
    match attempt.accept_queue {
        Some(queue) if queue.waiting > queue.limit => format!(
            "timed out: the accept queue of the socket that listens there is full ({} wait, {} may): the program behind it \
             does not accept",
            queue.waiting,
            u64::from(queue.limit) + 1
        ),
        Some(_) => "timed out: a socket listens there and has room, in the target itself: a firewall in the target's own \
                    network drops what is sent"
            .to_owned(),
        None => "timed out: no answer; the host is down, a firewall drops what is sent, or the accept queue there is full"
            .to_owned(),
    }
}

fn lost_syn(attempt: &ConnectAttempt) -> Option<String> {
    let again = attempt.syn_retransmits.filter(|&times| times > 0)?;
    let times = if again == 1 { "once".to_owned() } else { format!("{again} times") };
    Some(format!(
        "{}: connected, but the SYN had to be sent again {times}: packets are lost, or the accept queue there is full",
        attempt.address
    ))
}

fn sender(icmp: &Icmp) -> &str {
    match icmp.sender.as_str() {
        "" => "a router",
        _ if icmp.sent_by_target => "the target's own kernel",
        sender => sender,
    }
}

/// A message of ICMP in words: the registries of IANA, "ICMP Parameters" and "ICMPv6 Parameters".
fn meaning(icmp: &Icmp) -> String {
    let Icmp { v6, r#type: kind, code, mtu_bytes, .. } = *icmp;
    let known = match (v6, kind, code) {
        (false, 3, 0) => "the network is unreachable",
        (false, 3, 1) => "the host is unreachable",
        (false, 3, 2) => "the host does not speak the protocol",
        (false, 3, 3) | (true, 1, 4) => "the port is unreachable",
        (false, 3, 4) | (true, 2, _) => "the packet is too big for the next hop",
        (false, 3, 5) => "the source route failed",
        (false, 3, 6) => "the network is unknown",
        (false, 3, 7) => "the host is unknown",
        (false, 3, 9) => "the network is administratively prohibited",
        (false, 3, 10) => "the host is administratively prohibited",
        (false, 3, 13) | (true, 1, 1) => "communication is administratively prohibited",
        (false, 11, 0) | (true, 3, 0) => "the packet went through too many routers: a loop",
        (true, 1, 0) => "there is no route to the destination",
        (true, 1, 2) => "the destination is beyond the scope of the source address",
        (true, 1, 3) => "the address is unreachable",
        (true, 1, 5) => "policy forbids the source address",
        (true, 1, 6) => "its route to the destination rejects it",
        _ => "it can not be delivered",
    };
    let version = if v6 { "v6" } else { "" };
    let mtu = if mtu_bytes > 0 { format!(", which takes {mtu_bytes} bytes") } else { String::new() };
    format!("{known}{mtu} (ICMP{version} type {kind} code {code})")
}

/// Whether a name was given, and not an address.
pub(super) fn is_name(host: &str) -> bool {
    host.split('%').next().unwrap_or_default().parse::<IpAddr>().is_err()
}
