//! Slots: what is kept of one secret, in 32 bytes, and how its parts change.
//!
//! ```text
//! high    tag 64                                               0: nobody was ever here
//! low     tag 32 | passed 1 | owner 31
//! end     until 48 | retiring 1 | revision, upper 15           of the dead: 0 48 | how they died 16
//! worth   rights 32 | revision, lower 32
//! ```
//!
//! `high`, and `low` but for its mark, are written before the slot is published and never change. `end` and `worth` change
//! with the token, each in one step, `end` first; a reader takes them the other way round. So whoever sees the revision
//! of a change sees the rights, the end and the retirement that belong to it or to a later one.
//!
//! The upper part of a revision stands in the other word. That is safe because it never changes in a slot: once in four
//! thousand million changes a token is given a new slot instead ([`Slot::can_become`]).

use std::sync::atomic::{AtomicU64, Ordering};

use jeton_core::change::Revision;
use jeton_core::digest::Digest;
use jeton_core::timestamp::Timestamp;

use crate::rights::Name;

/// The number of no owner: as many members as 31 bits can tell apart, less one, have a number of their own.
pub(crate) const NOBODY: u32 = (1 << 31) - 1;

/// Somebody who came by here found no room: a search for what is not in this line has to go on.
const PASSED: u64 = 1 << 31;
const RETIRING: u64 = 1 << 15;
/// Changes that are told apart. A hundred thousand a second, without a pause, take 44 years to get there.
const LAST_REVISION: u64 = (1 << 47) - 1;

/// The part of a digest that a slot keeps. The digest is keyed, so nobody can choose where a secret lands, and which of
/// its bytes are taken is all the same. Whoever guesses has to find one of a million tokens with one question in 2⁷⁶; and
/// among a thousand million tokens two have the same tag once in 10¹¹ installations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tag {
    pub(crate) high: u64,
    pub(crate) low: u32,
}

impl From<&Digest> for Tag {
    fn from(digest: &Digest) -> Self {
        let bytes = digest.as_bytes();
        let high = u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"));
        let low = u32::from_be_bytes(bytes[12..16].try_into().expect("four bytes"));
        // Zero marks an empty slot.
        Self { high: high.max(1), low }
    }
}

/// When a secret ends, in 48 bits: one more than the millisecond, so that zero is free for the dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Until(u64);

impl Until {
    const DEAD: Self = Self(0);
    const NEVER: Self = Self((1 << 48) - 1);
    /// Ends that 48 bits can't tell, in the year 10889 and after, are kept as the end of time.
    const FAR: Self = Self((1 << 48) - 2);

    /// The earlier of some ends.
    pub(crate) fn earliest(ends: [Option<Timestamp>; 2]) -> Self {
        ends.into_iter().flatten().min().map_or(Self::NEVER, |end| {
            let millis = u64::try_from(end.as_millis()).unwrap_or(0);
            Self(millis.saturating_add(1).min(Self::FAR.0))
        })
    }

    /// The instant, if there is one.
    pub(crate) fn at(self) -> Option<Timestamp> {
        match self {
            Self::NEVER => None,
            Self::FAR => Some(Timestamp::from_millis(i64::MAX)),
            Self(end) => Some(Timestamp::from_millis(end.cast_signed() - 1)),
        }
    }

    pub(crate) fn has_come(self, now: Timestamp) -> bool {
        self.at().is_some_and(|end| end.has_come(now))
    }
}

/// How a secret died: kept with the dead, for as long as their table lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Death {
    /// It did not: it lives in another slot, or died there.
    Moved,
    /// With its token.
    Revoked,
    /// Another one took its place, and no grace was given or is left.
    Replaced,
    /// With its owner, who was removed.
    OwnerRemoved,
}

impl Death {
    const ALL: [Self; 4] = [Self::Moved, Self::Revoked, Self::Replaced, Self::OwnerRemoved];

    /// The word of a slot whose secret died so: its end stands at [`Until::DEAD`].
    const fn word(self) -> u64 {
        self as u64
    }

    fn of_word(end: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|death| death.word() == end)
    }
}

/// What a secret is worth, as far as it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Worth {
    pub(crate) until: Until,
    /// Whether the secret has been replaced.
    pub(crate) retiring: bool,
    /// The last change of the token. The last that can be told stands for all after it: they are no token's revision in
    /// the store, so nothing is written any more on what was read here.
    pub(crate) revision: Revision,
    pub(crate) rights: Name,
}

impl Worth {
    fn words(self) -> (u64, u64) {
        let revision = self.revision.number().min(LAST_REVISION);
        let end = self.until.0 << 16 | if self.retiring { RETIRING } else { 0 } | revision >> 32;
        (end, u64::from(self.rights.bits()) << 32 | revision & u64::from(u32::MAX))
    }

    fn of_words(end: u64, worth: u64) -> Self {
        let revision = (end & (RETIRING - 1)) << 32 | worth & u64::from(u32::MAX);
        Self {
            until: Until(end >> 16),
            retiring: end & RETIRING != 0,
            revision: Revision::new(revision),
            rights: Name::from_bits(upper(worth)),
        }
    }
}

fn upper(word: u64) -> u32 {
    u32::try_from(word >> 32).expect("half a word")
}

/// One secret.
#[derive(Default)]
#[repr(align(32))]
pub(crate) struct Slot {
    high: AtomicU64,
    low: AtomicU64,
    end: AtomicU64,
    worth: AtomicU64,
}

impl Slot {
    /// A look for no other purpose than to have it near.
    pub(crate) fn glance(&self) -> u64 {
        self.high.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.high.load(Ordering::Acquire) == 0
    }

    /// Writes everything, and publishes it last.
    pub(crate) fn fill(&self, tag: Tag, owner: u32, worth: Worth) {
        self.low.store(u64::from(tag.low) << 32 | u64::from(owner), Ordering::Relaxed);
        self.become_worth(worth);
        self.high.store(tag.high, Ordering::Release);
    }

    /// What this slot says of the secret with this tag. `None` if it is of another, or dead.
    pub(crate) fn worth_of(&self, tag: Tag) -> Option<Worth> {
        if self.is_of(tag) { self.worth() } else { None }
    }

    fn is_of(&self, tag: Tag) -> bool {
        self.high.load(Ordering::Acquire) == tag.high && upper(self.low.load(Ordering::Relaxed)) == tag.low
    }

    /// What this slot says. `None` if it is dead or was never filled.
    pub(crate) fn worth(&self) -> Option<Worth> {
        let worth = self.worth.load(Ordering::Acquire);
        let worth = Worth::of_words(self.end.load(Ordering::Acquire), worth);
        (worth.until != Until::DEAD).then_some(worth)
    }

    /// Of a slot that is filled.
    pub(crate) fn owner(&self) -> u32 {
        u32::try_from(self.low.load(Ordering::Relaxed) & u64::from(NOBODY)).expect("31 bits")
    }

    /// Of a slot that is filled.
    pub(crate) fn tag(&self) -> Tag {
        let (high, low) = (self.high.load(Ordering::Acquire), self.low.load(Ordering::Relaxed));
        Tag { high, low: upper(low) }
    }

    /// Whether the secret can be given this worth in place. Not if the part of the revision that stands in another word
    /// than the rest would change: between two steps a reader would see a revision that never was.
    pub(crate) fn can_become(&self, worth: Worth) -> bool {
        let (end, _) = worth.words();
        (self.end.load(Ordering::Relaxed) ^ end) & (RETIRING - 1) == 0
    }

    /// Follows a change.
    pub(crate) fn become_worth(&self, worth: Worth) {
        let (end, worth) = worth.words();
        self.end.store(end, Ordering::Release);
        self.worth.store(worth, Ordering::Release);
    }

    /// Ends the secret. It stays here, dead, as long as the table lives.
    pub(crate) fn die(&self, how: Death) {
        self.end.store(how.word(), Ordering::Release);
    }

    /// How the secret with this tag died. `None` if this slot is of another, or the secret lives.
    pub(crate) fn death_of(&self, tag: Tag) -> Option<Death> {
        if self.is_of(tag) { Death::of_word(self.end.load(Ordering::Acquire)) } else { None }
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.low.load(Ordering::Relaxed) & PASSED != 0
    }

    /// Only the writer marks, so nothing comes between the two steps.
    pub(crate) fn mark_passed(&self) {
        self.low.store(self.low.load(Ordering::Relaxed) | PASSED, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(end: Option<i64>, revision: u64) -> Worth {
        let until = Until::earliest([end.map(Timestamp::from_millis), None]);
        let rights = Name::from_bits(0xfedc_ba98);
        Worth { until, retiring: revision % 2 == 1, revision: Revision::new(revision), rights }
    }

    #[test]
    fn what_is_written_is_read() {
        let ends = [None, Some(0), Some(1), Some((1 << 48) - 4), Some(253_402_300_799_999), Some(i64::MAX)];
        for end in ends {
            for revision in [0, 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, LAST_REVISION - 1, LAST_REVISION] {
                for owner in [0, 1, NOBODY] {
                    let (slot, worth) = (Slot::default(), worth(end, revision));
                    let tag = Tag { high: u64::MAX - 1, low: u32::MAX };
                    assert!(slot.is_empty() && slot.worth().is_none());
                    slot.fill(tag, owner, worth);
                    slot.mark_passed();
                    assert_eq!((slot.tag(), slot.owner(), slot.is_passed()), (tag, owner, true));
                    assert_eq!((slot.worth(), slot.worth_of(tag)), (Some(worth), Some(worth)));
                    assert_eq!(slot.worth_of(Tag { low: 0, ..tag }), None);
                    assert_eq!(slot.death_of(tag), None);
                    for how in Death::ALL {
                        slot.die(how);
                        assert_eq!((slot.worth(), slot.worth_of(tag)), (None, None));
                        assert_eq!(
                            (slot.death_of(tag), slot.death_of(Tag { low: 0, ..tag })),
                            (Some(how), None)
                        );
                    }
                    assert_eq!((slot.tag(), slot.owner(), slot.is_passed()), (tag, owner, true));
                }
            }
        }
    }

    #[test]
    fn an_end_comes_at_its_instant() {
        let exact = [0, 1, 253_402_300_799_999, (1 << 48) - 4];
        for end in exact {
            let until = Until::earliest([Some(Timestamp::from_millis(end)), None]);
            let come = |now| until.has_come(Timestamp::from_millis(now));
            assert_eq!([come(end - 1), come(end), come(i64::MAX)], [false, true, true], "{end}");
        }
        for far in [(1 << 48) - 3, i64::MAX] {
            let until = Until::earliest([Some(Timestamp::from_millis(far)), None]);
            assert_eq!(until, Until::FAR);
            assert!(!until.has_come(Timestamp::from_millis(i64::MAX - 1)));
            assert!(until.has_come(Timestamp::from_millis(i64::MAX)));
        }
        assert!(!Until::earliest([None; 2]).has_come(Timestamp::from_millis(i64::MAX)));
    }

    #[test]
    fn revisions_that_cannot_be_told_stand_at_the_last_that_can() {
        let slot = Slot::default();
        slot.fill(Tag { high: 1, low: 0 }, 0, worth(None, u64::MAX));
        assert_eq!(slot.worth().unwrap().revision, Revision::new(LAST_REVISION));
        assert!(slot.can_become(worth(None, LAST_REVISION)));
    }

    #[test]
    fn the_upper_part_of_a_revision_never_changes_in_a_slot() {
        let slot = Slot::default();
        slot.fill(Tag { high: 1, low: 0 }, 0, worth(None, (1 << 32) - 2));
        assert!(slot.can_become(worth(Some(7), (1 << 32) - 1)));
        assert!(!slot.can_become(worth(Some(7), 1 << 32)));
    }

    /// The two steps of a change are a few cycles apart: it takes many changes to be seen between them.
    #[test]
    fn whoever_sees_a_revision_sees_its_rights_and_its_end_or_a_later_one() {
        const LAST: u64 = 300_000;
        let nth = |number: u64| {
            let until = Until::earliest([Some(Timestamp::from_millis(number.cast_signed())), None]);
            let rights = Name::from_bits(u32::try_from(number).unwrap());
            Worth { until, retiring: false, revision: Revision::new(number), rights }
        };
        let slot = Slot::default();
        slot.fill(Tag { high: 1, low: 0 }, 0, nth(0));
        let read = || {
            let mut last = 0;
            while last < LAST {
                let Worth { until, revision, rights, .. } = slot.worth().unwrap();
                let now = revision.number();
                assert!(now >= last, "{now} after {last}");
                assert_eq!(u64::from(rights.bits()), now);
                assert!(until.0 > now, "an end before {} under revision {now}", until.0);
                last = now;
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(read);
            scope.spawn(read);
            (1..=LAST).for_each(|number| slot.become_worth(nth(number)));
        });
    }
}
