//! `/proc/net/{tcp,udp,unix,…}`: the sockets of the agent's network namespace, which is the target's, by inode.
//!
//! Format: proc_pid_net(5). A heading, then one line per socket; addresses are hexadecimal in the machine's byte order.
//! The name of a local socket is not escaped and may hold a newline, so that it can forge whole lines: an inode that is
//! found twice is therefore no one's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::number::unsigned;
use crate::{ProcName, ReadError, Root};

/// Sockets that are kept, of all kinds together.
pub const MOST_SOCKETS: usize = 1 << 17;
/// A local socket's name has at most 108 bytes.
const BOUND_BYTES: usize = 512;

/// A table, the columns where the inode and the local address stand, and what its addresses are.
struct Table {
    protocol: &'static str,
    file: &'static str,
    inode: usize,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Columns 1 and 2 are addresses, 3 is the state, which means something for TCP only.
    Internet,
    /// The name is what follows the inode.
    Local,
    /// There are no addresses.
    Nameless,
}

const TABLES: &[Table] = &[
    Table { protocol: "tcp", file: "net/tcp", inode: 9, shape: Shape::Internet },
    Table { protocol: "tcp6", file: "net/tcp6", inode: 9, shape: Shape::Internet },
    Table { protocol: "unix", file: "net/unix", inode: 6, shape: Shape::Local },
    Table { protocol: "udp", file: "net/udp", inode: 9, shape: Shape::Internet },
    Table { protocol: "udp6", file: "net/udp6", inode: 9, shape: Shape::Internet },
    Table { protocol: "udplite", file: "net/udplite", inode: 9, shape: Shape::Internet },
    Table { protocol: "icmp", file: "net/icmp", inode: 9, shape: Shape::Internet },
    Table { protocol: "icmp6", file: "net/icmp6", inode: 9, shape: Shape::Internet },
    Table { protocol: "raw", file: "net/raw", inode: 9, shape: Shape::Internet },
    Table { protocol: "raw6", file: "net/raw6", inode: 9, shape: Shape::Internet },
    Table { protocol: "packet", file: "net/packet", inode: 8, shape: Shape::Nameless },
    Table { protocol: "netlink", file: "net/netlink", inode: 9, shape: Shape::Nameless },
];

/// What is known of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    inode: u64,
    /// The table it stands in, for example `tcp6` or `unix`.
    pub protocol: &'static str,
    /// Where it is bound to.
    pub local: Name,
    /// What it is connected to.
    pub remote: Option<SocketAddr>,
    /// Of TCP.
    pub state: Option<&'static str>,
}

/// Where a socket is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Nowhere.
    None,
    /// An address and port.
    Internet(SocketAddr),
    /// A path, or `@` and an abstract name, any bytes at all.
    Local(Box<[u8]>),
}

/// The sockets of a network namespace.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By inode, each once.
    by_inode: Vec<Socket>,
    /// True if there were more than [`MOST_SOCKETS`].
    pub cut: bool,
}

impl Sockets {
    /// The socket with that inode, if it is known.
    pub fn get(&self, inode: u64) -> Option<&Socket> {
        let at = self.by_inode.binary_search_by_key(&inode, |socket| socket.inode).ok()?;
        self.by_inode.get(at)
    }

    fn of(mut sockets: Vec<Socket>, cut: bool) -> Self {
        sockets.sort_unstable_by_key(|socket| socket.inode);
        let inodes: Vec<_> = sockets.iter().map(|socket| socket.inode).collect();
        let is_forged = |nth: usize| {
            nth.checked_sub(1).is_some_and(|before| inodes[before] == inodes[nth])
                || inodes.get(nth + 1) == inodes.get(nth)
        };
        let mut nth = 0;
        sockets.retain(|_| {
            nth += 1;
            !is_forged(nth - 1)
        });
        Self { by_inode: sockets, cut }
    }
}

/// Reads all tables. One that this kernel does not have is left out.
///
/// # Errors
///
/// [`ReadError::Io`].
pub fn read(root: &Root) -> Result<Sockets, ReadError> {
    let (mut sockets, mut cut) = (Vec::new(), false);
    for table in TABLES {
        let mut is_heading = true;
        let read = root.lines(&ProcName::system(table.file), BOUND_BYTES, |line| {
            if !std::mem::take(&mut is_heading)
                && let Some(socket) = table.parse(line)
            {
                cut = sockets.len() == MOST_SOCKETS;
                if cut {
                    return false;
                }
                sockets.push(socket);
            }
            true
        });
        match read {
            Err(error) if !error.is_gone() => return Err(error),
            _ => {}
        }
        if cut {
            break;
        }
    }
    Ok(Sockets::of(sockets, cut))
}

/// Parses a line of the table of that protocol. `None`: it is no socket with an inode.
pub fn parse(protocol: &str, line: &[u8]) -> Option<Socket> {
    TABLES.iter().find(|table| table.protocol == protocol)?.parse(line)
}

impl Table {
    fn parse(&self, line: &[u8]) -> Option<Socket> {
        let mut columns = line.split(|&byte| byte == b' ').filter(|column| !column.is_empty());
        let mut taken = 0;
        let mut column = |index: usize| {
            let skipped = index.checked_sub(taken)?;
            taken = index + 1;
            columns.nth(skipped)
        };
        let (mut local, mut remote, mut state) = (Name::None, None, None);
        if self.shape == Shape::Internet {
            local = Name::Internet(address(column(1)?)?);
            remote = Some(address(column(2)?)?).filter(|address| address.port() != 0 || !is_any(address));
            let number = column(3)?;
            state = self.protocol.starts_with("tcp").then(|| tcp_state(number)).flatten();
        }
        let inode = column(self.inode)?;
        if self.shape == Shape::Local {
            // A name may hold blanks.
            let name = subslice_end(line, inode).and_then(|end| line.get(end + 1..)).unwrap_or_default();
            if !name.is_empty() {
                local = Name::Local(name.into());
            }
        }
        let inode = unsigned(inode).filter(|&inode| inode != 0)?;
        Some(Socket { inode, protocol: self.protocol, local, remote, state })
    }
}

/// Where `part`, which was taken out of `line`, ends in it.
fn subslice_end(line: &[u8], part: &[u8]) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
    Some(start + part.len())
}

fn is_any(address: &SocketAddr) -> bool {
    address.ip().is_unspecified()
}

/// `0100007F:1F90`, or four such words: each as the machine would print the 32 bits that it has in network order.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(text).ok()?;
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The states of the kernel's include/net/tcp_states.h.
fn tcp_state(number: &[u8]) -> Option<&'static str> {
    Some(match number {
        b"01" => "established",
        b"02" => "syn-sent",
        b"03" => "syn-recv",
        b"04" => "fin-wait-1",
        b"05" => "fin-wait-2",
        b"06" => "time-wait",
        b"07" => "close",
        b"08" => "close-wait",
        b"09" => "last-ack",
        b"0A" => "listen",
        b"0B" => "closing",
        b"0C" => "new-syn-recv",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Name, Sockets, parse};

    const LISTENING: &[u8] = b"   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1588 1 0 100 0 0 10 0";

    #[cfg(target_endian = "little")]
    #[test]
    fn internet_sockets_have_addresses_and_tcp_has_a_state() {
        let socket = parse("tcp", LISTENING).unwrap();
        assert_eq!((socket.inode, socket.state, socket.remote), (1588, Some("listen"), None));
        assert_eq!(socket.local, Name::Internet("0.0.0.0:8080".parse().unwrap()));
        let connected =
            b"   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000 0 0 7 1 0";
        let socket = parse("tcp", connected).unwrap();
        assert_eq!(socket.remote, Some("127.0.0.1:54321".parse().unwrap()));
        let v6 = b"   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 9 2 0 0";
        let socket = parse("udp6", v6).unwrap();
        assert_eq!((socket.local, socket.state), (Name::Internet("[::1]:80".parse().unwrap()), None));
    }

    #[test]
    fn a_local_name_may_hold_blanks_and_be_missing() {
        let named = b"00000000fa9bd5f9: 00000002 00000000 00010000 0001 01  3888 /run/a b.sock";
        assert_eq!(parse("unix", named).unwrap().local, Name::Local(b"/run/a b.sock"[..].into()));
        let nameless = b"00000000fa9bd5f9: 00000003 00000000 00000000 0001 03  3889";
        assert_eq!(parse("unix", nameless).unwrap().local, Name::None);
    }

    #[test]
    fn an_inode_that_is_found_twice_is_no_ones() {
        let other = |inode: u64| super::Socket { inode, ..parse("tcp", LISTENING).unwrap() };
        let sockets = Sockets::of(vec![other(5), other(7), other(5), other(9), other(9)], false);
        assert!(sockets.get(5).is_none() && sockets.get(9).is_none());
        assert_eq!(sockets.get(7).unwrap().inode, 7);
    }

    #[test]
    fn a_socket_that_has_ended_has_no_inode() {
        let ended =
            b"   0: 0100007F:1F90 0100007F:0001 06 00000000:00000000 03:00000 00000000     0        0 0 3 0";
        assert_eq!(parse("tcp", ended), None);
    }
}
