//! Slabs: things that get a number when they come, keep it, and are found by it without a lock and without a hash.
//!
//! Chunks double in size. So what is there never moves when more comes, and a number tells its chunk by its highest bit.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the first chunk holds.
const FIRST: u64 = 64;
/// Enough for every number of 32 bits.
const CHUNKS: usize = 27;

/// Things by their numbers. Any number of threads may look; one at a time may push.
pub(crate) struct Slab<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; CHUNKS],
    length: AtomicU32,
    limit: u32,
}

impl<T> Slab<T> {
    /// An empty slab that gives the numbers below `limit`.
    pub(crate) const fn with_limit(limit: u32) -> Self {
        Self { chunks: [const { OnceLock::new() }; CHUNKS], length: AtomicU32::new(0), limit }
    }

    /// The thing with this number.
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, place) = locate(number);
        self.chunks[chunk].get()?.get(place)?.get()
    }

    /// Takes a thing in, and gives its number. `None`, and the thing is dropped, if all numbers are taken.
    pub(crate) fn push(&self, thing: T) -> Option<u32> {
        let number = self.length();
        if number >= self.limit {
            return None;
        }
        let (chunk, place) = locate(number);
        let empty = || std::iter::repeat_with(OnceLock::new).take(size(chunk)).collect();
        self.chunks[chunk].get_or_init(empty)[place].get_or_init(|| thing);
        self.length.store(number + 1, Ordering::Release);
        Some(number)
    }

    /// How many numbers were given.
    pub(crate) fn length(&self) -> u32 {
        self.length.load(Ordering::Acquire)
    }

    /// How many numbers there are to give.
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// Everything, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.length()).filter_map(|number| self.get(number))
    }
}

fn size(chunk: usize) -> usize {
    usize::try_from(FIRST << chunk).expect("a chunk of what fits into memory")
}

/// The chunk of a number, and the place in it.
fn locate(number: u32) -> (usize, usize) {
    let shifted = u64::from(number) + FIRST;
    let chunk = shifted.ilog2() - FIRST.ilog2();
    let place = shifted - (FIRST << chunk);
    (chunk as usize, usize::try_from(place).expect("a place in what fits into memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_stay() {
        let slab = Slab::with_limit(u32::MAX);
        for number in 0..5000 {
            assert_eq!(slab.get(number), None);
            assert_eq!(slab.push(number.to_string()), Some(number));
        }
        assert!((0..5000).all(|number| slab.get(number) == Some(&number.to_string())));
        assert_eq!(slab.iter().count(), 5000);
        assert_eq!(slab.get(u32::MAX), None);
    }

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let ends = (6..32).flat_map(|power| (-1_i64..=1).map(move |by| (1_i64 << power) - 64 + by));
        let ends = ends.filter(|number| *number > 0).map(|number| u32::try_from(number).unwrap());
        for number in ends.chain([1, u32::MAX]) {
            let ((chunk, place), before) = (locate(number), locate(number - 1));
            let follows = before == (chunk, place.wrapping_sub(1));
            assert!(follows || (place == 0 && before == (chunk - 1, size(chunk - 1) - 1)), "{number}");
            assert!(chunk < CHUNKS && place < size(chunk), "{number}");
        }
    }

    #[test]
    fn a_full_slab_says_so_and_keeps_what_it_has() {
        let slab = Slab::with_limit(2);
        assert_eq!([slab.push('a'), slab.push('b'), slab.push('c')], [Some(0), Some(1), None]);
        assert_eq!(slab.iter().copied().collect::<Vec<_>>(), ['a', 'b']);
    }
}
