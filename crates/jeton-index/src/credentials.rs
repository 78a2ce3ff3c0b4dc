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
//!   is written there any more. Lists of tokens name places in the table ([`crate::roster`]), so whoever moves a secret,
//!   or all of them, tells where they are then.
//!
//! What has a number has few enough bits that the bounds are worth saying. Nothing is refused when one is reached, and
//! nothing wrong is said: only what is beyond is not let in, or not listed.
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | members ever | 2³¹ - 1 | such a member is unknown, and nobody is let in for them |
//! | distinct rights at a time | 2³¹ - 1 | a token with others is unknown until jeton starts again |
//! | changes | 2⁴⁷ | tokens are good, and every write on the authority of a token changed since fails |
//! | ends | the year 10889 | the end of time |
//! | slots | 2³² - 1, in 190 GB | a token whose slot is beyond is good, stands in no list, and is not counted; so a login is not ended by a new password |
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
use crate::table::{Ids, Moved, OF_A_CHANGE, Place, Table};

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
        let mut seen = None;
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
            // Seen twice, it names what is forgotten, and nobody is about to change that. That can't be; if it is, who asks is
            // refused and not kept for ever.
            if seen.replace(worth) == Some(worth) {
                return Err(Dead::Unknown);
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

    /// Whether the table holds these besides what it holds, as it is.
    pub(crate) fn has_room_for(&self, credentials: &[Credential]) -> bool {
        let secrets = credentials.iter().map(|credential| Secret::all_of(credential).count()).sum();
        self.can_take(&self.table.load(), &self.book(), secrets, credentials.len())
    }

    /// Adds credentials with their owners, many at once where an index is built: looks that wait for memory then overlap.
    /// Tells where the secret of each is, and what moved before, because there was no room.
    pub(crate) fn add<'c>(
        &self,
        credentials: impl IntoIterator<Item = (&'c Credential, u32), IntoIter: ExactSizeIterator + Clone>,
    ) -> (Vec<Place>, Option<Moved>) {
        let credentials = credentials.into_iter();
        let secrets = credentials.clone().flat_map(|(credential, _)| Secret::all_of(credential));
        let mut book = self.book();
        let moved = self.make_room(&mut book, secrets.clone().count(), credentials.len());
        let table = self.table.load();
        table.bring(secrets.map(|secret| secret.tag));
        let mut places = Vec::with_capacity(credentials.len());
        for (credential, owner) in credentials {
            let rights = book.acquire(&credential.rights, &table.names);
            let mut place = None;
            for secret in Secret::all_of(credential) {
                // The one that holds comes last.
                place = Some(table.put(secret.tag, credential.id, owner, secret.worth(credential, rights)));
            }
            places.extend(place);
        }
        (places, moved)
    }

    /// Follows a change of a token: its rights, its end, its secrets. Tells where the secret that holds is, if it is elsewhere
    /// than the one before, and what moved before, because there was no room.
    pub(crate) fn replace(
        &self,
        before: &Credential,
        after: &Credential,
        owner: u32,
    ) -> (Option<Place>, Option<Moved>) {
        let mut book = self.book();
        let moved = self.make_room(&mut book, OF_A_CHANGE, 1);
        let table = self.table.load();
        // It may have gone with its owner.
        let Some((was, _)) = table.find(Tag::from(&before.digest)) else {
            return (None, moved);
        };
        let rights = book.acquire(&after.rights, &table.names);
        let kept = Secret::all_of(after);
        for gone in Secret::all_of(before).filter(|secret| kept.clone().all(|kept| kept.tag != secret.tag)) {
            table.end(gone.tag, Death::Replaced);
        }
        let mut is = None;
        for secret in kept {
            is = Some(table.set(secret.tag, after.id, owner, secret.worth(after, rights)));
        }
        book.release(&before.rights, &table.names);
        (is.filter(|place| *place != was), moved)
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

    /// The tokens of all slots.
    pub(crate) fn ids(&self) -> Ids {
        self.table.load().ids()
    }

    /// Bytes that the table takes at its present size.
    pub(crate) fn bytes(&self) -> usize {
        self.table.load().bytes()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many secrets of so many tokens fit in. At the bound of names another table would have no more of them.
    fn can_take(&self, table: &Table, book: &Book, secrets: usize, tokens: usize) -> bool {
        let names = table.names.has_room_for(tokens) || book.len() >= self.most_names as usize;
        names && table.has_room_for(secrets)
    }

    /// Replaces this table by a larger one, or by one without the dead, if so many secrets of so many tokens don't fit in.
    /// Tells where everything is then.
    fn make_room(&self, book: &mut Book, secrets: usize, tokens: usize) -> Option<Moved> {
        let table = self.table.load();
        if self.can_take(&table, book, secrets, tokens) {
            return None;
        }
        let (larger, moved) = self.rebuilt(&table, book, secrets);
        self.table.store(Arc::new(larger));
        Some(moved)
    }

    /// A table with the living of this one and room for half as many again, or for so many secrets if those are more.
    fn rebuilt(&self, old: &Table, book: &mut Book, secrets: usize) -> (Table, Moved) {
        let living = old.living().count();
        let room = (living / 2 * 3).max(living + secrets);
        let table = Table::with_room_for(room, Table::names_for(room, book.len()).min(self.most_names));
        let renamed = book.rename(&table.names);
        let mut moved = Moved::between(old, &table);
        for (place, tag, worth) in old.living() {
            let worth = Worth { rights: renamed(worth.rights), ..worth };
            moved.note(place, table.put(tag, old.token(place), old.owner(place), worth));
        }
        (table, moved)
    }
}

#[cfg(test)]
#[path = "credentials/tests.rs"]
mod tests;
