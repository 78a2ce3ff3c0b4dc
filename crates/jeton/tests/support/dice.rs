//! Randomness from a seed (`SplitMix64`).

use std::ops::RangeInclusive;
use std::time::Duration;

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Below `sides`, which is not zero.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let sides = u64::try_from(sides).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % sides).unwrap()
    }

    pub(crate) fn millis(&mut self, range: RangeInclusive<usize>) -> Duration {
        let millis = range.start() + self.roll(range.end() - range.start() + 1);
        Duration::from_millis(u64::try_from(millis).unwrap())
    }
}
