//! Where two containers can meet, as the engine has connected them.

use std::net::{IpAddr, Ipv4Addr};

use crate::attach::facts::{Container, Membership};

/// The network of an engine in which names of containers are not resolved.
const DEFAULT_NETWORK: &str = "bridge";

/// How one container reaches another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Meeting {
    /// What they share, in words.
    pub(super) what: String,
    /// Where the other one can be reached. Empty: they share nothing.
    pub(super) addresses: Vec<IpAddr>,
    /// What programs in the first one may call the other. `None`: no name of it is known there.
    pub(super) name: Option<String>,
}

/// Where `from` meets `to`, by the containers that their network namespaces were made for. `called` is what the user
/// calls the other one.
pub(super) fn meet(from: &Container, to: &Container, called: &str) -> Meeting {
    if from.id == to.id {
        return Meeting {
            what: "both are in one network namespace".to_owned(),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            name: None,
        };
    }
    let shared: Vec<_> = to.networks.iter().filter(|there| from.networks.iter().any(same(there))).collect();
    let names = |networks: &[&Membership]| {
        let names: Vec<_> = networks.iter().map(|it| it.network.as_str()).collect();
        if names.is_empty() { "no network".to_owned() } else { names.join(", ") }
    };
    let all = |container: &Container| names(&container.networks.iter().collect::<Vec<_>>());
    let addresses: Vec<_> = shared.iter().flat_map(|it| it.addresses.iter().copied()).collect();
    let what = match (shared.is_empty(), addresses.is_empty()) {
        (true, _) => {
            format!("they share no network: {} is in {}, {} in {}", from.name, all(from), to.name, all(to))
        }
        (_, true) => format!("{} has no address in {}", to.name, names(&shared)),
        _ => format!("both are in {}", names(&shared)),
    };
    let named = shared.iter().find(|it| it.network != DEFAULT_NETWORK);
    let name = named.map(|it| if it.aliases.iter().any(|alias| alias == called) { called } else { &to.name });
    Meeting { what, addresses, name: name.map(str::to_owned) }
}

fn same(there: &Membership) -> impl Fn(&Membership) -> bool {
    |here| here.network_id == there.network_id && here.network == there.network
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, networks: &[(&str, &str)]) -> Container {
        let membership = |(network, address): &(&str, &str)| Membership {
            network: (*network).to_owned(),
            network_id: format!("id of {network}"),
            addresses: address.parse().into_iter().collect(),
            aliases: vec!["the-alias".to_owned()],
        };
        Container {
            id: name.to_owned(),
            name: name.to_owned(),
            networks: networks.iter().map(membership).collect(),
            ..Container::default()
        }
    }

    #[test]
    fn containers_meet_in_the_networks_that_both_are_in() {
        let web = container("web", &[("bridge", "172.17.0.2"), ("front", "172.18.0.2")]);
        let db = container("db", &[("back", "172.19.0.3"), ("front", "172.18.0.3")]);
        let met = meet(&web, &db, "db");
        assert_eq!(met.addresses, ["172.18.0.3".parse::<IpAddr>().unwrap()]);
        assert_eq!((met.what.as_str(), met.name.as_deref()), ("both are in front", Some("db")));
        assert_eq!(meet(&web, &db, "the-alias").name.as_deref(), Some("the-alias"));
        assert_eq!(meet(&web, &db, "0123abcd").name.as_deref(), Some("db"), "an id is no name");
    }

    #[test]
    fn without_a_common_network_both_sides_are_named() {
        let (web, db) = (container("web", &[("front", "172.18.0.2")]), container("db", &[]));
        let met = meet(&web, &db, "db");
        assert_eq!(met.what, "they share no network: web is in front, db in no network");
        assert!(met.addresses.is_empty());
        let stopped = container("db", &[("front", "")]);
        assert_eq!(meet(&web, &stopped, "db").what, "db has no address in front");
    }

    #[test]
    fn the_default_network_knows_no_names_and_one_namespace_needs_no_network() {
        let (web, db) =
            (container("web", &[("bridge", "172.17.0.2")]), container("db", &[("bridge", "172.17.0.3")]));
        assert_eq!(meet(&web, &db, "db").name, None);
        assert_eq!(meet(&web, &web, "web").addresses, [IpAddr::from([127, 0, 0, 1])]);
    }
}
