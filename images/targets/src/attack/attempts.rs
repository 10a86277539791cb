//! The ways into another process that `attack` tries. `Ok` means that the way was open.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::ptrace;
use nix::sys::stat::Mode;
use nix::sys::uio::{RemoteIoVec, pread, process_vm_readv};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, read};

use crate::sys;

/// A process with its directory in `/proc` held open.
pub(super) struct Opened {
    pub(super) pid: Pid,
    pub(super) directory: OwnedFd,
}

impl Opened {
    /// Whether the process is still there.
    pub(super) fn exists(&self) -> bool {
        self.open("stat", OFlag::O_RDONLY).is_ok()
    }

    fn open(&self, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        openat(&self.directory, name, flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())
    }
}

type Attempt = fn(&Opened) -> nix::Result<()>;

/// Every attempt, under the name it is reported by.
pub(super) const ATTEMPTS: &[(&str, Attempt)] = &[
    ("mem", |process| {
        let memory = process.open("mem", OFlag::O_RDWR)?;
        match pread(&memory, &mut [0], UNMAPPED) {
            // A process without memory, on its way out, opens to everybody and has nothing to read.
            Ok(0) => Err(Errno::ESRCH),
            Ok(_) | Err(Errno::EIO) => Ok(()),
            Err(errno) => Err(errno),
        }
    }),
    ("environ", |process| process.open("environ", OFlag::O_RDONLY).and_then(something_to_read)),
    ("maps", |process| process.open("maps", OFlag::O_RDONLY).and_then(something_to_read)),
    ("root", |process| process.open("root", OFlag::O_DIRECTORY).map(drop)),
    ("fd/0", |process| process.open("fd/0", OFlag::O_RDWR).map(drop)),
    ("fd/1", |process| process.open("fd/1", OFlag::O_RDWR).map(drop)),
    ("fd/2", |process| process.open("fd/2", OFlag::O_RDWR).map(drop)),
    ("exe", |process| process.open("exe", OFlag::O_RDONLY).map(drop)),
    ("ptrace", seize),
    ("process_vm_readv", |process| {
        let mut byte = [0];
        let local = &mut [std::io::IoSliceMut::new(&mut byte)];
        let remote = &[RemoteIoVec { base: usize::try_from(UNMAPPED).unwrap_or_default(), len: 1 }];
        match process_vm_readv(process.pid, local, remote) {
            // Permission is checked before the address.
            Ok(_) | Err(Errno::EFAULT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }),
    ("pidfd_getfd", |process| sys::pidfd_getfd(&sys::pidfd_open(process.pid)?, 0).map(drop)),
];

/// An address below everything the kernel maps: what counts is whether reading it would have been allowed.
const UNMAPPED: libc::off_t = 0x1000;

fn something_to_read(file: OwnedFd) -> nix::Result<()> {
    if read(&file, &mut [0])? == 0 { Err(Errno::ESRCH) } else { Ok(()) }
}

/// Attaches and lets go again at once, so that the other attempts find the process running.
fn seize(process: &Opened) -> nix::Result<()> {
    ptrace::seize(process.pid, ptrace::Options::empty())?;
    // Only a stopped process can be let go. If it dies meanwhile, that is as good.
    let _ = ptrace::interrupt(process.pid)
        .and_then(|()| waitpid(process.pid, Some(WaitPidFlag::__WALL)))
        .and_then(|_| ptrace::detach(process.pid, None));
    Ok(())
}
