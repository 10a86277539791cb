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

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// What it leads to is meant.
    Follow,
    /// The link itself is meant.
    Keep,
}

/// How whatever belongs to the target is found: it is named and not opened (`O_PATH`), so that neither a device
/// nor whoever waits at a FIFO notices, and never outside the root given. In the order of [`LastLink`].
static TO_FIND: [OpenHow; 2] = [finding(0), finding(libc::O_NOFOLLOW)];

const fn finding(more: libc::c_int) -> OpenHow {
    OpenHow {
        flags: (libc::O_PATH | libc::O_CLOEXEC | more).unsigned_abs() as u64,
        mode: 0,
        resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS,
    }
}

/// Address of the copy of [`TO_FIND`] that nothing can change any more.
static FIXED: OnceLock<usize> = OnceLock::new();

/// Where the page is asked for. The kernel moves it up to its `vm.mmap_min_addr`.
const LOW: usize = 0x1_0000;
/// No program and no mapping of the kernel's own choice lies lower than this.
const LOWEST_PROGRAM: usize = 0x20_0000;

/// Puts the only `open_how`s that this process will ever use on a read-only page below everything else, and
/// returns their addresses; the first is that of the page.
///
/// A system call filter can not look into the structures, but it can insist on their addresses, and refuse to
/// change a mapping that begins at or below the page.
///
/// # Errors
///
/// If the kernel gives no such page.
pub fn fix_open_how() -> io::Result<[u64; 2]> {
    let addresses = |page: usize| [page as u64, (page + size_of::<OpenHow>()) as u64];
    if let Some(&page) = FIXED.get() {
        return Ok(addresses(page));
    }
    let length = size_of_val(&TO_FIND);
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
    // SAFETY: the mapping is ours, writable, aligned to a page and at least as long as the structures.
    unsafe { page.cast::<[OpenHow; 2]>().copy_from_nonoverlapping(&raw const TO_FIND, 1) };
    // SAFETY: nobody holds a reference into the page, and nobody will write to it again.
    if unsafe { libc::mprotect(page, length, libc::PROT_READ) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(addresses(*FIXED.get_or_init(|| page.expose_provenance())))
}

/// Finds `path` below the directory `root`, without opening what is there. The whole path is resolved within
/// `root`: no symbolic link leads out of it, no magic link is followed. See openat2(2).
///
/// # Errors
///
/// `ENOSYS` before Linux 5.6, and whatever finding can fail with.
pub fn find_below(root: BorrowedFd<'_>, path: &CStr, last_link: LastLink) -> nix::Result<OwnedFd> {
    let hows: *const OpenHow =
        FIXED.get().map_or(TO_FIND.as_ptr(), |&page| ptr::with_exposed_provenance(page));
    let how = match last_link {
        LastLink::Follow => hows,
        LastLink::Keep => hows.wrapping_add(1),
    };
    let length = size_of::<OpenHow>();
    // SAFETY: the path ends in zero, `how` is a live structure of that length, and the kernel only reads them.
    let result = unsafe { libc::syscall(libc::SYS_openat2, root.as_raw_fd(), path.as_ptr(), how, length) };
    let descriptor = RawFd::try_from(Errno::result(result)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// `struct statx`, as far as it is used, see statx(2).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Statx {
    pub(crate) mask: u32,
    pub(crate) block_bytes: u32,
    pub(crate) attributes: u64,
    pub(crate) links: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u16,
    _spare: u16,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) blocks: u64,
    pub(crate) attributes_mask: u64,
    /// Accessed, created, changed, modified.
    pub(crate) times: [StatxTime; 4],
    pub(crate) special_major: u32,
    pub(crate) special_minor: u32,
    pub(crate) device_major: u32,
    pub(crate) device_minor: u32,
    pub(crate) mount_id: u64,
    _rest: [u64; 13],
}

/// `struct statx_timestamp`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StatxTime {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
    _spare: i32,
}

const _: () = assert!(size_of::<Statx>() == 256);

/// The status of `name` in the directory `at`, found with these flags. Nothing is mounted because of it.
pub(crate) fn statx(
    at: BorrowedFd<'_>,
    name: &CStr,
    flags: libc::c_int,
    wanted: libc::c_uint,
) -> nix::Result<Statx> {
    let flags = flags | libc::AT_NO_AUTOMOUNT;
    let mut status = Statx::default();
    // SAFETY: the name ends in zero, and the kernel writes one structure of this layout.
    let result = unsafe {
        libc::syscall(libc::SYS_statx, at.as_raw_fd(), name.as_ptr(), flags, wanted, &raw mut status)
    };
    Errno::result(result).map(|_| status)
}

/// Forbids that packets of a socket are divided on the way, whatever is known of the way: `IP_PMTUDISC_PROBE` of ip(7).
///
/// # Errors
///
/// Whatever setsockopt(2) can fail with.
pub fn never_fragment(socket: BorrowedFd<'_>, is_v6: bool) -> nix::Result<()> {
    let (level, name, how) = match is_v6 {
        false => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        true => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE),
    };
    let length = libc::socklen_t::try_from(size_of_val(&how)).unwrap_or_default();
    // SAFETY: the kernel reads one integer, which lives.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const how).cast(), length) };
    Errno::result(result).map(drop)
}

/// What the kernel knows of a TCP connection, as `struct tcp_info`: `TCP_INFO` of tcp(7). Fills `buffer` as far as it goes,
/// and returns how much that is.
///
/// # Errors
///
/// Whatever getsockopt(2) can fail with.
pub fn tcp_info(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    let mut length = libc::socklen_t::try_from(buffer.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the kernel writes no more than `length` bytes, which the buffer has, and then says how many they are.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| length as usize)
}

/// Fills `buffer` with the next entries of a directory that is open for reading: getdents64(2). 0: there are no
/// more.
pub(crate) fn read_entries(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let result = unsafe {
        libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len())
    };
    Errno::result(result).map(|length| usize::try_from(length).unwrap_or_default())
}

/// Reads an extended attribute of an open file. Returns its length: fgetxattr(2).
pub(crate) fn read_attribute(file: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the name ends in zero, and the kernel writes at most as many bytes as the buffer has.
    let result =
        unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    Errno::result(result).map(|length| usize::try_from(length).unwrap_or_default())
}
