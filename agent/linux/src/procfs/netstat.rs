//! `/proc/self/net/netstat`: what the network namespace has counted since it was made.
//!
//! Format: proc_pid_net(5): pairs of lines, one with names and one with as many numbers, both begin with `TcpExt:` or
//! another group.

use crate::number::unsigned;
use crate::{Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 64 << 10;

/// Counters of listening TCP sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listening {
    /// `ListenOverflows`: connections that found the accept queue full.
    pub overflows: Option<u64>,
    /// `ListenDrops`: connections dropped for whatever reason, those included.
    pub drops: Option<u64>,
}

/// Reads the counters of listening sockets.
///
/// # Errors
///
/// [`ReadError`].
pub fn read_listening(root: &Root) -> Result<Listening, ReadError> {
    let mut buffer = Buffer::default();
    let content = root.read(&ProcName::own("net/netstat"), BOUND_BYTES, &mut buffer)?;
    Ok(parse_listening(content.bytes))
}

/// Parses the text of the file.
pub fn parse_listening(text: &[u8]) -> Listening {
    Listening { overflows: counter(text, b"ListenOverflows"), drops: counter(text, b"ListenDrops") }
}

/// The counter of that name in the group of TCP's extensions.
fn counter(text: &[u8], name: &[u8]) -> Option<u64> {
    let mut lines = text.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"TcpExt:"));
    let mut words = || {
        let line = lines.next()?;
        Some(line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()))
    };
    let at = words()?.position(|found| found == name)?;
    unsigned(words()?.nth(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text =
            b"TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 333\nIpExt: A\nIpExt: 4\n";
        assert_eq!(parse_listening(text), Listening { overflows: Some(22), drops: Some(333) });
        assert_eq!(parse_listening(b"TcpExt: A ListenDrops\nTcpExt: 1\n"), Listening::default());
        assert_eq!(parse_listening(b""), Listening::default());
    }
}
