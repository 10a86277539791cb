//! For stored packets: the programs want the same ones as libpcap's, and there is none where libpcap has none.
//!
//! Three things are known to differ, and are counted:
//!
//! - What our optimizer knows to be impossible and libpcap's does not is refused. libpcap's program must not want any packet.
//! - Where one optimizer finds out that a field can not matter and the other does not, a packet that is too short for the
//!   field is rejected by one of them only. If bytes are added to it, both must say the same, whatever the bytes are.
//! - What stands to the right of `geneve` is read from memory that libpcap's program has written only if the packet is
//!   Geneve. Behind an `or` or a `not` others come there, and libpcap's result is whatever was in that memory before.

use std::collections::HashSet;

use crate::oracle::{Handle, Libpcap, Theirs};
use crate::packets::Packet;
use crate::{SNAP_LENGTH, System, expressions, packets};
use dbgctl_filter::{Instruction, LinkType, Mode, Program, compile, parse};

fn ours(expression: &str, link: LinkType) -> Result<Program, String> {
    let parsed = parse(expression).map_err(|error| error.to_string())?;
    compile(&parsed, link, Mode::Stored, SNAP_LENGTH.into(), &System).map_err(|error| error.to_string())
}

/// What libpcap 1.10 refuses although it makes sense, and the same in other words, which it takes: to see whether it divides by
/// zero or shifts too far, it looks at the first number of the right side, and that is the index of a field.
const REFUSED_BY_MISTAKE: [(&str, &str); 4] = [
    ("ip[2] / ip[0] = 0", "ip[2] / ip[(1 - 1)] = 0"),
    ("ip[2:2] % ip[0] = 9", "ip[2:2] % ip[(1 - 1)] = 9"),
    ("ip[8] << udp[32] > 64", "ip[8] << udp[(20 + 12)] > 64"),
    ("ip[8] >> ip[33] = 1", "ip[8] >> ip[(20 + 13)] = 1"),
];

#[test]
fn what_libpcap_refuses_by_mistake_means_what_it_means_in_other_words() {
    let Some(libpcap) = Libpcap::load() else { return };
    let handle = libpcap.dead(LinkType::Ethernet, SNAP_LENGTH.into());
    let packets = packets::packets(LinkType::Ethernet);
    for (expression, other_words) in REFUSED_BY_MISTAKE {
        let ours = ours(expression, LinkType::Ethernet).unwrap();
        let Ok(theirs) = handle.compile(other_words, true) else { panic!("{other_words}") };
        for packet in &packets {
            let (own, other) = verdicts(&ours, &theirs, &packet.bytes, packet.wire_length);
            assert_eq!(own, other, "{expression}: {:02x?}", packet.bytes);
        }
    }
}

#[derive(Default)]
struct Tally {
    compared: usize,
    packets: usize,
    rejected: usize,
    impossible: usize,
    too_short: usize,
    undefined: usize,
    ratios: Vec<f64>,
    differences: Vec<String>,
}

#[test]
#[expect(clippy::print_stdout, reason = "what was counted")]
fn every_expression_wants_the_packets_that_libpcap_wants() {
    let Some(libpcap) = Libpcap::load() else { return };
    let expressions = expressions::expressions();
    assert!(expressions.len() >= 3000);
    let mut tally = Tally::default();
    for link in LinkType::ALL {
        let packets = packets::packets(link);
        assert!(packets.len() >= 10_000);
        let handle = libpcap.dead(link, SNAP_LENGTH.into());
        let mut comparison = Comparison { handle, link, packets, seen: HashSet::new() };
        for expression in &expressions {
            comparison.compare(expression, &mut tally);
        }
    }
    tally.ratios.sort_by(f64::total_cmp);
    let median = tally.ratios[tally.ratios.len() / 2];
    println!(
        "{} expressions for {} link types: {} programs compared on {} packets, {} refused by both, {} known to be \
         impossible here only, {} verdicts on packets too short for what does not matter, {} expressions without a \
         defined meaning; ratio of instructions: median {median:.3}, largest {:.3}",
        expressions.len(),
        LinkType::ALL.len(),
        tally.compared,
        tally.packets,
        tally.rejected,
        tally.impossible,
        tally.too_short,
        tally.undefined,
        tally.ratios.last().unwrap(),
    );
    assert!(
        tally.differences.is_empty(),
        "{} differences:\n{}",
        tally.differences.len(),
        tally.differences.join("\n")
    );
    assert!(tally.compared >= 10_000, "{} programs are few", tally.compared);
    assert!(median <= 1.5, "{median}");
}

struct Comparison {
    handle: Handle,
    link: LinkType,
    packets: Vec<Packet>,
    /// Programs that were compared.
    seen: HashSet<(Program, Vec<Instruction>)>,
}

impl Comparison {
    fn compare(&mut self, expression: &str, tally: &mut Tally) {
        let mut differ =
            |what: &str| tally.differences.push(format!("{:?} `{expression}`: {what}", self.link));
        let (ours, theirs) = match (ours(expression, self.link), self.handle.compile(expression, true)) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(_), Err(_)) => {
                tally.rejected += 1;
                return;
            }
            (Ok(_), Err(message)) => return differ(&format!("libpcap refuses it: {message}")),
            (Err(message), Ok(theirs)) if message.starts_with("no packet can ever match") => {
                tally.impossible += 1;
                if self.packets.iter().any(|packet| theirs.run(&packet.bytes, packet.wire_length) != 0) {
                    differ("it is not impossible");
                }
                return;
            }
            (Err(message), Ok(_)) => return differ(&format!("libpcap takes it: {message}")),
        };
        if expression.contains("geneve")
            && ["or ", "||", "not ", "!"].iter().any(|word| expression.contains(word))
        {
            tally.undefined += 1;
            return;
        }
        tally.compared += 1;
        let instructions = theirs.instructions();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        tally.ratios.push(ours.instructions().len() as f64 / instructions.len() as f64);
        // Programs that were compared need not be compared again.
        if !self.seen.insert((ours.clone(), instructions)) {
            return;
        }
        for packet in &self.packets {
            tally.packets += 1;
            let (own, other) = verdicts(&ours, &theirs, &packet.bytes, packet.wire_length);
            if own == other {
                continue;
            }
            if is_too_short_for_what_does_not_matter(&ours, &theirs, packet) {
                tally.too_short += 1;
                continue;
            }
            differ(&format!("{own} and not {other} for {} bytes {:02x?}", packet.bytes.len(), packet.bytes));
            return;
        }
    }
}

fn verdicts(ours: &Program, theirs: &Theirs, packet: &[u8], wire_length: u32) -> (u32, u32) {
    (ours.run(packet, wire_length), theirs.run(packet, wire_length))
}

/// Whether both want the packet as soon as it has more bytes, or neither.
fn is_too_short_for_what_does_not_matter(ours: &Program, theirs: &Theirs, packet: &Packet) -> bool {
    // An offset that is itself a field of two bytes needs more.
    [1 << 10, 1 << 17].into_iter().any(|length| {
        [0x00, 0xff, 0x55].into_iter().all(|byte| {
            let longer = [packet.bytes.clone(), vec![byte; length]].concat();
            let (own, other) = verdicts(ours, theirs, &longer, packet.wire_length);
            own == other
        })
    })
}
