//! Randomness that comes from a seed: the same test sees the same ids and secrets every time.

use std::sync::atomic::{AtomicU64, Ordering};

use jeton_core::rule::Fresh;
use jeton_service::Entropy;

/// Bytes from a seed, by the `SplitMix64` generator.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The bytes of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn word(&self) -> u64 {
        let state =
            self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_be_bytes()[..chunk.len()]);
        }
    }
}

impl Entropy for SeededEntropy {
    fn fresh(&self) -> Fresh {
        let mut fresh = Fresh { id: [0; 6], secret: [0; 48].into() };
        self.fill(&mut fresh.id);
        self.fill(fresh.secret.as_mut_slice());
        fresh
    }
}
