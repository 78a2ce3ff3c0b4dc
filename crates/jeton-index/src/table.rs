//! The table: slots in lines of two, and beside them, at the same places, the ids to report.
//!
//! A line is one line of the processor's cache. The search for a secret begins in the line that its tag says and goes on
//! only if somebody else came by there and found no room, which a mark in the line tells. It goes on by a power of two
//! of lines, which the tag says too, so that those who met in one line don't meet again in the next. The number of lines
//! is odd, so every such walk comes to every line.
//!
//! | fill | lines for a hit | in its first line | lines for a miss | of these in one |
//! |---|---|---|---|---|
//! | 0.80 | 1.5 | 74 % | 2.0 | 56 % |
//! | 0.85 | 1.7 | 71 % | 2.7 | 46 % |
//!
//! A walk from line to line, at 0.85, takes 2.3 for a hit and 8.8 for a miss; without the marks a miss would take 5.2 and
//! 11.5.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use jeton_core::id::TokenId;

use crate::rights::{MOST_NAMES, Names};
use crate::slot::{Death, Slot, Tag, Worth};

/// The room of the smallest table, in tokens.
pub(crate) const SMALLEST: usize = 1024;
/// Slots that a change takes at the most: a token has two secrets at the most.
pub(crate) const OF_A_CHANGE: usize = 2;
/// A table is full when this part of its slots is taken.
const FULL: (usize, usize) = (17, 20);

#[derive(Default)]
#[repr(align(64))]
struct Line([Slot; 2]);

/// A token's id, in parts that can be written while others read elsewhere.
#[derive(Default)]
struct Id([AtomicU32; 3]);

/// The ids of a table's tokens, each at the place of its slot, of the dead as well. Whoever keeps places keeps these with
/// them, and can read them when the table is gone.
#[derive(Clone)]
pub(crate) struct Ids(Arc<[Id]>);

impl Ids {
    /// This many, to be written.
    pub(crate) fn of(slots: usize) -> Self {
        Self(std::iter::repeat_with(Id::default).take(slots).collect())
    }

    /// The id at a place.
    pub(crate) fn at(&self, place: Place) -> TokenId {
        let mut bytes = [0; 12];
        for (four, word) in bytes.chunks_exact_mut(4).zip(&self.0[place.0].0) {
            four.copy_from_slice(&word.load(Ordering::Relaxed).to_be_bytes());
        }
        TokenId::from_bytes(bytes)
    }

    /// Says whose the slot at a place is.
    pub(crate) fn set(&self, place: Place, token: TokenId) {
        for (four, word) in token.as_bytes().chunks_exact(4).zip(&self.0[place.0].0) {
            word.store(u32::from_be_bytes(four.try_into().expect("chunks of four bytes")), Ordering::Relaxed);
        }
    }
}

/// Where a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(usize);

impl Place {
    /// In four bytes, for whoever keeps many. `None` for a place that four bytes can't tell.
    pub(crate) fn number(self) -> Option<u32> {
        u32::try_from(self.0).ok().filter(|number| *number != NOWHERE)
    }

    /// The place with this number.
    pub(crate) const fn numbered(number: u32) -> Self {
        Self(number as usize)
    }
}

/// The number of no place.
const NOWHERE: u32 = u32::MAX;

/// What was at which place of a table is at which of the one that follows it.
pub(crate) struct Moved {
    /// The tokens of the new table.
    pub(crate) ids: Ids,
    numbers: Vec<u32>,
}

impl Moved {
    /// Nothing yet, from one table to another.
    pub(crate) fn between(old: &Table, new: &Table) -> Self {
        let slots = 2 * old.lines.len();
        Self { ids: new.ids.clone(), numbers: vec![NOWHERE; slots.min(NOWHERE as usize)] }
    }

    pub(crate) fn note(&mut self, from: Place, to: Place) {
        if let Some(number) = self.numbers.get_mut(from.0) {
            *number = to.number().unwrap_or(NOWHERE);
        }
    }

    /// The number of the place where that is now that was at the one with this number. `None` for what is dead, or
    /// where four bytes can't tell.
    pub(crate) fn number(&self, from: u32) -> Option<u32> {
        self.numbers.get(from as usize).copied().filter(|number| *number != NOWHERE)
    }
}

/// Secrets by their tags, and rights by their names.
pub(crate) struct Table {
    lines: Box<[Line]>,
    ids: Ids,
    pub(crate) names: Names,
    /// Slots that hold a tag, dead or alive. Only the writer counts.
    taken: AtomicUsize,
}

impl Table {
    /// A table with room for this many tokens and one change more, and for this many names.
    pub(crate) fn with_room_for(tokens: usize, names: u32) -> Self {
        let slots = (tokens.max(SMALLEST) + OF_A_CHANGE) * FULL.1 / FULL.0 + 2;
        let lines = slots.div_ceil(2) | 1;
        Self {
            lines: std::iter::repeat_with(Line::default).take(lines).collect(),
            ids: Ids::of(2 * lines),
            names: Names::with_limit(names),
            taken: AtomicUsize::new(0),
        }
    }

    /// Whether this many secrets more fit in.
    pub(crate) fn has_room_for(&self, secrets: usize) -> bool {
        let slots = 2 * self.lines.len();
        self.taken.load(Ordering::Relaxed) + secrets <= slots * FULL.0 / FULL.1
    }

    /// Names enough that a table is not built anew for their sake alone before as many have been given as there are
    /// rights now and a quarter of the slots: a name that is no longer used takes 16 bytes.
    pub(crate) fn names_for(tokens: usize, rights: usize) -> u32 {
        u32::try_from(2 * rights + tokens.max(SMALLEST) / 4).unwrap_or(MOST_NAMES).min(MOST_NAMES)
    }

    /// The living slot of this secret. A line in which somebody found no room is full for ever, and some line is not: so
    /// the walk ends.
    pub(crate) fn find(&self, tag: Tag) -> Option<(Place, Worth)> {
        let (mut at, step) = self.path(tag);
        loop {
            let line = &self.lines[at];
            for (side, slot) in line.0.iter().enumerate() {
                if let Some(worth) = slot.worth_of(tag) {
                    return Some((Place(2 * at + side), worth));
                }
            }
            if !line.0[0].is_passed() {
                return None;
            }
            at = self.next(at, step);
        }
    }

    /// How a secret that lives in no slot died, if it ever lived here: its last slot tells.
    pub(crate) fn death(&self, tag: Tag) -> Option<Death> {
        let (mut at, step) = self.path(tag);
        let mut last = None;
        loop {
            let line = &self.lines[at].0;
            last = line.iter().filter_map(|slot| slot.death_of(tag)).last().or(last);
            if !line[0].is_passed() {
                return last;
            }
            at = self.next(at, step);
        }
    }

    /// Has the processor bring what is looked at first for each of these. The loads don't wait for one another, as those of
    /// whole searches would, and whoever then searches for one after the other finds it near.
    pub(crate) fn bring(&self, tags: impl Iterator<Item = Tag>) {
        let glances = tags.map(|tag| {
            let (at, _) = self.path(tag);
            self.lines[at].0[0].glance() ^ u64::from(self.ids.0[2 * at].0[0].load(Ordering::Relaxed))
        });
        black_box(glances.fold(0, |all, glance| all ^ glance));
    }

    /// Where the search for a tag begins, its upper half scaled to the number of lines; and by how many lines it goes on.
    fn path(&self, tag: Tag) -> (usize, usize) {
        let line = (u128::from(tag.high) * self.lines.len() as u128) >> 64;
        (usize::try_from(line).expect("smaller than the length"), 1 << (tag.low & 7))
    }

    const fn next(&self, at: usize, step: usize) -> usize {
        let next = at + step;
        if next < self.lines.len() { next } else { next - self.lines.len() }
    }

    fn slot(&self, place: Place) -> &Slot {
        &self.lines[place.0 / 2].0[place.0 % 2]
    }

    /// Whose the secret in a slot is.
    pub(crate) fn owner(&self, place: Place) -> u32 {
        self.slot(place).owner()
    }

    /// The token of a slot. It stands beside the table at a place that is known as soon as the slot is, so that the
    /// processor can fetch both at once.
    pub(crate) fn token(&self, place: Place) -> TokenId {
        self.ids.at(place)
    }

    /// The tokens of all slots.
    pub(crate) fn ids(&self) -> Ids {
        self.ids.clone()
    }

    /// Puts a secret into a slot that nobody had, and tells which.
    pub(crate) fn put(&self, tag: Tag, token: TokenId, owner: u32, worth: Worth) -> Place {
        let (mut at, step) = self.path(tag);
        let side = loop {
            let line = &self.lines[at].0;
            if let Some(side) = line.iter().position(Slot::is_empty) {
                break side;
            }
            line[0].mark_passed();
            at = self.next(at, step);
        };
        let place = Place(2 * at + side);
        self.ids.set(place, token);
        self.slot(place).fill(tag, owner, worth);
        // There is one writer. To add in one step would make the processor wait for every line that was written to.
        self.taken.store(self.taken.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        place
    }

    /// Gives a secret another worth, in its slot if that can be done in steps that nobody misreads, and in a new one
    /// otherwise. The new one comes after the old one on every search, and is there before that one dies: nobody misses
    /// both. Tells where the secret is now.
    pub(crate) fn set(&self, tag: Tag, token: TokenId, owner: u32, worth: Worth) -> Place {
        let found = self.find(tag).map(|(place, _)| (place, self.slot(place)));
        match found {
            Some((place, slot)) if slot.can_become(worth) => {
                slot.become_worth(worth);
                place
            }
            _ => {
                let place = self.put(tag, token, owner, worth);
                found.inspect(|(_, slot)| slot.die(Death::Moved));
                place
            }
        }
    }

    /// Ends a secret, in whichever slots it lives.
    pub(crate) fn end(&self, tag: Tag, how: Death) {
        while let Some((place, _)) = self.find(tag) {
            self.end_at(place, how);
        }
    }

    /// Ends the secret in a slot.
    pub(crate) fn end_at(&self, place: Place, how: Death) {
        self.slot(place).die(how);
    }

    /// What lives, in no order.
    pub(crate) fn living(&self) -> impl Iterator<Item = (Place, Tag, Worth)> {
        let slots = self.lines.iter().flat_map(|line| &line.0).enumerate();
        slots.filter_map(|(at, slot)| slot.worth().map(|worth| (Place(at), slot.tag(), worth)))
    }

    /// Bytes of the slots and the ids.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.lines) + size_of_val(&*self.ids.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use jeton_core::change::Revision;

    use super::*;
    use crate::rights::Name;
    use crate::slot::Until;

    /// What moved to another slot has not died, and what came back is not remembered as dead.
    #[test]
    fn a_death_is_the_last_one() {
        let nth = |number: u64| Worth {
            until: Until::earliest([None; 2]),
            retiring: false,
            revision: Revision::new(number << 32),
            rights: Name::from_bits(0),
        };
        // All in one line, so that the search goes on from it.
        let tag = |low| Tag { high: 1, low };
        let token = TokenId::from_bytes([7; 12]);
        let table = Table::with_room_for(0, 0);
        assert_eq!(table.death(tag(1)), None);
        table.put(tag(1), token, 0, nth(0));
        table.put(tag(2), token, 0, nth(0));
        table.set(tag(1), token, 0, nth(1));
        assert_eq!(table.death(tag(1)), Some(Death::Moved));
        table.end(tag(1), Death::Replaced);
        assert_eq!(table.death(tag(1)), Some(Death::Replaced));
        table.put(tag(1), token, 0, nth(2));
        table.end(tag(1), Death::Revoked);
        assert_eq!([1, 2, 3].map(|low| table.death(tag(low))), [Some(Death::Revoked), None, None]);
    }

    /// Every change here changes the upper part of the revision, so each takes a new slot. Nobody sees a revision that
    /// never was, or one with the rights of another, and nobody misses a secret while it moves.
    #[test]
    fn a_secret_that_moves_is_never_missed_and_never_seen_in_parts() {
        const TAGS: u64 = 100;
        const MOVES: u64 = 200;
        let nth = |number: u64| Worth {
            until: Until::earliest([None; 2]),
            retiring: false,
            // Upper and lower part change, and either alone tells which it is.
            revision: Revision::new(number << 32 | number),
            rights: Name::from_bits(u32::try_from(number).unwrap()),
        };
        let tag = |number: u64| Tag { high: (number << 56).max(1), low: u32::try_from(number).unwrap() };
        let token = TokenId::from_bytes([7; 12]);
        let table = Table::with_room_for(usize::try_from(TAGS * (MOVES + 1)).unwrap(), 0);
        let moving = AtomicU64::new(0);
        for number in 0..TAGS {
            table.put(tag(number), token, 0, nth(0));
        }
        let read = || {
            loop {
                let number = moving.load(Ordering::SeqCst);
                if number == TAGS {
                    break;
                }
                let (place, worth) = table.find(tag(number)).expect("it is there all the time");
                assert_eq!(worth, nth(u64::from(worth.rights.bits())));
                assert_eq!(table.token(place), token);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(read);
            scope.spawn(read);
            for number in 0..TAGS {
                for at in 1..=MOVES {
                    table.set(tag(number), token, 0, nth(at));
                }
                moving.store(number + 1, Ordering::SeqCst);
            }
        });
        assert_eq!(table.living().count(), usize::try_from(TAGS).unwrap());
        assert!((0..TAGS).all(|number| table.find(tag(number)).unwrap().1 == nth(MOVES)));
    }
}
