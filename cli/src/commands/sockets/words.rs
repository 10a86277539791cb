//! Types and states, in words.

use std::borrow::Cow;

use dbgctl_proto::v1::{
    SocketFamily, SocketProtocol as Protocol, SocketState as State, SocketTimerKind, SocketType,
};

/// The types by their word, which is also the name in the contract, in the order in which they are shown.
const PROTOCOLS: [(Protocol, &str); 8] = [
    (Protocol::Tcp, "tcp"),
    (Protocol::Udp, "udp"),
    (Protocol::Udplite, "udplite"),
    (Protocol::Icmp, "icmp"),
    (Protocol::Raw, "raw"),
    (Protocol::Packet, "packet"),
    (Protocol::Unix, "unix"),
    (Protocol::Netlink, "netlink"),
];

/// The states as ss(8) shows them, and as the contract names them, in the order in which they are shown.
const STATES: [(State, &str, &str); 13] = [
    (State::Listen, "LISTEN", "listen"),
    (State::SynSent, "SYN-SENT", "syn_sent"),
    (State::SynRecv, "SYN-RECV", "syn_recv"),
    (State::NewSynRecv, "NEW-SYN-RECV", "new_syn_recv"),
    (State::Established, "ESTAB", "established"),
    (State::CloseWait, "CLOSE-WAIT", "close_wait"),
    (State::LastAck, "LAST-ACK", "last_ack"),
    (State::FinWait1, "FIN-WAIT-1", "fin_wait_1"),
    (State::FinWait2, "FIN-WAIT-2", "fin_wait_2"),
    (State::Closing, "CLOSING", "closing"),
    (State::TimeWait, "TIME-WAIT", "time_wait"),
    (State::Unconnected, "UNCONN", "unconnected"),
    (State::BoundInactive, "BOUND-INACTIVE", "bound_inactive"),
];

fn unknown(number: i32) -> Cow<'static, str> {
    Cow::Owned(format!("unknown({number})"))
}

/// The type in a word.
pub(super) fn protocol(number: i32) -> Cow<'static, str> {
    let found = PROTOCOLS.iter().find(|(protocol, _)| i32::from(*protocol) == number);
    found.map_or_else(|| unknown(number), |(_, word)| Cow::Borrowed(word))
}

/// Where the type stands in a list.
pub(super) fn protocol_rank(number: i32) -> usize {
    PROTOCOLS.iter().position(|(protocol, _)| i32::from(*protocol) == number).unwrap_or(PROTOCOLS.len())
}

/// The state as ss(8) shows it. `None`: there are none in this protocol.
pub(super) fn state(number: i32) -> Option<Cow<'static, str>> {
    let found = STATES.iter().find(|(state, ..)| i32::from(*state) == number);
    match found {
        Some((_, word, _)) => Some(Cow::Borrowed(word)),
        None if number == i32::from(State::Unspecified) => None,
        None => Some(unknown(number)),
    }
}

/// The state as the contract names it.
pub(super) fn state_name(number: i32) -> Cow<'static, str> {
    let found = STATES.iter().find(|(state, ..)| i32::from(*state) == number);
    match found {
        Some((.., name)) => Cow::Borrowed(name),
        None if number == i32::from(State::Unspecified) => Cow::Borrowed("unspecified"),
        None => unknown(number),
    }
}

/// Where the state stands in a list.
pub(super) fn state_rank(number: i32) -> usize {
    STATES.iter().position(|(state, ..)| i32::from(*state) == number).unwrap_or(STATES.len())
}

/// The address family as the contract names it.
pub(super) fn family(number: i32) -> Option<&'static str> {
    match SocketFamily::try_from(number) {
        Ok(SocketFamily::Ipv4) => Some("ipv4"),
        Ok(SocketFamily::Ipv6) => Some("ipv6"),
        Ok(SocketFamily::Unspecified) | Err(_) => None,
    }
}

/// The kind of local, packet and netlink sockets.
pub(super) fn kind(number: i32) -> Option<&'static str> {
    match SocketType::try_from(number) {
        Ok(SocketType::Stream) => Some("stream"),
        Ok(SocketType::Datagram) => Some("datagram"),
        Ok(SocketType::Raw) => Some("raw"),
        Ok(SocketType::Seqpacket) => Some("seqpacket"),
        Ok(SocketType::Unspecified) | Err(_) => None,
    }
}

/// What a timer waits for, as the contract names it.
pub(super) fn timer(number: i32) -> &'static str {
    match SocketTimerKind::try_from(number) {
        Ok(SocketTimerKind::Retransmit) => "retransmit",
        Ok(SocketTimerKind::Keepalive) => "keepalive",
        Ok(SocketTimerKind::TimeWait) => "time_wait",
        Ok(SocketTimerKind::Probe) => "probe",
        Ok(SocketTimerKind::Unspecified) | Err(_) => "unknown",
    }
}

/// What a user may write.
pub(super) fn parse_protocol(text: &str) -> Result<Protocol, String> {
    let found = PROTOCOLS.iter().find(|(_, word)| word.eq_ignore_ascii_case(text));
    found
        .map(|(protocol, _)| *protocol)
        .ok_or_else(|| format!("the types are {}", PROTOCOLS.map(|(_, word)| word).join(", ")))
}

/// What a user may write: the words of ss(8) in any case, or those of the contract.
pub(super) fn parse_state(text: &str) -> Result<State, String> {
    let name = text.to_ascii_lowercase().replace('-', "_");
    let is_it = |(_, word, known): &&(State, &str, &str)| *known == name || word.eq_ignore_ascii_case(text);
    STATES.iter().find(is_it).map(|(state, ..)| *state).ok_or_else(|| {
        format!("the states are {}", STATES.map(|(.., name)| name.replace('_', "-")).join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_and_state_of_the_contract_has_its_words() {
        for number in 1..=8 {
            let known = Protocol::try_from(number).unwrap();
            assert_eq!(parse_protocol(&protocol(number)), Ok(known));
            assert_eq!(known.as_str_name(), format!("SOCKET_PROTOCOL_{}", protocol(number).to_uppercase()));
        }
        assert!(Protocol::try_from(9).is_err());
        for number in 1..=13 {
            let known = State::try_from(number).unwrap();
            assert_eq!(parse_state(&state(number).unwrap()), Ok(known));
            assert_eq!(parse_state(&state_name(number)), Ok(known));
            assert_eq!(known.as_str_name(), format!("SOCKET_STATE_{}", state_name(number).to_uppercase()));
        }
        assert!(State::try_from(14).is_err());
        assert_eq!((state(0), state(99).unwrap()), (None, "unknown(99)".into()));
        assert!(parse_state("open").unwrap_err().starts_with("the states are listen, syn-sent,"));
    }
}
