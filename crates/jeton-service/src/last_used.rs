//! When tokens were last used, and members last here: merged in memory, written in batches. A crash may lose the last few
//! seconds of it.
//!
//! What is noted stays here until it is written, so that no reader sees an instant go backwards. Of members everything
//! stays: lists are sorted and filtered by it, and forty bytes for each member are less than a query for each list.
//!
//! Every verification notes something here, so the notes are kept in many places, each with a lock of its own that is
//! held for a moment only. Whoever gathers a batch takes all of a place at once, and reads it when the lock is free again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use jeton_core::id::{MemberId, TokenId};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::TokenKind;
use jeton_store::Presence;

/// Places to keep notes in.
const PLACES: usize = 64;

pub(crate) struct LastUsed {
    tokens: Places<Notes<TokenId, Timestamp>>,
    members: Places<Notes<MemberId, Presence>>,
    /// What the store holds of members.
    written: Places<Map<MemberId, Presence>>,
}

type Map<K, V> = HashMap<K, V, RandomState>;

/// Not yet written.
struct Notes<K, V> {
    fresh: Map<K, V>,
    /// What a batch was made of. It is looked at until that is written.
    gathered: Arc<Map<K, V>>,
}

/// What is to be written.
pub(crate) struct Batch {
    tokens: Vec<Arc<Map<TokenId, Timestamp>>>,
    members: Vec<Arc<Map<MemberId, Presence>>>,
}

impl LastUsed {
    /// Begins with what the store holds.
    pub(crate) fn new(stored: Vec<(MemberId, Presence)>) -> Self {
        let it = Self { tokens: Places::default(), members: Places::default(), written: Places::default() };
        it.learn(stored);
        it
    }

    /// Takes in what the store holds: also what other nodes have written there.
    pub(crate) fn learn(&self, stored: impl IntoIterator<Item = (MemberId, Presence)>) {
        for (member, presence) in stored {
            let mut written = self.written.of(member.as_bytes());
            let known = written.entry(member).or_default();
            *known = known.later(presence);
        }
    }

    /// A token is used now. Its owner is seen with it, unless the token is nobody.
    pub(crate) fn note(&self, token: TokenId, kind: TokenKind, owner: MemberId, now: Timestamp) {
        // Many uses fall into one millisecond, and then the member was seen in it too.
        let is_news = self.tokens.of(token.as_bytes()).note(token, now);
        if is_news && kind != TokenKind::Service {
            let seen = Presence { last_seen_at: Some(now), last_login_at: None };
            self.members.of(owner.as_bytes()).note(owner, seen);
        }
    }

    /// The member logs in now.
    pub(crate) fn note_login(&self, member: MemberId, now: Timestamp) {
        let here = Presence { last_seen_at: Some(now), last_login_at: Some(now) };
        self.members.of(member.as_bytes()).note(member, here);
    }

    /// The later of what is stored and what is not yet written.
    pub(crate) fn merged(&self, token: TokenId, stored: Option<Timestamp>) -> Option<Timestamp> {
        stored.max(self.tokens.of(token.as_bytes()).of(&token))
    }

    /// When the member was last here.
    pub(crate) fn presence(&self, member: MemberId) -> Presence {
        // In this order: what is noted no more is written by then.
        let noted = self.members.of(member.as_bytes()).of(&member).unwrap_or_default();
        let written = self.written.of(member.as_bytes()).get(&member).copied().unwrap_or_default();
        noted.later(written)
    }

    /// What is not yet written.
    pub(crate) fn batch(&self) -> Batch {
        let tokens = self.tokens.each().map(|mut place| place.gather()).collect();
        Batch { tokens, members: self.members.each().map(|mut place| place.gather()).collect() }
    }

    /// The batch is written. What was noted since is not.
    pub(crate) fn written(&self, batch: &Batch) {
        self.learn(batch.members());
        for (mut place, gathered) in self.tokens.each().zip(&batch.tokens) {
            place.forget(gathered);
        }
        for (mut place, gathered) in self.members.each().zip(&batch.members) {
            place.forget(gathered);
        }
    }
}

/// An instant, or several, of which the later counts.
trait Later: Copy + PartialEq {
    fn later(self, other: Self) -> Self;
}

impl Later for Timestamp {
    fn later(self, other: Self) -> Self {
        self.max(other)
    }
}

impl Later for Presence {
    fn later(self, other: Self) -> Self {
        self.merged(other)
    }
}

impl<K, V> Default for Notes<K, V> {
    fn default() -> Self {
        Self { fresh: Map::default(), gathered: Arc::default() }
    }
}

impl<K: Copy + Eq + Hash, V: Later> Notes<K, V> {
    /// Whether that says more than was noted before.
    fn note(&mut self, about: K, now: V) -> bool {
        match self.fresh.entry(about) {
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
            Entry::Occupied(mut noted) => {
                let later = noted.get().later(now);
                noted.insert(later) != later
            }
        }
    }

    fn of(&self, about: &K) -> Option<V> {
        match (self.fresh.get(about), self.gathered.get(about)) {
            (Some(fresh), Some(gathered)) => Some(fresh.later(*gathered)),
            (one, other) => one.or(other).copied(),
        }
    }

    /// Everything, to be written: also what could not be, the last time.
    fn gather(&mut self) -> Arc<Map<K, V>> {
        if self.gathered.is_empty() {
            self.gathered = Arc::new(std::mem::take(&mut self.fresh));
        } else {
            let gathered = Arc::make_mut(&mut self.gathered);
            for (about, fresh) in self.fresh.drain() {
                gathered.entry(about).and_modify(|known| *known = known.later(fresh)).or_insert(fresh);
            }
        }
        Arc::clone(&self.gathered)
    }

    /// This is written, and, if nothing has joined it, need not be kept.
    fn forget(&mut self, written: &Arc<Map<K, V>>) {
        if Arc::ptr_eq(&self.gathered, written) {
            self.gathered = Arc::default();
        }
    }
}

/// Notes in many places, by the ids that they are about.
struct Places<T>([Mutex<T>; PLACES]);

impl<T: Default> Default for Places<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<T> Places<T> {
    /// The place for what is about this id, whose last byte is as good as random.
    fn of(&self, id: &[u8; 12]) -> MutexGuard<'_, T> {
        locked(&self.0[usize::from(id[11]) % PLACES])
    }

    /// Every place, one after the other.
    fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(locked)
    }
}

fn locked<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.iter().all(|place| place.is_empty()) && self.members.iter().all(|place| place.is_empty())
    }

    pub(crate) fn tokens(&self) -> Vec<(TokenId, Timestamp)> {
        self.tokens.iter().flat_map(|place| place.iter()).map(|(id, at)| (*id, *at)).collect()
    }

    pub(crate) fn members(&self) -> Vec<(MemberId, Presence)> {
        self.members.iter().flat_map(|place| place.iter()).map(|(id, presence)| (*id, *presence)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: MemberId = MemberId::from_bytes([1; 12]);
    const TOKEN: TokenId = TokenId::from_bytes([2; 12]);

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// What is seen of the token and of its owner.
    fn seen(notes: &LastUsed) -> [Option<Timestamp>; 2] {
        [notes.merged(TOKEN, None), notes.presence(OWNER).last_seen_at]
    }

    #[test]
    fn what_is_noted_is_seen_until_it_is_written_and_after() {
        let notes = LastUsed::new(Vec::new());
        let use_at = |millis| notes.note(TOKEN, TokenKind::Personal, OWNER, at(millis));
        assert!(notes.batch().is_empty());
        use_at(5);
        let batch = notes.batch();
        assert_eq!(batch.tokens(), [(TOKEN, at(5))]);
        assert_eq!(seen(&notes), [Some(at(5)); 2], "while it is written");
        use_at(4);
        assert_eq!(seen(&notes), [Some(at(5)); 2], "a clock that went back");
        use_at(7);
        notes.written(&batch);
        assert_eq!(seen(&notes), [Some(at(7)); 2]);
        let batch = notes.batch();
        assert_eq!(batch.tokens(), [(TOKEN, at(7))]);
        notes.written(&batch);
        assert!(notes.batch().is_empty());
        assert_eq!(seen(&notes), [None, Some(at(7))], "of a token the store tells");
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next() {
        let notes = LastUsed::new(Vec::new());
        let use_at = |millis| notes.note(TOKEN, TokenKind::Personal, OWNER, at(millis));
        use_at(5);
        let failed = notes.batch();
        assert_eq!(failed.tokens(), notes.batch().tokens());
        use_at(6);
        let both = notes.batch();
        assert_eq!(both.tokens(), [(TOKEN, at(6))]);
        // One that was slow comes to its end after all: what joined it meanwhile is still to be written.
        notes.written(&failed);
        assert_eq!(notes.batch().tokens(), [(TOKEN, at(6))]);
        assert_eq!(seen(&notes), [Some(at(6)); 2]);
    }
}
