//! `/proc/self/net/{tcp,udp,unix,…}`: the sockets of the agent's network namespace, which is the target's, by inode.
//!
//! Format: proc_pid_net(5). A heading, then one line per socket; addresses are hexadecimal in the machine's byte order.
//! The name of a local socket is not escaped and may hold a newline, so that it can forge whole lines: an inode that is
//! found twice is therefore no one's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::number::{unsigned, unsigned32};
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
    Table { protocol: "udplite6", file: "net/udplite6", inode: 9, shape: Shape::Internet },
    Table { protocol: "icmp", file: "net/icmp", inode: 9, shape: Shape::Internet },
    Table { protocol: "icmp6", file: "net/icmp6", inode: 9, shape: Shape::Internet },
    Table { protocol: "raw", file: "net/raw", inode: 9, shape: Shape::Internet },
    Table { protocol: "raw6", file: "net/raw6", inode: 9, shape: Shape::Internet },
    Table { protocol: "packet", file: "net/packet", inode: 8, shape: Shape::Nameless },
    Table { protocol: "netlink", file: "net/netlink", inode: 9, shape: Shape::Nameless },
];

/// The protocols that have a table.
pub(crate) fn protocols() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.protocol)
}

/// What is known of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// 0: no descriptor leads to it.
    pub inode: u64,
    /// The table it stands in, for example `tcp6` or `unix`.
    pub protocol: &'static str,
    /// Where it is bound to.
    pub local: Name,
    /// What it is connected to.
    pub remote: Option<SocketAddr>,
    /// By the numbers of the kernel's include/net/tcp_states.h. Of local ones: 1 connected, 7 not, 10 listening.
    pub state: u8,
    /// Of whoever made it. Not told of local ones.
    pub uid: Option<u32>,
    /// Bytes not sent or not acknowledged; of internet sockets.
    pub send_queue: Option<u32>,
    /// Bytes not read, of a listening socket connections not accepted; of internet sockets.
    pub recv_queue: Option<u32>,
    /// As in socket(2): of local ones.
    pub kind: Option<u8>,
}

impl Socket {
    pub(crate) fn new(protocol: &'static str, inode: u64) -> Self {
        Self {
            inode,
            protocol,
            local: Name::None,
            remote: None,
            state: 0,
            uid: None,
            send_queue: None,
            recv_queue: None,
            kind: None,
        }
    }

    /// The state of TCP in a word, as ss(8) writes it.
    pub fn tcp_state(&self) -> Option<&'static str> {
        if self.protocol.starts_with("tcp") { tcp_state(self.state) } else { None }
    }
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

    pub(crate) fn of(mut sockets: Vec<Socket>, cut: bool) -> Self {
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

/// Hands each socket of the table of that protocol to `take`, until that returns false. What forged lines say is told
/// like the rest.
///
/// # Errors
///
/// [`ReadError::Io`], for which [`ReadError::is_gone`] if this kernel has no such table.
pub fn each(root: &Root, protocol: &str, mut take: impl FnMut(Socket) -> bool) -> Result<(), ReadError> {
    let Some(table) = TABLES.iter().find(|table| table.protocol == protocol) else { return Ok(()) };
    let mut is_heading = true;
    root.lines(&ProcName::own(table.file), BOUND_BYTES, |line| {
        if std::mem::take(&mut is_heading) {
            return true;
        }
        table.parse(line).is_none_or(&mut take)
    })
}

/// Parses a line of the table of that protocol. `None`: it is no socket.
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
        let mut socket = Socket::new(self.protocol, 0);
        match self.shape {
            Shape::Internet => {
                socket.local = Name::Internet(address(column(1)?)?);
                socket.remote =
                    Some(address(column(2)?)?).filter(|address| address.port() != 0 || !is_any(address));
                socket.state = hexadecimal(column(3)?).and_then(|state| u8::try_from(state).ok())?;
                let queues = column(4)?;
                let colon = queues.iter().position(|&byte| byte == b':')?;
                socket.send_queue = hexadecimal(&queues[..colon]);
                socket.recv_queue = hexadecimal(&queues[colon + 1..]);
                socket.uid = unsigned32(column(7)?);
            }
            Shape::Local => {
                /// Flag `__SO_ACCEPTCON`.
                const LISTENS: u32 = 1 << 16;
                let flags = hexadecimal(column(3)?)?;
                socket.kind = hexadecimal(column(4)?).and_then(|kind| u8::try_from(kind).ok());
                // `SS_CONNECTED` is 3.
                let is_connected = hexadecimal(column(5)?)? == 3;
                socket.state = if flags & LISTENS != 0 {
                    10
                } else if is_connected {
                    1
                } else {
                    7
                };
            }
            Shape::Nameless => {}
        }
        let inode = column(self.inode)?;
        if self.shape == Shape::Local {
            // A name may hold blanks.
            let name = subslice_end(line, inode).and_then(|end| line.get(end + 1..)).unwrap_or_default();
            if !name.is_empty() {
                socket.local = Name::Local(name.into());
            }
        }
        socket.inode = unsigned(inode)?;
        Some(socket)
    }
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    u32::from_str_radix(str::from_utf8(text).ok()?, 16).ok()
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
fn tcp_state(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "established",
        2 => "syn-sent",
        3 => "syn-recv",
        4 => "fin-wait-1",
        5 => "fin-wait-2",
        6 => "time-wait",
        7 => "close",
        8 => "close-wait",
        9 => "last-ack",
        10 => "listen",
        11 => "closing",
        12 => "new-syn-recv",
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
        assert_eq!((socket.inode, socket.tcp_state(), socket.remote), (1588, Some("listen"), None));
        assert_eq!(socket.local, Name::Internet("0.0.0.0:8080".parse().unwrap()));
        let connected =
            b"   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000 0 0 7 1 0";
        let socket = parse("tcp", connected).unwrap();
        assert_eq!(socket.remote, Some("127.0.0.1:54321".parse().unwrap()));
        let v6 = b"   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 9 2 0 0";
        let socket = parse("udp6", v6).unwrap();
        assert_eq!((socket.tcp_state(), socket.local), (None, Name::Internet("[::1]:80".parse().unwrap())));
    }

    #[test]
    fn a_local_name_may_hold_blanks_and_be_missing() {
        let named = b"00000000fa9bd5f9: 00000002 00000000 00010000 0001 01  3888 /run/a b.sock";
        assert_eq!(parse("unix", named).unwrap().local, Name::Local(b"/run/a b.sock"[..].into()));
        let nameless = b"00000000fa9bd5f9: 00000003 00000000 00000000 0001 03  3889";
        assert_eq!(parse("unix", nameless).unwrap().local, Name::None);
        let states = [&named[..], &nameless[..]].map(|line| parse("unix", line).unwrap().state);
        assert_eq!(states, [10, 1]);
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
        assert_eq!(parse("tcp", ended).unwrap().inode, 0);
    }
}
