//! Tokens that were read lately, so that reading one again costs no query.
//!
//! Whoever renames, rotates or revokes a token has read it a moment before, and a change reads it once or twice more.
//!
//! What stands here is what the database holds. A transaction that is going to change a token takes it out first, and
//! until that transaction has ended nothing is taken in; what was read before its end is never taken in after it. So no
//! reader meets a record here that another has already seen replaced.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jeton_core::change::{Event, Proposal};
use jeton_core::id::{AccountId, TokenId};
use jeton_core::token::Scope;

use crate::StoredToken;

/// When this many are in one generation the older one is forgotten.
const GENERATION: usize = 512;
/// Bytes of text in a token that is kept. Longer ones are rare, and a few of them could fill the memory of many.
const LONGEST: usize = 512;

/// Tokens by id, in two generations: what is asked for moves into the younger, and the older goes at once.
#[derive(Default)]
pub(super) struct Recent {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    young: HashMap<TokenId, StoredToken>,
    old: HashMap<TokenId, StoredToken>,
    /// Counts the beginnings and the ends of changes: odd while one runs.
    turn: u64,
}

/// When somebody turned to the database instead.
#[derive(Clone, Copy)]
pub(super) struct Turn(u64);

impl Recent {
    /// The token, or the turn with which it may be put here when it has been read.
    pub(super) fn get(&self, account: AccountId, id: TokenId) -> Result<StoredToken, Turn> {
        let mut shelf = self.shelf();
        if let Some(stored) = shelf.old.remove(&id) {
            shelf.put(stored);
        }
        match shelf.young.get(&id).filter(|stored| stored.token.account == account) {
            Some(stored) => Ok(stored.clone()),
            None => Err(Turn(shelf.turn)),
        }
    }

    /// Takes in what was read, unless the token may have changed meanwhile.
    pub(super) fn put(&self, turn: Turn, stored: &StoredToken) {
        let mut shelf = self.shelf();
        if shelf.turn == turn.0 && shelf.turn.is_multiple_of(2) && is_short(stored) {
            shelf.put(stored.clone());
        }
    }

    /// Takes out what these proposals are going to change, until the change is over. There is one change at a time.
    pub(super) fn changing(&self, proposals: &[Proposal]) -> Option<Changing<'_>> {
        let mut touched = Vec::new();
        for proposal in proposals {
            match &proposal.event {
                Event::TokenChanged { before: token, .. }
                | Event::TokenRotated { before: token, .. }
                | Event::TokenRevoked { token } => touched.push(token.id),
                // A removal takes the member's tokens with it.
                Event::MemberChanged { .. } => return Some(self.changing_all()),
                Event::AccountFounded { .. }
                | Event::MemberAdded { .. }
                | Event::RoleDefined { .. }
                | Event::RoleChanged { .. }
                | Event::RoleRemoved { .. }
                | Event::TokenIssued { .. } => {}
            }
        }
        if touched.is_empty() { None } else { Some(self.changing_these(touched)) }
    }

    /// As [`Recent::changing`], for these tokens.
    pub(super) fn changing_these(&self, ids: impl IntoIterator<Item = TokenId>) -> Changing<'_> {
        let mut shelf = self.shelf();
        for id in ids {
            shelf.young.remove(&id);
            shelf.old.remove(&id);
        }
        shelf.turn += 1;
        Changing(self)
    }

    fn changing_all(&self) -> Changing<'_> {
        let mut shelf = self.shelf();
        shelf.young.clear();
        shelf.old.clear();
        shelf.turn += 1;
        Changing(self)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn put(&mut self, stored: StoredToken) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stored.token.id, stored);
    }
}

fn is_short(stored: &StoredToken) -> bool {
    let token = &stored.token;
    let texts = token.name.len() + token.description.len();
    texts <= LONGEST
        && token.ceiling.grants().is_empty()
        && matches!(token.scope, Scope::Member | Scope::Base(_))
}

/// A change that runs. It is over when this is dropped, however it ended.
pub(super) struct Changing<'a>(&'a Recent);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.shelf().turn += 1;
    }
}
