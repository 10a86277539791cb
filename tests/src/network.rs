//! Networks that tests make: what listens in a target's, and another host beside it, with its routes and packet filters.

use std::fs::File;
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, socket};
use serde_json::Value;

use crate::{Ran, Target, dbgctl, docker, docker_ok, run, skipped, unique};

/// Whether this machine has what makes networks and filters.
pub fn can_make_networks() -> bool {
    let has = |program: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(program).exists())
    };
    let missing: Vec<_> = ["ip", "nft", "sysctl"].into_iter().filter(|program| !has(program)).collect();
    if !missing.is_empty() {
        skipped(&format!("no {} on this machine: `cargo xtask bootstrap`", missing.join(", ")));
    }
    missing.is_empty()
}

/// A network namespace.
pub struct Network(File);

impl Network {
    /// That of a container.
    pub fn of(target: &Target) -> Self {
        Self(File::open(format!("/proc/{}/ns/net", target.inspect("{{.State.Pid}}"))).unwrap())
    }

    /// A new one, with nothing but loopback. It lasts as long as something in it does.
    pub fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        let network = Self(made.join().unwrap());
        network.configure(&["ip link set lo up"]);
        network
    }

    /// Another host, on a network of its own with a container: 192.0.2.1 and fd00:2::1 on veth0 there, 192.0.2.2 and
    /// fd00:2::2 on veth1 here.
    pub fn beside(target: &Target) -> Self {
        let (here, there) = (Self::of(target), Self::new());
        let pid = target.inspect("{{.State.Pid}}");
        there.configure(&[
            &format!("ip link add veth0 type veth peer name veth1 netns {pid}"),
            "ip address add 192.0.2.1/24 dev veth0",
            "ip address add fd00:2::1/64 dev veth0 nodad",
            "ip link set veth0 up",
        ]);
        // Docker switches IPv6 off where it gives no address.
        here.configure(&[
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=0",
            "ip address add 192.0.2.2/24 dev veth1",
            "ip address add fd00:2::2/64 dev veth1 nodad",
            "ip link set veth1 up",
        ]);
        there
    }

    /// Puts a packet filter in force, all in one table of nftables.
    #[track_caller]
    pub fn filter(&self, rules: &str) {
        self.run(Command::new("nft").arg(format!("table inet test {{\n{rules}\n}}"))).expect(0);
    }

    /// Does something in it. Sockets that are made there stay there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            inside.join().unwrap()
        })
    }

    /// Runs a command in it to its end.
    pub fn run(&self, command: &mut Command) -> Ran {
        self.inside(|| run(command))
    }

    /// Runs commands without quotes, which must succeed.
    #[track_caller]
    pub fn configure(&self, lines: &[&str]) {
        for line in lines {
            let mut words = line.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            self.run(command.args(words)).expect(0);
        }
    }
}

impl Network {
    /// Does something in it again and again, until what is returned goes out of scope.
    pub fn meanwhile(&self, mut work: impl FnMut() + Send + 'static) -> Meanwhile {
        let over = Arc::new(AtomicBool::new(false));
        let (is_over, file) = (Arc::clone(&over), self.0.try_clone().unwrap());
        let thread = thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                work();
                thread::sleep(Duration::from_millis(5));
            }
        });
        Meanwhile { over, thread: Some(thread) }
    }

    /// Runs a command in it, which must succeed, and returns what it printed.
    #[track_caller]
    pub fn command(&self, program: &str, arguments: &[&str]) -> String {
        self.run(Command::new(program).args(arguments)).expect(0).stdout()
    }

    /// The same of `ip` with these words.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        self.command("ip", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// Sets `/proc/sys/net/…` of it.
    #[track_caller]
    pub fn set(&self, path: &str, value: &str) {
        let path = format!("/proc/sys/net/{path}");
        self.inside(|| std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}")));
    }

    /// Joins it with another by a pair of interfaces, which are up and have no address.
    #[track_caller]
    pub fn join(&self, own: &str, other: &Self, others: &str) {
        let path = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!("link add {own} type veth peer name {others} netns {path}"));
        self.ip(&format!("link set {own} up"));
        other.ip(&format!("link set {others} up"));
    }
}

/// A network of the engine's, by its name, which ends when this goes out of scope.
pub struct EngineNetwork(pub String);

impl EngineNetwork {
    #[track_caller]
    pub fn make() -> Self {
        let name = unique("network");
        docker_ok(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for EngineNetwork {
    fn drop(&mut self) {
        docker(&["network", "rm", &self.0]);
    }
}

/// Listens with room for one connection, and takes that room: nobody accepts.
pub fn full_listener(address: &str) -> (OwnedFd, TcpStream) {
    let address: SocketAddrV4 = address.parse().unwrap();
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    bind(listener.as_raw_fd(), &SockaddrIn::from(address)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let first = TcpStream::connect(address).unwrap();
    (listener, first)
}

/// What is done again and again.
pub struct Meanwhile {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked_and_said_so = thread.join();
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Without it there is no IPv6, not even on the loopback interface.
pub const IPV6: [&str; 2] = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"];

/// What `net` says of a target: the header, and the rows of each kind.
pub struct Answer {
    pub header: Value,
    pub rows: Vec<Value>,
}

impl Answer {
    /// Asks for it, with a sample such as `500ms`.
    #[track_caller]
    pub fn of(target: &Target, sample: &str) -> Self {
        let ran = dbgctl(&["net", &target.name, "--sample", sample, "-o", "json"]).expect(0);
        let rows = ran.json().into_iter().filter(|line| line.get("item").is_some()).collect();
        Self { header: ran.header(), rows }
    }

    /// The rows of one kind.
    pub fn items(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let kind = kind.to_owned();
        self.rows.iter().filter(move |row| row["item"] == kind.as_str())
    }

    /// The severity of a finding, if there is one about that.
    pub fn finding(&self, about: &str) -> Option<&str> {
        let findings = self.header["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["about"] == about)?["severity"].as_str()
    }
}
