//! The system calls that have no safe wrapper. The only file that holds `unsafe`.
#![expect(
    unsafe_code,
    reason = "fork, signal handlers, mappings, pidfd_getfd and forbidden calls have no safe wrapper"
)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, fork};

use crate::Result;

/// Ends this process with 0 on SIGTERM and SIGINT. PID 1 ignores both unless it has a handler.
pub(crate) fn exit_on_termination() -> Result {
    extern "C" fn exit(_signal: libc::c_int) {
        // SAFETY: `_exit` is async-signal-safe and does not return.
        unsafe { libc::_exit(0) }
    }
    let action = SigAction::new(SigHandler::Handler(exit), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler calls nothing but `_exit`.
        unsafe { sigaction(signal, &action)? };
    }
    Ok(())
}

/// Makes a child that runs `child` and exits with the code it returns. Gives its pid to the parent.
///
/// Only for a process with one thread: what other threads hold locked would stay locked in the child.
pub(crate) fn fork_child(child: impl FnOnce() -> i32) -> Result<Pid> {
    // SAFETY: this program forks only while it has a single thread, so that the child may do anything.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let code = child();
            // SAFETY: `_exit` has no precondition. Handlers of the parent are not run twice.
            unsafe { libc::_exit(code) }
        }
    }
}

/// The same, but the parent sleeps until the child has ended, and no signal wakes it: see `CLONE_VFORK` in clone(2).
pub(crate) fn fork_child_uninterruptibly(child: impl FnOnce() -> i32) -> Result {
    let flags = libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: without `CLONE_VM` the child has a memory of its own: as in `fork_child`.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        0 => {
            let code = child();
            // SAFETY: `_exit` has no precondition. Handlers of the parent are not run twice.
            unsafe { libc::_exit(code) }
        }
        result => Ok(Errno::result(result).map(drop)?),
    }
}

/// A descriptor for a process, see pidfd_open(2).
pub(crate) fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    owned(fd)
}

/// A copy of descriptor `number` of another process, see pidfd_getfd(2).
pub(crate) fn pidfd_getfd(pidfd: &OwnedFd, number: i32) -> nix::Result<OwnedFd> {
    // SAFETY: takes three integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
    owned(fd)
}

/// A socket of any kind, see socket(2).
pub(crate) fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> nix::Result<OwnedFd> {
    // SAFETY: takes three integers and touches no memory of ours.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    owned(fd.into())
}

/// Any system call, to see whether it is refused. What it makes is not cleaned up; a child ends at once.
///
/// Arguments are numbers, or addresses of values that outlive the call; what the kernel writes to is exposed.
pub(crate) fn call(number: libc::c_long, arguments: &[usize]) -> nix::Result<()> {
    let argument = |index| arguments.get(index).copied().unwrap_or_default();
    // SAFETY: the only caller is `confined`. It passes addresses of constants, and makes the calls that could
    // break this process only where the filter refuses them. Its last act is to print what came of it.
    let result = unsafe {
        libc::syscall(number, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5))
    };
    let makes_processes = number == libc::SYS_clone;
    if makes_processes && result == 0 {
        // SAFETY: `_exit` has no precondition.
        unsafe { libc::_exit(0) }
    }
    Errno::result(result).map(drop)
}

/// Gives each of two files the name of the other, at once: renameat2(2), which nix does not wrap for musl.
pub(crate) fn exchange(one: &CStr, other: &CStr) -> nix::Result<()> {
    const RENAME_EXCHANGE: libc::c_uint = 2;
    // SAFETY: both paths end in zero, and the kernel only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            RENAME_EXCHANGE,
        )
    };
    Errno::result(result).map(drop)
}

/// Sets an extended attribute of a file, see setxattr(2).
pub(crate) fn set_attribute(path: &CStr, name: &CStr, value: &[u8]) -> nix::Result<()> {
    // SAFETY: both names end in zero, and the kernel reads as many bytes as the value has.
    let result =
        unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    Errno::result(result).map(drop)
}

fn owned(fd: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// New memory in pages of the smallest size, however much it is, for as long as the process lives.
pub(crate) fn small_pages(bytes: usize) -> nix::Result<&'static mut [u8]> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory that is in use.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: the mapping is ours and that long. The advice only says how it is backed.
    unsafe { libc::madvise(memory, bytes, libc::MADV_NOHUGEPAGE) };
    // SAFETY: zeroed memory of that length, which nobody else knows and nobody unmaps.
    Ok(unsafe { std::slice::from_raw_parts_mut(memory.cast(), bytes) })
}

/// Maps new memory, writes to each page of it, and gives it back.
pub(crate) fn map_touch_unmap(bytes: usize, page_bytes: usize) -> nix::Result<()> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: as above.
    let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    for offset in (0..bytes).step_by(page_bytes) {
        // SAFETY: within the mapping.
        unsafe { memory.cast::<u8>().add(offset).write_volatile(1) };
    }
    // SAFETY: the mapping made above, of which nothing is kept.
    Errno::result(unsafe { libc::munmap(memory, bytes) }).map(drop)
}
