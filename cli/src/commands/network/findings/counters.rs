//! What the kernel's counters say of lost traffic. What each counts: the kernel's
//! Documentation/networking/snmp_counter.rst and include/uapi/linux/snmp.h.

use std::time::Duration;

use dbgctl_proto::v1::NetworkHeader;

use super::super::counted::{Counted, gauge};
use super::{Finding, Severity};
use crate::commands::sample::percent;
use crate::render::human::{Percent, Took};

/// Something that the kernel counts.
struct Loss {
    about: &'static str,
    counters: &'static [&'static str],
    /// How much it matters if it happened during the sample.
    severity: Severity,
    /// Whether it is worth a note that it once happened.
    once: bool,
    /// What is counted.
    what: &'static str,
    /// What that means, or what to do next.
    means: &'static str,
}

use Severity::{Note, Serious, Warning};

#[rustfmt::skip]
const LOSSES: &[Loss] = &[
    Loss { about: "listen_overflows", counters: &["TcpExtListenOverflows"], severity: Serious, once: true,
        what: "connections found the accept queue of a listening socket full and were dropped",
        means: "the program accepts too slowly, or its backlog is too short: `dbgctl sockets --listening` says which" },
    Loss { about: "request_queue_drops", counters: &["TcpExtTCPReqQFullDrop"], severity: Serious, once: true,
        what: "attempts to connect were dropped because too many were half open and SYN cookies are off",
        means: "a burst, or a SYN flood" },
    Loss { about: "syn_cookies", counters: &["TcpExtTCPReqQFullDoCookies"], severity: Warning, once: true,
        what: "SYN cookies were sent because too many connections were half open",
        means: "a burst, a backlog that is too short, or a SYN flood" },
    Loss { about: "tcp_memory", counters: &["TcpExtTCPAbortOnMemory"], severity: Serious, once: true,
        what: "connections were cut for lack of memory for TCP, or because too many had no process any more",
        means: "net.ipv4.tcp_mem and tcp_max_orphans are limits of the machine" },
    Loss { about: "tcp_memory_pressure", counters: &["TcpExtTCPMemoryPressures"], severity: Warning, once: true,
        what: "times TCP came under memory pressure",
        means: "buffers of the whole machine are cut down" },
    Loss { about: "time_wait_overflow", counters: &["TcpExtTCPTimeWaitOverflow"], severity: Warning, once: true,
        what: "connections were closed without TIME-WAIT because there were too many",
        means: "net.ipv4.tcp_max_tw_buckets is reached: too many short connections" },
    Loss { about: "aborts_on_timeout", counters: &["TcpExtTCPAbortOnTimeout"], severity: Warning, once: true,
        what: "connections were given up because the peer did not answer any more",
        means: "the peer or the way to it is gone" },
    Loss { about: "aborts_on_data", counters: &["TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose"], severity: Note, once: false,
        what: "connections were reset because the program closed them with data that it had not read or that came later",
        means: "peers see connection reset" },
    Loss { about: "buffer_prunes", counters: &["TcpExtPruneCalled", "TcpExtRcvPruned", "TcpExtOfoPruned"], severity: Warning, once: true,
        what: "times the receive buffer of a connection was full and was pruned",
        means: "a program reads too slowly" },
    Loss { about: "receive_queue_drops", counters: &["TcpExtTCPRcvQDrop", "TcpExtTCPZeroWindowDrop"], severity: Warning, once: true,
        what: "segments were dropped because the receive buffer of a connection was full",
        means: "a program reads too slowly" },
    Loss { about: "backlog_drops", counters: &["TcpExtTCPBacklogDrop"], severity: Warning, once: true,
        what: "segments were dropped because a socket was in use for too long",
        means: "they are sent again, which costs time" },
    Loss { about: "zero_windows", counters: &["TcpExtTCPToZeroWindowAdv"], severity: Warning, once: false,
        what: "times a peer was told to stop sending because the receive buffer was full",
        means: "a program reads too slowly: `dbgctl sockets` says which" },
    Loss { about: "udp_receive_buffer", counters: &["UdpRcvbufErrors", "Udp6RcvbufErrors"], severity: Serious, once: true,
        what: "datagrams were dropped because the receive buffer of a UDP socket was full",
        means: "a program reads too slowly, or its buffer (SO_RCVBUF) is too small: `dbgctl sockets --type udp --sort drops`" },
    Loss { about: "udp_send_buffer", counters: &["UdpSndbufErrors", "Udp6SndbufErrors"], severity: Warning, once: true,
        what: "datagrams were not sent because the send buffer of a UDP socket was full",
        means: "the program sends faster than the interface" },
    Loss { about: "udp_memory", counters: &["UdpMemErrors", "Udp6MemErrors"], severity: Serious, once: true,
        what: "datagrams were dropped for lack of memory for UDP",
        means: "net.ipv4.udp_mem is a limit of the machine" },
    Loss { about: "udp_no_port", counters: &["UdpNoPorts", "Udp6NoPorts"], severity: Warning, once: true,
        what: "datagrams came for a port that no socket has",
        means: "a program is not running, or others send to the wrong port" },
    Loss { about: "checksum_errors", severity: Warning, once: true,
        counters: &["TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors", "IcmpInCsumErrors", "Icmp6InCsumErrors", "IpExtInCsumErrors"],
        what: "packets came with a wrong checksum and were dropped",
        means: "a device or driver on the way damages packets" },
    Loss { about: "no_route", counters: &["IpOutNoRoutes", "Ip6OutNoRoutes"], severity: Warning, once: true,
        what: "packets were not sent because there was no route",
        means: "`dbgctl net CONTAINER get-route ADDRESS` says which addresses have none" },
    Loss { about: "fragmentation_needed", counters: &["IpFragFails", "Ip6FragFails", "Ip6OutTooBig"], severity: Warning, once: true,
        what: "packets were too large for the way they had to go and could not be divided",
        means: "an MTU on the way is smaller than the sender believes" },
    Loss { about: "reassembly", counters: &["IpReasmFails", "Ip6ReasmFails"], severity: Warning, once: true,
        what: "packets in fragments could not be put together",
        means: "fragments are lost on the way" },
    Loss { about: "reverse_path_filter", counters: &["TcpExtIPReversePathFilter"], severity: Warning, once: true,
        what: "packets were dropped because they came in through another interface than the way back leads (rp_filter)",
        means: "routes lead one way there and another way back" },
    Loss { about: "ip_discards", counters: &["IpInDiscards", "IpOutDiscards", "Ip6OutDiscards"], severity: Warning, once: true,
        what: "packets were thrown away for lack of room, or by a firewall",
        means: "a firewall in this network namespace, neighbours that do not answer, or too little memory" },
    Loss { about: "destination_unreachable", counters: &["IcmpInDestUnreachs", "Icmp6InDestUnreachs"], severity: Warning, once: false,
        what: "messages came that a destination is unreachable",
        means: "a router, a firewall or a host refuses what the container sends" },
    Loss { about: "attempts_failed", counters: &["TcpAttemptFails"], severity: Warning, once: false,
        what: "attempts to connect failed",
        means: "refused or not answered: by others, or by the container itself" },
    Loss { about: "conntrack_drops", counters: &["Conntrackdrop", "Conntrackearly_drop"], severity: Serious, once: true,
        what: "packets or connections were dropped because the table of tracked connections was full",
        means: "net.netfilter.nf_conntrack_max is reached" },
    Loss { about: "conntrack_insert_failed", counters: &["Conntrackinsert_failed"], severity: Warning, once: true,
        what: "packets were dropped because a connection could not be tracked",
        means: "two packets raced, as DNS queries of A and AAAA from one port do" },
    Loss { about: "machine_backlog", counters: &["SoftnetDropped"], severity: Warning, once: true,
        what: "packets were dropped by the whole machine because a CPU had too many waiting",
        means: "net.core.netdev_max_backlog is reached; others may have caused it" },
];

/// Of the segments sent: less is usual on the internet.
const MANY_RETRANSMITS_PERCENT: f64 = 1.0;
const TOO_MANY_RETRANSMITS_PERCENT: f64 = 5.0;
/// Of the segments received.
const MANY_OUT_OF_ORDER_PERCENT: f64 = 1.0;
/// Fewer segments say nothing of a rate.
const FEW: u64 = 5;
/// A limit that is nearly reached.
const NEARLY_FULL_PERCENT: f64 = 90.0;

pub(super) fn find(header: &NetworkHeader, findings: &mut Vec<Finding>) {
    let sample = Took(Duration::from_nanos(header.sampled_nanos));
    for loss in LOSSES {
        let counted = Counted::of(header, loss.counters);
        tell(loss, counted, sample, findings);
    }
    other_drops(header, sample, findings);
    retransmits(header, sample, findings);
    out_of_order(header, sample, findings);
    limits(header, findings);
}

fn tell(loss: &Loss, counted: Counted, sample: Took, findings: &mut Vec<Finding>) {
    let Loss { about, what, means, .. } = loss;
    let Counted { ever, now } = counted;
    if now > 0 {
        let text = format!("{what}: {now} in {sample}, {ever} since the network namespace was made; {means}");
        findings.push(Finding::new(loss.severity, about, text));
    } else if ever > 0 && loss.once {
        let text = format!(
            "{what}: {ever} since the network namespace was made, none in the last {sample}; {means}"
        );
        findings.push(Finding::new(Note, about, text));
    }
}

/// What listening sockets drop for another reason than a full queue.
fn other_drops(header: &NetworkHeader, sample: Took, findings: &mut Vec<Finding>) {
    let drops = Counted::of(header, &["TcpExtListenDrops"]);
    let overflows = Counted::of(header, &["TcpExtListenOverflows"]);
    let others = Counted {
        ever: drops.ever.saturating_sub(overflows.ever),
        now: drops.now.saturating_sub(overflows.now),
    };
    let loss = Loss {
        about: "listen_drops",
        counters: &[],
        severity: Warning,
        once: true,
        what: "connections were dropped by listening sockets although their accept queue had room",
        means: "too little memory, or more half-open connections than may be",
    };
    tell(&loss, others, sample, findings);
}

fn retransmits(header: &NetworkHeader, sample: Took, findings: &mut Vec<Finding>) {
    let again = Counted::of(header, &["TcpRetransSegs"]);
    let sent = Counted::of(header, &["TcpOutSegs"]);
    let syns = Counted::of(header, &["TcpExtTCPSynRetrans"]);
    // What is sent again is not counted as sent.
    let share = |again: u64, sent: u64| percent(again, sent.saturating_add(again)).filter(|_| again >= FEW);
    let of_syns = |syns: u64| match syns {
        0 => String::new(),
        syns => format!(", {syns} of them to open a connection to a host that does not answer"),
    };
    if let Some(share) = share(again.now, sent.now).filter(|&share| share >= MANY_RETRANSMITS_PERCENT) {
        let severity = if share >= TOO_MANY_RETRANSMITS_PERCENT { Serious } else { Warning };
        let text = format!(
            "TCP had to send {} segments again in {sample} ({}% of all){}: packets or their answers are lost on the way",
            again.now,
            Percent(share),
            of_syns(syns.now),
        );
        findings.push(Finding::new(severity, "retransmits", text));
    } else if let Some(share) =
        share(again.ever, sent.ever).filter(|&share| share >= MANY_RETRANSMITS_PERCENT)
    {
        let text = format!(
            "TCP had to send {} segments again since the network namespace was made ({}% of all){}",
            again.ever,
            Percent(share),
            of_syns(syns.ever),
        );
        findings.push(Finding::note("retransmits", text));
    }
}

fn out_of_order(header: &NetworkHeader, sample: Took, findings: &mut Vec<Finding>) {
    let odd = Counted::of(header, &["TcpExtTCPOFOQueue"]);
    let all = Counted::of(header, &["TcpInSegs"]);
    let share = percent(odd.now, all.now).filter(|_| odd.now >= FEW);
    if let Some(share) = share.filter(|&share| share >= MANY_OUT_OF_ORDER_PERCENT) {
        let text = format!(
            "{} segments of TCP came out of order in {sample} ({}% of all): packets are lost or overtake each other",
            odd.now,
            Percent(share)
        );
        findings.push(Finding::warning("out_of_order", text));
    }
}

fn limits(header: &NetworkHeader, findings: &mut Vec<Finding>) {
    let mut near = |about, what: &str, used: &str, limit: &str| {
        let (Some(used), Some(most)) = (gauge(header, used), gauge(header, limit)) else { return };
        let Some(share) = percent(used, most).filter(|&share| share >= NEARLY_FULL_PERCENT) else { return };
        let severity = if used >= most { Serious } else { Warning };
        let text = format!("{what}: {used} of {most} ({}%), the limit is {limit}", Percent(share));
        findings.push(Finding::new(severity, about, text));
    };
    near(
        "conntrack",
        "the table of tracked connections is nearly full",
        "nf_conntrack_count",
        "nf_conntrack_max",
    );
    near(
        "time_wait",
        "nearly as many connections are in TIME-WAIT as may be",
        "TCP.tw",
        "tcp_max_tw_buckets",
    );
    near(
        "orphans",
        "nearly as many connections without a process as may be",
        "TCP.orphan",
        "tcp_max_orphans",
    );
}
