//! For live packets: libpcap's programs for a socket are run here, where what Linux tells beside a packet can be given to them.

use dbgctl_filter::{Beside, LinkType, Mode, Program, compile, parse};

use crate::oracle::{Handle, Libpcap, Theirs};
use crate::packets::{Packet, Random};
use crate::{SNAP_LENGTH, System, expressions, packets};

/// A packet as a socket has it, and as libpcap's program sees it.
struct LivePacket {
    bytes: Vec<u8>,
    beside: Beside,
    theirs: Vec<u8>,
    wire_length: u32,
}

fn ours(expression: &str, link: LinkType) -> Result<Program, String> {
    let parsed = parse(expression).map_err(|error| error.to_string())?;
    compile(&parsed, link, Mode::Live, SNAP_LENGTH.into(), &System).map_err(|error| error.to_string())
}

/// `None` for a program with a loop, which only libpcap itself can run.
fn as_program(theirs: &Theirs) -> Option<Program> {
    Program::new(theirs.instructions()).ok()
}

#[test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what was counted, and what was left out")]
fn live_programs_want_what_libpcap_wants_with_the_tag_the_direction_and_the_interface_beside_the_packet() {
    let Some(libpcap) = Libpcap::load() else { return };
    for (interface, link) in [(c"lo", LinkType::Ethernet), (c"any", LinkType::LinuxCookedV2)] {
        let handle = match libpcap.live(interface, link, SNAP_LENGTH.into()) {
            Ok(handle) => handle,
            Err(message) => {
                eprintln!("skipped: libpcap can not open {}: {message}", interface.to_string_lossy());
                continue;
            }
        };
        let packets = live_packets(link);
        let mut compared = 0;
        let mut differences = Vec::new();
        for expression in expressions::expressions() {
            compared += usize::from(compare(&handle, link, &expression, &packets, &mut differences));
        }
        println!("{link:?}: {compared} programs compared on {} packets each", packets.len());
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
        assert!(compared >= 1000, "{compared} programs are few");
    }
}

fn compare(
    handle: &Handle,
    link: LinkType,
    expression: &str,
    packets: &[LivePacket],
    differences: &mut Vec<String>,
) -> bool {
    // Behind PPPoE and Geneve, libpcap adds the place of the header to the numbers that stand for what is beside a packet.
    let is_beside_inside = ["inbound", "outbound", "ifindex"].iter().any(|word| expression.contains(word))
        && ["pppoes", "geneve"].iter().any(|word| expression.contains(word));
    // There, where the headers are depends on whether the test for the tag was made on the way.
    // Without its optimizer, what is before the start of a header is nowhere.
    let is_before_start = expression.contains("[-");
    let is_tag_skipped = expression.contains("vlan") && expressions::has_alternatives(expression);
    if expressions::is_undefined(expression) || is_beside_inside || is_before_start || is_tag_skipped {
        return false;
    }
    // Its optimizer takes jumps inside of a block for none: optimized, `igmp and vlan 200` never matches a packet.
    let theirs = handle.compile(expression, true).and_then(|_| handle.compile(expression, false));
    let (ours, theirs) = match (ours(expression, link), theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(_), Err(_)) => return false,
        (Err(message), Ok(_)) if message.starts_with("no packet can ever match") => return false,
        // libpcap runs these on the packets that it has been given.
        (Err(message), Ok(_)) if message.starts_with("packets of all interfaces have no link header") => {
            return false;
        }
        (ours, theirs) => {
            differences.push(format!("{link:?} `{expression}`: {:?} {:?}", ours.err(), theirs.err()));
            return false;
        }
    };
    let Some(theirs) = as_program(&theirs) else { return false };
    let verdicts = |packet: &LivePacket, more: &[u8]| {
        let bytes = [packet.bytes.as_slice(), more].concat();
        let own = ours.run_live(&bytes, packet.wire_length, packet.beside);
        let bytes = [packet.theirs.as_slice(), more].concat();
        (own, theirs.run_live(&bytes, packet.wire_length, packet.beside))
    };
    for packet in packets {
        let (own, other) = verdicts(packet, &[]);
        // What is too short for a field that does not matter: see the tests for stored packets.
        let (longer_own, longer_other) = if own == other { (0, 0) } else { verdicts(packet, &[0; 1 << 17]) };
        if longer_own != longer_other {
            differences.push(format!(
                "{link:?} `{expression}`: {own} and not {other} for {:?} {:02x?}",
                packet.beside, packet.bytes
            ));
            break;
        }
    }
    true
}

#[test]
fn behind_vlan_a_tag_beside_the_packet_is_the_same_as_one_in_it() {
    let mut random = Random(0x5eed_0004);
    let packets: Vec<_> = packets::packets(LinkType::Ethernet).into_iter().step_by(5).collect();
    assert!(packets.iter().filter(|packet| without_tag(packet).1.vlan_tag.is_some()).count() >= 100);
    // Bytes by their number and lengths are told as they are.
    let raw = ["ether[", "byte", "len", "less", "greater", "inbound", "outbound", "ifindex", "geneve"];
    let mut compared = 0;
    for expression in expressions::expressions().iter().step_by(4) {
        if expression.is_empty() || raw.iter().any(|word| expression.contains(word)) {
            continue;
        }
        let start = random.pick(&[
            "vlan and",
            "vlan or",
            "not vlan and",
            "vlan 100 and",
            "vlan 100 or",
            "not vlan 200 and",
        ]);
        let expression = format!("{start} ({expression})");
        let Ok(parsed) = parse(&expression) else { continue };
        let compile = |mode| compile(&parsed, LinkType::Ethernet, mode, SNAP_LENGTH.into(), &System);
        // What can not be is found out for one of them only, now and then.
        let (Ok(stored), Ok(live)) = (compile(Mode::Stored), compile(Mode::Live)) else { continue };
        compared += 1;
        for packet in &packets {
            let (bytes, beside) = without_tag(packet);
            let in_packet = stored.run(&packet.bytes, packet.wire_length);
            let beside = live.run_live(&bytes, packet.wire_length, beside);
            assert_eq!(in_packet, beside, "{expression}: {:02x?}", packet.bytes);
        }
    }
    assert!(compared >= 500, "{compared} programs are few");
}

/// As Linux has it: the tag of 802.1Q is not in the bytes.
fn without_tag(packet: &Packet) -> (Vec<u8>, Beside) {
    match packet.bytes.get(12..16) {
        Some([0x81, 0x00, high, low]) => {
            let tag = u16::from_be_bytes([*high, *low]);
            let bytes = [&packet.bytes[..12], &packet.bytes[16..]].concat();
            (bytes, Beside { vlan_tag: Some(tag), ..Beside::default() })
        }
        _ => (packet.bytes.clone(), Beside::default()),
    }
}

fn live_packets(link: LinkType) -> Vec<LivePacket> {
    let mut random = Random(0x5eed_0003);
    let packets = packets::packets(link).into_iter().step_by(3);
    packets
        .filter_map(
            |packet| if link.dlt() == 1 { Some(ethernet(packet, &mut random)) } else { cooked(packet) },
        )
        .collect()
}

fn ethernet(Packet { bytes, wire_length }: Packet, random: &mut Random) -> LivePacket {
    let beside = Beside {
        protocol: 0,
        packet_type: u32::try_from(random.below(5)).unwrap(),
        interface: u32::try_from(1 + random.below(3)).unwrap(),
        vlan_tag: [None, None, Some(100), Some(0x2064), Some(200), Some(1)][random.below(6)],
    };
    LivePacket { theirs: bytes.clone(), bytes, beside, wire_length }
}

/// The header is what the socket tells beside.
fn cooked(Packet { bytes, wire_length }: Packet) -> Option<LivePacket> {
    let (header, payload) = bytes.split_at_checked(20)?;
    let beside = Beside {
        protocol: u16::from_be_bytes([header[0], header[1]]),
        packet_type: header[10].into(),
        interface: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        vlan_tag: None,
    };
    Some(LivePacket { bytes: payload.to_vec(), beside, theirs: bytes.clone(), wire_length })
}
