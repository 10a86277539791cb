//! Servers of names in a container's network, real ones and such as no package has, and what goes to them on the wire.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};

use crate::running::Running;
use crate::{Target, host, tree};

/// The port of the DNS.
pub const PORT: u16 = 53;

/// Runs `make` in the network namespace of a process, and returns what it makes: sockets stay where they were made.
pub fn in_network<T: Send>(host_pid: u32, make: impl FnOnce() -> T + Send) -> T {
    let namespace = fs::File::open(format!("/proc/{host_pid}/ns/net")).unwrap();
    thread::scope(|scope| {
        let made = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            make()
        });
        made.join().unwrap()
    })
}

/// The first process of a container, as its host sees it.
pub fn first_process(target: &Target) -> u32 {
    host::processes_of(&target.id)[0].host_pid
}

/// A real server: dnsmasq in a container's network. `None`: it is not installed.
pub fn dnsmasq(host_pid: u32, address: &str, options: &[&str]) -> Option<Running> {
    if !Command::new("dnsmasq").arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        return None;
    }
    let net = format!("--net=/proc/{host_pid}/ns/net");
    let listen = format!("--listen-address={address}");
    let mut command = Command::new("nsenter");
    command.args([&net, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--user=root", "--pid-file"]);
    command.args(["--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces", &listen]);
    command.args(options);
    let server = Running::start(&mut command);
    server.expect_talk("started");
    Some(server)
}

/// What a hand-made server says to a question. Nothing: it stays silent.
pub type Script = fn(&[u8]) -> Vec<Vec<u8>>;

/// A server that does what no real one is made to do. It ends when it goes out of scope.
pub struct Scripted {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Answers by UDP, each question with as many packets as `script` says.
    pub fn udp(host_pid: u32, address: &str, script: Script) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let socket = in_network(host_pid, || UdpSocket::bind((address, PORT)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self::start(move || {
            let mut question = [0; 2048];
            if let Ok((count, client)) = socket.recv_from(&mut question) {
                for answer in script(&question[..count]) {
                    // A client that has gone does not matter.
                    let _ = socket.send_to(&answer, client);
                }
            }
        })
    }

    /// Answers by TCP with the bytes that `script` says, as they are, and byte for byte if `drips`.
    pub fn tcp(host_pid: u32, address: &str, script: Script, drips: bool) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let listener = in_network(host_pid, || TcpListener::bind((address, PORT)).unwrap());
        listener.set_nonblocking(true).unwrap();
        Self::start(move || {
            let Ok((mut stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(10));
                return;
            };
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let mut question = [0; 2048];
            let count = stream.read(&mut question).unwrap_or(0);
            for answer in script(question.get(2..count).unwrap_or_default()) {
                let size = if drips { 1 } else { answer.len().max(1) };
                for part in answer.chunks(size) {
                    if stream.write_all(part).is_err() {
                        return;
                    }
                    if drips {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            }
        })
    }

    fn start(mut turn: impl FnMut() + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                turn();
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it panicked about is on stderr.
            let _ = thread.join();
        }
    }
}

/// The question with the flags of an answer: response, recursion available, and this code. No word of EDNS.
pub fn answer(question: &[u8], rcode: u8) -> Vec<u8> {
    let mut bytes = question[..question_end(question)].to_vec();
    bytes[2] |= 0x80;
    bytes[3] = 0x80 | rcode;
    bytes[11] = 0;
    bytes
}

/// The same with this record.
pub fn answer_with(question: &[u8], record: &[u8]) -> Vec<u8> {
    let mut bytes = answer(question, 0);
    bytes[7] = 1;
    bytes.extend_from_slice(record);
    bytes
}

/// The type that a question asks for.
pub fn kind_of(question: &[u8]) -> u16 {
    let end = question_end(question);
    u16::from_be_bytes([question[end - 4], question[end - 3]])
}

fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 5
}

/// A question as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub server: Ipv4Addr,
    pub transport: &'static str,
    /// With the dot at its end; bytes that are no letters, digits or signs of ASCII by their number.
    pub name: String,
    pub kind: u16,
    /// What is taken by UDP. `None`: no word of EDNS.
    pub edns_bytes: Option<u16>,
}

/// All packets that leave in a container's network.
pub struct Capture {
    socket: OwnedFd,
}

impl Capture {
    pub fn start(host_pid: u32) -> Self {
        let socket = in_network(host_pid, || {
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll).unwrap()
        });
        setsockopt(&socket, sockopt::RcvBuf, &(8 << 20)).unwrap();
        Self { socket }
    }

    /// The questions that were sent since the last call. What a program that has ended sent is there already.
    pub fn questions(&self) -> Vec<Question> {
        const OUTGOING: u8 = 4;
        let mut questions = Vec::new();
        let mut streams: Vec<((u16, Ipv4Addr), Vec<u8>)> = Vec::new();
        let mut packet = vec![0; 1 << 16];
        loop {
            let (count, from) = match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut packet) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return questions,
                Err(errno) => panic!("capture: {errno}"),
            };
            // What stays on the machine comes by twice.
            if from.is_some_and(|from| from.pkttype() == OUTGOING) {
                take(&packet[..count], &mut streams, &mut questions);
            }
        }
    }

    /// How many packets were sent since the last call, of whatever kind.
    pub fn packets(&self) -> usize {
        let mut packet = [0; 64];
        let mut one_more =
            || nix::sys::socket::recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::empty()).is_ok();
        std::iter::from_fn(|| one_more().then_some(())).count()
    }

    /// Forgets what was sent until now.
    pub fn clear(&self) {
        self.packets();
    }
}

fn take(packet: &[u8], streams: &mut Vec<((u16, Ipv4Addr), Vec<u8>)>, questions: &mut Vec<Question>) {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    if packet.len() < 28 || packet[0] >> 4 != 4 {
        return;
    }
    let server = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]])).min(packet.len());
    let transport = &packet[usize::from(packet[0] & 0xf) * 4..length];
    if u16::from_be_bytes([transport[2], transport[3]]) != PORT {
        return;
    }
    match packet[9] {
        UDP => questions.extend(question(&transport[8..], server, "udp")),
        TCP => {
            let client = (u16::from_be_bytes([transport[0], transport[1]]), server);
            let at = streams.iter().position(|(known, _)| *known == client).unwrap_or_else(|| {
                streams.push((client, Vec::new()));
                streams.len() - 1
            });
            let stream = &mut streams[at].1;
            stream.extend_from_slice(&transport[usize::from(transport[12] >> 4) * 4..]);
            while let Some(length) =
                stream.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))
            {
                if stream.len() < length + 2 {
                    break;
                }
                questions.extend(question(&stream[2..length + 2], server, "tcp"));
                stream.drain(..length + 2);
            }
        }
        _ => {}
    }
}

/// `None`: it is none.
fn question(message: &[u8], server: Ipv4Addr, transport: &'static str) -> Option<Question> {
    if message.len() < 17 {
        return None;
    }
    let (mut name, mut at) = (String::new(), 12);
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        for &byte in &message[at + 1..end] {
            match byte {
                b'!'..=b'~' => name.push(byte.into()),
                _ => name.push_str(&format!("\\{byte:03}")),
            }
        }
        name.push('.');
        at = end;
    }
    let end = question_end(message);
    // A record of EDNS has the root's name, type 41, and its size where others have their class.
    let edns_bytes = message
        .get(end..end + 5)
        .filter(|record| record.starts_with(&[0, 0, 41]))
        .map(|record| u16::from_be_bytes([record[3], record[4]]));
    if name.is_empty() {
        name.push('.');
    }
    Some(Question { server, transport, name, kind: kind_of(message), edns_bytes })
}

/// A program with Go's own resolver, which looks up its argument, or does nothing without one. `None`: there is no Go.
pub fn go_program(work: &Path) -> Option<PathBuf> {
    let program = work.join("look-up");
    let mut build = Command::new("go");
    build.env("CGO_ENABLED", "0").env("GOCACHE", work.join("cache")).env("GOFLAGS", "-p=1");
    build.args(["build", "-o"]).arg(&program).arg(tree().join("tests/programs/look-up.go"));
    build.output().is_ok_and(|ran| ran.status.success()).then_some(program)
}
