//! `NETLINK_SOCK_DIAG`: the sockets of the agent's network namespace, which is the target's.
//!
//! Format: sock_diag(7). One table per family and protocol; each is told by a module of the kernel of its own, which the
//! kernel loads when it is first asked, for anyone.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use nix::libc;
use nix::sys::socket::SockProtocol;
use nix::sys::stat::fstat;

use super::netlink_diag::NetlinkSocket;
use super::socket::Conversation;
pub use super::socket::Dumped;
use super::{dump_request, socket};
use crate::{Buffer, ReadError, Root};

/// Message type `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// Of recorded answers.
const SEQUENCE: u32 = 1;
/// A recorded answer is no longer.
const RECORDED_BYTES: usize = 16 << 20;

/// A table of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Table {
    Tcp,
    Tcp6,
    Udp,
    Udp6,
    UdpLite,
    UdpLite6,
    Raw,
    Raw6,
    Unix,
    Packet,
    Netlink,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Tcp,
        Self::Tcp6,
        Self::Udp,
        Self::Udp6,
        Self::UdpLite,
        Self::UdpLite6,
        Self::Raw,
        Self::Raw6,
        Self::Unix,
        Self::Packet,
        Self::Netlink,
    ];

    /// As its file below `/proc/net` is called.
    pub fn name(self) -> &'static str {
        recorded_file(self).trim_start_matches("netlink/")
    }

    /// Where a scene has it.
    fn recorded(self) -> &'static CStr {
        match self {
            Self::Tcp => c"netlink/tcp",
            Self::Tcp6 => c"netlink/tcp6",
            Self::Udp => c"netlink/udp",
            Self::Udp6 => c"netlink/udp6",
            Self::UdpLite => c"netlink/udplite",
            Self::UdpLite6 => c"netlink/udplite6",
            Self::Raw => c"netlink/raw",
            Self::Raw6 => c"netlink/raw6",
            Self::Unix => c"netlink/unix",
            Self::Packet => c"netlink/packet",
            Self::Netlink => c"netlink/netlink",
        }
    }

    /// Address family and, for internet sockets, the protocol.
    fn family(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::Tcp => (libc::AF_INET, libc::IPPROTO_TCP),
            Self::Tcp6 => (libc::AF_INET6, libc::IPPROTO_TCP),
            Self::Udp => (libc::AF_INET, libc::IPPROTO_UDP),
            Self::Udp6 => (libc::AF_INET6, libc::IPPROTO_UDP),
            Self::UdpLite => (libc::AF_INET, libc::IPPROTO_UDPLITE),
            Self::UdpLite6 => (libc::AF_INET6, libc::IPPROTO_UDPLITE),
            Self::Raw => (libc::AF_INET, libc::IPPROTO_RAW),
            Self::Raw6 => (libc::AF_INET6, libc::IPPROTO_RAW),
            Self::Unix => (libc::AF_UNIX, 0),
            Self::Packet => (libc::AF_PACKET, 0),
            Self::Netlink => (libc::AF_NETLINK, 0),
        }
    }
}

/// States as bits, by the numbers of the kernel's include/net/tcp_states.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States(pub u32);

impl States {
    /// Whatever there may be.
    pub const ALL: Self = Self(u32::MAX);
    /// Listening.
    pub const LISTEN: Self = Self(1 << 10);

    /// Whether that state is one of them.
    pub fn holds(self, state: u8) -> bool {
        1_u32.checked_shl(state.into()).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Those that are not in `others`.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What is asked of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Which one.
    pub table: Table,
    /// Only sockets in these states. Packet and netlink sockets are told whatever their state.
    pub states: States,
    /// Of TCP: [`super::tcp_info`].
    pub tcp_info: bool,
    /// Memory, and of TCP the congestion control.
    pub details: bool,
}

impl Request {
    /// The request as the kernel wants it, without its header.
    fn payload(self) -> Vec<u8> {
        let (family, protocol) = self.table.family();
        let byte = |number: libc::c_int| u8::try_from(number).unwrap_or(0);
        let (family, protocol) = (byte(family), byte(protocol));
        let states = self.states.0.to_ne_bytes();
        match self.table {
            Table::Unix => {
                // struct unix_diag_req: name, file, peer, queues and user; memory.
                let show: u32 = 0x1 | 0x2 | 0x4 | 0x10 | 0x40 | if self.details { 0x20 } else { 0 };
                [&[family, 0, 0, 0][..], &states, &[0; 4], &show.to_ne_bytes(), &[0; 8]].concat()
            }
            Table::Packet => {
                // struct packet_diag_req: PACKET_SHOW_INFO and _MEMINFO.
                let show: u32 = 0x1 | 0x10;
                [&[family, 0, 0, 0][..], &[0; 4], &show.to_ne_bytes(), &[0; 8]].concat()
            }
            Table::Netlink => {
                // struct netlink_diag_req: all protocols, NDIAG_SHOW_MEMINFO and _GROUPS.
                let show: u32 = 0x1 | 0x2;
                [&[family, u8::MAX, 0, 0][..], &[0; 4], &show.to_ne_bytes(), &[0; 8]].concat()
            }
            _ => {
                // struct inet_diag_req_v2: extensions are bits of what include/uapi/linux/inet_diag.h numbers from 1.
                let extension = |number: u8, wanted: bool| u8::from(wanted) << (number - 1);
                let extensions = extension(2, self.tcp_info) | extension(4, self.details) | extension(7, self.details)
                    // Which directions are shut down costs nothing.
                    | extension(8, true);
                [&[family, protocol, extensions, 0][..], &states, &[0; 48]].concat()
            }
        }
    }
}

/// Where sockets are asked for: the kernel, or a scene.
#[derive(Debug)]
pub struct SockDiag<'r> {
    root: &'r Root,
    /// `None`: a scene.
    kernel: Option<Conversation>,
    buffer: Vec<u8>,
}

impl<'r> SockDiag<'r> {
    /// Begins to ask.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] if the kernel does not have it or refuses it.
    pub fn open(root: &'r Root) -> Result<Self, ReadError> {
        let kernel = match root.is_recorded() {
            true => None,
            false => Some(Conversation::open(SockProtocol::NetlinkSockDiag).map_err(|source| {
                ReadError::Io { op: "open a socket for", path: PathBuf::from("sock_diag"), source }
            })?),
        };
        Ok(Self { root, kernel, buffer: Vec::new() })
    }

    /// Hands what is told of each socket to `take`, until that returns false; then nothing more can be asked.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: `ENOENT` if this kernel has no such table, `EPERM` or `EACCES` if it does not tell.
    pub fn dump(
        &mut self,
        request: Request,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<Dumped, ReadError> {
        let cannot = |source| cannot(request.table, source);
        if let Some(kernel) = &mut self.kernel {
            return kernel.dump(BY_FAMILY, &request.payload(), &mut self.buffer, take).map_err(cannot);
        }
        // All that the scene has of the table, whatever was asked.
        let mut buffer = Buffer::default();
        let content = self.root.read_top(request.table.recorded(), RECORDED_BYTES, &mut buffer)?;
        let mut dumped = Dumped::default();
        socket::answer(content.bytes, SEQUENCE, &mut dumped, &mut take).map_err(cannot)?;
        Ok(dumped)
    }

    /// The inode of the socket that asks, which is told as well. `None` in a scene.
    pub fn own_inode(&self) -> Option<u64> {
        fstat(self.kernel.as_ref()?.descriptor()).ok().map(|status| status.st_ino)
    }

    /// Where in `/proc/self/fdinfo` the socket that asks stands. `None` in a scene.
    pub fn own_number(&self) -> Option<u32> {
        u32::try_from(self.kernel.as_ref()?.descriptor().as_raw_fd()).ok()
    }

    /// The answer of the kernel as a scene has it, but for the socket that asks.
    ///
    /// # Errors
    ///
    /// As [`SockDiag::dump`].
    pub fn record(&mut self, table: Table) -> Result<Vec<u8>, ReadError> {
        let (mut answer, own) = (Vec::new(), self.own_inode());
        let is_own = |payload: &[u8]| {
            let socket = NetlinkSocket::parse(payload).filter(|_| table == Table::Netlink);
            socket.is_some_and(|socket| Some(socket.inode.into()) == own)
        };
        let request = Request { table, states: States::ALL, tcp_info: true, details: true };
        self.dump(request, |payload| {
            if !is_own(payload) {
                answer.extend(dump_request(BY_FAMILY, SEQUENCE, payload));
                answer.resize(super::aligned(answer.len()), 0);
            }
            true
        })?;
        Ok(answer)
    }
}

/// The file of a scene in which the answer about that table stands.
pub fn recorded_file(table: Table) -> &'static str {
    table.recorded().to_str().unwrap_or_default()
}

fn cannot(table: Table, source: io::Error) -> ReadError {
    ReadError::Io { op: "ask sock_diag for sockets of", path: PathBuf::from(table.name()), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_lengths_that_the_kernel_expects() {
        for (table, payload_bytes) in
            [(Table::Tcp, 56), (Table::Unix, 24), (Table::Packet, 20), (Table::Netlink, 20)]
        {
            let request = Request { table, states: States::ALL, tcp_info: true, details: true };
            assert_eq!(request.payload().len(), payload_bytes, "{table:?}");
        }
    }

    #[test]
    fn states_are_bits() {
        assert!(States::LISTEN.holds(10) && !States::LISTEN.holds(1) && !States::ALL.holds(200));
        assert!(States::LISTEN.without(States::LISTEN).is_empty());
    }
}
