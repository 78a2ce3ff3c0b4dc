//! The bench that a case works on: a store with an account and its owner, and short words for what cases do.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event, Expectation, Proposal, Revision};
use jeton_core::id::{AccountId, TokenId};
use jeton_core::member::Member;
use jeton_core::role::CustomRole;
use jeton_core::token::{Token, TokenKind};

use super::draw::Draw;
use super::sample::{self, NOW};
use crate::{Outcome, Store, StoreError, StoredToken};

pub(super) struct Bench<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) draw: Draw,
    pub(super) account: AccountId,
    /// The member who was there first.
    pub(super) owner: Member,
    numbers: u32,
}

impl<'s> Bench<'s> {
    /// An account and its owner, in revisions 1 and 2.
    pub(super) async fn set_up(store: &'s dyn Store, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let account = sample::account(&mut draw);
        let owner = sample::member(&mut draw, account.id, 1000);
        let mut bench = Self { store, draw, account: account.id, owner, numbers: 1000 };
        bench.write(Event::AccountFounded { account }).await;
        let added = bench.write(Event::MemberAdded { member: bench.owner.clone() }).await;
        bench.owner.revision = added.revision;
        bench
    }

    /// Another bench at the same account, for another thread: with a seed of its own, so that no id comes twice.
    pub(super) fn beside(&self, seed: u64) -> Self {
        let draw = Draw::new(seed);
        Self {
            store: self.store,
            draw,
            account: self.account,
            owner: self.owner.clone(),
            numbers: self.numbers,
        }
    }

    /// Another account beside the first.
    pub(super) async fn another_account(&mut self) -> Account {
        let mut account = sample::account(&mut self.draw);
        let proposal = Proposal {
            account: account.id,
            ..self.proposal(Event::AccountFounded { account: account.clone() })
        };
        account.revision = committed(self.one(proposal).await).revision;
        account
    }

    /// A plain member, not yet in the store.
    pub(super) fn new_member(&mut self) -> Member {
        self.numbers += 1;
        sample::member(&mut self.draw, self.account, self.numbers)
    }

    /// A plain token of the owner, not yet in the store.
    pub(super) fn new_token(&mut self) -> Token {
        sample::token(&mut self.draw, self.account, self.owner.id, TokenKind::Personal)
    }

    /// A plain role, not yet in the store.
    pub(super) fn new_role(&mut self, key: &str) -> CustomRole {
        sample::role(&mut self.draw, self.account, key)
    }

    pub(super) async fn member(&mut self) -> Member {
        let member = self.new_member();
        let revision = self.write(Event::MemberAdded { member: member.clone() }).await.revision;
        Member { revision, ..member }
    }

    pub(super) async fn token(&mut self) -> Token {
        let token = self.new_token();
        self.issue(token).await
    }

    pub(super) async fn role(&mut self, key: &str) -> CustomRole {
        let role = self.new_role(key);
        let revision = self.write(Event::RoleDefined { role: role.clone() }).await.revision;
        CustomRole { revision, ..role }
    }

    pub(super) async fn issue(&self, token: Token) -> Token {
        let revision = self.write(Event::TokenIssued { token: token.clone() }).await.revision;
        Token { revision, ..token }
    }

    /// A proposal to issue a plain token.
    pub(super) fn issuing(&mut self) -> Proposal {
        let token = self.new_token();
        self.proposal(Event::TokenIssued { token })
    }

    /// A proposal that expects nothing.
    pub(super) fn proposal(&self, event: Event) -> Proposal {
        Proposal { at: NOW, account: self.account, actor: Actor::System, event, expects: Vec::new() }
    }

    pub(super) fn expecting(&self, event: Event, expects: &[Expectation]) -> Proposal {
        Proposal { expects: expects.to_vec(), ..self.proposal(event) }
    }

    pub(super) async fn commit(&self, proposals: Vec<Proposal>) -> Result<Vec<Outcome>, StoreError> {
        self.store.commit(proposals).await
    }

    /// Commits one proposal by itself.
    pub(super) async fn one(&self, proposal: Proposal) -> Outcome {
        let mut outcomes = self.commit(vec![proposal]).await.unwrap();
        assert_eq!(outcomes.len(), 1, "one outcome for one proposal");
        outcomes.remove(0)
    }

    /// Commits one event that nothing stands in the way of.
    pub(super) async fn write(&self, event: Event) -> Change {
        committed(self.one(self.proposal(event)).await)
    }

    pub(super) async fn stored(&self, id: TokenId) -> Option<StoredToken> {
        self.store.token(self.account, id).await.unwrap()
    }

    pub(super) async fn log(&self) -> Vec<Change> {
        self.store.changes(Revision::ZERO, 1_000_000).await.unwrap()
    }

    /// The last revision in the log, which has to be dense.
    pub(super) async fn last(&self) -> Revision {
        let log = self.log().await;
        let mut last = Revision::ZERO;
        for change in &log {
            assert_eq!(change.revision, last.next(), "the log is dense");
            last = change.revision;
        }
        last
    }
}

/// The change that an outcome has to be.
pub(super) fn committed(outcome: Outcome) -> Change {
    match outcome {
        Outcome::Committed(change) => change,
        other => panic!("this had to be committed: {other:?}"),
    }
}
