//! Packets of a real network namespace, in a real ring.
//!
//! As root only: a packet socket takes CAP_NET_RAW, and a network namespace of one's own CAP_SYS_ADMIN.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dbgctl_linux::packet::{Instruction, LinkType, Program, Ring, Settings, Shape};
use nix::sched::{CloneFlags, unshare};

const PATIENCE: Duration = Duration::from_secs(20);

/// Does something in a new network namespace, whose loopback interface is up.
fn in_new_network(work: impl FnOnce() + Send + 'static) {
    let done = thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            #[expect(clippy::print_stderr, reason = "whoever runs the tests shall know")]
            {
                eprintln!("skipped: only root may make a network");
            }
            return;
        }
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.unwrap().success());
        work();
    });
    done.join().unwrap();
}

/// A small ring, whose packets are handed over at once.
fn ring() -> Ring {
    let wait = Duration::from_millis(5);
    Ring::make(Settings { cooked: false, buffer_bytes: 1 << 20, wait }).unwrap()
}

/// Sends, and waits until it was received: then it has been seen by whoever hears that interface. A kernel that has too much to
/// do drops what is sent on the loopback interface before anyone sees it: then it is sent again. Returns how often it was sent.
fn carry(sender: &UdpSocket, receiver: &UdpSocket, bytes: &[u8]) -> u64 {
    receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for times in 1..10 {
        sender.send(bytes).unwrap();
        if receiver.recv(&mut [0; 2000]).is_ok() {
            return times;
        }
    }
    panic!("nothing comes through");
}

/// Accepts UDP of IPv4 to that port, and nothing else.
fn only_port(port: u16) -> Program {
    let instruction =
        |code, jump_true, jump_false, operand| Instruction { code, jump_true, jump_false, operand };
    let program = [
        instruction(0x28, 0, 0, 12),
        instruction(0x15, 0, 5, 0x0800),
        instruction(0x30, 0, 0, 23),
        instruction(0x15, 0, 3, 17),
        instruction(0x28, 0, 0, 36),
        instruction(0x15, 0, 1, port.into()),
        instruction(0x06, 0, 0, 65_535),
        instruction(0x06, 0, 0, 0),
    ];
    Program::new(&program, 65_535).unwrap()
}

/// Two sockets, of which the first sends to the second.
fn pair() -> (UdpSocket, UdpSocket, u16) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    sender.connect(address).unwrap();
    (sender, receiver, address.port())
}

/// Packets of the ring, until there are so many of them.
fn take(ring: &mut Ring, wanted: usize) -> Vec<Vec<u8>> {
    let shape = Shape { link: LinkType::Ethernet, snap_bytes: 65_535, headers_only: false };
    let (mut packets, began) = (Vec::new(), Instant::now());
    while packets.len() < wanted && began.elapsed() < PATIENCE {
        ring.wait(Duration::from_millis(50)).unwrap();
        ring.with_block(|block| {
            for frame in block.frames() {
                let mut packet = Vec::new();
                let wire_bytes = shape.put(&frame.unwrap(), &mut packet);
                assert_eq!(usize::try_from(wire_bytes).unwrap(), packet.len());
                packets.push(packet);
            }
        });
    }
    packets
}

#[test]
fn what_is_sent_on_loopback_is_seen_once_and_whole() {
    in_new_network(|| {
        let (sender, receiver, _) = pair();
        // However long the sending takes, there is room for what is handed over meanwhile.
        let settings = Settings { cooked: false, buffer_bytes: 64 << 20, wait: Duration::from_millis(200) };
        let mut ring = Ring::make(settings).unwrap();
        ring.hear(&Program::new(&[], 65_535).unwrap(), None, false).unwrap();
        for number in 0..500_u32 {
            carry(&sender, &receiver, &number.to_be_bytes());
        }
        let packets = take(&mut ring, 500);
        let numbers: Vec<_> = packets.iter().map(|packet| packet[packet.len() - 4..].to_vec()).collect();
        let sent: Vec<_> = (0..500_u32).map(|number| number.to_be_bytes().to_vec()).collect();
        assert_eq!(numbers, sent);
        let counts = ring.counts().unwrap();
        assert_eq!((counts.accepted, counts.dropped), (500, 0));
    });
}

#[test]
fn no_packet_passes_by_the_filter_even_if_it_comes_while_the_ring_is_made() {
    in_new_network(|| {
        let (unwanted, _receiver, _) = pair();
        let (wanted, receiver, port) = pair();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        // Made by a thread that is in the namespace, and so is its own.
        let flood = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                unwanted.send(b"unwanted").unwrap();
            }
        });
        for _ in 0..200 {
            let mut ring = ring();
            ring.hear(&only_port(port), None, false).unwrap();
            let sent = carry(&wanted, &receiver, b"wanted");
            let packets = take(&mut ring, 1);
            assert!(!packets.is_empty() && packets.iter().all(|packet| packet.ends_with(b"wanted")));
            // The kernel has counted no other either.
            assert!((1..=sent).contains(&ring.counts().unwrap().accepted));
        }
        over.store(true, Ordering::Relaxed);
        flood.join().unwrap();
    });
}

#[test]
fn what_does_not_fit_is_counted_to_the_last_packet() {
    in_new_network(|| {
        let (sender, receiver, _) = pair();
        let mut ring = ring();
        ring.hear(&Program::new(&[], 65_535).unwrap(), None, false).unwrap();
        let sent = 5000;
        for _ in 0..sent {
            carry(&sender, &receiver, &[7; 1000]);
        }
        ring.deafen().unwrap();
        carry(&sender, &receiver, b"too late");
        let counts = ring.counts().unwrap();
        assert_eq!(counts.accepted, sent);
        assert!(counts.dropped > 0, "{counts:?}");
        let kept = usize::try_from(counts.accepted - counts.dropped).unwrap();
        let packets = take(&mut ring, kept);
        assert_eq!(packets.len(), kept);
        assert!(!ring.wait(Duration::from_millis(100)).unwrap(), "there is more than was counted");
    });
}

#[test]
fn an_interface_that_goes_down_is_an_end_and_not_a_silence() {
    in_new_network(|| {
        let mut ring = ring();
        // In a new network the loopback interface has the first number.
        ring.hear(&Program::new(&[], 65_535).unwrap(), Some(1), false).unwrap();
        let down = Command::new("ip").args(["link", "set", "lo", "down"]).status();
        assert!(down.unwrap().success());
        let began = Instant::now();
        let error = loop {
            match ring.wait(Duration::from_millis(50)) {
                Err(error) => break error,
                Ok(_) => assert!(began.elapsed() < PATIENCE, "it is not noticed"),
            }
        };
        assert!(error.is_down(), "{error}");
    });
}
