//! An index that changes while it is asked: tokens are issued and revoked at a steady pace, on the other core.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use jeton_core::change::{Actor, Change, Event};
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;
use jeton_index::Index;

use crate::Fallible;
use crate::machine::{self, Core};
use crate::rounds::Dice;

/// Changes by the second.
pub(crate) const CHANGES: u32 = 1000;

/// Tokens like one, of other ids and secrets.
pub(crate) struct Changing {
    like: Token,
    dice: Dice,
    /// How many were issued.
    number: u64,
}

impl Changing {
    pub(crate) fn new(like: Token, seed: u64) -> Self {
        Self { like, dice: Dice::new(seed), number: 0 }
    }

    /// What comes of `work` while the index changes.
    pub(crate) fn beside<T>(&mut self, index: &Index, work: impl FnOnce() -> Fallible<T>) -> Fallible<T> {
        let (working, ended) = channel();
        thread::scope(|scope| {
            let changing = scope.spawn(move || {
                let pinned = machine::pin_to(Core::Server).map_err(|error| error.to_string());
                pinned.map(|()| self.change(index, &ended))
            });
            let outcome = work();
            drop(working);
            let changes = changing.join().map_err(|_| "the changes have failed")??;
            if changes == 0 { Err("nothing has changed".into()) } else { outcome }
        })
    }

    /// How many changes there were before the work ended.
    fn change(&mut self, index: &Index, ended: &Receiver<()>) -> u64 {
        let mut due = Instant::now();
        let mut changes = 0;
        loop {
            let token = self.another();
            for event in [Event::TokenIssued { token: token.clone() }, Event::TokenRevoked { token }] {
                let (revision, account) = (index.revision().next(), self.like.account);
                let at = Timestamp::from_millis(0);
                index.apply(&Change { revision, at, account, actor: Actor::System, event });
                changes += 1;
                due += Duration::from_secs(1) / CHANGES;
                if ended.recv_timeout(due.saturating_duration_since(Instant::now()))
                    != Err(RecvTimeoutError::Timeout)
                {
                    return changes;
                }
            }
        }
    }

    /// After all that there are, as those are that are made.
    fn another(&mut self) -> Token {
        self.number += 1;
        let mut id = [0xff; 12];
        id[4..].copy_from_slice(&self.number.to_be_bytes());
        let mut token = Token { id: TokenId::from_bytes(id), ..self.like.clone() };
        token.secret.digest = Digest::from_bytes(self.dice.bytes());
        token
    }
}
