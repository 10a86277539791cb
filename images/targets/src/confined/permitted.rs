//! What an agent must be able to do: the controls beside the attempts.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dbgctl_linux::procfs::pids;
use dbgctl_linux::{Buffer, LastLink, Pid, ProcName, ReadError, Root};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{self, getpid};

use crate::tempting::PORT;

/// The target's init, in a PID namespace of the target's own.
const INIT: Pid = Pid(1);

/// Each, under the name it is reported by.
pub(super) fn all() -> Vec<(&'static str, nix::Result<()>)> {
    vec![
        ("read stat", read_proc("stat")),
        ("read smaps_rollup", read_proc("smaps_rollup")),
        ("read a file of the target", read_file("/open/everyones")),
        ("list a directory of the target", list_directory("/open")),
        ("list processes", list_processes()),
        ("connect by TCP", connect()),
        ("start a thread", thread::Builder::new().spawn(|| ()).map(drop).map_err(|error| errno(&error))),
        ("signal itself", kill(getpid(), None)),
        ("make a pipe", unistd::pipe().map(|_: (OwnedFd, OwnedFd)| ())),
    ]
}

fn read_proc(file: &'static str) -> nix::Result<()> {
    let mut buffer = Buffer::default();
    let content = root()?.read(&ProcName::of(INIT, file), 4096, &mut buffer);
    some(content.map_err(|error| read_errno(&error))?.bytes.len())
}

fn read_file(path: &str) -> nix::Result<()> {
    let mut buffer = Buffer::default();
    let file = root()?.open_in(INIT, Path::new(path)).map_err(|error| read_errno(&error))?;
    some(file.read(4096, &mut buffer).map_err(|error| read_errno(&error))?.len())
}

fn list_directory(path: &str) -> nix::Result<()> {
    let root = root()?;
    let target = root.target(INIT).map_err(|error| read_errno(&error))?;
    let found = target.find(Path::new(path), LastLink::Keep).map_err(|error| read_errno(&error))?;
    let mut directory = found.directory().map_err(|error| read_errno(&error))?;
    some(usize::from(directory.next_entry().map_err(|error| read_errno(&error))?.is_some()))
}

fn list_processes() -> nix::Result<()> {
    some(pids::processes(&root()?).map_err(|error| read_errno(&error))?.len())
}

fn some(length: usize) -> nix::Result<()> {
    if length == 0 { Err(Errno::ENODATA) } else { Ok(()) }
}

fn connect() -> nix::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    TcpStream::connect_timeout(&address, Duration::from_secs(5)).map(drop).map_err(|error| errno(&error))
}

fn root() -> nix::Result<Root> {
    Root::live().map_err(|error| read_errno(&error))
}

fn read_errno(error: &ReadError) -> Errno {
    match error {
        ReadError::Io { source, .. } => errno(source),
        _ => Errno::EBADMSG,
    }
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
