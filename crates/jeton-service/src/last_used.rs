//! When tokens were last used, and members last here: merged in memory, written in batches. A crash may lose the last few
//! seconds of it.
//!
//! What is noted stays here until it is written, so that no reader sees an instant go backwards. Of members everything
//! stays: lists are sorted and filtered by it, and forty bytes for each member are less than a query for each list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jeton_core::id::{MemberId, TokenId};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::TokenKind;
use jeton_store::Presence;

pub(crate) struct LastUsed {
    notes: Mutex<Notes>,
}

struct Notes {
    /// Not yet written.
    tokens: HashMap<TokenId, Timestamp>,
    /// Not yet written.
    members: HashMap<MemberId, Presence>,
    /// What the store holds.
    written: HashMap<MemberId, Presence>,
}

/// What is to be written.
pub(crate) struct Batch {
    pub(crate) tokens: Vec<(TokenId, Timestamp)>,
    pub(crate) members: Vec<(MemberId, Presence)>,
}

impl LastUsed {
    /// Begins with what the store holds.
    pub(crate) fn new(stored: Vec<(MemberId, Presence)>) -> Self {
        let (tokens, members) = (HashMap::new(), HashMap::new());
        Self { notes: Mutex::new(Notes { tokens, members, written: stored.into_iter().collect() }) }
    }

    /// The caller's token is used now. A member is seen with it, unless the token is nobody.
    pub(crate) fn note(&self, token: TokenId, kind: TokenKind, owner: MemberId, now: Timestamp) {
        let mut notes = self.notes();
        match notes.tokens.entry(token) {
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
            notes.see(owner, Presence { last_seen_at: Some(now), last_login_at: None });
        }
    }

    /// The member logs in now.
    pub(crate) fn note_login(&self, member: MemberId, now: Timestamp) {
        self.notes().see(member, Presence { last_seen_at: Some(now), last_login_at: Some(now) });
    }

    /// The later of what is stored and what is not yet written.
    pub(crate) fn merged(&self, token: TokenId, stored: Option<Timestamp>) -> Option<Timestamp> {
        stored.max(self.notes().tokens.get(&token).copied())
    }

    /// When the member was last here.
    pub(crate) fn presence(&self, member: MemberId) -> Presence {
        let notes = self.notes();
        let of = |known: &HashMap<_, _>| known.get(&member).copied().unwrap_or_default();
        Presence::merged(of(&notes.written), of(&notes.members))
    }

    /// What is not yet written.
    pub(crate) fn batch(&self) -> Batch {
        let notes = self.notes();
        let tokens = notes.tokens.iter().map(|(id, at)| (*id, *at)).collect();
        let members = notes.members.iter().map(|(id, presence)| (*id, *presence)).collect();
        Batch { tokens, members }
    }

    /// The batch is written. What was noted since is not.
    pub(crate) fn written(&self, batch: Batch) {
        let mut notes = self.notes();
        for (token, at) in batch.tokens {
            if notes.tokens.get(&token) == Some(&at) {
                notes.tokens.remove(&token);
            }
        }
        for (member, presence) in batch.members {
            if notes.members.get(&member) == Some(&presence) {
                notes.members.remove(&member);
            }
            let written = notes.written.entry(member).or_default();
            *written = written.merged(presence);
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn see(&mut self, member: MemberId, now: Presence) {
        let presence = self.members.entry(member).or_default();
        *presence = presence.merged(now);
    }
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.members.is_empty()
    }
}
