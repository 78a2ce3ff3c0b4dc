//! An account that is founded, whoever issues tokens in it, and what must be true of its log: for the tests of every store.

use jeton_core::change::{Change, Event, Proposal, Revision};
use jeton_core::digest::ServerKey;
use jeton_core::member::Member;
use jeton_core::rule::{Founding, Fresh, Mint, found, recover};
use jeton_core::secret::SecretFormat;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_store::{Outcome, Store, StoreError};
use pollster::block_on;
use zeroize::Zeroizing;

/// Issues tokens of the owner of a founded account.
pub(crate) struct Issuer {
    mint: Mint,
    owner: Member,
    number: u64,
}

impl Issuer {
    /// Founds the account.
    pub(crate) fn found(store: &dyn Store) -> Self {
        let key = ServerKey::new(Zeroizing::new([9; 32]));
        let mint = Mint { format: SecretFormat::new("jtn").unwrap(), key };
        let fresh = [fresh(1), fresh(2), fresh(3)];
        let (proposals, _) = found(Founding::default(), &mint, Timestamp::from_millis(1), fresh.each_ref());
        let outcomes = block_on(store.commit(proposals)).unwrap();
        let Outcome::Committed(Change { event: Event::MemberAdded { member }, .. }) = &outcomes[1] else {
            panic!("the second change adds the owner: {outcomes:?}")
        };
        Self { mint, owner: member.clone(), number: 3 }
    }

    pub(crate) fn proposals(&mut self, count: usize) -> Vec<Proposal> {
        let next = |_| {
            self.number += 1;
            let now = Timestamp::from_millis(i64::try_from(self.number).unwrap());
            recover(&self.owner, &self.mint, now, &fresh(self.number)).proposal
        };
        (0..count).map(next).collect()
    }

    pub(crate) fn try_issue(&mut self, store: &dyn Store, count: usize) -> Result<Revision, StoreError> {
        let outcomes = block_on(store.commit(self.proposals(count)))?;
        let Some(Outcome::Committed(change)) = outcomes.last() else { panic!("{outcomes:?}") };
        Ok(change.revision)
    }

    /// Commits a group of new tokens, and gives back the last revision.
    pub(crate) fn issue(&mut self, store: &dyn Store, count: usize) -> Revision {
        self.try_issue(store, count).unwrap()
    }
}

fn fresh(number: u64) -> Fresh {
    let mut id = [0; 6];
    id.copy_from_slice(&number.to_be_bytes()[2..]);
    let mut secret = Zeroizing::new([0; 48]);
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Fresh { id, secret }
}

/// Sees that the log is dense and that the records are those of its last change; gives back its revision. Every change
/// after the second adds a token here.
pub(crate) fn check(store: &dyn Store) -> Revision {
    let log = block_on(store.changes(Revision::ZERO, usize::MAX)).unwrap();
    for (number, change) in (1..).zip(&log) {
        assert_eq!(change.revision, Revision::new(number), "the log is dense");
    }
    let mut tokens = 0;
    let mut count = |record| tokens += usize::from(matches!(record, Record::Credential(_)));
    let head = block_on(store.snapshot(&mut |_| {}, &mut count)).unwrap();
    assert_eq!(head.change.as_ref(), log.last());
    let revision = head.revision;
    assert_eq!(usize::try_from(revision.number()).unwrap(), log.len());
    assert_eq!(tokens, log.len().saturating_sub(2), "the records are those of the last change");
    revision
}
