//! Ids in sequence: two records that are made in one millisecond are listed in the order of their making.
//!
//! An id is a millisecond and 48 random bits. Within one millisecond the bits of the next id are those of the last and a
//! little more, so that ids stay as hard to guess as before and sort as they were made.

use std::sync::{Mutex, PoisonError};

use jeton_core::rule::Fresh;
use jeton_core::timestamp::Timestamp;

/// Room above the first id of a millisecond: the highest bit is left clear.
const FIRST: u64 = (1 << 47) - 1;
const STEP: u64 = 0xffff;

#[derive(Default)]
pub(crate) struct Sequence {
    last: Mutex<Option<(Timestamp, u64)>>,
}

impl Sequence {
    /// Fresh randomness, whose id comes after every other that was made at this instant.
    pub(crate) fn follow(&self, now: Timestamp, mut fresh: Fresh) -> Fresh {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let random = number(fresh.id);
        let bits = match *last {
            Some((at, bits)) if at == now => bits + 1 + (random & STEP),
            _ => random & FIRST,
        };
        *last = Some((now, bits));
        fresh.id.copy_from_slice(&bits.to_be_bytes()[2..]);
        fresh
    }
}

fn number(id: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&id);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(id: [u8; 6]) -> Fresh {
        Fresh { id, secret: [0; 48].into() }
    }

    #[test]
    fn ids_of_one_millisecond_sort_as_they_were_made() {
        let sequence = Sequence::default();
        let now = Timestamp::from_millis(5);
        let mut last = sequence.follow(now, fresh([0xff; 6])).id;
        for byte in [0, 255, 7, 0, 0, 128] {
            let next = sequence.follow(now, fresh([byte; 6])).id;
            assert!(next > last);
            last = next;
        }
    }
}
