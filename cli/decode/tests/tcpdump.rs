//! What we say of ten thousand packets is what tcpdump says of them.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod facts;
mod frames;

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use dbgctl_decode::{LinkType, Origins, packet};
use facts::{Fact, facts};
use frames::{Dice, Network, Segment, ethernet, mix};

/// Link type, frames.
const CAPTURES: [(u16, usize); 5] = [(1, 8_000), (276, 500), (113, 500), (0, 500), (12, 500)];

/// More than any frame has.
const WHOLE: usize = 0x4_0000;

/// A capture file of version 2.4, in microseconds.
fn pcap(link: u16, frames: &[Vec<u8>], snap_bytes: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, u32::from(link)] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for (at, frame) in frames.iter().enumerate() {
        let captured = &frame[..frame.len().min(snap_bytes)];
        for word in [1_700_000_000, at, captured.len(), frame.len()] {
            file.extend_from_slice(&u32::try_from(word).unwrap().to_le_bytes());
        }
        file.extend_from_slice(captured);
    }
    file
}

/// What tcpdump says of each packet, as one line each. `None` if there is no tcpdump.
fn tcpdump(link: u16, frames: &[Vec<u8>], snap_bytes: usize, options: &[&str]) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mix.pcap");
    fs::write(&path, pcap(link, frames, snap_bytes)).unwrap();
    let run = Command::new("tcpdump")
        .args(["--number", "-nn", "-t", "-r"])
        .arg(&path)
        .args(options)
        .env("LC_ALL", "C")
        .output();
    let run = match run {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        run => run.unwrap(),
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut packets: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&run.stdout).lines() {
        let number = format!("{:5}  ", packets.len() + 1);
        match line.strip_prefix(&number) {
            Some(first) => packets.push(first.to_owned()),
            None => {
                let last = packets.last_mut().unwrap();
                last.push(' ');
                last.push_str(line.trim());
            }
        }
    }
    assert_eq!(packets.len(), frames.len(), "tcpdump tells of each packet");
    Some(packets)
}

/// What is missing in `text`, in which `words` come one after the other.
fn missing<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut rest = text;
    for word in words {
        match rest.find(word) {
            Some(at) => rest = &rest[at + word.len()..],
            None => return Some(format!("no {word:?} in {rest:?}")),
        }
    }
    None
}

fn without_tcpdump() {
    eprintln!("skipped: there is no tcpdump on this machine to compare with");
}

/// Compares what is said of frames of which only that many bytes were captured. Returns how many things both said;
/// `None` if there is no tcpdump.
fn compare(link: u16, frames: &[Vec<u8>], snap_bytes: usize) -> Option<usize> {
    let theirs = tcpdump(link, frames, snap_bytes, &["-S", "-vv", "-e"])?;
    let mut told = 0;
    let mut complaints = Vec::new();
    for (frame, theirs) in frames.iter().zip(&theirs) {
        let captured = &frame[..frame.len().min(snap_bytes)];
        let link = LinkType::from_dlt(link).unwrap();
        let packet = packet(link, captured, u32::try_from(frame.len()).unwrap());
        let ours = packet.summary().with_link().to_string();
        let facts = facts(&packet);
        let by_us = missing(&ours, facts.iter().map(|Fact { ours, .. }| ours.as_str()));
        let by_them = missing(theirs, facts.iter().map(|Fact { theirs, .. }| theirs.as_str()));
        if let Some(what) = by_us.or(by_them) {
            complaints.push(format!("{what}\nours   {ours}\ntheirs {theirs}\n"));
        }
        told += facts.len();
    }
    let first = complaints.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} disagreements, the first are:\n{first}", complaints.len());
    Some(told)
}

#[test]
fn ten_thousand_packets_are_told_as_tcpdump_tells_them() {
    let mut told = 0;
    for (seed, (link, count)) in (1..).zip(CAPTURES) {
        let Some(here) = compare(link, &mix(seed, link, count), WHOLE) else {
            return without_tcpdump();
        };
        told += here;
    }
    assert!(told > 50_000, "only {told} things were compared");
}

#[test]
fn headers_of_packets_that_were_cut_off_are_told_as_tcpdump_tells_them() {
    // All headers are captured, and hardly any payload is.
    let Some(told) = compare(1, &mix(6, 1, 2_000), 110) else {
        return without_tcpdump();
    };
    assert!(told > 10_000, "only {told} things were compared");
}

/// Packets of a few connections, of which some were open before, in any order, and with the same ports again.
fn conversations() -> Vec<Vec<u8>> {
    let mut dice = Dice::new(11);
    let networks: Vec<Network> = (0..20).map(|_| Network::any(&mut dice)).collect();
    let segments: Vec<Segment> = (0..20).map(|_| Segment::any(&mut dice)).collect();
    let packet = |dice: &mut Dice| {
        let at = dice.below(networks.len());
        let (ip, segment) = (networks[at], segments[at].clone());
        let (sequence, acknowledgement) = (
            segment.sequence.wrapping_add(dice.long() % 9_999),
            segment.acknowledgement.wrapping_add(dice.long() % 9_999),
        );
        let payload = vec![0xee; dice.below(4) * 100];
        let flags = if dice.is_one_in(20) {
            dice.one_of(&[0x02, 0x12, 0x04])
        } else {
            dice.one_of(&[0x10, 0x18, 0x11])
        };
        if dice.is_one_in(2) {
            let segment = Segment { flags, sequence, acknowledgement, ..segment };
            return ethernet(ip.kind(), &ip.tcp(&segment, &payload));
        }
        let (source, destination) = (segment.destination, segment.source);
        let (sequence, acknowledgement) = (acknowledgement, sequence);
        let back = Segment { source, destination, flags, sequence, acknowledgement, ..segment };
        ethernet(ip.kind(), &ip.turned().tcp(&back, &payload))
    };
    (0..2_000).map(|_| packet(&mut dice)).collect()
}

#[test]
fn numbers_of_connections_are_told_from_where_tcpdump_tells_them() {
    let frames = conversations();
    let Some(theirs) = tcpdump(1, &frames, WHOLE, &[]) else {
        return without_tcpdump();
    };
    let mut origins = Origins::default();
    let numbers = |line: &str| {
        let (_, numbers) = line.split_once("], ").unwrap();
        numbers.split_once(", win").unwrap().0.to_owned()
    };
    for (frame, theirs) in frames.iter().zip(&theirs) {
        let packet = packet(LinkType::Ethernet, frame, u32::try_from(frame.len()).unwrap());
        let ours = packet.summary().relative_to(origins.of(&packet)).to_string();
        assert_eq!(numbers(&ours), numbers(theirs), "\nours   {ours}\ntheirs {theirs}");
    }
}
