//! Networks that tests make: what listens in a target's, and another host beside it, with its routes and packet filters.

use std::fs::File;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::{Ran, Target, run};

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

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}
