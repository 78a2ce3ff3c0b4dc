//! When tokens were last used: merged in memory, written in batches. A crash may lose the last few seconds of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jeton_core::id::TokenId;
use jeton_core::timestamp::Timestamp;

#[derive(Default)]
pub(crate) struct LastUsed {
    pending: Mutex<HashMap<TokenId, Timestamp>>,
}

impl LastUsed {
    pub(crate) fn note(&self, token: TokenId, now: Timestamp) {
        let mut pending = self.pending();
        let at = pending.entry(token).or_insert(now);
        *at = now.max(*at);
    }

    /// The later of what is stored and what is not yet written.
    pub(crate) fn merged(&self, token: TokenId, stored: Option<Timestamp>) -> Option<Timestamp> {
        stored.max(self.pending().get(&token).copied())
    }

    pub(crate) fn take(&self) -> Vec<(TokenId, Timestamp)> {
        self.pending().drain().collect()
    }

    pub(crate) fn put_back(&self, used: Vec<(TokenId, Timestamp)>) {
        for (token, at) in used {
            self.note(token, at);
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<TokenId, Timestamp>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
