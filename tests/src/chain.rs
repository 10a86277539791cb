//! Routers in a row: a container at one end, a host at the other, each in a network namespace of its own.

use crate::Target;
use crate::network::Network;

/// How many routers there are between the two.
pub const ROUTERS: usize = 3;

/// A container, [`ROUTERS`] routers that forward for real, and a host.
///
/// The network between the nth and the next is 10.9.n.0/24 and fd00:9:n::/64, in which the nearer one has 1 and the farther
/// one 2.
pub struct Chain {
    pub target: Target,
    /// The container first, the host last.
    pub nodes: Vec<Network>,
}

/// The host at the end.
pub const HOST: &str = "10.9.3.2";
/// The same by IPv6.
pub const HOST_V6: &str = "fd00:9:3::2";

impl Chain {
    #[track_caller]
    pub fn new() -> Self {
        let target = Target::run(&["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"], &["serve"]).ready();
        let mut nodes = vec![Network::of(&target)];
        nodes.extend((0..=ROUTERS).map(|_| Network::new()));
        for node in &nodes {
            // Addresses are used at once, and every packet has its answer.
            for (path, value) in [
                ("ipv6/conf/default/accept_dad", "0"),
                ("ipv4/icmp_ratelimit", "0"),
                ("ipv6/icmp/ratelimit", "0"),
                ("ipv4/ip_forward", "1"),
                ("ipv6/conf/all/forwarding", "1"),
            ] {
                node.set(path, value);
            }
        }
        for (nth, pair) in nodes.windows(2).enumerate() {
            pair[0].join("next", &pair[1], "back");
            for (node, device, end) in [(&pair[0], "next", 1), (&pair[1], "back", 2)] {
                node.ip(&format!("addr add 10.9.{nth}.{end}/24 dev {device}"));
                node.ip(&format!("addr add fd00:9:{nth}::{end}/64 dev {device} nodad"));
            }
        }
        for (nth, node) in nodes.iter().enumerate() {
            if nth <= ROUTERS {
                node.ip(&format!("route add default via 10.9.{nth}.2"));
                node.ip(&format!("-6 route add default via fd00:9:{nth}::2"));
            } else {
                node.ip(&format!("route add default via 10.9.{ROUTERS}.1"));
                node.ip(&format!("-6 route add default via fd00:9:{ROUTERS}::1"));
            }
            for far in 0..nth.saturating_sub(1) {
                node.ip(&format!("route add 10.9.{far}.0/24 via 10.9.{}.1", nth - 1));
                node.ip(&format!("-6 route add fd00:9:{far}::/64 via fd00:9:{}::1", nth - 1));
            }
        }
        Self { target, nodes }
    }

    /// The nth router, from 1; 0 is the container, the last one the host.
    pub fn node(&self, nth: usize) -> &Network {
        &self.nodes[nth]
    }

    /// Makes the network between the nth and the next one take smaller packets only.
    #[track_caller]
    pub fn narrow(&self, nth: usize, mtu: u32) {
        self.nodes[nth].ip(&format!("link set next mtu {mtu}"));
        self.nodes[nth + 1].ip(&format!("link set back mtu {mtu}"));
    }

    /// Adds a rule to the packet filter of the nth, at `hook`: forward, input or output.
    #[track_caller]
    pub fn filter(&self, nth: usize, hook: &str, rule: &str) {
        let node = &self.nodes[nth];
        for line in [
            "add table inet test".to_owned(),
            format!("add chain inet test {hook} {{ type filter hook {hook} priority 0 ; }}"),
            format!("add rule inet test {hook} {rule}"),
        ] {
            node.command("nft", &line.split_whitespace().collect::<Vec<_>>());
        }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}
