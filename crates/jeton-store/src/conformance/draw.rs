//! Draws: what looks random and is the same in every run. A case names its seed, so that a failure comes back.

use jeton_core::id::{AccountId, MemberId, RoleId, TokenId};

/// A sequence of numbers that one seed decides (SplitMix64).
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % bound as u64).unwrap()
    }

    /// `true` once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// Up to `most` of what `make` gives.
    pub(super) fn several<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.number().to_le_bytes()[0])
    }

    pub(super) fn account(&mut self) -> AccountId {
        AccountId::from_bytes(self.bytes())
    }

    pub(super) fn member(&mut self) -> MemberId {
        MemberId::from_bytes(self.bytes())
    }

    pub(super) fn role(&mut self) -> RoleId {
        RoleId::from_bytes(self.bytes())
    }

    pub(super) fn token(&mut self) -> TokenId {
        TokenId::from_bytes(self.bytes())
    }
}
