//! What the network namespace has counted: `netstat`, `snmp`, `snmp6`, `sockstat`, `sockstat6`, `softnet_stat` and
//! `stat/nf_conntrack` below `/proc/self/net`, and settings below `/proc/sys/net`.
//!
//! Format: proc_pid_net(5), the kernel's Documentation/networking/snmp_counter.rst, nstat(8) for the names.

use crate::number::{signed, unsigned};
use crate::{Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 256 << 10;

/// A name and its figure. Figures below 0 mean that there is none, and are left out.
pub type Figure = (String, u64);

/// Reads one of the files of [`COUNTERS`].
///
/// # Errors
///
/// [`ReadError`]; it is gone where the kernel has no such protocol.
pub fn read(root: &Root, file: File, buffer: &mut Buffer) -> Result<Vec<Figure>, ReadError> {
    let content = root.read(&ProcName::own(file.name), BOUND_BYTES, buffer)?;
    Ok((file.parse)(content.bytes))
}

/// A file of counters, and how it is read.
#[derive(Debug, Clone, Copy)]
pub struct File {
    name: &'static str,
    /// Takes any bytes.
    pub parse: fn(&[u8]) -> Vec<Figure>,
}

/// What only grows.
pub const COUNTERS: [File; 5] = [
    File { name: "net/netstat", parse: parse_pairs },
    File { name: "net/snmp", parse: parse_pairs },
    File { name: "net/snmp6", parse: parse_lines },
    File { name: "net/softnet_stat", parse: parse_softnet },
    File { name: "net/stat/nf_conntrack", parse: parse_conntrack },
];

/// What goes up and down.
pub const GAUGES: [File; 2] = [
    File { name: "net/sockstat", parse: parse_sockstat },
    File { name: "net/sockstat6", parse: parse_sockstat },
];

/// Settings of the network namespace, and what they limit. A container is told those that are its own.
const SETTINGS: [&str; 8] = [
    "sys/net/netfilter/nf_conntrack_count",
    "sys/net/netfilter/nf_conntrack_max",
    "sys/net/ipv4/tcp_max_tw_buckets",
    "sys/net/ipv4/tcp_max_syn_backlog",
    "sys/net/ipv4/tcp_syncookies",
    "sys/net/ipv4/tcp_max_orphans",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/ip_forward",
];

/// The settings that there are.
pub fn read_settings(root: &Root, buffer: &mut Buffer) -> Vec<Figure> {
    let read = |&path: &&'static str| {
        let content = root.read(&ProcName::system(path), BOUND_BYTES, buffer).ok()?;
        let value = unsigned(content.bytes.trim_ascii())?;
        Some((path.rsplit('/').next()?.to_owned(), value))
    };
    SETTINGS.iter().filter_map(read).collect()
}

/// What the files have among the counters and is none: settings, and a number of the moment.
const NO_COUNTERS: [&str; 7] = [
    "IpForwarding",
    "IpDefaultTTL",
    "TcpRtoAlgorithm",
    "TcpRtoMin",
    "TcpRtoMax",
    "TcpMaxConn",
    "TcpCurrEstab",
];

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

fn name(parts: [&[u8]; 2]) -> String {
    String::from_utf8_lossy(&parts.concat()).into_owned()
}

/// A number that may be -1, for none.
fn figure(digits: &[u8]) -> Option<u64> {
    unsigned(digits).or_else(|| signed(digits).and_then(|number| u64::try_from(number).ok()))
}

/// Pairs of lines, one with names and one with as many numbers, both begin with the group: netstat and snmp.
pub fn parse_pairs(text: &[u8]) -> Vec<Figure> {
    let mut found = Vec::new();
    let mut heading: Option<(&[u8], &[u8])> = None;
    for line in lines(text) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (group, rest) = (&line[..colon], &line[colon + 1..]);
        match heading.take().filter(|(known, _)| *known == group) {
            Some((_, names)) => {
                let pairs = words(names).zip(words(rest).map(figure));
                found.extend(pairs.filter_map(|(key, number)| Some((name([group, key]), number?))));
            }
            None => heading = Some((group, rest)),
        }
    }
    found.retain(|(name, _)| !NO_COUNTERS.contains(&name.as_str()));
    found
}

/// One name and number a line: snmp6.
pub fn parse_lines(text: &[u8]) -> Vec<Figure> {
    let pair = |line| {
        let mut words = words(line);
        Some((name([words.next()?, b""]), figure(words.next()?)?))
    };
    lines(text).filter_map(pair).collect()
}

/// A group, then names and numbers in turn: sockstat.
pub fn parse_sockstat(text: &[u8]) -> Vec<Figure> {
    let mut found = Vec::new();
    for line in lines(text) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let group = [&line[..colon], b"."].concat();
        let mut words = words(&line[colon + 1..]);
        while let (Some(key), Some(number)) = (words.next(), words.next()) {
            found.extend(figure(number).map(|number| (name([&group, key]), number)));
        }
    }
    found
}

/// A line per CPU, hexadecimal: packets processed, dropped because the backlog was full, and how often the time for them was
/// over. Of the whole machine.
pub fn parse_softnet(text: &[u8]) -> Vec<Figure> {
    const NAMES: [&str; 3] = ["SoftnetProcessed", "SoftnetDropped", "SoftnetTimeSqueezed"];
    let mut sums = [0_u64; 3];
    for line in lines(text) {
        for (sum, word) in sums.iter_mut().zip(words(line)) {
            *sum = sum.saturating_add(hexadecimal(word).unwrap_or(0));
        }
    }
    NAMES.map(str::to_owned).into_iter().zip(sums).collect()
}

/// A heading, then a line per CPU, hexadecimal.
pub fn parse_conntrack(text: &[u8]) -> Vec<Figure> {
    let mut lines = lines(text);
    let heading = words(lines.next().unwrap_or_default()).map(|key| (name([b"Conntrack", key]), 0));
    let mut sums: Vec<Figure> = heading.collect();
    for line in lines {
        for ((_, sum), word) in sums.iter_mut().zip(words(line)) {
            *sum = sum.saturating_add(hexadecimal(word).unwrap_or(0));
        }
    }
    // Each CPU tells the number of all of them: the setting nf_conntrack_count has it.
    sums.retain(|(name, _)| name != "Conntrackentries");
    sums
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(word).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected<const N: usize>(figures: [(&str, u64); N]) -> Vec<(String, u64)> {
        figures.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    #[test]
    fn pairs_are_named_as_nstat_does_and_what_is_below_zero_is_none() {
        let text = b"Tcp: RtoMin MaxErrors InSegs\nTcp: 200 -1 7\nTcpExt: SyncookiesSent ListenOverflows\nTcpExt: 1 22\nUdp: A\nIp: B\n";
        let wanted = expected([("TcpInSegs", 7), ("TcpExtSyncookiesSent", 1), ("TcpExtListenOverflows", 22)]);
        assert_eq!(parse_pairs(text), wanted);
        // Fewer numbers than names, as an older kernel never has it.
        assert_eq!(parse_pairs(b"Tcp: A B\nTcp: 1\n"), expected([("TcpA", 1)]));
    }

    #[test]
    fn lines_and_groups_are_read() {
        assert_eq!(
            parse_lines(b"Ip6InReceives                   \t5\nUdp6NoPorts 0\n"),
            expected([("Ip6InReceives", 5), ("Udp6NoPorts", 0)])
        );
        assert_eq!(
            parse_sockstat(b"sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 4\n"),
            expected([
                ("sockets.used", 9),
                ("TCP.inuse", 1),
                ("TCP.orphan", 0),
                ("TCP.tw", 2),
                ("TCP.alloc", 3),
                ("TCP.mem", 4)
            ])
        );
    }

    #[test]
    fn what_each_cpu_counted_is_added_up() {
        assert_eq!(
            parse_softnet(b"0000000a 00000001 00000002 00000000\n00000005 00000010 00000000\n"),
            expected([("SoftnetProcessed", 15), ("SoftnetDropped", 17), ("SoftnetTimeSqueezed", 2)])
        );
        assert_eq!(
            parse_conntrack(
                b"entries drop early_drop\n0000000c 00000001 00000002\n0000000c 00000003 0000000f\n"
            ),
            expected([("Conntrackdrop", 4), ("Conntrackearly_drop", 17)])
        );
    }
}
