//! What the subcommands share: named children, waiting for ever, and reading about other processes.

use std::ffi::CString;
use std::fs;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, pause};

use crate::{Result, sys};

/// The name a process shows in `/proc/<pid>/comm`; the kernel keeps the first 15 bytes.
pub(crate) fn set_name(name: impl Into<Vec<u8>>) -> Result {
    Ok(prctl::set_name(&CString::new(name)?)?)
}

/// A child that dies with its parent, is called `name`, and runs `run`.
pub(crate) fn child(name: impl Into<Vec<u8>>, run: impl FnOnce() -> Result) -> Result<Pid> {
    sys::fork_child(|| {
        let result = prctl::set_pdeathsig(Signal::SIGKILL)
            .map_err(Into::into)
            .and_then(|()| set_name(name))
            .and_then(|()| run());
        match result {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("target-program: {error}");
                1
            }
        }
    })
}

/// A child that does nothing until it is killed.
pub(crate) fn idle_child(name: impl Into<Vec<u8>>) -> Result<Pid> {
    child(name, || sleep_forever())
}

/// Sleeps until a signal ends the process.
pub(crate) fn sleep_forever() -> ! {
    loop {
        pause();
    }
}

/// The pids that `/proc` lists now.
pub(crate) fn pids() -> Result<Vec<Pid>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        if let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
            pids.push(Pid::from_raw(pid));
        }
    }
    Ok(pids)
}

/// The command line with spaces between the arguments; empty if the process is gone.
pub(crate) fn cmdline(pid: Pid) -> String {
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments = cmdline.strip_suffix(b"\0").unwrap_or(&cmdline);
    String::from_utf8_lossy(arguments).replace('\0', " ")
}
