//! The few system calls that no library wraps: the only file that may hold `unsafe`.
#![expect(
    unsafe_code,
    reason = "these calls have no wrapper in nix, or one that allocates; openat2(2) is given a page of its own"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;

use crate::capability::CapabilitySet;

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Makes `set` the calling thread's permitted and effective capabilities, and its inheritable set empty.
/// The ambient set follows the inheritable one and is empty afterwards too. See capset(2).
///
/// # Errors
///
/// EPERM if `set` holds what is not permitted now.
pub fn set_capabilities(set: CapabilitySet) -> nix::Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |bits: u64| {
        let bits = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        Half { effective: bits, permitted: bits, inheritable: 0 }
    };
    let halves = [half(set.bits()), half(set.bits() >> 32)];
    // SAFETY: both pointers are to live values of the layout that version 3 of the call asks for: one
    // header and an array of two halves. The kernel only reads them.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Reads the link `name` in `directory` into `buffer`, and returns how many bytes it is long, or `buffer` is.
///
/// # Errors
///
/// Whatever readlinkat(2) can fail with.
pub(crate) fn read_link(directory: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the name ends in zero, and the kernel writes no more than the length of the buffer.
    let result = unsafe {
        libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
    };
    usize::try_from(Errno::result(result)?).map_err(|_| Errno::EINVAL)
}

/// What statx(2) tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// Type and permissions.
    pub mode: u32,
    /// Names of the file.
    pub links: u64,
    /// Number within its device.
    pub inode: u64,
    /// Length.
    pub size_bytes: u64,
    /// Storage that it takes.
    pub allocated_bytes: u64,
    /// Major and minor number of the device that it lives on.
    pub device: (u32, u32),
    /// Major and minor number of the device that it stands for.
    pub special: (u32, u32),
}

/// The status of the file that `name` in `directory` leads to, as far as this machine knows it: a server is not asked.
///
/// # Errors
///
/// Whatever statx(2) can fail with.
pub(crate) fn file_status(directory: BorrowedFd<'_>, name: &CStr) -> nix::Result<FileStatus> {
    let mut status = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let (directory, flags) = (directory.as_raw_fd(), libc::AT_STATX_DONT_SYNC);
    // SAFETY: the name ends in zero, and the kernel writes one structure of this layout.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            directory,
            name.as_ptr(),
            flags,
            libc::STATX_BASIC_STATS,
            status.as_mut_ptr(),
        )
    };
    Errno::result(result)?;
    // SAFETY: all bytes were zero before the kernel wrote some, and any bytes make a structure of integers.
    let status = unsafe { status.assume_init() };
    Ok(FileStatus {
        mode: status.stx_mode.into(),
        links: status.stx_nlink.into(),
        inode: status.stx_ino,
        size_bytes: status.stx_size,
        allocated_bytes: status.stx_blocks.saturating_mul(512),
        device: (status.stx_dev_major, status.stx_dev_minor),
        special: (status.stx_rdev_major, status.stx_rdev_minor),
    })
}

/// Whether a system call filter refuses to open files by handle to this thread.
///
/// Asked with CAP_DAC_READ_SEARCH in hand: then the kernel itself has no other reason for `EPERM`, and without a
/// filter it complains of the arguments, which name no file. See open_by_handle_at(2).
pub fn handles_are_refused() -> bool {
    // SAFETY: the kernel refuses a null pointer and a descriptor that is none; no memory of ours is touched.
    let result = unsafe { libc::syscall(libc::SYS_open_by_handle_at, -1, ptr::null_mut::<u8>(), 0) };
    Errno::result(result) == Err(Errno::EPERM)
}

/// `struct open_how`, see openat2(2).
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// How every file of the target is opened: for reading, without waiting, and never outside the root given.
static TO_READ: OpenHow = OpenHow {
    flags: (libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC).unsigned_abs() as u64,
    mode: 0,
    resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS,
};

/// Address of the copy of [`TO_READ`] that nothing can change any more.
static FIXED: OnceLock<usize> = OnceLock::new();

/// Where the page is asked for. The kernel moves it up to its `vm.mmap_min_addr`.
const LOW: usize = 0x1_0000;
/// No program and no mapping of the kernel's own choice lies lower than this.
const LOWEST_PROGRAM: usize = 0x20_0000;

/// Puts the one `open_how` that this process will ever use on a read-only page below everything else, and
/// returns its address.
///
/// A system call filter can not look into the structure, but it can insist on this address, and refuse to
/// change a mapping that begins at or below it.
///
/// # Errors
///
/// If the kernel gives no such page.
pub fn fix_open_how() -> io::Result<u64> {
    if let Some(&address) = FIXED.get() {
        return Ok(address as u64);
    }
    let length = size_of::<OpenHow>();
    let hint = ptr::without_provenance_mut(LOW);
    let (writable, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
    let page = unsafe { libc::mmap(hint, length, writable, private, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if page.addr() >= LOWEST_PROGRAM {
        return Err(io::Error::other("the kernel gave no page below the program"));
    }
    // SAFETY: the mapping is ours, writable, aligned to a page and at least as long as the structure.
    unsafe { page.cast::<OpenHow>().copy_from_nonoverlapping(&raw const TO_READ, 1) };
    // SAFETY: nobody holds a reference into the page, and nobody will write to it again.
    if unsafe { libc::mprotect(page, length, libc::PROT_READ) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(*FIXED.get_or_init(|| page.expose_provenance()) as u64)
}

/// Opens `path` below the directory `root` for reading. The whole path is resolved within `root`: no symbolic
/// link leads out of it, no magic link is followed. See openat2(2).
///
/// # Errors
///
/// `ENOSYS` before Linux 5.6, and whatever opening can fail with.
pub fn open_below(root: BorrowedFd<'_>, path: &CStr) -> nix::Result<OwnedFd> {
    let how = FIXED.get().map_or(&raw const TO_READ, |&address| ptr::with_exposed_provenance(address));
    let length = size_of::<OpenHow>();
    // SAFETY: the path ends in zero, `how` is a live structure of that length, and the kernel only reads them.
    let result = unsafe { libc::syscall(libc::SYS_openat2, root.as_raw_fd(), path.as_ptr(), how, length) };
    let descriptor = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
