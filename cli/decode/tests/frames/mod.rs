//! Frames made up byte by byte, so that a second reader can say what is in them.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod application;
mod headers;
mod mix;

pub(crate) use self::application::*;
pub(crate) use self::headers::*;
pub(crate) use self::mix::*;

/// Numbers that look random and are the same in every run: splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn word(&mut self) -> u16 {
        let [a, b, ..] = self.next().to_le_bytes();
        u16::from_le_bytes([a, b])
    }

    pub(crate) fn long(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len())]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub(crate) fn is_one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// Changes a frame as a hostile sender might: bytes with a meaning, lengths, cuts, parts of others.
pub(crate) fn mutate(frame: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..1 + dice.below(4) {
        if frame.is_empty() {
            return;
        }
        let at = dice.below(frame.len());
        match dice.below(6) {
            0 => frame[at] = dice.byte(),
            1 => frame[at] = dice.one_of(&[0, 1, 0x7f, 0x80, 0xc0, 0xff]),
            2 => frame[at] ^= 1 << dice.below(8),
            3 => frame.truncate(at),
            4 => {
                let part = &other[dice.below(other.len() + 1).min(other.len())..];
                let count = part.len().min(frame.len() - at).min(40);
                frame[at..at + count].copy_from_slice(&part[..count]);
            }
            _ => {
                let part = frame[at..].to_vec();
                let count = part.len().min(64);
                frame.splice(at..at, part[..count].iter().copied());
            }
        }
    }
}
