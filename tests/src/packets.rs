//! Packets that tests send, and what others say of the files that dbgctl writes.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::signal::Signal;

use crate::network::Network;
use crate::running::Running;
use crate::{Ran, Target, dbgctl_command, run, skipped};

/// Stands in each payload, before the number of the packet.
pub const MARKER: &str = "MARKER-";

/// Sends so many packets with UDP from the target's loopback interface to itself, each after the one before was received, so
/// that all were seen by whoever hears that interface. They are numbered from 0, and `bytes` long.
pub fn send(target: &Target, packets: u32, bytes: usize) {
    Network::of(target).inside(|| {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        for number in 0..packets {
            let mut payload = payload(number).into_bytes();
            payload.resize(bytes.max(payload.len()), b'.');
            carry(&sender, &receiver, &payload);
        }
    });
}

/// Sends, and waits until it was received. A kernel that has too much to do drops what is sent on the loopback interface
/// before anyone sees it: then it is sent again.
pub fn carry(sender: &UdpSocket, receiver: &UdpSocket, bytes: &[u8]) {
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..10 {
        sender.send(bytes).unwrap();
        if receiver.recv(&mut [0; 2000]).is_ok() {
            return;
        }
    }
    panic!("nothing comes through");
}

/// What the packet of that number begins with.
fn payload(number: u32) -> String {
    format!("{MARKER}{number:08}")
}

/// `dbgctl capture`, allowed, which captures already.
#[track_caller]
pub fn capture(target: &Target, options: &[&str]) -> Running {
    let arguments = [&["capture", &target.name, "--allow", "capture"], options].concat();
    let running = Running::start(&mut dbgctl_command(&arguments));
    running.expect_talk("capturing on");
    running
}

/// Ends it as its user does, and waits for that.
#[track_caller]
pub fn interrupt(running: Running) -> Ran {
    running.signal(Signal::SIGINT);
    running.finish()
}

/// The numbers of the packets in a file, as tcpdump(8) reads it. `None`, which is said, where there is none.
#[track_caller]
pub fn numbers(file: &Path) -> Option<Vec<u32>> {
    let text = tcpdump(file, &["-A"])?;
    let numbers = text.match_indices(MARKER).map(|(at, _)| {
        let digits = &text[at + MARKER.len()..];
        digits.get(..8).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{digits}"))
    });
    Some(numbers.collect())
}

/// What tcpdump says of a file. It must not complain.
#[track_caller]
pub fn tcpdump(file: &Path, options: &[&str]) -> Option<String> {
    let ran = ask("tcpdump", &[&["-nn", "-r", file.to_str().unwrap()], options].concat())?.expect(0);
    let complaints: Vec<_> = ran.stderr().lines().map(str::to_owned).collect();
    let is_usual =
        |line: &String| line.starts_with("reading from file") || line.starts_with("Warning: interface names");
    assert!(complaints.iter().all(is_usual), "{ran:?}");
    Some(ran.stdout())
}

/// What tshark(1) and its kind say. They must not complain, but of being root.
#[track_caller]
pub fn wireshark(program: &str, arguments: &[&str]) -> Option<String> {
    let ran = ask(program, arguments)?.expect(0);
    let complains = ran.stderr().lines().any(|line| !line.is_empty() && !line.starts_with("Running as user"));
    assert!(!complains, "{ran:?}");
    Some(ran.stdout())
}

fn ask(program: &str, arguments: &[&str]) -> Option<Ran> {
    let has = |program: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(program).exists())
    };
    if !has(program) {
        skipped(&format!("no {program} on this machine: `cargo xtask bootstrap`"));
        return None;
    }
    Some(run(Command::new(program).args(arguments)))
}

/// A figure of the closing sentence, `N packets, M dropped by the kernel`: 0 if it is not there.
pub fn figure(ran: &Ran, what: &str) -> u64 {
    let talk = ran.stderr();
    let words: Vec<_> = talk.lines().last().unwrap_or_default().split([' ', ',', ':']).collect();
    let what: Vec<_> = what.split(' ').collect();
    let found = words.windows(what.len() + 1).find(|window| window[1..] == what[..]);
    found.map_or(0, |window| window[0].parse().unwrap())
}

/// A pipe that nobody reads before it is asked for.
pub struct Unread(File);

impl Unread {
    /// Makes it, with that name.
    #[track_caller]
    pub fn make(path: &Path) -> Self {
        run(Command::new("mkfifo").arg(path)).expect(0);
        // To open it for reading waits for a writer otherwise.
        let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path).unwrap();
        Self(file)
    }

    /// Reads all of it into a file, on a thread of its own.
    pub fn read_into(mut self, path: &Path) -> JoinHandle<()> {
        let path = path.to_owned();
        thread::spawn(move || {
            let mut file = File::create(path).unwrap();
            let mut buffer = [0; 1 << 16];
            loop {
                match self.0.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => file.write_all(&buffer[..length]).unwrap(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }
}
