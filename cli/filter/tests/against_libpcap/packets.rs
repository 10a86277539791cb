//! Packets with every header that an expression may ask for. The same ones in each run.

use dbgctl_filter::LinkType;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// A packet, and how long it was on the wire.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) wire_length: u32,
}

/// At least 10,000: whole ones of every kind, and some of them cut off at every length.
pub(crate) fn packets(link: LinkType) -> Vec<Packet> {
    let mut random = Random(0x5eed_0001);
    let mut packets = Vec::new();
    let whole: Vec<Vec<u8>> = (0..7000).map(|_| frame(link, &mut random)).collect();
    for (number, bytes) in whole.iter().enumerate() {
        let wire_length = u32::try_from(bytes.len()).unwrap();
        if number % 70 == 0 {
            packets.extend((0..bytes.len()).map(|end| Packet { bytes: bytes[..end].to_vec(), wire_length }));
        }
        packets.push(Packet { bytes: bytes.clone(), wire_length });
    }
    let mut number = 0;
    while packets.len() < 10_000 {
        let bytes = &whole[number % whole.len()];
        let end = random.below(bytes.len() + 1);
        packets
            .push(Packet { bytes: bytes[..end].to_vec(), wire_length: u32::try_from(bytes.len()).unwrap() });
        number += 1;
    }
    packets
}

const MACS: [[u8; 6]; 5] = [
    [0x02, 0x42, 0xac, 0x11, 0x00, 0x02],
    [0x02, 0x42, 0xac, 0x11, 0x00, 0x03],
    [0xff; 6],
    [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01],
    [0x00, 0x11, 0x22, 0x33, 0x44, 0x55],
];

pub(crate) const IPV4: [[u8; 4]; 12] = [
    [0, 0, 0, 10],
    [1, 2, 3, 0],
    [1, 44, 0, 0],
    [192, 168, 0, 0],
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 1, 2, 3],
    [192, 168, 1, 1],
    [127, 0, 0, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
    [172, 16, 5, 4],
];

const IPV6: [[u8; 16]; 6] = [
    [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8],
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2],
    [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
];

const PORTS: [u16; 18] =
    [0, 22, 53, 67, 68, 69, 80, 123, 443, 1023, 6081, 8000, 8005, 8010, 8080, 9000, 40000, 65535];

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len())]
}

/// Bytes of an address, now and then with one bit that is another.
fn nearly<const N: usize>(random: &mut Random, from: &[[u8; N]]) -> [u8; N] {
    let mut bytes = pick(random, from);
    if random.one_in(6) {
        bytes[random.below(N)] ^= 1 << random.below(8);
    }
    bytes
}

/// A number, now and then the one before or behind it, or one of which a bit is another.
fn about(random: &mut Random, from: &[u16]) -> u16 {
    let number = pick(random, from);
    match random.below(12) {
        0 => number.wrapping_sub(1),
        1 => number.wrapping_add(1),
        2 => number ^ 1 << random.below(16),
        _ => number,
    }
}

fn push16(bytes: &mut Vec<u8>, value: u16) {
    bytes.extend(value.to_be_bytes());
}

/// A frame with a link header.
fn frame(link: LinkType, random: &mut Random) -> Vec<u8> {
    match link {
        LinkType::Ethernet => ethernet(random, 0),
        LinkType::LinuxCookedV1 => {
            let (protocol, payload) = cooked_payload(random);
            let mut bytes = vec![0, pick(random, &[0, 1, 2, 3, 4]), 3, 4, 0, 6];
            bytes.extend(nearly(random, &MACS));
            bytes.extend([0, 0]);
            push16(&mut bytes, protocol);
            bytes.extend(payload);
            bytes
        }
        LinkType::LinuxCookedV2 => {
            let (protocol, payload) = cooked_payload(random);
            let mut bytes = Vec::new();
            push16(&mut bytes, protocol);
            bytes.extend([0, 0, 0, 0, 0, pick(random, &[1, 2, 7])]);
            bytes.extend([3, 4, pick(random, &[0, 1, 2, 3, 4]), 6]);
            bytes.extend(nearly(random, &MACS));
            bytes.extend([0, 0]);
            bytes.extend(payload);
            bytes
        }
        LinkType::Loopback => {
            let (family, payload) = match random.below(9) {
                0..=3 => (2_u32, ipv4(random, 0)),
                4..=6 => (10, ipv6(random, 0)),
                7 => (30, ipv6(random, 0)),
                _ => (random.below(40).try_into().unwrap(), random.bytes(40)),
            };
            let order = if random.one_in(8) { family.to_be_bytes() } else { family.to_le_bytes() };
            [order.to_vec(), payload].concat()
        }
        LinkType::Raw => match random.below(8) {
            0..=3 => ipv4(random, 0),
            4..=6 => ipv6(random, 0),
            _ => random.bytes(40),
        },
    }
}

fn cooked_payload(random: &mut Random) -> (u16, Vec<u8>) {
    match random.below(12) {
        0 => (4, llc(random)),
        1 => (1, random.bytes(30)),
        _ => typed(random, 0),
    }
}

fn ethernet(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut bytes = [nearly(random, &MACS), nearly(random, &MACS)].concat();
    if random.one_in(8) {
        let payload =
            if random.one_in(5) { [vec![0xff, 0xff], random.bytes(30)].concat() } else { llc(random) };
        push16(&mut bytes, payload.len().try_into().unwrap());
        bytes.extend(payload);
        return bytes;
    }
    for _ in 0..pick(random, &[0, 0, 0, 0, 0, 0, 1, 1, 2]) {
        push16(&mut bytes, pick(random, &[0x8100, 0x8100, 0x88a8, 0x9100]));
        push16(&mut bytes, about(random, &[100, 0x2064, 200, 1, 0xe00a, 4095]));
    }
    let (protocol, payload) = typed(random, depth);
    push16(&mut bytes, protocol);
    bytes.extend(payload);
    bytes
}

/// A frame of 802.2: with SNAP, OSI, spanning tree and others.
fn llc(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => [vec![0xaa, 0xaa, 3, 0, 0, 0], typed_bytes(random)].concat(),
        1 => {
            let snap =
                [[8, 0, 7, 0x80, 0x9b], [0, 0, 0, 0x80, 0xf3], [0, 0, 0, 0x81, 0x37], [8, 0, 7, 0x80, 0xf3]];
            [vec![0xaa, 0xaa, 3], nearly(random, &snap).to_vec(), random.bytes(20)].concat()
        }
        2 => {
            let kind = pick(random, &[0x81, 0x82, 0x83, 0x83, 0x83]);
            let packet = pick(random, &[15, 16, 17, 18, 20, 24, 25, 26, 27]);
            [vec![0xfe, 0xfe, 3, kind, 27, 1, 0, packet], random.bytes(20)].concat()
        }
        3 => [vec![0x42, 0x42, 3], random.bytes(35)].concat(),
        4 => [
            vec![pick(random, &[0xe0, 0xf0, 0x06])],
            vec![pick(random, &[0xe0, 0xf0, 0x06]), 3],
            random.bytes(20),
        ]
        .concat(),
        5 => [vec![0xf0, 0xf0], random.bytes(20)].concat(),
        _ => {
            let control = pick(
                random,
                &[0x03, 0x63, 0x43, 0x0f, 0x6f, 0xe3, 0xaf, 0x87, 0x01, 0x05, 0x09, 0x00, 0x13, 0xf3],
            );
            [vec![4, 4, control], random.bytes(20)].concat()
        }
    }
}

fn typed_bytes(random: &mut Random) -> Vec<u8> {
    let (protocol, payload) = typed(random, 2);
    [protocol.to_be_bytes().to_vec(), payload].concat()
}

/// An Ethernet type and what it carries.
fn typed(random: &mut Random, depth: usize) -> (u16, Vec<u8>) {
    match random.below(30) {
        0..=10 => (0x0800, ipv4(random, depth)),
        11..=18 => (0x86dd, ipv6(random, depth)),
        19..=21 => (pick(random, &[0x0806, 0x0806, 0x8035]), arp(random)),
        22..=23 => (pick(random, &[0x8847, 0x8847, 0x8848]), mpls(random, depth)),
        24..=25 => (0x8864, pppoe(random, depth)),
        26 => (0x8863, [vec![0x11, 9, 0, 0, 0, 0], random.bytes(12)].concat()),
        27 => (0x6003, decnet(random)),
        28 => (
            pick(random, &[0x6001, 0x6002, 0x6004, 0x6007, 0x809b, 0x80f3, 0x8137, 0x88cc, 0x9000]),
            random.bytes(40),
        ),
        // Between lengths and types.
        _ if random.one_in(2) => (about(random, &[1500, 1500, 1501, 1536, 0x8809]), random.bytes(30)),
        _ => (u16::from_be_bytes([random.byte(), random.byte()]), random.bytes(30)),
    }
}

fn arp(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, pick(random, &[1, 2])];
    bytes.extend(nearly(random, &MACS));
    bytes.extend(nearly(random, &IPV4));
    bytes.extend(nearly(random, &MACS));
    bytes.extend(nearly(random, &IPV4));
    bytes
}

fn decnet(random: &mut Random) -> Vec<u8> {
    let address = [0x01, 0x28];
    let mut bytes = vec![30, 0];
    if random.one_in(2) {
        bytes.push(0x81);
    }
    bytes.push(pick(random, &[0x02, 0x06, 0x26]));
    for _ in 0..12 {
        bytes.extend(if random.one_in(2) { address } else { [random.byte(), random.byte()] });
    }
    bytes
}

fn mpls(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let labels = 1 + random.below(3);
    for label in 1..=labels {
        let number: u32 = pick(random, &[1000, 1000, 1001, 100_000, 100_000, 0xfffff, 1032, 0x7ffff]);
        let last = u32::from(label == labels);
        bytes.extend((number << 12 | last << 8 | 64).to_be_bytes());
    }
    bytes.extend(if random.one_in(2) { ipv4(random, depth) } else { ipv6(random, depth) });
    bytes
}

fn pppoe(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x11, 0];
    push16(&mut bytes, about(random, &[1, 7, 0x0100, 0xffff]));
    push16(&mut bytes, 60);
    let (protocol, payload): (u16, _) = match random.below(6) {
        0..=1 => (0x0021, ipv4(random, depth)),
        2..=3 => (0x0057, ipv6(random, depth)),
        4 => (0x0281, mpls(random, depth)),
        _ => (pick(random, &[0xc021, 0x0023, 0x0031, 0x002b, 0x0027, 0x0029]), random.bytes(20)),
    };
    push16(&mut bytes, protocol);
    bytes.extend(payload);
    bytes
}

pub(crate) fn ipv4(random: &mut Random, depth: usize) -> Vec<u8> {
    let words: u8 = pick(random, &[5, 5, 5, 5, 6, 8, 15]);
    let version = if random.one_in(40) { random.byte() & 0xf0 } else { 0x40 };
    let (protocol, payload) = transport(random, false, depth);
    let fragment: u16 = pick(random, &[0, 0, 0, 0x4000, 0x8000, 0x2000, 0x2010, 0x00b9, 0x1000, 0x0001]);
    let mut bytes = vec![version | words, pick(random, &[0, 0, 0x10, 0xb8])];
    let length = 4 * usize::from(words) + payload.len();
    push16(&mut bytes, length.try_into().unwrap_or(u16::MAX));
    push16(&mut bytes, u16::from_be_bytes([random.byte(), random.byte()]));
    push16(&mut bytes, fragment);
    bytes.extend([
        pick(random, &[1, 2, 3, 4, 5, 6, 10, 63, 64, 65, 128, 255]),
        protocol,
        random.byte(),
        random.byte(),
    ]);
    bytes.extend(nearly(random, &IPV4));
    bytes.extend(nearly(random, &IPV4));
    bytes.extend(random.bytes(4 * usize::from(words) - 20));
    bytes.extend(payload);
    bytes
}

/// Extension headers come in a row of at most three.
pub(crate) fn ipv6(random: &mut Random, depth: usize) -> Vec<u8> {
    let (mut next, mut payload) = transport(random, true, depth);
    for _ in 0..pick(random, &[0, 0, 0, 0, 1, 1, 2, 3]) {
        let header: u8 = pick(random, &[0, 43, 44, 44, 60]);
        let extra = if header == 44 { 0 } else { random.below(3) };
        let mut extension = vec![next, extra.try_into().unwrap()];
        extension.extend(random.bytes(6 + 8 * extra));
        extension.extend(payload);
        (next, payload) = (header, extension);
    }
    let version = if random.one_in(40) { random.byte() & 0xf0 } else { 0x60 };
    let mut bytes = vec![version | random.byte() & 0x0f, random.byte(), random.byte(), random.byte()];
    push16(&mut bytes, payload.len().try_into().unwrap_or(u16::MAX));
    bytes.extend([next, pick(random, &[1, 2, 3, 4, 5, 6, 10, 63, 64, 65, 128, 255])]);
    bytes.extend(nearly(random, &IPV6));
    bytes.extend(nearly(random, &IPV6));
    bytes.extend(payload);
    bytes
}

/// A protocol above IP and its header.
fn transport(random: &mut Random, is_ipv6: bool, depth: usize) -> (u8, Vec<u8>) {
    let ports = |random: &mut Random| {
        let mut bytes = Vec::new();
        push16(&mut bytes, about(random, &PORTS));
        push16(&mut bytes, about(random, &PORTS));
        bytes
    };
    match random.below(24) {
        0..=6 => {
            let mut bytes = ports(random);
            bytes.extend(random.bytes(8));
            bytes.extend([
                pick(random, &[0x50, 0x80, 0xf0]),
                pick(
                    random,
                    &[0x02, 0x12, 0x10, 0x18, 0x04, 0x14, 0x11, 0xc2, 0, 0x01, 0x08, 0x20, 0x40, 0x80],
                ),
            ]);
            bytes.extend(random.bytes(6));
            bytes.extend(pick(
                random,
                &[&b"GET / HTTP/1.1\r\n"[..], b"", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x"],
            ));
            (6, bytes)
        }
        7..=11 => {
            let mut bytes = ports(random);
            push16(&mut bytes, 20);
            push16(&mut bytes, 0);
            bytes.extend(random.bytes(12));
            (17, bytes)
        }
        12..=13 if depth < 2 => (17, geneve(random, depth)),
        14 => (132, [ports(random), random.bytes(12)].concat()),
        15..=17 if is_ipv6 => (
            58,
            [
                vec![pick(random, &[1, 2, 3, 128, 129, 132, 133, 134, 135, 136, 137, 138]), 0],
                random.bytes(10),
            ]
            .concat(),
        ),
        15..=17 => (
            1,
            [vec![pick(random, &[0, 3, 5, 8, 11, 13]), pick(random, &[0, 1, 3])], random.bytes(10)].concat(),
        ),
        18 => (2, [vec![pick(random, &[0x11, 0x16, 0x17])], random.bytes(7)].concat()),
        19 => (pick(random, &[50, 59, 89]), random.bytes(16)),
        20 => (pick(random, &[9, 103, 112]), random.bytes(16)),
        // An authentication header, which another header follows.
        21 => {
            let (next, payload) = (6_u8, [ports(random), random.bytes(16)].concat());
            (51, [vec![next, 4], random.bytes(22), payload].concat())
        }
        _ => (random.byte(), random.bytes(24)),
    }
}

/// UDP to the port of Geneve, with Ethernet or a network packet in it.
fn geneve(random: &mut Random, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    push16(&mut bytes, about(random, &PORTS));
    push16(&mut bytes, 6081);
    bytes.extend([0, 60, 0, 0]);
    let options: u8 = pick(random, &[0, 0, 1, 3]);
    bytes.push(options | if random.one_in(10) { 0x40 } else { 0 });
    bytes.push(pick(random, &[0, 0x40]));
    let (protocol, payload) = match random.below(4) {
        0..=1 => (0x6558, ethernet(random, depth + 1)),
        _ => typed(random, depth + 1),
    };
    push16(&mut bytes, protocol);
    bytes.extend(pick(random, &[[0, 0, 42, 0], [0, 1, 0, 0], [0xff, 0xff, 0xff, 0]]));
    bytes.extend(random.bytes(4 * usize::from(options)));
    bytes.extend(payload);
    bytes
}
