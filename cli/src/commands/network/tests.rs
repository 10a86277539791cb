//! Findings and rows of answers as an agent could send them, sound and unsound.

use dbgctl_proto::v1::network_item::Item;
use dbgctl_proto::v1::{
    InterfaceAddress, Neighbour, NetworkCounter, NetworkGauge, NetworkHeader, NetworkItem, NetworkLink,
    NextHop, Received, Route, RouteType, Summary,
};

use super::*;
use crate::commands::testing::Written;
use crate::render::Format;

const ETHERNET: NetworkLink = NetworkLink {
    index: Some(2),
    flags: Some(0x1043),
    operational_state: Some(6),
    mtu_bytes: Some(1500),
    hardware_type: Some(1),
    carrier: Some(true),
    name: Vec::new(),
    carrier_changes: None,
    kind: Vec::new(),
    hardware_address: Vec::new(),
    queueing: Vec::new(),
    queue_packets: None,
    master: None,
    lower: None,
    received: None,
    transmitted: None,
    received_over_sample: None,
    transmitted_over_sample: None,
};

fn eth0() -> NetworkLink {
    NetworkLink { name: b"eth0".to_vec(), ..ETHERNET }
}

fn own_address(flags: u32) -> InterfaceAddress {
    InterfaceAddress {
        interface: 2,
        ip: vec![10, 0, 0, 2],
        prefix_bits: 24,
        flags,
        ..InterfaceAddress::default()
    }
}

fn default_route() -> Route {
    Route {
        destination: vec![0; 4],
        r#type: RouteType::Unicast.into(),
        table: words::MAIN,
        next_hops: vec![NextHop { interface: 2, gateway: vec![10, 0, 0, 1], weight: 1, flags: 0 }],
        ..Route::default()
    }
}

fn header(counters: &[(&str, u64, u64)], gauges: &[(&str, u64)]) -> NetworkHeader {
    let counter = |&(name, since_start, grew): &(&str, u64, u64)| NetworkCounter {
        name: name.to_owned(),
        since_start,
        over_sample: Some(grew),
    };
    let gauge = |&(name, value): &(&str, u64)| NetworkGauge { name: name.to_owned(), value };
    NetworkHeader {
        sampled_nanos: 1_000_000_000,
        counters: counters.iter().map(counter).collect(),
        gauges: gauges.iter().map(gauge).collect(),
        ..NetworkHeader::default()
    }
}

fn found(header: &NetworkHeader, items: Vec<Item>) -> Vec<(&'static str, &'static str)> {
    let items = items.into_iter().map(|item| NetworkItem { item: Some(item) }).collect();
    let findings = findings::of(header, &State::new(items));
    findings.iter().map(|finding| (finding.severity.word(), finding.about)).collect()
}

fn sound() -> Vec<Item> {
    vec![Item::Interface(eth0()), Item::Address(own_address(0x80)), Item::Route(default_route())]
}

#[test]
fn a_sound_network_has_one_note_that_says_so() {
    let quiet = header(&[("TcpRetransSegs", 1, 0), ("TcpOutSegs", 90_000, 10)], &[]);
    assert_eq!(found(&quiet, sound()), [("note", "nothing")]);
}

#[test]
fn what_grew_in_the_sample_is_worse_than_what_is_past() {
    let past = header(&[("TcpExtListenOverflows", 7, 0), ("TcpExtListenDrops", 7, 0)], &[]);
    assert_eq!(found(&past, sound()), [("note", "listen_overflows")]);
    let now = header(
        &[("TcpExtListenOverflows", 7, 3), ("TcpExtListenDrops", 9, 4), ("UdpRcvbufErrors", 5, 5)],
        &[],
    );
    assert_eq!(
        found(&now, sound()),
        [("serious", "listen_overflows"), ("serious", "udp_receive_buffer"), ("warning", "listen_drops")]
    );
}

#[test]
fn retransmissions_matter_by_their_share_and_not_by_their_number() {
    let share = |again, sent| {
        found(&header(&[("TcpRetransSegs", again, again), ("TcpOutSegs", sent, sent)], &[]), sound())
    };
    assert_eq!(share(100, 100_000), [("note", "nothing")]);
    assert_eq!(share(20, 1000), [("warning", "retransmits")]);
    assert_eq!(share(200, 1000), [("serious", "retransmits")]);
    // A single lost packet on a quiet machine is no rate.
    assert_eq!(share(1, 3), [("note", "nothing")]);
}

#[test]
fn limits_are_told_before_they_are_reached() {
    let used =
        |count| found(&header(&[], &[("nf_conntrack_count", count), ("nf_conntrack_max", 100)]), sound());
    assert_eq!(used(89), [("note", "nothing")]);
    assert_eq!(used(90), [("warning", "conntrack")]);
    assert_eq!(used(100), [("serious", "conntrack")]);
}

#[test]
fn interfaces_addresses_routes_and_neighbours_each_have_their_troubles() {
    let one = |change: &dyn Fn(&mut Vec<Item>)| {
        let mut items = sound();
        change(&mut items);
        found(&header(&[], &[]), items)
    };
    let link = |link| move |items: &mut Vec<Item>| items[0] = Item::Interface(link);
    let cases = [
        (one(&|items| items[1] = Item::Address(own_address(0x88))), "serious", "duplicate_address"),
        (one(&|items| items[1] = Item::Address(own_address(0xc0))), "warning", "tentative_address"),
        (one(&|items| drop(items.pop())), "warning", "no_default_route"),
        (
            one(&|items| {
                let mut route = default_route();
                route.next_hops[0].flags = 0x10;
                items[2] = Item::Route(route);
            }),
            "serious",
            "dead_route",
        ),
        (
            one(&|items| {
                let ip = vec![10, 0, 0, 1];
                items.push(Item::Neighbour(Neighbour {
                    interface: 2,
                    ip,
                    state: 32,
                    ..Neighbour::default()
                }));
            }),
            "serious",
            "gateway_failed",
        ),
        (
            one(&|items| {
                let ip = vec![10, 0, 0, 9];
                items.push(Item::Neighbour(Neighbour {
                    interface: 2,
                    ip,
                    state: 32,
                    ..Neighbour::default()
                }));
            }),
            "warning",
            "neighbour_failed",
        ),
        (
            one(&|items| {
                let destination = vec![10, 9, 0, 0];
                let r#type = RouteType::Blackhole.into();
                items.push(Item::Route(Route { destination, prefix_bits: 16, r#type, ..Route::default() }));
            }),
            "note",
            "route_to_nowhere",
        ),
        (one(&|items| link(NetworkLink { mtu_bytes: Some(1400), ..eth0() })(items)), "note", "mtu"),
        (one(&|items| link(NetworkLink { mtu_bytes: Some(1200), ..eth0() })(items)), "warning", "mtu"),
        (one(&|items| link(NetworkLink { carrier: Some(false), ..eth0() })(items)), "serious", "no_carrier"),
        (
            one(&|items| link(NetworkLink { flags: Some(0x1002), ..eth0() })(items)),
            "serious",
            "interface_down",
        ),
        (
            one(&|items| {
                let lost = Some(Received { dropped: 3, packets: 7, ..Received::default() });
                link(NetworkLink { received: lost, received_over_sample: lost, ..eth0() })(items);
            }),
            "warning",
            "receive_drops",
        ),
    ];
    for (found, severity, about) in cases {
        assert_eq!(found, [(severity, about)]);
    }
    let loopback =
        NetworkLink { name: b"lo".to_vec(), flags: Some(0x49), hardware_type: Some(772), ..ETHERNET };
    assert_eq!(found(&header(&[], &[]), vec![Item::Interface(loopback)]), [("warning", "no_interface")]);
}

#[test]
fn what_an_agent_leaves_out_is_absent_and_a_hostile_name_is_harmless() {
    let nameless = NetworkLink { name: b"\x1b[2J\xff".to_vec(), ..NetworkLink::default() };
    let hops = vec![NextHop { interface: 99, gateway: vec![1, 2, 3], weight: 0, flags: u32::MAX }];
    let route =
        Route { destination: vec![7], prefix_bits: 4000, r#type: 77, next_hops: hops, ..Route::default() };
    let items = [Item::Interface(nameless), Item::Route(route), Item::Neighbour(Neighbour::default())];
    for format in [Format::Wide, Format::Json] {
        let items = items.iter().cloned().map(|item| NetworkItem { item: Some(item) });
        let rows = items.chain([NetworkItem::default()]).collect();
        let mut listing = Listing { rows, ..Listing::<v1::ListNetworkResponse>::default() };
        listing.closing.summary = Some(Summary::default());
        let written = Written::default();
        let mut output = Output::to(format, written.clone());
        let talk = &mut Talk::to(Written::default());
        Args { all: true, ..Args::default() }.show(listing, &mut output, talk).unwrap();
        let text = written.text();
        assert!(text.contains("#99") && !text.contains('\x1b'), "{text}");
    }
}
