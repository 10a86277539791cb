//! What is said of expressions that are wrong: where, what, and what may have been meant.
#![expect(clippy::unwrap_used, reason = "tests")]

use dbgctl_filter::{LinkType, Mode, NoHosts, compile, parse};

fn message(expression: &str, link: LinkType) -> String {
    let error = match parse(expression) {
        Err(error) => error,
        Ok(parsed) => compile(&parsed, link, Mode::Live, 65535, &NoHosts).unwrap_err(),
    };
    error.to_string()
}

/// Each message has the expression in its second line, so that it need not be named apart.
fn is_said(link: LinkType, said: &str) {
    let expression = said.lines().nth(1).unwrap().trim_start();
    assert_eq!(message(expression, link), said);
}

#[test]
fn slips_of_the_finger_are_answered_with_what_was_meant() {
    for said in [
        "`prot` could be anything: nothing says what it is\n  prot 80\n  ^^^^ did you mean `port`?",
        "`prot` makes no sense after `tcp`\n  tcp prot 80\n      ^^^^ did you mean `port`?",
        "`htpp` is no service that is known by name\n  port htpp\n       ^^^^ did you mean `http`?",
        "`80-90` is no service that is known by name\n  port 80-90\n       ^^^^^ did you mean `portrange 80-90`?",
        "`tcpflag` is no name of a number or a field\n  tcp[tcpflag] & 2 != 0\n      ^^^^^^^ did you mean `tcpflags`?",
        "`tcpp` is no protocol that is known by name\n  ip proto tcpp\n           ^^^^ did you mean `tcp`?",
        "`080` starts with 0 and is therefore octal, which has no digits 8 and 9\n  port 080\n       ^^^ did you mean `80`?",
        "10.0.0.1 has bits set that its mask 255.0.0.0 leaves out\n  net 10.0.0.1/8\n      ^^^^^^^^ did you mean `10.0.0.0`?",
    ] {
        is_said(LinkType::Ethernet, said);
    }
}

#[test]
fn what_is_missing_or_too_much_is_pointed_at() {
    for said in [
        "there is no `)` to this `(`\n  (tcp or udp\n  ^",
        "there is no `(` to this `)`\n  tcp or udp)\n            ^",
        "the expression ends where what to look for should follow\n  tcp and\n         ^",
        "the expression ends where a port should follow\n  src port\n          ^",
        "the expression ends where a comparison should follow\n  tcp[13] & 2\n             ^",
        "a field has 1, 2 or 4 bytes\n  tcp[0:3] = 5\n        ^",
        "`and` or `or` should stand before `80`\n  tcp 80\n      ^^ or did you mean `port 80`?",
        "`80` could be anything: nothing says what it is\n  tcp and 80\n          ^^ write `port 80`, or compare it with something",
        "values need one pair of parentheses only\n  port ((80 or 81))\n       ^ remove this one and its end",
        "before the length of a prefix, a network needs at least two bytes of its address\n  net 10/8\n        ^ did you mean `10.0.0.0/8`?",
    ] {
        is_said(LinkType::Ethernet, said);
    }
}

#[test]
fn what_does_not_fit_together_is_said_with_a_way_out() {
    for said in [
        "`1.2.3.400` is no IPv4 address: `400` is not a number from 0 to 255\n  host 1.2.3.400\n       ^^^^^^^^^",
        "`tcp` has no address 10.0.0.1\n  tcp host 10.0.0.1\n           ^^^^^^^^ write `tcp and host 10.0.0.1`",
        "`ip` has no address fe80::1\n  ip host fe80::1\n          ^^^^^^^ write `ip6`, or nothing, before an IPv6 address",
        "this is a MAC address\n  host 02:42:ac:11:00:02\n       ^^^^^^^^^^^^^^^^^ write `ether host` before it",
        "`http` is a port of tcp\n  udp port http\n           ^^^^ write `tcp` before it, or the port as a number",
        "`type` is a word for 802.11, which no interface of a container has\n  type mgt\n  ^^^^",
        "no packet can ever match this\n  tcp and not tcp\n  ^^^^^^^^^^^^^^^ did you mean `or` in place of an `and`?",
        "an address or the name of a host should stand in place of `tcp`, which is a word of the language\n  host tcp\n       ^^^ write `\\tcp` for something of that name",
        "this divides by zero\n  ip[0] / 0 = 1\n  ^^^^^^^^^^^^^",
    ] {
        is_said(LinkType::Ethernet, said);
    }
    is_said(
        LinkType::LinuxCookedV2,
        "`vlan` needs Ethernet headers; here they are Linux cooked v2\n  vlan 5\n  ^^^^^^ capture on one interface",
    );
}

#[test]
fn a_host_that_is_not_known_is_the_callers_to_explain() {
    is_said(
        LinkType::Ethernet,
        "no address of `web` is known: names of hosts are not looked up here\n  host web\n       ^^^",
    );
}
