//! Randomness that can be repeated: the seed is printed, and taken from `DBGCTL_TEST_SEED` if that is set.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::figures::say;

/// A source of numbers, by SplitMix64.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Says its seed, so that what failed once can be run again.
    pub fn new(test: &str) -> Self {
        let nanos = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let seed = env::var("DBGCTL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::try_from(nanos() % u128::from(u32::MAX)).unwrap());
        say(&format!("{test}: DBGCTL_TEST_SEED={seed}"));
        Self(seed)
    }

    /// An independent source, for a thread or a case of its own.
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// Up to `limit`, even over its length.
    pub fn moment(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(limit.as_micros()).unwrap() + 1))
    }

    /// One of `choices`.
    pub fn choose<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.below(u64::try_from(choices.len()).unwrap());
        choices[usize::try_from(index).unwrap()].clone()
    }
}
