//! Messages of applications.

use super::{Dice, length};

/// A name of the DNS.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut bytes: Vec<u8> =
        labels.flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()).collect();
    bytes.push(0);
    bytes
}

/// A record of the name that the first question asks for.
pub(crate) fn record(kind: u16, ttl_seconds: u32, data: &[u8]) -> Vec<u8> {
    [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1], &ttl_seconds.to_be_bytes(), &length(data.len()), data]
        .concat()
}

pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) additionals: Vec<Vec<u8>>,
}

impl Message {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [
            &self.id.to_be_bytes()[..],
            &self.flags.to_be_bytes(),
            &[0, 1],
            &length(self.answers.len()),
            &length(self.authorities.len()),
            &length(self.additionals.len()),
            &name(&self.name),
            &self.kind.to_be_bytes(),
            &[0, 1],
            &self.answers.concat(),
            &self.authorities.concat(),
            &self.additionals.concat(),
        ]
        .concat()
    }
}

/// A message of DHCP with the options given, each with its kind and length.
pub(crate) fn dhcp(operation: u8, transaction: u32, addresses: [[u8; 4]; 4], options: &[u8]) -> Vec<u8> {
    [
        &[operation, 1, 6, 0][..],
        &transaction.to_be_bytes(),
        &[0; 4],
        &addresses.concat(),
        &super::HARDWARE[0],
        &[0; 10],
        &[0; 192],
        &[99, 130, 83, 99],
        options,
        &[255],
    ]
    .concat()
}

pub(crate) fn option(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len()).unwrap()][..], value].concat()
}

pub(crate) fn option_v6(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &length(value.len()), value].concat()
}

pub(crate) fn ntp(dice: &mut Dice, mode: u8, stratum: u8) -> Vec<u8> {
    [&[4 << 3 | mode, stratum, 6, 0xec][..], &dice.bytes(44)].concat()
}

/// A record of TLS.
pub(crate) fn tls(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &length(content.len()), content].concat()
}

/// What a client says first.
pub(crate) fn client_hello(dice: &mut Dice, server_name: &str, protocols: &[&str]) -> Vec<u8> {
    let listed = [&[0][..], &length(server_name.len()), server_name.as_bytes()].concat();
    let names: Vec<u8> = protocols.iter().flat_map(option_like).collect();
    let extensions = [
        option_v6(0, &[&length(listed.len())[..], &listed].concat()),
        option_v6(16, &[&length(names.len())[..], &names].concat()),
        option_v6(43, &[4, 3, 4, 3, 3]),
    ]
    .concat();
    let random = dice.bytes(32);
    let session = dice.bytes(32);
    let body = [
        &[3, 3][..],
        &random,
        &[32],
        &session,
        &[0, 2, 0x13, 1, 1, 0],
        &length(extensions.len()),
        &extensions,
    ]
    .concat();
    tls(22, &[&[1, 0][..], &length(body.len()), &body].concat())
}

fn option_like(name: &&str) -> Vec<u8> {
    [&[u8::try_from(name.len()).unwrap()], name.as_bytes()].concat()
}

/// A long header of QUIC version 1.
pub(crate) fn quic(dice: &mut Dice, kind: u8) -> Vec<u8> {
    [&[0xc0 | kind << 4, 0, 0, 0, 1, 8][..], &dice.bytes(8), &[4], &dice.bytes(4), &dice.bytes(200)].concat()
}
