//! Rounds: everything that is compared takes one turn in each, in a fresh random order.
//!
//! A machine that is slow for a minute is slow for all of a round, and drops out of the ratios within it.

use crate::spread::Spread;
use crate::{Fallible, interrupt};

/// Numbers that only have to be mixed well, from a seed: the generator SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// This number of bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

/// One series of turns for each side, in the order of the rounds. A turn is a figure, or several that were taken at once.
pub(crate) struct Series<const SIDES: usize, T = f64>([Vec<T>; SIDES]);

impl<const SIDES: usize, T> Series<SIDES, T> {
    /// The middle of one figure of one side.
    pub(crate) fn spread_of(&self, side: usize, figure: impl Fn(&T) -> f64) -> Spread {
        Spread::of(self.0[side].iter().map(figure).collect())
    }

    /// One figure of one side by the same of another, round by round.
    pub(crate) fn ratio_of(&self, side: usize, by: usize, figure: impl Fn(&T) -> f64) -> Spread {
        Spread::of(
            self.0[side].iter().zip(&self.0[by]).map(|(one, other)| figure(one) / figure(other)).collect(),
        )
    }
}

impl<const SIDES: usize> Series<SIDES> {
    /// The middle of one side's figures.
    pub(crate) fn spread(&self, side: usize) -> Spread {
        self.spread_of(side, |figure| *figure)
    }

    /// One side's figures by another's, round by round.
    pub(crate) fn ratio(&self, side: usize, by: usize) -> Spread {
        self.ratio_of(side, by, |figure| *figure)
    }
}

/// Lets every side have its turn in every round. The first round only warms up and is forgotten.
pub(crate) fn take_turns<const SIDES: usize, T>(
    rounds: usize,
    seed: u64,
    mut turn: impl FnMut(usize) -> Fallible<T>,
) -> Fallible<Series<SIDES, T>> {
    let mut dice = Dice::new(seed);
    let mut series = [(); SIDES].map(|()| Vec::with_capacity(rounds));
    for round in 0..=rounds {
        let mut order: [usize; SIDES] = std::array::from_fn(|side| side);
        for last in (1..SIDES).rev() {
            order.swap(last, usize::try_from(dice.below(last as u64 + 1))?);
        }
        for side in order {
            interrupt::check()?;
            let figure = turn(side)?;
            if round > 0 {
                series[side].push(figure);
            }
        }
    }
    Ok(Series(series))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut turns = [0.0; 2];
        let series: Series<2> = take_turns(4, 1, |side| {
            turns[side] += 1.0;
            Ok(turns[side] * if side == 0 { 3.0 } else { 1.0 })
        })
        .unwrap();
        assert_eq!(series.ratio(0, 1), Spread { low: 3.0, median: 3.0, high: 3.0 });
        assert_eq!(series.spread(1).median, 3.5, "the first of five turns is forgotten");
    }
}
