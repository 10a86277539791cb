//! The few system calls that no library wraps: the only file that may hold `unsafe`.
#![expect(unsafe_code, reason = "capset(2) has no wrapper in nix")]

use std::io;

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
pub fn set_capabilities(set: CapabilitySet) -> io::Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |bits: u64| {
        let bits = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        Half { effective: bits, permitted: bits, inheritable: 0 }
    };
    let halves = [half(set.bits()), half(set.bits() >> 32)];
    // SAFETY: both pointers are to live values of the layout that version 3 of the call asks for: one
    // header and an array of two halves. The kernel only reads them.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
