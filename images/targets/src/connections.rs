//! `connections N [--processes P]`: N TCP sockets that are connected in pairs, spread over P children, for measuring how an
//! answer scales.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::getpid;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{child, sleep_forever};

/// Makes the children, waits until each has its sockets, and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let count: usize = arguments.required("N")?;
    let processes: usize = arguments.option("--processes")?.unwrap_or(9).max(1);
    for nth in 0..processes {
        let pairs = (count / 2 + nth) / processes;
        let pid = child(format!("connected-{nth}"), || connect(pairs))?;
        // It stops itself when it is done.
        match waitpid(pid, Some(WaitPidFlag::WUNTRACED))? {
            WaitStatus::Stopped(..) => kill(pid, Signal::SIGCONT)?,
            ended => return Err(format!("a child that connects: {ended:?}").into()),
        }
    }
    println!("ready with {count} in {processes} processes");
    sleep_forever()
}

fn connect(pairs: usize) -> Result {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let mut kept = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        let client = TcpStream::connect(address)?;
        kept.push((client, listener.accept()?));
    }
    kill(getpid(), Signal::SIGSTOP)?;
    sleep_forever()
}
