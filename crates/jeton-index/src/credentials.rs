//! Credentials: from a digest to the token it belongs to, without a lock.
//!
//! An open-addressing table of 32-byte slots, two to a cache line. A slot holds 12 bytes of a digest and everything that
//! decides whether the secret is good and for what: the instant from which it is refused, the number of its owner, the
//! name of its rights, and the revision of all this. Owners and rights are few and stay in the cache ([`crate::directory`],
//! [`crate::rights`]). The token's id, which decides nothing, stands in an array beside the slots, at the same place: a
//! second line is touched to report it, at the same time as the first. That is 44 bytes a slot, and 52 a token when the
//! table is as full as it gets, at 0.85 ([`crate::table`]).
//!
//! There is one writer and there are any number of readers, and nobody waits:
//!
//! - A slot's tag, owner and id are written once, before the slot is published, and never change: a reader that sees the
//!   tag sees what belongs to it. What changes later changes in two atomic steps: the end, and whether the secret has
//!   been replaced; then, together, the rights and the revision. A reader takes them the other way round. So it may see a
//!   new end with old rights under an old revision, which a write on that authority then fails on; but never old rights
//!   under a new revision, nor under a new revision a secret that the same change ended, or replaced and not said to be.
//! - Each secret of a token has all of this in its own slot, and a reader looks at one slot only. During a rotation's
//!   grace a change is written into both before it is acknowledged.
//! - A slot is never used again, not even for the same digest: a dead one stays, dead, until the table is built anew,
//!   and a secret that comes back with another token gets a slot of its own. A slot lies on the path of its tag after
//!   every older one of the same tag, so who finds a dead one goes on and finds the living.
//! - A name of rights is never used again either, as long as its table lives. Rights that no token has any more are
//!   dropped, after the last slot that named them has changed or died; who still holds the name then finds nothing and
//!   looks again.
//! - A table that is full of living and dead slots, or out of names, is replaced by a new one with names of its own, in one
//!   pointer swap. Readers that are still in the old one see what was true when they entered, rights included: nothing
//!   is written there any more.
//!
//! What has a number has few enough bits that the bounds are worth saying. Nothing is refused when one is reached, and
//! nothing wrong is said: only what is beyond is not let in.
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | members ever | 2³¹ - 1 | such a member is unknown, and nobody is let in for them |
//! | distinct rights at a time | 2³¹ - 1 | a token with others is unknown until jeton starts again |
//! | changes | 2⁴⁷ | tokens are good, and every write on the authority of a token changed since fails |
//! | ends | the year 10889 | the end of time |
//!
//! Huge pages would help: with a million tokens, in three pairs of runs whose allocator asked for them or not, a good digest
//! took 388, 352 and 401 ns with them and 426, 552 and 572 without, an unknown one 265, 243 and 232 and 378, 339 and 379.
//! There is no way to them without `unsafe` today: a mapped array whose bytes are seen as atomics can only be borrowed from
//! its map for as long as both live in one place, or for ever, and then the memory of a replaced table is never given
//! back.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jeton_core::caller::Rights;
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::timestamp::Timestamp;

use crate::Dead;
use crate::rights::{Book, MOST_NAMES, Name};
use crate::slot::{Death, Tag, Until, Worth};
use crate::table::{Place, Table};

/// Every credential by its digest.
pub(crate) struct Credentials {
    table: ArcSwap<Table>,
    /// Only the writer looks here.
    book: Mutex<Book>,
    /// As many rights as can have a name: [`MOST_NAMES`], but for tests.
    most_names: u32,
}

/// A secret that is good as far as its token goes.
pub(crate) struct Found<'t> {
    table: &'t Table,
    place: Place,
    pub(crate) token: TokenId,
    pub(crate) worth: Worth,
}

impl<'t> Found<'t> {
    /// The id is fetched at once, while the slot is still on its way: later fences would keep the two apart, and it is
    /// slower to wait for each than to fetch what nobody asks for.
    fn new(table: &'t Table, place: Place, worth: Worth) -> Self {
        Self { table, place, token: table.token(place), worth }
    }

    pub(crate) fn owner(&self) -> u32 {
        self.table.owner(self.place)
    }
}

/// A secret as the writer sees it.
#[derive(Clone, Copy)]
struct Secret {
    tag: Tag,
    until: Until,
    retiring: bool,
}

impl Secret {
    /// The one that was replaced, if there is one, and then the one that holds.
    fn all_of(credential: &Credential) -> impl Iterator<Item = Self> + Clone + use<> {
        let (expires_at, digest) = (credential.expires_at, credential.digest);
        let replaced = credential.retiring.map(|(digest, ends_at)| Self {
            tag: Tag::from(&digest),
            until: Until::earliest([expires_at, Some(ends_at)]),
            retiring: true,
        });
        let holds =
            Self { tag: Tag::from(&digest), until: Until::earliest([expires_at, None]), retiring: false };
        replaced.into_iter().chain([holds])
    }

    fn worth(self, credential: &Credential, rights: Name) -> Worth {
        let Self { until, retiring, .. } = self;
        Worth { until, retiring, revision: credential.revision, rights }
    }
}

impl Credentials {
    pub(crate) fn with_capacity(tokens: usize) -> Self {
        Self::with_bounds(tokens, MOST_NAMES)
    }

    fn with_bounds(tokens: usize, most_names: u32) -> Self {
        let table = Table::with_room_for(tokens, Table::names_for(tokens, 0).min(most_names));
        Self { table: ArcSwap::from_pointee(table), book: Mutex::default(), most_names }
    }

    /// Shows the token that this digest belongs to, and its rights, if the secret is good at `now`. `admit` is asked for
    /// its owner first, before the rights are fetched.
    pub(crate) fn find<T, Owner>(
        &self,
        digest: &Digest,
        now: Timestamp,
        admit: impl Fn(&Found<'_>) -> Result<Owner, Dead>,
        answer: impl FnOnce(&Found<'_>, Owner, &Rights) -> T,
    ) -> Result<T, Dead> {
        let tag = Tag::from(digest);
        loop {
            let table = self.table.load();
            let (place, worth) = table.find(tag).ok_or(Dead::Unknown)?;
            let found = Found::new(&table, place, worth);
            if worth.until.has_come(now) {
                return Err(Dead::Expired);
            }
            let owner = admit(&found)?;
            if worth.rights.stands_for_none() {
                return Err(Dead::Unknown);
            }
            // The rights may have been replaced between the two looks; then the slot names others by now, or is dead.
            if let Some(rights) = table.names.get(worth.rights)
                && let Some(rights) = &*rights
            {
                return Ok(answer(&found, owner, rights));
            }
        }
    }

    /// Why a secret that is not found, or is found at its end, died, if the table still has it and that says more.
    pub(crate) fn fate(&self, digest: &Digest) -> Option<Dead> {
        let table = self.table.load();
        let tag = Tag::from(digest);
        match table.find(tag) {
            Some((_, worth)) => worth.retiring.then_some(Dead::Replaced),
            None => match table.death(tag)? {
                Death::Moved => None,
                Death::Revoked => Some(Dead::Revoked),
                Death::Replaced => Some(Dead::Replaced),
                Death::OwnerRemoved => Some(Dead::OwnerInactive),
            },
        }
    }

    /// See [`Table::bring`].
    pub(crate) fn bring<'d>(&self, digests: impl Iterator<Item = &'d Digest>) {
        self.table.load().bring(digests.map(Tag::from));
    }

    /// Adds credentials with their owners, many at once where an index is built: looks that wait for memory then overlap.
    pub(crate) fn add<'c>(
        &self,
        credentials: impl IntoIterator<Item = (&'c Credential, u32), IntoIter: Clone>,
    ) {
        let credentials = credentials.into_iter();
        let mut book = self.book();
        let mut table = self.table.load();
        let secrets = credentials.clone().flat_map(|(credential, _)| Secret::all_of(credential));
        table.bring(secrets.map(|secret| secret.tag));
        for (credential, owner) in credentials {
            if self.make_room(&table, &mut book) {
                table = self.table.load();
            }
            let rights = book.acquire(&credential.rights, &table.names);
            for secret in Secret::all_of(credential) {
                table.put(secret.tag, credential.id, owner, secret.worth(credential, rights));
            }
        }
    }

    /// Follows a change of a token: its rights, its end, its secrets.
    pub(crate) fn replace(&self, before: &Credential, after: &Credential, owner: u32) {
        let mut book = self.book();
        self.make_room(&self.table.load(), &mut book);
        let table = self.table.load();
        // It may have gone with its owner.
        if table.find(Tag::from(&before.digest)).is_none() {
            return;
        }
        let rights = book.acquire(&after.rights, &table.names);
        let kept = Secret::all_of(after);
        for gone in Secret::all_of(before).filter(|secret| kept.clone().all(|kept| kept.tag != secret.tag)) {
            table.end(gone.tag, Death::Replaced);
        }
        for secret in kept {
            table.set(secret.tag, after.id, owner, secret.worth(after, rights));
        }
        book.release(&before.rights, &table.names);
    }

    pub(crate) fn remove(&self, credential: &Credential) {
        let table = self.table.load();
        let known = table.find(Tag::from(&credential.digest)).is_some();
        Secret::all_of(credential).for_each(|secret| table.end(secret.tag, Death::Revoked));
        if known {
            self.book().release(&credential.rights, &table.names);
        }
    }

    /// Ends every secret of the tokens that act for a member. Members are seldom removed: walking the table then is
    /// cheaper than keeping a list of each member's digests always.
    pub(crate) fn remove_personal(&self, owner: u32) {
        let table = self.table.load();
        let theirs = |worth: Worth, place| worth.rights.is_of_a_person() && table.owner(place) == owner;
        let mut ended = BTreeSet::new();
        for (place, _, worth) in table.living().filter(|(place, _, worth)| theirs(*worth, *place)) {
            table.end_at(place, Death::OwnerRemoved);
            // Once for a token, which may have had two secrets.
            ended.insert((table.token(place), worth.rights));
        }
        let mut book = self.book();
        for (_, name) in ended {
            if let Some(rights) = table.names.get(name)
                && let Some(rights) = &*rights
            {
                book.release(rights, &table.names);
            }
        }
    }

    /// Everything that is alive, in no order, for a comparison.
    pub(crate) fn each_living(&self, mut see: impl FnMut(Tag, &Found<'_>, Option<Arc<Rights>>)) {
        let table = self.table.load();
        for (place, tag, worth) in table.living() {
            let rights = table.names.get(worth.rights).and_then(|rights| rights.clone());
            see(tag, &Found::new(&table, place, worth), rights);
        }
    }

    /// How many distinct rights are kept.
    pub(crate) fn distinct_rights(&self) -> usize {
        self.book().len()
    }

    /// Bytes that the table takes at its present size.
    pub(crate) fn bytes(&self) -> usize {
        self.table.load().bytes()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces this table by a larger one, or by one without the dead, if another change doesn't fit. Whether it did.
    fn make_room(&self, table: &Table, book: &mut Book) -> bool {
        // At the bound of names another table would have no more of them.
        let names = table.names.has_room() || book.len() >= self.most_names as usize;
        let full = !(table.has_room() && names);
        if full {
            self.table.store(Arc::new(self.rebuilt(table, book)));
        }
        full
    }

    /// A table with the living of this one and room for half as many again.
    fn rebuilt(&self, old: &Table, book: &mut Book) -> Table {
        let room = old.living().count() / 2 * 3;
        let table = Table::with_room_for(room, Table::names_for(room, book.len()).min(self.most_names));
        let renamed = book.rename(&table.names);
        for (place, tag, worth) in old.living() {
            let worth = Worth { rights: renamed(worth.rights), ..worth };
            table.put(tag, old.token(place), old.owner(place), worth);
        }
        table
    }
}

#[cfg(test)]
#[path = "credentials/tests.rs"]
mod tests;
