//! The system calls of a packet socket, and the memory that it shares with the kernel.
#![expect(unsafe_code, reason = "no library wraps these options, nor the memory that comes with them")]

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::libc;

use super::program::Instruction;

/// `struct tpacket_req3`
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RingRequest {
    pub(super) block_size: u32,
    pub(super) block_count: u32,
    pub(super) frame_size: u32,
    pub(super) frame_count: u32,
    /// Milliseconds after which a block is handed over that is not full.
    pub(super) retire_millis: u32,
    pub(super) private_bytes: u32,
    pub(super) features: u32,
}

/// `struct packet_mreq`
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Membership {
    pub(super) index: u32,
    pub(super) kind: u16,
    pub(super) address_length: u16,
    pub(super) address: [u8; 8],
}

/// What can be given to setsockopt(2): plain numbers, without pointers.
///
/// Implemented here alone, for types of C.
pub(super) trait Plain: Copy {}

impl Plain for libc::c_int {}
impl Plain for RingRequest {}
impl Plain for Membership {}

/// Sets an option of `SOL_PACKET`.
pub(super) fn set(socket: BorrowedFd<'_>, name: libc::c_int, value: impl Plain) -> nix::Result<()> {
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
    // SAFETY: the kernel reads a live value of that length, which holds no pointers.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, name, (&raw const value).cast(), length)
    };
    Errno::result(result).map(drop)
}

/// `SO_ATTACH_FILTER` of socket(7). The kernel replaces the filter that was there in one step.
pub(super) fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> nix::Result<()> {
    let length = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let size = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or_default();
    // SAFETY: the kernel reads one structure, and as many instructions as it says, of the layout of `sock_filter`, which
    // [`Instruction`] has. All of them live, and none is written to.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    Errno::result(result).map(drop)
}

const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

/// Has the socket hear every protocol on the interface of that number. 0: on all.
pub(super) fn bind(socket: BorrowedFd<'_>, index: libc::c_int) -> nix::Result<()> {
    // SAFETY: all its fields are numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::c_ushort::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    address.sll_ifindex = index;
    let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: the kernel reads a live address of that length.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(result).map(drop)
}

/// `struct tpacket_stats_v3`: packets that were accepted, those of them that were dropped, and how often the ring was full.
/// The kernel counts from zero after each call.
pub(super) fn statistics(socket: BorrowedFd<'_>) -> nix::Result<[u32; 3]> {
    let mut counts = [0_u32; 3];
    let mut length = libc::socklen_t::try_from(size_of_val(&counts)).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes, which the array has; any bits are numbers.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            counts.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| counts)
}

/// Bit of a block's status: this process may read it, and the kernel leaves it alone.
const OURS: u32 = 1;

/// Where in `struct tpacket_block_desc` the status is.
const STATUS_AT: usize = 8;

/// The ring's memory: blocks, each of which belongs either to the kernel or to this process.
///
/// The kernel writes to a block while it is its own, and then hands it over by the status word, after which it only reads
/// that word until it is given back. So a block that is ours is plain memory that nobody changes.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    block_bytes: usize,
    blocks: usize,
}

// SAFETY: the memory belongs to this value alone, and is not bound to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the ring of a socket that was asked for one of that size.
    pub(super) fn of(socket: BorrowedFd<'_>, block_bytes: usize, blocks: usize) -> nix::Result<Self> {
        let length = block_bytes.checked_mul(blocks).filter(|_| block_bytes >= 4096).ok_or(Errno::EINVAL)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, socket.as_raw_fd(), 0) };
        let start = if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) };
        Ok(Self { start: start.ok_or_else(Errno::last)?, block_bytes, blocks })
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// The block of that number, if it is ours and has not been given back.
    pub(super) fn block(&self, number: usize) -> Option<&[u8]> {
        // With the kernel's writes before it handed the block over.
        if self.status(number).load(Ordering::Acquire) & OURS == 0 {
            return None;
        }
        let start = self.at(number);
        // SAFETY: the bytes lie within the mapping, which lives as long as `self`. The kernel does not write to a block
        // that is ours, and giving it back takes `self` exclusively.
        Some(unsafe { slice::from_raw_parts(start.as_ptr(), self.block_bytes) })
    }

    /// Gives a block back to the kernel.
    pub(super) fn give_back(&mut self, number: usize) {
        // Nothing that was read from it may be read after this.
        self.status(number).store(0, Ordering::Release);
    }

    fn at(&self, number: usize) -> NonNull<u8> {
        assert!(number < self.blocks, "the ring has no block {number}");
        // SAFETY: just checked to lie within the mapping.
        unsafe { self.start.add(number * self.block_bytes) }
    }

    fn status(&self, number: usize) -> &AtomicU32 {
        let word = self.at(number).as_ptr().wrapping_add(STATUS_AT);
        // SAFETY: within the block, which is longer, and aligned, as blocks are aligned to pages. Kernel and process access it
        // as one word only.
        unsafe { AtomicU32::from_ptr(word.cast()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody can hold a reference into it any more. That it can not fail is by design:
        // start and length are those of mmap.
        let _unmapped = unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_bytes * self.blocks) };
    }
}
