//! `blocked`: threads that wait in known system calls, each named after what it waits for.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::wait::waitpid;
use nix::unistd::pipe;

use crate::Result;
use crate::process::{idle_child, sleep_forever};

/// How many threads wait for the same.
const WAITERS: usize = 5;

/// Starts the threads and sleeps.
pub(crate) fn run() -> Result<ExitCode> {
    // While there is a single thread.
    let child = idle_child("idle")?;
    let (reader, _writer) = pipe()?;
    let other_reader = reader.try_clone()?;
    let polled = reader.try_clone()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080))?;
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080))?;
    let (_server, _) = listener.accept()?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 5353))?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&other_reader, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
    let never = Arc::new((Mutex::new(()), Condvar::new()));

    start("read-pipe", move || _ = nix::unistd::read(&reader, &mut [0; 512]))?;
    start("read-tcp", move || _ = client.read(&mut [0; 256]))?;
    start("receive-udp", move || _ = udp.recv_from(&mut [0; 128]))?;
    start("accept-tcp", move || _ = listener.accept())?;
    start("epoll", move || _ = epoll.wait(&mut [EpollEvent::empty(); 8], EpollTimeout::NONE))?;
    start("poll", move || {
        let mut descriptors = [PollFd::new(polled.as_fd(), PollFlags::POLLIN)];
        let _ended = poll(&mut descriptors, PollTimeout::NONE);
    })?;
    start("wait", move || _ = waitpid(child, None))?;
    start("sleep", || thread::sleep(Duration::from_secs(100_000)))?;
    for _ in 0..WAITERS {
        let never = Arc::clone(&never);
        start("futex", move || {
            let guard = never.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(never.1.wait(guard));
        })?;
    }
    println!("ready");
    sleep_forever()
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result {
    thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(())
}
