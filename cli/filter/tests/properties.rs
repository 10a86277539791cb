//! What holds of every expression, and of every program.
#![expect(clippy::unwrap_used, reason = "tests")]

use dbgctl_filter::{Beside, Instruction, LinkType, Mode, NoHosts, Program, code, compile, parse};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Pieces that expressions are made of, so that many of them are nearly right.
const PIECES: &[&str] = &[
    "tcp",
    "udp",
    "ip",
    "ip6",
    "arp",
    "icmp",
    "ether",
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "protochain",
    "src",
    "dst",
    "and",
    "or",
    "not",
    "(",
    ")",
    "[",
    "]",
    ":",
    "/",
    "+",
    "-",
    "*",
    "%",
    "&",
    "|",
    "^",
    "<<",
    ">>",
    "=",
    "!=",
    "<",
    ">=",
    "vlan",
    "mpls",
    "pppoes",
    "geneve",
    "llc",
    "len",
    "less",
    "greater",
    "byte",
    "inbound",
    "ifindex",
    "broadcast",
    "multicast",
    "0",
    "1",
    "2",
    "4",
    "80",
    "8000-8010",
    "http",
    "10",
    "10.0.0.1",
    "10.0.0.0/8",
    "fe80::1",
    "2001:db8::/32",
    "02:42:ac:11:00:02",
    "tcpflags",
    "tcp-syn",
    "\\tcp",
    "mask",
    "255.0.0.0",
    "0xffffffff",
    "4294967295",
    "type",
    "radio",
    "stp",
    "iso",
    "isis",
    "decnet",
    "é",
    "\u{1b}",
];

fn check(expression: &str, packet: &[u8]) -> Result<(), TestCaseError> {
    let parsed = match parse(expression) {
        Ok(parsed) => parsed,
        Err(error) => {
            prop_assert!(expression.get(error.span()).is_some(), "{:?}", error.span());
            prop_assert_eq!(error.to_string().lines().count(), 3);
            return Ok(());
        }
    };
    prop_assert!(!parsed.explain().is_empty());
    for link in LinkType::ALL {
        for mode in [Mode::Stored, Mode::Live] {
            match compile(&parsed, link, mode, 100, &NoHosts) {
                Ok(program) => check_program(&program, packet)?,
                Err(error) => prop_assert!(expression.get(error.span()).is_some(), "{:?}", error.span()),
            }
        }
    }
    Ok(())
}

fn check_program(program: &Program, packet: &[u8]) -> Result<(), TestCaseError> {
    let instructions = program.instructions();
    prop_assert!(instructions.len() <= Program::MOST_INSTRUCTIONS);
    prop_assert_eq!(Program::new(instructions.to_vec()), Ok(program.clone()));
    prop_assert_eq!(program.listing().lines().count(), instructions.len());
    for instruction in instructions {
        // Jumps are counted forward, from zero: all that is left to check is that they do not overflow.
        let is_jump = instruction.code & 0x07 == code::JMP && instruction.code & 0xf0 == code::JA;
        prop_assert!(!is_jump || usize::try_from(instruction.k).unwrap() < instructions.len());
    }
    for end in 0..=packet.len() {
        prop_assert!([0, 100].contains(&program.run(&packet[..end], 1500)));
        prop_assert!([0, 100].contains(&program.run_live(&packet[..end], 1500, Beside::default())));
    }
    Ok(())
}

proptest! {
    // The same cases in each run: what they find is found before a change is taken, and not after it. Others are had with
    // another seed.
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(0x5eed_0005),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), packet in prop::collection::vec(any::<u8>(), 0..80)) {
        check(&text, &packet)?;
    }

    #[test]
    fn whatever_is_made_of_the_languages_pieces_is_refused_or_a_program(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..24),
        spaced in any::<bool>(),
        packet in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        check(&pieces.join(if spaced { " " } else { "" }), &packet)?;
    }

    #[test]
    fn instructions_that_are_taken_as_a_program_come_to_an_end(
        parts in prop::collection::vec((0_u16..0x100, any::<u8>(), any::<u8>(), prop_oneof![0_u32..20, any::<u32>()]), 1..20),
        packet in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let instructions = parts.into_iter().map(|(code, jt, jf, k)| Instruction { code, jt: jt % 8, jf: jf % 8, k });
        if let Ok(program) = Program::new(instructions.collect()) {
            program.run(&packet, 80);
        }
    }
}

/// A frame with an IPv4 header and addresses.
fn frame(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(source);
    frame.extend(destination);
    frame
}

#[test]
fn jumps_reach_over_any_number_of_instructions() {
    let hosts: Vec<String> =
        (0..1000_u32).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let expression = format!("ip dst host ({})", hosts.join(" or "));
    let program =
        compile(&parse(&expression).unwrap(), LinkType::Ethernet, Mode::Live, 96, &NoHosts).unwrap();
    assert!(program.instructions().len() > 1000);
    for number in 0..1000_u32 {
        let [.., high, low] = number.to_be_bytes();
        assert_eq!(program.run(&frame([10, 0, 0, 0], [10, 0, high, low]), 34), 96, "{number}");
        assert_eq!(program.run(&frame([10, 0, high, low], [10, 1, high, low]), 34), 0, "{number}");
    }
}

#[test]
fn what_would_be_too_long_for_the_kernel_is_refused() {
    let hosts = |count: u32| {
        let hosts: Vec<String> =
            (0..count).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
        format!("ip dst host ({})", hosts.join(" or "))
    };
    // The first has as many tests as the kernel takes instructions, and what else a program needs besides.
    for expression in [hosts(4095), hosts(5000), hosts(50_000)] {
        let parsed = parse(&expression).unwrap();
        let error = compile(&parsed, LinkType::Ethernet, Mode::Live, 96, &NoHosts).unwrap_err();
        assert!(error.message().contains("4096 instructions"), "{}", error.message());
    }
    let most = parse(&hosts(4000)).unwrap();
    assert!(compile(&most, LinkType::Ethernet, Mode::Live, 96, &NoHosts).is_ok());
}

#[test]
fn nesting_has_an_end_and_rows_have_none() {
    for (open, inner, close) in [
        ("(", "tcp", ")"),
        ("not (", "tcp", ")"),
        ("ip[", "0", "] = 1"),
        ("(", "5", ") = 5"),
        ("-", "5", " = 5"),
    ] {
        let deep = |times: usize| {
            format!(
                "{}{inner}{}",
                open.repeat(times),
                close.repeat(if close.ends_with('5') { 1 } else { times })
            )
        };
        assert!(parse(&deep(100_000)).is_err());
    }
    assert!(parse(&format!("({})", "not ".repeat(100_000) + "tcp")).is_ok());
    let row = ["tcp", "udp"].repeat(20_000).join(" or ");
    let alternating = "tcp and udp or ".repeat(20_000) + "icmp";
    for expression in [row, alternating] {
        let parsed = parse(&expression).unwrap();
        assert!(compile(&parsed, LinkType::Ethernet, Mode::Live, 96, &NoHosts).is_ok());
    }
}

#[test]
fn chains_of_protocols_are_followed_for_eight_headers() {
    let program = |text| compile(&parse(text).unwrap(), LinkType::Raw, Mode::Live, 96, &NoHosts).unwrap();
    let (udp, ip_udp) = (program("ip6 protochain 17"), program("ip protochain \\udp"));
    // Options for destinations, each of another length, and authentication headers among them.
    for headers in 0..=10_u8 {
        let kinds: Vec<u8> =
            (0..headers).map(|number| if number % 3 == 2 { 51 } else { 60 }).chain([17]).collect();
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, kinds[0], 64];
        packet.extend([0; 32]);
        for (number, pair) in kinds.windows(2).enumerate() {
            let extra = number % 3;
            let (length, bytes) =
                if pair[0] == 51 { (2 * extra, 8 + 8 * extra) } else { (extra, 8 + 8 * extra) };
            let mut header = vec![pair[1], u8::try_from(length).unwrap()];
            header.resize(bytes, 0xff);
            packet.extend(header);
        }
        assert_eq!(udp.run(&packet, 1500) != 0, headers <= 8, "{headers} headers");

        let mut packet =
            [vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, if headers > 0 { 51 } else { 17 }], vec![0; 10]].concat();
        for number in 1..=headers {
            packet.extend([if number == headers { 17 } else { 51 }, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        assert_eq!(ip_udp.run(&packet, 1500) != 0, headers <= 8, "{headers} authentication headers");
    }
}

#[test]
fn bits_of_a_byte_are_looked_at_in_that_byte() {
    for packet in [[0_u8; 4], [1, 0, 0, 0], [0xff; 4], [0xfe, 1, 2, 3]] {
        for (expression, same) in [
            ("byte 0 & 1", "ether[0] & 1 != 0"),
            ("byte 0 | 0", "ether[0] | 0 != 0"),
            ("byte 3 & 2", "ether[3] & 2 != 0"),
        ] {
            let [own, other] = [expression, same].map(|text| {
                let parsed = parse(text).unwrap();
                compile(&parsed, LinkType::Ethernet, Mode::Stored, 96, &NoHosts).unwrap().run(&packet, 4)
            });
            assert_eq!(own, other, "{expression}");
        }
    }
}
