//! How long a frame takes. Not a test: time is told, never asserted.
//!
//! `cargo test --release -p dbgctl-decode --test speed -- --ignored --nocapture`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

mod frames;

use std::fmt::Write as _;
use std::time::Instant;

use dbgctl_decode::{LinkType, packet};
use frames::*;

const FRAMES: u32 = 1_000_000;

/// Decodes and tells frames; says the time of one in the mean.
fn measure(name: &str, frames: &[Vec<u8>]) {
    let mut line = String::new();
    let begin = Instant::now();
    for frame in frames.iter().cycle().take(usize::try_from(FRAMES).unwrap()) {
        line.clear();
        let packet = packet(LinkType::Ethernet, frame, u32::try_from(frame.len()).unwrap());
        write!(line, "{}", packet.summary()).unwrap();
    }
    let mean = begin.elapsed().as_secs_f64() * 1e6 / f64::from(FRAMES);
    println!("{name:<12} {mean:.2} us a frame, over {FRAMES} frames");
}

/// Frames made to take long: as large as can be captured, and all of it to be read.
fn dear() -> Vec<Vec<u8>> {
    let mut dice = Dice::new(1);
    let ip = Network::V4(V4::any(&mut dice));
    let segment = Segment::any(&mut dice);
    let padding = vec![0; 60_000];
    let advertisement = icmpv6(&V6::any(&mut dice), 134, 0, [0; 4], &[9, 1, 0, 0, 0, 0, 0, 0].repeat(7_000));
    let records = tls(23, &[0]).repeat(9_000);
    let contents = [
        ip.udp(53, 40_000, &pointers()),
        ip.udp(67, 68, &dhcp(2, 1, [[0; 4]; 4], &padding)),
        ip.udp(547, 546, &padding.iter().map(|_| 7).collect::<Vec<u8>>()),
        ip.tcp(&segment, &client_hello(&mut dice, &"a".repeat(12_000), &[])),
        ip.tcp(&segment, &records),
        ip.tcp(&segment, &[&b"GET /"[..], &[b'a'; 60_000]].concat()),
        ip.packet(132, &sctp(1, 2, 3, &padding)),
    ];
    let mut frames: Vec<_> = contents.iter().map(|packet| ethernet(ip.kind(), packet)).collect();
    frames.push(ethernet(0x86dd, &advertisement));
    frames
}

/// An answer whose names lead from pointer to pointer, as often as is followed.
fn pointers() -> Vec<u8> {
    const POINTERS: u16 = 15;
    let mut message = vec![0, 1, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    // A record of an unknown type, whose data are pointers, each to the one before it.
    message.extend_from_slice(&[0, 0, 99, 0, 1, 0, 0, 0, 60]);
    message.extend_from_slice(&(POINTERS * 2).to_be_bytes());
    let mut before = 12_u16;
    for _ in 0..POINTERS {
        let here = u16::try_from(message.len()).unwrap();
        message.extend_from_slice(&(0xc000 | before).to_be_bytes());
        before = here;
    }
    for _ in 0..8 {
        message.extend_from_slice(&(0xc000 | before).to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
    }
    message
}

#[test]
#[ignore = "a measurement"]
fn time_for_a_frame() {
    let plain = mix(1, 1, 10_000);
    let mut dice = Dice::new(2);
    let mutated = (0..100_000).map(|at| {
        let mut frame = plain[at % plain.len()].clone();
        mutate(&mut frame, &plain[dice.below(plain.len())], &mut dice);
        frame
    });
    measure("mixed", &plain);
    measure("mutated", &mutated.collect::<Vec<_>>());
    for (at, frame) in dear().into_iter().enumerate() {
        measure(&format!("dear {at}"), &[frame]);
    }
}
