//! A store that fails, or stands still, on command.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use jeton_core::change::{Change, Expectation, Proposal, Revision};
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_store::{Answer, Head, Outcome, Presence, Store, StoreError, StoredToken};

use crate::registry::Registry;

/// A store around another that fails, or stands still, on command.
pub struct Unreliable {
    inner: Arc<dyn Store>,
    full: AtomicBool,
    broken: AtomicBool,
    contended: AtomicBool,
    panicking: AtomicBool,
    paused: Mutex<bool>,
    moved: Condvar,
    arrived: Mutex<u64>,
    came: Condvar,
    /// Who shares the store around which this stands.
    pub(crate) registry: Arc<Registry>,
}

impl Unreliable {
    /// A store that behaves, for now.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self::shared(inner, Arc::default())
    }

    /// One node's way to a store that is shared by those in this registry.
    pub fn shared(inner: Arc<dyn Store>, registry: Arc<Registry>) -> Self {
        Self {
            inner,
            full: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            contended: AtomicBool::new(false),
            panicking: AtomicBool::new(false),
            paused: Mutex::new(false),
            moved: Condvar::new(),
            arrived: Mutex::new(0),
            came: Condvar::new(),
            registry,
        }
    }

    /// From now on commits find the disk full, or no longer.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// From now on everything fails, or nothing any more.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// From now on every commit comes too late for what it was decided on, or no longer.
    pub fn set_contended(&self, contended: bool) {
        self.contended.store(contended, Ordering::SeqCst);
    }

    /// From now on whoever reads one token panics, or no longer: a bug.
    pub fn set_panicking(&self, panicking: bool) {
        self.panicking.store(panicking, Ordering::SeqCst);
    }

    /// From now on commits stand still where the transaction would begin, or go on.
    pub fn set_paused(&self, paused: bool) {
        *self.paused.lock().unwrap() = paused;
        self.moved.notify_all();
    }

    /// Waits until this many commits have come in since the beginning.
    pub fn wait_for_commits(&self, count: u64) {
        let arrived = self.arrived.lock().unwrap();
        drop(self.came.wait_while(arrived, |arrived| *arrived < count).unwrap());
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            Err(StoreError::Broken("on command".to_owned()))
        } else {
            Ok(())
        }
    }

    fn enter_commit(&self) -> Result<(), StoreError> {
        *self.arrived.lock().unwrap() += 1;
        self.came.notify_all();
        drop(self.moved.wait_while(self.paused.lock().unwrap(), |paused| *paused).unwrap());
        if self.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full("on command".to_owned()));
        }
        self.check()
    }
}

impl Store for Unreliable {
    fn commit(&self, proposals: Vec<Proposal>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            self.enter_commit()?;
            if self.contended.load(Ordering::SeqCst) {
                return Ok(vec![Outcome::Stale(Expectation::Head(Revision::ZERO)); proposals.len()]);
            }
            self.inner.commit(proposals).await
        })
    }

    fn snapshot<'a>(
        &'a self,
        announce: &'a mut (dyn FnMut(u64) + Send),
        sink: &'a mut (dyn FnMut(Record) + Send),
    ) -> Answer<'a, Head> {
        Box::pin(async move {
            self.check()?;
            self.inner.snapshot(announce, sink).await
        })
    }

    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>> {
        Box::pin(async move {
            self.check()?;
            self.inner.changes(after, limit).await
        })
    }

    fn compact(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        Box::pin(async move {
            self.check()?;
            self.inner.compact(before, limit).await
        })
    }

    fn token(&self, account: AccountId, id: TokenId) -> Answer<'_, Option<StoredToken>> {
        Box::pin(async move {
            self.check()?;
            assert!(!self.panicking.load(Ordering::SeqCst), "a bug, on command");
            self.inner.token(account, id).await
        })
    }

    fn tokens<'a>(&'a self, account: AccountId, ids: &'a [TokenId]) -> Answer<'a, Vec<StoredToken>> {
        Box::pin(async move {
            self.check()?;
            self.inner.tokens(account, ids).await
        })
    }

    fn member(&self, account: AccountId, id: MemberId) -> Answer<'_, Option<Member>> {
        Box::pin(async move {
            self.check()?;
            self.inner.member(account, id).await
        })
    }

    fn members_by_email<'a>(&'a self, email: &'a str) -> Answer<'a, Vec<Member>> {
        Box::pin(async move {
            self.check()?;
            self.inner.members_by_email(email).await
        })
    }

    fn touch<'a>(
        &'a self,
        used: &'a [(TokenId, Timestamp)],
        present: &'a [(MemberId, Presence)],
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.check()?;
            self.inner.touch(used, present).await
        })
    }

    fn presences(&self, since: Option<Timestamp>) -> Answer<'_, Vec<(MemberId, Presence)>> {
        Box::pin(async move {
            self.check()?;
            self.inner.presences(since).await
        })
    }

    fn bind_key(&self, fingerprint: [u8; 32]) -> Answer<'_, bool> {
        Box::pin(async move {
            self.check()?;
            self.inner.bind_key(fingerprint).await
        })
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Answer<'a, ()> {
        Box::pin(async move {
            self.check()?;
            self.inner.backup(to).await
        })
    }
}
