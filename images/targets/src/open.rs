//! `open`: one process that has one of everything open, and prints which descriptor is what.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::{getpid, mkfifo, pipe};
use serde_json::json;

use crate::process::sleep_forever;
use crate::{Result, sys};

/// Where the files lie.
const DIRECTORY: &str = "/files";
/// A file name that attacks whoever prints it: a newline, an escape code, a character that reverses the rest.
const HOSTILE: &[u8] = b"/files/a\n1 root\x1b[31m\xe2\x80\xae\xff";
/// Of the deleted file.
const DELETED_BYTES: usize = 5 << 20;

/// Opens everything and sleeps.
pub(crate) fn run() -> Result<ExitCode> {
    fs::create_dir_all(DIRECTORY)?;
    let mut kept = Kept::default();

    let mut deleted = File::create_new("/files/deleted.log")?;
    deleted.write_all(&vec![7; DELETED_BYTES])?;
    fs::remove_file("/files/deleted.log")?;
    kept.keep("deleted", deleted);
    kept.keep("named so", File::create_new("/files/kept (deleted)")?);
    kept.keep("hostile", File::create_new(std::ffi::OsStr::from_bytes(HOSTILE))?);

    let mut appended = OpenOptions::new().append(true).create_new(true).open("/files/appended")?;
    appended.write_all(b"0123456789")?;
    kept.keep("appended", appended);
    let mut positioned = File::open("/files/appended")?;
    positioned.seek(SeekFrom::Start(4))?;
    kept.keep("positioned", positioned);
    let locked = File::create_new("/files/locked")?;
    let locked = Flock::lock(locked, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    kept.numbers.insert("locked", locked.as_raw_fd());
    std::mem::forget(locked);

    kept.keep("directory", File::open(DIRECTORY)?);
    kept.keep("device", File::open("/dev/zero")?);
    mkfifo("/files/fifo", Mode::S_IRUSR | Mode::S_IWUSR)?;
    let fifo = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open("/files/fifo")?;
    kept.keep("fifo", fifo);
    kept.keep("path only", open(DIRECTORY, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?);

    let (reader, writer) = pipe()?;
    let (one, other) = UnixStream::pair()?;
    let eventfd = EventFd::from_value_and_flags(42, EfdFlags::EFD_CLOEXEC)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&reader, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
    epoll.add(&one, EpollEvent::new(EpollFlags::EPOLLIN, 2))?;
    epoll.add(&eventfd, EpollEvent::new(EpollFlags::EPOLLPRI, 3))?;
    kept.keep("pipe reader", reader);
    kept.keep("pipe writer", writer);
    kept.keep("unix pair", one);
    kept.keep("unix pair's other", other);
    kept.keep("eventfd", eventfd);
    kept.keep("epoll", epoll.0);

    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    for path in [DIRECTORY, "/"] {
        inotify.add_watch(path, AddWatchFlags::IN_CREATE)?;
    }
    kept.keep("inotify", inotify);
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
    let (hour, minute) = (Duration::from_secs(3600).into(), Duration::from_secs(60).into());
    timer.set(Expiration::IntervalDelayed(hour, minute), TimerSetTimeFlags::empty())?;
    kept.keep("timerfd", timer);
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGUSR1);
    kept.keep("signalfd", SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?);
    kept.keep("pidfd", sys::pidfd_open(getpid())?);
    let mut memory = File::from(memfd_create(c"scratch", MFdFlags::MFD_CLOEXEC)?);
    memory.write_all(&[7; 10_000])?;
    kept.keep("memfd", memory);
    kept.keep("namespace", File::open("/proc/self/ns/net")?);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080))?;
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, 8080))?;
    let (server, _) = listener.accept()?;
    kept.keep("tcp listener", listener);
    kept.keep("tcp client", client);
    kept.keep("tcp server", server);
    kept.keep("udp", UdpSocket::bind((Ipv4Addr::LOCALHOST, 5353))?);
    kept.keep("unix listener", UnixListener::bind("/files/so cket")?);

    println!("{}", json!({ "ready": kept.numbers }));
    sleep_forever()
}

/// What stays open, and its number.
#[derive(Default)]
struct Kept {
    numbers: BTreeMap<&'static str, i32>,
    descriptors: Vec<OwnedFd>,
}

impl Kept {
    fn keep(&mut self, what: &'static str, descriptor: impl Into<OwnedFd>) {
        let descriptor = descriptor.into();
        self.numbers.insert(what, descriptor.as_raw_fd());
        self.descriptors.push(descriptor);
    }
}
