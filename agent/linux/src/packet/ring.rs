//! A packet socket with its ring.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::SocketError;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, getsockopt, socket};

use super::block::Block;
use super::program::Program;
use super::sys::{self, Mapping, Membership, RingRequest};
use crate::error::ReadError;

/// What the kernel fills and hands over as one. The longest packet of today's interfaces fits several times.
const BLOCK_BYTES: u32 = 256 << 10;

/// Of no meaning to this version of the ring, but asked for.
const FRAME_BYTES: u32 = 2048;

/// `TPACKET_V3` of linux/if_packet.h.
const VERSION_3: libc::c_int = 2;

/// What a ring is like.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Packets come without the header of their link, which is told apart from them.
    pub cooked: bool,
    /// At least so much memory of the kernel's.
    pub buffer_bytes: u32,
    /// How long a packet waits for others at most.
    pub wait: Duration,
}

/// What the kernel has counted since the ring was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that the filter accepted, with those that were dropped.
    pub accepted: u64,
    /// Those for which there was no room.
    pub dropped: u64,
}

/// A packet socket with its ring.
#[derive(Debug)]
pub struct Ring {
    // Dropped before the socket: the mapping is the socket's.
    mapping: Mapping,
    socket: OwnedFd,
    /// The block that is filled next.
    next: usize,
    counts: Counts,
}

impl Ring {
    /// Makes a ring that hears nothing yet: a packet socket without a protocol is not told of any packet.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], for example `EPERM` without CAP_NET_RAW, or `ENOMEM`.
    pub fn make(settings: Settings) -> Result<Self, ReadError> {
        let kind = if settings.cooked { SockType::Datagram } else { SockType::Raw };
        let socket = socket(AddressFamily::Packet, kind, SockFlag::SOCK_CLOEXEC, None);
        let socket = socket.map_err(cannot("open"))?;
        sys::set(socket.as_fd(), libc::PACKET_VERSION, VERSION_3).map_err(cannot("choose the ring of"))?;
        let blocks = settings.buffer_bytes.div_ceil(BLOCK_BYTES).max(2);
        let request = RingRequest {
            block_size: BLOCK_BYTES,
            block_count: blocks,
            frame_size: FRAME_BYTES,
            frame_count: BLOCK_BYTES / FRAME_BYTES * blocks,
            retire_millis: u32::try_from(settings.wait.as_millis()).unwrap_or(u32::MAX).max(1),
            ..RingRequest::default()
        };
        sys::set(socket.as_fd(), libc::PACKET_RX_RING, request).map_err(cannot("make the ring of"))?;
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mapping = Mapping::of(socket.as_fd(), size(BLOCK_BYTES), size(blocks));
        let mapping = mapping.map_err(cannot("map the ring of"))?;
        Ok(Self { mapping, socket, next: 0, counts: Counts::default() })
    }

    /// Hears what `filter` accepts, on the interface of that number, or on all. The filter is in force before.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], for example `ENODEV` or `ENETDOWN`.
    pub fn hear(
        &mut self,
        filter: &Program,
        interface: Option<u32>,
        promiscuous: bool,
    ) -> Result<(), ReadError> {
        sys::attach(self.socket.as_fd(), filter.instructions()).map_err(cannot("filter"))?;
        let index = libc::c_int::try_from(interface.unwrap_or(0)).unwrap_or(-1);
        if let Some(index) = interface.filter(|_| promiscuous) {
            let kind = u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or_default();
            let membership = Membership { index, kind, ..Membership::default() };
            sys::set(self.socket.as_fd(), libc::PACKET_ADD_MEMBERSHIP, membership)
                .map_err(cannot("make an interface promiscuous by"))?;
        }
        sys::bind(self.socket.as_fd(), index).map_err(cannot("bind"))
    }

    /// Hears no more. What is in the ring stays there.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] if the kernel does not take the filter.
    pub fn deafen(&mut self) -> Result<(), ReadError> {
        sys::attach(self.socket.as_fd(), Program::nothing().instructions()).map_err(cannot("filter"))
    }

    /// Waits until there is a block, at most so long. Whether there is one.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: `ENETDOWN` if the interface went down or away. There may still be blocks.
    pub fn wait(&self, at_most: Duration) -> Result<bool, ReadError> {
        if self.mapping.block(self.next).is_some() {
            return Ok(true);
        }
        let millis = u16::try_from(at_most.as_millis()).unwrap_or(u16::MAX);
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::from(millis)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(cannot("wait for")(errno)),
        }
        let errs = polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR));
        if errs {
            let errno = getsockopt(&self.socket, SocketError).map_err(cannot("ask"))?;
            if errno != 0 {
                return Err(cannot("hear")(Errno::from_raw(errno)));
            }
        }
        Ok(self.mapping.block(self.next).is_some())
    }

    /// Hands the next block to `take`, and then back to the kernel. `None`: there is none yet.
    pub fn with_block<T>(&mut self, take: impl FnOnce(&Block<'_>) -> T) -> Option<T> {
        let taken = take(&Block::new(self.mapping.block(self.next)?));
        self.mapping.give_back(self.next);
        self.next = (self.next + 1) % self.mapping.blocks();
        Some(taken)
    }

    /// What was counted so far. To be asked before the kernel's own 32 bits are full.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`], which there is no reason for.
    pub fn counts(&mut self) -> Result<Counts, ReadError> {
        let [accepted, dropped, _] = sys::statistics(self.socket.as_fd()).map_err(cannot("ask"))?;
        self.counts.accepted += u64::from(accepted);
        self.counts.dropped += u64::from(dropped);
        Ok(self.counts)
    }
}

fn cannot(op: &'static str) -> impl Fn(Errno) -> ReadError {
    move |errno| ReadError::Io { op, path: "a packet socket".into(), source: io::Error::from(errno) }
}
