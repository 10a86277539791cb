//! What leaves the container that connects.

use std::collections::HashMap;

use dbgctl_proto::v1::network_item::Item;

use crate::commands::agent::Agent;
use crate::commands::{Failure, network};

/// Packets that each interface has sent, by its name.
#[derive(Debug, Default)]
pub(super) struct Transmitted(HashMap<Vec<u8>, u64>);

impl Transmitted {
    /// Looks at it. Nothing is sent.
    pub(super) async fn look(agent: &Agent) -> Result<Self, Failure> {
        let items = network::counted_now(agent).await?.rows;
        let links = items.into_iter().filter_map(|item| match item.item {
            Some(Item::Interface(link)) => Some((link.name, link.transmitted?.packets)),
            _ => None,
        });
        Ok(Self(links.collect()))
    }

    /// What left through an interface since then. `None`: it is not known.
    pub(super) fn since(&self, before: &Self, interface: &str) -> Option<u64> {
        let sent = |transmitted: &Self| transmitted.0.get(interface.as_bytes()).copied();
        sent(self)?.checked_sub(sent(before)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_left_is_what_the_interface_sent_more() {
        let of = |packets| Transmitted([(b"eth0".to_vec(), packets)].into());
        assert_eq!(of(9).since(&of(7), "eth0"), Some(2));
        assert_eq!(of(9).since(&of(7), "eth1"), None);
        assert_eq!(of(1).since(&of(7), "eth0"), None, "made anew");
    }
}
