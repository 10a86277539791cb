//! Observing sends nothing: neither from the target's network nor inside of it.

use std::fs;

use dbgctl_tests::dns::{Capture, first_process};
use dbgctl_tests::network::{Network, can_make_networks};
use dbgctl_tests::questions::{OBSERVING, about};
use dbgctl_tests::{Target, dbgctl};

/// What sends nothing either, and is not asked elsewhere.
const ALSO: &[&[&str]] = &[
    &["net", "get-route", "198.51.100.7"],
    &["cp", "/etc/hosts", "-"],
    &["sockets", "--listening", "--summary"],
    &["mem", "--pid", "1", "--maps"],
];

#[test]
fn no_packet_leaves_a_quiet_target_while_it_is_observed() {
    if !can_make_networks() {
        return;
    }
    let target = Target::run(&[], &["serve"]).ready();
    // Whoever looks a name up or sends anything else anywhere finds a way out.
    let network = Network::of(&target);
    network.ip("link add way-out type veth peer name nowhere");
    network.set("ipv6/conf/way-out/disable_ipv6", "1");
    network.set("ipv6/conf/nowhere/disable_ipv6", "1");
    network.ip("link set nowhere up");
    network.ip("address add 198.51.100.1/24 dev way-out");
    network.ip("link set way-out up");
    network.ip("route add default via 198.51.100.2");
    fs::write(target.inspect("{{.ResolvConfPath}}").trim(), "nameserver 198.51.100.53\n").unwrap();

    let capture = Capture::start(first_process(&target));
    for question in OBSERVING.iter().chain(ALSO) {
        let ran = dbgctl(&about(&target.id, question));
        assert_ne!(ran.code, Some(2), "{ran:?}");
        assert_eq!(capture.packets(), 0, "{question:?} sent something");
    }
    dbgctl(&["dns", &target.id, "name.test", "--timeout", "100ms"]);
    assert_ne!(capture.packets(), 0, "what is sent would have been seen");
    target.expect_nothing_left();
}
