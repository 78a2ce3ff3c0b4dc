//! Credentials: from a digest to the token it belongs to, without a lock.
//!
//! An open-addressing table of 32-byte slots, two to a cache line. A slot holds 16 bytes of a digest, the instant from
//! which the secret is refused, and the number of the token's entry; a look-up that finds touches one line of the table
//! and one entry. There is one writer and there are any number of readers, and nobody waits:
//!
//! - A slot's digest and entry number are written once, before the slot is published, and never change: a reader that
//!   sees the digest sees an entry that belongs to it. What changes later changes in single atomic steps.
//! - A slot is never used again, not even for the same digest: a dead one stays, dead, until the table is built anew,
//!   and a secret that comes back with another token gets a slot of its own.
//! - A table that is full of living and dead slots is replaced by a new one, in one pointer swap. Readers that are still
//!   in the old one see what was true when they entered.
//!
//! The order of the writer's steps matters where rights change: first the rights, then the revision. A reader takes them
//! the other way round, so it may see new rights under an old revision, which a write on that authority then fails on,
//! but never old rights under a new revision. An end comes before the revision too: nobody gets a new revision with a
//! secret that the same change ended.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jeton_core::change::Revision;
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::id::{MemberId, TokenId};
use jeton_core::timestamp::Timestamp;

use crate::rights::Handle;
use crate::{Dead, Identity};

const SMALLEST: usize = 1024;
const DEAD: u64 = 0;
const NEVER_ENDS: u64 = u64::MAX;
/// The bit beside an entry's number that says that the secret has been replaced.
const RETIRING: u64 = 1 << 63;

/// Every credential by its digest.
pub struct Credentials {
    table: ArcSwap<Table>,
}

impl Credentials {
    pub(crate) fn with_capacity(tokens: usize) -> Self {
        Self { table: ArcSwap::from_pointee(Table::with_room_for(tokens)) }
    }

    /// The token that this digest belongs to, if the secret is good at `now`.
    pub(crate) fn find(&self, digest: &Digest, now: Timestamp) -> Result<Identity, Dead> {
        let table = self.table.load();
        let slot = table.slot(tag(digest)).ok_or(Dead::Unknown)?;
        let identity = table.identity(slot);
        match slot.until.load(Ordering::Acquire) {
            DEAD => Err(Dead::Unknown),
            NEVER_ENDS => Ok(identity),
            until if millis(until).has_come(now) => Err(Dead::Expired),
            _ => Ok(identity),
        }
    }

    /// When the living secret with this digest ends by itself, if it does.
    pub(crate) fn ends_at(&self, digest: &Digest) -> Option<Timestamp> {
        let table = self.table.load();
        let until = table.slot(tag(digest))?.until.load(Ordering::Acquire);
        (until != NEVER_ENDS && until != DEAD).then(|| millis(until))
    }

    pub(crate) fn add(&self, credential: &Credential, rights: Handle) {
        self.make_room(2, 1);
        let table = self.table.load();
        let entry = table.add_entry(credential, rights);
        table.put(tag(&credential.digest), until(credential.expires_at, None), entry);
        if let Some((digest, ends_at)) = &credential.retiring {
            table.put(tag(digest), until(credential.expires_at, Some(*ends_at)), entry | RETIRING);
        }
    }

    /// Follows a change of a token: its rights, its end, its secrets.
    pub(crate) fn replace(&self, before: &Credential, after: &Credential, rights: Handle) {
        self.make_room(2, 0);
        let table = self.table.load();
        let Some(slot) = table.slot(tag(&before.digest)) else { return };
        let number = slot.entry.load(Ordering::Relaxed) & !RETIRING;
        let entry = table.entry(slot);
        entry.rights.store(rights.number(), Ordering::Release);
        let kept = [Some(after.digest), after.retiring.map(|(digest, _)| digest)];
        let had = [Some(before.digest), before.retiring.map(|(digest, _)| digest)];
        for gone in had.into_iter().flatten().filter(|digest| !kept.contains(&Some(*digest))) {
            table.end(tag(&gone), DEAD);
        }
        if let Some((digest, ends_at)) = &after.retiring {
            table.retire(tag(digest), until(after.expires_at, Some(*ends_at)));
        }
        table.put(tag(&after.digest), until(after.expires_at, None), number);
        entry.revision.store(after.revision.number(), Ordering::Release);
    }

    pub(crate) fn remove(&self, credential: &Credential) {
        let table = self.table.load();
        table.end(tag(&credential.digest), DEAD);
        if let Some((digest, _)) = &credential.retiring {
            table.end(tag(digest), DEAD);
        }
    }

    /// Ends every secret of a member's personal tokens, and gives back the rights that these tokens had. Members are
    /// seldom removed: walking the table then is cheaper than keeping a list of each member's digests always.
    pub(crate) fn remove_personal(&self, member: MemberId) -> Vec<Handle> {
        let table = self.table.load();
        // Through the entries in their order first: a look at an entry from each slot would jump through memory.
        let theirs: Vec<bool> = table.entries.iter().map(|entry| entry.is_personal_of(member)).collect();
        let mut ended = BTreeSet::new();
        for slot in &table.slots {
            let number = slot.entry_number();
            if theirs[number] && slot.until.swap(DEAD, Ordering::Release) != DEAD {
                ended.insert(number);
            }
        }
        ended.into_iter().map(|number| table.entries[number].identity().rights).collect()
    }

    /// Everything that is alive, in no order: `(digest tag, end, identity)`.
    pub(crate) fn living(&self) -> Vec<(u128, u64, Identity)> {
        let table = self.table.load();
        let used = table.slots.iter().filter(|slot| slot.until.load(Ordering::Acquire) != DEAD);
        used.map(|slot| (slot.tag(), slot.until.load(Ordering::Acquire), table.identity(slot))).collect()
    }

    /// Bytes that the table takes at its present size.
    pub fn bytes(&self) -> usize {
        let table = self.table.load();
        size_of_val(&*table.slots) + size_of_val(&*table.entries)
    }

    /// Replaces the table by a larger one, or by one without the dead, if this many slots and entries don't fit.
    fn make_room(&self, slots: usize, entries: usize) {
        let table = self.table.load();
        if table.has_room(slots, entries) {
            return;
        }
        self.table.store(std::sync::Arc::new(table.rebuilt()));
    }
}

/// 16 bytes of the digest. The digest is keyed, so nobody can choose where a secret lands; and 128 of its bits are
/// beyond anybody's reach to match.
type Tag = (u64, u64);

fn tag(digest: &Digest) -> Tag {
    let bytes = digest.as_bytes();
    let half = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    // Zero marks an empty slot.
    (half(0).max(1), half(8))
}

fn millis(until: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(until).unwrap_or(i64::MAX))
}

fn until(expires_at: Option<Timestamp>, ends_at: Option<Timestamp>) -> u64 {
    let end = [expires_at, ends_at].into_iter().flatten().min();
    end.map_or(NEVER_ENDS, |end| u64::try_from(end.as_millis()).unwrap_or(1).max(1))
}

#[repr(align(32))]
#[derive(Default)]
struct Slot {
    high: AtomicU64,
    low: AtomicU64,
    /// Milliseconds since the epoch from which the secret is refused; [`DEAD`], [`NEVER_ENDS`].
    until: AtomicU64,
    /// The number of the token's entry, with [`RETIRING`] if this secret has been replaced.
    entry: AtomicU64,
}

impl Slot {
    fn is_living(&self, low: u64) -> bool {
        self.low.load(Ordering::Relaxed) == low && self.until.load(Ordering::Acquire) != DEAD
    }

    fn entry_number(&self) -> usize {
        usize::try_from(self.entry.load(Ordering::Relaxed) & !RETIRING).expect("an entry's number")
    }

    fn tag(&self) -> u128 {
        u128::from(self.high.load(Ordering::Acquire)) << 64 | u128::from(self.low.load(Ordering::Relaxed))
    }
}

/// What a slot points to: the token. Two slots point to one entry during a rotation's grace.
#[derive(Default)]
struct Entry {
    token: [AtomicU64; 3],
    rights: AtomicU64,
    revision: AtomicU64,
}

impl Entry {
    fn is_personal_of(&self, member: MemberId) -> bool {
        let identity = self.identity();
        identity.owner == member && identity.rights.kind().is_of_a_person()
    }

    fn identity(&self) -> Identity {
        let revision = self.revision.load(Ordering::Acquire);
        let rights = self.rights.load(Ordering::Acquire);
        let (token, owner) = unpack(self.token.each_ref().map(|word| word.load(Ordering::Relaxed)));
        let (revision, rights) = (Revision::new(revision), Handle::from_number(rights));
        Identity { token, owner, revision, rights, retiring: false }
    }
}

/// Two ids in three words.
fn pack(token: TokenId, owner: MemberId) -> [u64; 3] {
    let mut bytes = [0; 24];
    bytes[..12].copy_from_slice(token.as_bytes());
    bytes[12..].copy_from_slice(owner.as_bytes());
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    [word(0), word(8), word(16)]
}

fn unpack(words: [u64; 3]) -> (TokenId, MemberId) {
    let mut bytes = [0; 24];
    for (part, word) in bytes.chunks_exact_mut(8).zip(words) {
        part.copy_from_slice(&word.to_be_bytes());
    }
    let half = |at: usize| bytes[at..at + 12].try_into().expect("twelve bytes");
    (TokenId::from_bytes(half(0)), MemberId::from_bytes(half(12)))
}

struct Table {
    slots: Box<[Slot]>,
    entries: Box<[Entry]>,
    /// Slots that hold a digest, dead or alive. Only the writer counts.
    slots_used: AtomicU64,
    entries_used: AtomicU64,
}

impl Table {
    /// A table that this many tokens, and the two slots that an addition asks for, fill to three quarters at the most.
    fn with_room_for(tokens: usize) -> Self {
        let tokens = tokens.max(SMALLEST);
        let slots = (tokens + 2).div_ceil(3) * 4;
        Self {
            slots: std::iter::repeat_with(Slot::default).take(slots).collect(),
            entries: std::iter::repeat_with(Entry::default).take(tokens).collect(),
            slots_used: AtomicU64::new(0),
            entries_used: AtomicU64::new(0),
        }
    }

    fn has_room(&self, slots: usize, entries: usize) -> bool {
        let used = |count: &AtomicU64| usize::try_from(count.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        used(&self.slots_used) + slots <= self.slots.len() / 4 * 3
            && used(&self.entries_used) + entries <= self.entries.len()
    }

    /// Where the search for a tag begins: its upper half scaled to the size of the table.
    fn home(&self, high: u64) -> usize {
        let place = (u128::from(high) * self.slots.len() as u128) >> 64;
        usize::try_from(place).expect("smaller than the length")
    }

    /// The living slot that holds the tag. There is always an empty slot, so the walk ends.
    fn slot(&self, (high, low): Tag) -> Option<&Slot> {
        let mut at = self.home(high);
        loop {
            let slot = &self.slots[at];
            match slot.high.load(Ordering::Acquire) {
                0 => return None,
                found if found == high && slot.is_living(low) => return Some(slot),
                _ => at = if at + 1 == self.slots.len() { 0 } else { at + 1 },
            }
        }
    }

    fn entry(&self, slot: &Slot) -> &Entry {
        &self.entries[slot.entry_number()]
    }

    fn identity(&self, slot: &Slot) -> Identity {
        let identity = self.entry(slot).identity();
        // After the revision: a rotation marks the slot before it steps the revision, so nobody gets the new revision
        // with a secret that it replaced and that is not yet said to be.
        let retiring = slot.entry.load(Ordering::Relaxed) & RETIRING != 0;
        Identity { retiring, ..identity }
    }

    fn add_entry(&self, credential: &Credential, rights: Handle) -> u64 {
        let number = self.entries_used.fetch_add(1, Ordering::Relaxed);
        let entry = &self.entries[usize::try_from(number).expect("an entry's number")];
        for (word, value) in entry.token.iter().zip(pack(credential.id, credential.owner)) {
            word.store(value, Ordering::Relaxed);
        }
        entry.rights.store(rights.number(), Ordering::Relaxed);
        entry.revision.store(credential.revision.number(), Ordering::Release);
        number
    }

    /// Puts a tag in, or sets the end of the living one that is there.
    fn put(&self, tag: Tag, until: u64, entry: u64) {
        if let Some(slot) = self.slot(tag) {
            slot.until.store(until, Ordering::Release);
            return;
        }
        let mut at = self.home(tag.0);
        while self.slots[at].high.load(Ordering::Relaxed) != 0 {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        let slot = &self.slots[at];
        slot.low.store(tag.1, Ordering::Relaxed);
        slot.until.store(until, Ordering::Relaxed);
        slot.entry.store(entry, Ordering::Relaxed);
        // Publishes the three above.
        slot.high.store(tag.0, Ordering::Release);
        self.slots_used.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self, tag: Tag, until: u64) {
        if let Some(slot) = self.slot(tag) {
            slot.until.store(until, Ordering::Release);
        }
    }

    /// Marks a secret as replaced, and sets its end.
    fn retire(&self, tag: Tag, until: u64) {
        if let Some(slot) = self.slot(tag) {
            slot.entry.fetch_or(RETIRING, Ordering::Relaxed);
            slot.until.store(until, Ordering::Release);
        }
    }

    /// A table with the living of this one and room for half as many again.
    fn rebuilt(&self) -> Self {
        let living = || self.slots.iter().filter(|slot| slot.until.load(Ordering::Relaxed) != DEAD);
        let table = Self::with_room_for(living().count() / 2 * 3);
        let mut moved = vec![None; self.entries.len()];
        for slot in living() {
            let old = slot.entry_number();
            let number = *moved[old].get_or_insert_with(|| table.copy_entry(&self.entries[old]));
            let tag = (slot.high.load(Ordering::Relaxed), slot.low.load(Ordering::Relaxed));
            let retiring = slot.entry.load(Ordering::Relaxed) & RETIRING;
            table.put(tag, slot.until.load(Ordering::Relaxed), number | retiring);
        }
        table
    }

    fn copy_entry(&self, from: &Entry) -> u64 {
        let number = self.entries_used.fetch_add(1, Ordering::Relaxed);
        let entry = &self.entries[usize::try_from(number).expect("an entry's number")];
        let copy =
            |to: &AtomicU64, from: &AtomicU64| to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        for (to, from) in entry.token.iter().zip(&from.token) {
            copy(to, from);
        }
        copy(&entry.rights, &from.rights);
        copy(&entry.revision, &from.revision);
        number
    }
}

#[cfg(test)]
mod tests {
    use jeton_core::authority::Authority;
    use jeton_core::caller::Rights;
    use jeton_core::id::AccountId;
    use jeton_core::token::{ApiVersion, Scope, TokenKind};

    use super::*;

    fn credential(number: u64) -> Credential {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let rights = Rights {
            kind: TokenKind::Personal,
            scope: Scope::Member,
            ceiling: Authority::default(),
            api_version: ApiVersion::LATEST,
        };
        Credential {
            id: TokenId::from_bytes([0; 12]),
            account: AccountId::from_bytes([0; 12]),
            owner: MemberId::from_bytes([0; 12]),
            rights,
            expires_at: None,
            digest: Digest::from_bytes(digest),
            retiring: None,
            revision: Revision::ZERO,
        }
    }

    /// A start with millions of tokens has memory for one table, and not for another while the first is still there.
    #[test]
    fn a_table_made_for_so_many_holds_so_many() {
        for tokens in [1, 1023, 1024, 1025, 5000, 5001, 5002, 5003] {
            let credentials = Credentials::with_capacity(tokens);
            let bytes = credentials.bytes();
            for number in 0..tokens {
                credentials.add(&credential(number as u64), Handle::from_number(0));
            }
            assert_eq!(credentials.bytes(), bytes, "{tokens}");
            assert_eq!(credentials.living().len(), tokens);
            assert!(bytes / tokens.max(SMALLEST) < 90, "{bytes} bytes for {tokens}");
        }
    }

    #[test]
    fn a_table_of_the_dead_does_not_grow() {
        let credentials = Credentials::with_capacity(0);
        let bytes = credentials.bytes();
        for number in 0..20 * SMALLEST as u64 {
            let credential = credential(number);
            credentials.add(&credential, Handle::from_number(0));
            credentials.remove(&credential);
        }
        assert_eq!(credentials.bytes(), bytes);
    }
}
