//! A conversation with the kernel: the only place that opens netlink sockets.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recvfrom, send,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::{Part, dump_request, messages, single_request};

/// The kernel makes no larger part of an answer than 32 KiB.
const BUFFER_BYTES: usize = 64 << 10;

/// It answers at once, or not at all.
const PATIENCE_SECONDS: i64 = 10;

/// What came of a dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dumped {
    /// The table changed while it was told: something may be missing, or told twice.
    pub interrupted: bool,
}

/// A socket that hears only the kernel, and the number of the question that it is asked.
#[derive(Debug)]
pub(super) struct Conversation {
    socket: OwnedFd,
    sequence: u32,
}

impl Conversation {
    /// Begins it.
    pub(super) fn open(protocol: SockProtocol) -> io::Result<Self> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(PATIENCE_SECONDS))?;
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.socket
    }

    /// Asks for all of a table and hands each message of the answer to `take`, until that returns false; then nothing
    /// more can be asked. `buffer` is used for the answer.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        payload: &[u8],
        buffer: &mut Vec<u8>,
        take: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Dumped> {
        self.sequence = self.sequence.wrapping_add(1);
        self.converse(&dump_request(kind, self.sequence, payload), buffer, take)
    }

    /// Asks for one entry. `take` must return false, so that nothing more is waited for.
    pub(super) fn ask(
        &mut self,
        kind: u16,
        payload: &[u8],
        buffer: &mut Vec<u8>,
        take: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Dumped> {
        self.sequence = self.sequence.wrapping_add(1);
        self.converse(&single_request(kind, self.sequence, payload), buffer, take)
    }

    fn converse(
        &mut self,
        request: &[u8],
        buffer: &mut Vec<u8>,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Dumped> {
        send(self.socket.as_raw_fd(), request, MsgFlags::empty())?;
        buffer.resize(BUFFER_BYTES, 0);
        let mut dumped = Dumped::default();
        loop {
            let (length, sender) = match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), buffer) {
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            // Whoever administers the network namespace may send to any netlink socket in it. Being connected to the
            // kernel keeps that out already.
            if sender.is_none_or(|sender| sender.pid() != 0) {
                continue;
            }
            match answer(&buffer[..length], self.sequence, &mut dumped, &mut take)? {
                Progress::More => {}
                Progress::Over => return Ok(dumped),
            }
        }
    }
}

pub(super) enum Progress {
    More,
    Over,
}

/// Takes apart one datagram of an answer, or a recorded one.
pub(super) fn answer(
    datagram: &[u8],
    sequence: u32,
    dumped: &mut Dumped,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<Progress> {
    for message in messages(datagram) {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is malformed");
        let message = message.ok_or_else(malformed)?;
        if message.sequence != sequence {
            continue;
        }
        dumped.interrupted |= message.is_interrupted();
        match message.part() {
            Part::Told(payload) if take(payload) => {}
            Part::Told(_) | Part::Done => return Ok(Progress::Over),
            Part::Refused(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Part::Nothing => {}
        }
    }
    Ok(Progress::More)
}
