//! Whatever a frame is made of: it is decoded without a panic, and its summary is one bounded line of visible characters.

#![expect(clippy::unwrap_used, reason = "tests")]

mod frames;

use dbgctl_decode::{LONGEST_SUMMARY, LinkType, Origin, Packet, packet};
use frames::{Dice, LINKS, mix, mutate};
use proptest::prelude::*;

fn link(dlt: u16) -> LinkType {
    LinkType::from_dlt(dlt).unwrap()
}

/// Says what is wrong with the summary, if anything is.
fn complaint(packet: &Packet<'_>, line: &str) -> Option<String> {
    // All texts are shown in ASCII; the ellipsis is ours.
    let hostile = line.chars().find(|&character| !matches!(character, ' '..='~' | '…'));
    if let Some(character) = hostile {
        return Some(format!("{character:?} in {line:?} of {packet:?}"));
    }
    if line.is_empty() {
        return Some(format!("nothing said of {packet:?}"));
    }
    let length = line.chars().count();
    (length > LONGEST_SUMMARY).then(|| format!("{length} characters: {line}"))
}

/// Decodes, shows, and asks all that can be asked.
fn look_at(dlt: u16, bytes: &[u8], wire_length: u32) {
    let packet = packet(link(dlt), bytes, wire_length);
    let line = packet.summary().to_string();
    if let Some(complaint) = complaint(&packet, &line) {
        panic!("{complaint}\nlink type {dlt}, on the wire {wire_length}, frame {bytes:02x?}");
    }
    let origin = Origin { sequence: wire_length, acknowledgement: !wire_length };
    let with_link = packet.summary().with_link().relative_to(origin).to_string();
    assert!(complaint(&packet, &with_link).is_none(), "{with_link:?}");
    assert!(packet.payload().bytes().len() <= bytes.len());
    assert_eq!(packet.is_cut(), bytes.len() < usize::try_from(wire_length).unwrap());
    let _ = (packet.addresses(), packet.ports(), packet.protocol(), packet.tcp_flags(), packet.length());
    let _ = packet.dns_response_code();
    if let Some(dns) = packet.dns() {
        // Each item takes bytes, and the first that can not be read is the last.
        assert!(dns.items().count() <= bytes.len() + 1);
    }
}

#[test]
fn a_million_mutated_frames_are_told_in_one_visible_line_each() {
    const FRAMES: usize = 1_000_000;
    let seeds: Vec<(u16, Vec<Vec<u8>>)> =
        LINKS.iter().enumerate().map(|(at, &dlt)| (dlt, mix(at as u64, dlt, 2_000))).collect();
    let mut dice = Dice::new(7);
    for _ in 0..FRAMES {
        // Half of them Ethernet.
        let (dlt, frames) = if dice.is_one_in(2) { &seeds[0] } else { &seeds[dice.below(seeds.len())] };
        let mut frame = frames[dice.below(frames.len())].clone();
        let other = &frames[dice.below(frames.len())];
        mutate(&mut frame, other, &mut dice);
        let missing = if dice.is_one_in(3) { dice.below(1_500) } else { 0 };
        look_at(*dlt, &frame, u32::try_from(frame.len() + missing).unwrap());
    }
}

#[test]
fn every_frame_can_be_cut_anywhere() {
    for dlt in LINKS {
        for frame in mix(3, dlt, 300) {
            let wire_length = u32::try_from(frame.len()).unwrap();
            for end in 0..frame.len() {
                look_at(dlt, &frame[..end], wire_length);
                look_at(dlt, &frame[..end], u32::try_from(end).unwrap());
            }
        }
    }
}

fn any_link() -> impl Strategy<Value = u16> {
    prop::sample::select(LINKS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn random_bytes_are_told_in_one_visible_line(
        dlt in any_link(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        missing in 0..100_u32,
    ) {
        look_at(dlt, &bytes, u32::try_from(bytes.len()).unwrap() + missing);
    }

    #[test]
    fn random_payloads_of_known_ports_are_told_in_one_visible_line(
        port in prop::sample::select(vec![53_u16, 5353, 5355, 67, 547, 123, 4789, 443]),
        by_tcp in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut dice = Dice::new(u64::from(port));
        let ip = frames::Network::any(&mut dice);
        let packet = if by_tcp {
            ip.tcp(&frames::Segment { destination: port, ..frames::Segment::any(&mut dice) }, &payload)
        } else {
            ip.udp(port, port, &payload)
        };
        let frame = frames::ethernet(ip.kind(), &packet);
        look_at(1, &frame, u32::try_from(frame.len()).unwrap());
    }

    #[test]
    fn hostile_names_and_lines_stay_text(text in "[\\PC\\x00-\\x1f\\x7f-\\u{9f}\\u{202a}-\\u{202e}]{0,60}") {
        let mut dice = Dice::new(1);
        let ip = frames::Network::any(&mut dice);
        let segment = frames::Segment::any(&mut dice);
        let line = format!("HTTP/1.1 {text}");
        for payload in [line.into_bytes(), frames::client_hello(&mut dice, &text, &["h2"])] {
            let frame = frames::ethernet(ip.kind(), &ip.tcp(&segment, &payload));
            look_at(1, &frame, u32::try_from(frame.len()).unwrap());
        }
    }
}
