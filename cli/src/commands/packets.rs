//! What `ping` and `trace` have in common: whom packets go to, and what came of each, in words.

use std::net::IpAddr;
use std::time::Duration;

use dbgctl_proto::bounds::{MOST_PACKET_BYTES, PACKET_MILLIS};
use dbgctl_proto::v1::{AddressFamily, NameLookUp, PacketAnswer, PacketMethod, PacketOutcome};

use super::dns;
use crate::error::Error;
use crate::render::human::Took;
use crate::render::{Object, one_line};

/// How packets are sent. ICMP or UDP unless said otherwise, see each command.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct How {
    /// Send TCP: attempts to connect to this port, reset at once
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), group = "method")]
    tcp: Option<u16>,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,

    /// Wait for each answer, and for the look-up, this long; at most 60s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    timeout: Duration,

    /// Send so many bytes beside the headers
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(..=i64::from(MOST_PACKET_BYTES)), conflicts_with = "tcp")]
    size: Option<u32>,

    /// Packets must not be divided on the way: what is too big for it is dropped, and mostly said to be
    #[arg(long)]
    dont_fragment: bool,
}

/// A time as the contract allows it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let given =
        humantime::parse_duration(text).map_err(|_| "expected a time such as 200ms or 1s".to_owned())?;
    let millis = u32::try_from(given.as_millis()).unwrap_or(u32::MAX);
    if PACKET_MILLIS.contains(&millis) { Ok(given) } else { Err("expected from 10ms to 60s".to_owned()) }
}

pub(super) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl How {
    pub(super) fn tcp_port(&self) -> Option<u16> {
        self.tcp
    }

    pub(super) fn family(&self) -> AddressFamily {
        match (self.ipv4, self.ipv6) {
            (true, _) => AddressFamily::Ipv4,
            (_, true) => AddressFamily::Ipv6,
            _ => AddressFamily::Unspecified,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The bytes of ping(8), unless others were asked for.
    pub(super) fn size_bytes(&self) -> u32 {
        self.size.unwrap_or(if self.tcp.is_some() { 0 } else { 56 })
    }

    pub(super) fn dont_fragment(&self) -> bool {
        self.dont_fragment
    }
}

/// An address of the contract: 4 or 16 bytes.
pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// An address, or `?` for what is none.
pub(super) fn address(bytes: &[u8]) -> String {
    ip(bytes).map_or_else(|| "?".to_owned(), |ip| ip.to_string())
}

pub(super) fn method(number: i32) -> &'static str {
    match PacketMethod::try_from(number) {
        Ok(PacketMethod::Icmp) => "icmp",
        Ok(PacketMethod::Udp) => "udp",
        Ok(PacketMethod::Tcp) => "tcp",
        Ok(PacketMethod::Unspecified) | Err(_) => "unknown",
    }
}

/// Why nothing was sent, with what to try instead.
pub(super) fn not_begun(host: &str, method: i32, error: &str, look_up: Option<&NameLookUp>) -> Error {
    let is_refused =
        PacketMethod::try_from(method) == Ok(PacketMethod::Icmp) && error.contains("ping_group_range");
    let suggestion = if is_refused {
        "--udp or --tcp PORT, which need no such socket"
    } else {
        "check the name, and `dbgctl connect` or an address instead"
    };
    let told = dns::look_up::sentences(host, look_up);
    let because = [error.to_owned()].into_iter().chain(told).collect::<Vec<_>>().join("; ");
    Error::new(format!("send packets to {}", one_line(host)), one_line(&because), suggestion)
}

/// What came of a packet, in a few words: `2.1 ms`, or why not.
pub(super) fn outcome(answer: &PacketAnswer) -> String {
    let time = answer.rtt_nanos.map(|nanos| Took(Duration::from_nanos(nanos)).to_string());
    let time = time.unwrap_or_else(|| "-".to_owned());
    let error = || one_line(&answer.error).into_owned();
    let said = || match (answer.icmp_type, answer.icmp_code) {
        (Some(kind), Some(code)) => {
            let is_v6 = answer.from.len() == 16;
            let meaning = meaning(is_v6, kind, code);
            meaning.map_or_else(|| format!("ICMP type {kind} code {code}"), str::to_owned)
        }
        _ if !answer.error.is_empty() => error(),
        _ => "nothing known".to_owned(),
    };
    match PacketOutcome::try_from(answer.outcome) {
        Ok(PacketOutcome::Answered | PacketOutcome::TimeExceeded) => time,
        Ok(PacketOutcome::Refused) => format!("{time} (refused)"),
        Ok(PacketOutcome::Unreachable) => format!("unreachable: {}", said()),
        Ok(PacketOutcome::Prohibited) => format!("prohibited: {}", said()),
        Ok(PacketOutcome::TooBig) => match answer.mtu_bytes {
            Some(mtu) => format!("too big: the next hop takes {mtu} bytes"),
            None => "too big, and it was not said what the next hop takes".to_owned(),
        },
        Ok(PacketOutcome::TimedOut) => "no answer".to_owned(),
        Ok(PacketOutcome::NotSent) => format!("not sent: {}", error()),
        Ok(PacketOutcome::Other) => said(),
        Ok(PacketOutcome::Unspecified) | Err(_) => "something that only a newer dbgctl knows".to_owned(),
    }
}

/// What an ICMP message says: RFC 792, RFC 1812, RFC 4443.
fn meaning(is_v6: bool, kind: u32, code: u32) -> Option<&'static str> {
    Some(match (is_v6, kind, code) {
        (false, 3, 0) | (true, 1, 0) => "no route to that network",
        (false, 3, 1) | (true, 1, 3) => "that host does not answer",
        (false, 3, 2) => "that protocol is not spoken there",
        (false, 3, 3) | (true, 1, 4) => "no one listens on that port",
        (false, 3, 9) => "that network is forbidden",
        (false, 3, 10) => "that host is forbidden",
        (false, 3, 13) | (true, 1, 1) => "forbidden by an administrator (a firewall)",
        (true, 1, 5) => "the source address is not allowed",
        (true, 1, 6) => "a route rejects it",
        (false, 11, 1) | (true, 3, 1) => "fragments were lost",
        (false, 12, _) | (true, 4, _) => "the packet is malformed",
        _ => return None,
    })
}

/// The host itself answered or refused.
pub(super) fn is_of_host(answer: &PacketAnswer) -> bool {
    matches!(answer.outcome(), PacketOutcome::Answered | PacketOutcome::Refused)
}

/// The fields of an answer, under the names of the contract.
pub(super) fn fields(answer: &PacketAnswer, object: &mut Object<'_>) {
    let name = match PacketOutcome::try_from(answer.outcome) {
        Ok(outcome) => outcome.as_str_name().trim_start_matches("PACKET_OUTCOME_").to_lowercase(),
        Err(_) => format!("unknown({})", answer.outcome),
    };
    object.text("outcome", name.as_str());
    let from = Some(&answer.from).filter(|from| !from.is_empty()).map(|from| address(from));
    object.text("from", from.as_deref());
    object.number("rtt_nanos", answer.rtt_nanos);
    object.number("icmp_type", answer.icmp_type.map(u64::from));
    object.number("icmp_code", answer.icmp_code.map(u64::from));
    object.number("mtu_bytes", answer.mtu_bytes.map(u64::from));
    object.number("ttl", answer.ttl.map(u64::from));
    object.text("error", answer.error.as_str());
}
