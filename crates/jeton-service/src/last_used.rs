//! When tokens were last used, and members last here: merged in memory, written in batches. A crash may lose the last few
//! seconds of it.
//!
//! What is noted stays here until it is written, so that no reader sees an instant go backwards. Of members everything
//! stays: lists are sorted and filtered by it, and forty bytes for each member are less than a query for each list.
//!
//! Every verification notes something here, so the notes are kept in many places, each with a lock of its own that is
//! held for a moment only: also by whoever gathers a batch, who takes one place after the other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use jeton_core::id::{MemberId, TokenId};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::TokenKind;
use jeton_store::Presence;

/// Places to keep notes in.
const PLACES: usize = 64;

pub(crate) struct LastUsed {
    tokens: Places<Tokens>,
    members: Places<Members>,
}

/// Not yet written.
type Tokens = HashMap<TokenId, Timestamp, RandomState>;

#[derive(Default)]
struct Members {
    /// Not yet written.
    noted: HashMap<MemberId, Presence, RandomState>,
    /// What the store holds.
    written: HashMap<MemberId, Presence, RandomState>,
}

/// What is to be written.
pub(crate) struct Batch {
    pub(crate) tokens: Vec<(TokenId, Timestamp)>,
    pub(crate) members: Vec<(MemberId, Presence)>,
}

impl LastUsed {
    /// Begins with what the store holds.
    pub(crate) fn new(stored: Vec<(MemberId, Presence)>) -> Self {
        let it = Self { tokens: Places::default(), members: Places::default() };
        it.learn(stored);
        it
    }

    /// Takes in what the store holds: also what other nodes have written there.
    pub(crate) fn learn(&self, stored: Vec<(MemberId, Presence)>) {
        for (member, presence) in stored {
            let mut members = self.members.of(member.as_bytes());
            let written = members.written.entry(member).or_default();
            *written = written.merged(presence);
        }
    }

    /// A token is used now. Its owner is seen with it, unless the token is nobody.
    pub(crate) fn note(&self, token: TokenId, kind: TokenKind, owner: MemberId, now: Timestamp) {
        match self.tokens.of(token.as_bytes()).entry(token) {
            // Many uses fall into one millisecond, and then the member was seen in it too.
            Entry::Occupied(at) if *at.get() >= now => return,
            Entry::Occupied(mut at) => {
                at.insert(now);
            }
            Entry::Vacant(at) => {
                at.insert(now);
            }
        }
        if kind != TokenKind::Service {
            self.see(owner, Presence { last_seen_at: Some(now), last_login_at: None });
        }
    }

    /// The member logs in now.
    pub(crate) fn note_login(&self, member: MemberId, now: Timestamp) {
        self.see(member, Presence { last_seen_at: Some(now), last_login_at: Some(now) });
    }

    fn see(&self, member: MemberId, now: Presence) {
        let mut members = self.members.of(member.as_bytes());
        let presence = members.noted.entry(member).or_default();
        *presence = presence.merged(now);
    }

    /// The later of what is stored and what is not yet written.
    pub(crate) fn merged(&self, token: TokenId, stored: Option<Timestamp>) -> Option<Timestamp> {
        stored.max(self.tokens.of(token.as_bytes()).get(&token).copied())
    }

    /// When the member was last here.
    pub(crate) fn presence(&self, member: MemberId) -> Presence {
        let members = self.members.of(member.as_bytes());
        let of = |known: &HashMap<_, _, _>| known.get(&member).copied().unwrap_or_default();
        Presence::merged(of(&members.written), of(&members.noted))
    }

    /// What is not yet written.
    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch { tokens: Vec::new(), members: Vec::new() };
        for tokens in self.tokens.each() {
            batch.tokens.extend(tokens.iter().map(|(id, at)| (*id, *at)));
        }
        for members in self.members.each() {
            batch.members.extend(members.noted.iter().map(|(id, presence)| (*id, *presence)));
        }
        batch
    }

    /// The batch is written. What was noted since is not.
    pub(crate) fn written(&self, batch: Batch) {
        for (token, at) in batch.tokens {
            let mut tokens = self.tokens.of(token.as_bytes());
            if tokens.get(&token) == Some(&at) {
                tokens.remove(&token);
            }
        }
        for (member, presence) in batch.members {
            let mut members = self.members.of(member.as_bytes());
            if members.noted.get(&member) == Some(&presence) {
                members.noted.remove(&member);
            }
            let written = members.written.entry(member).or_default();
            *written = written.merged(presence);
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
        self.tokens.is_empty() && self.members.is_empty()
    }
}
