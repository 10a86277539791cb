//! What a network consists of, apart by kind.

use std::collections::HashMap;

use dbgctl_proto::v1::network_item::Item;
use dbgctl_proto::v1::{InterfaceAddress, Neighbour, NetworkItem, NetworkLink, Route, RoutingRule};

use crate::render::cell;

/// The items of an answer.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) links: Vec<NetworkLink>,
    pub(super) addresses: Vec<InterfaceAddress>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<RoutingRule>,
    pub(super) neighbours: Vec<Neighbour>,
    names: HashMap<u32, String>,
}

impl State {
    pub(super) fn new(items: Vec<NetworkItem>) -> Self {
        let mut state = Self::default();
        for item in items {
            match item.item {
                Some(Item::Interface(link)) => state.links.push(link),
                Some(Item::Address(address)) => state.addresses.push(address),
                Some(Item::Route(route)) => state.routes.push(route),
                Some(Item::Rule(rule)) => state.rules.push(rule),
                Some(Item::Neighbour(neighbour)) => state.neighbours.push(neighbour),
                // A kind that only a newer agent knows.
                None => {}
            }
        }
        let named = |link: &NetworkLink| Some((link.index?, cell(|cell| cell.raw(&link.name))));
        state.names = state.links.iter().filter_map(named).collect();
        state
    }

    /// Nothing but the name of the interface that a route leads to.
    pub(super) fn naming(route: &Route, name: &[u8]) -> Self {
        let first = route.next_hops.first().filter(|_| !name.is_empty());
        let names = first.map(|hop| (hop.interface, cell(|cell| cell.raw(name))));
        Self { names: names.into_iter().collect(), ..Self::default() }
    }

    /// The name of an interface, or its number. Ready to be shown.
    pub(super) fn name(&self, index: u32) -> String {
        self.names.get(&index).cloned().unwrap_or_else(|| format!("#{index}"))
    }

    /// The addresses of an interface.
    pub(super) fn addresses_of(&self, link: &NetworkLink) -> impl Iterator<Item = &InterfaceAddress> {
        let index = link.index;
        self.addresses.iter().filter(move |address| Some(address.interface) == index)
    }
}
