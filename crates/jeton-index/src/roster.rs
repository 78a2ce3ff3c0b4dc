//! Rosters: which tokens there are, in the order of their making, at any offset.
//!
//! A database finds the millionth row of a list by walking past the others. A roster is an array, in chunks of known length,
//! so that a page deep in a list costs what the first one does. What a page shows is then read by id.
//!
//! The ids themselves stand beside the table of secrets already. A roster names the place of each there, in four bytes, in
//! the order of the ids. When a token's secret moves, its rosters are told; and when another table takes the place of
//! this one, all of them are made anew, beside those that are read meanwhile.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::token::TokenKind;

use crate::table::{Ids, Moved, Place};

const CHUNK: usize = 512;

/// Under what a token is listed: its account, its kind and, for a personal token, its owner.
pub(crate) type Heading = (AccountId, TokenKind, MemberId);

/// Which tokens a list is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selection {
    /// Every token of the account.
    All,
    /// The account's service tokens and one member's personal ones.
    ServiceAndOwn(MemberId),
    /// One member's personal tokens.
    Personal(MemberId),
}

/// Where in a list a page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// After this many others.
    Offset(u64),
    /// After this token, whether it is still there or not: the way through a list that others change meanwhile.
    After(TokenId),
}

/// Part of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The ids, in order.
    pub ids: Vec<TokenId>,
    /// The length of the whole list.
    pub total: u64,
    /// Whether others come after these.
    pub more: bool,
}

/// The rosters of all accounts.
pub struct Rosters {
    lists: RwLock<Lists>,
}

struct Lists {
    /// The tokens of the table whose places the lists name.
    ids: Ids,
    // Ids are drawn here and chosen by nobody, so a fast hash is good enough for them.
    accounts: HashMap<AccountId, Roster, RandomState>,
}

#[derive(Default)]
struct Roster {
    all: List,
    service: List,
    personal: HashMap<MemberId, List, RandomState>,
    /// What logins made. They are in no list; a login looks here for those that have ended.
    logins: HashMap<MemberId, List, RandomState>,
}

impl Rosters {
    /// No lists yet, of the tokens of a table.
    pub(crate) fn of(ids: Ids) -> Self {
        Self { lists: RwLock::new(Lists { ids, accounts: HashMap::default() }) }
    }

    /// A page of a list: at most `limit` ids.
    pub fn page(&self, account: AccountId, selection: Selection, start: Start, limit: usize) -> Page {
        let lists = self.read();
        let empty = List::default();
        let Some(roster) = lists.accounts.get(&account) else {
            return Page { ids: Vec::new(), total: 0, more: false };
        };
        let personal = |member| roster.personal.get(member).unwrap_or(&empty);
        let (one, other) = match &selection {
            Selection::All => (&roster.all, &empty),
            Selection::ServiceAndOwn(member) => (&roster.service, personal(member)),
            Selection::Personal(member) => (personal(member), &empty),
        };
        let (one, other) = (one.with(&lists.ids), other.with(&lists.ids));
        let total = one.len() + other.len();
        let from = match start {
            Start::Offset(offset) => split(one, other, usize::try_from(offset).unwrap_or(usize::MAX)),
            Start::After(id) => (one.rank_after(id), other.rank_after(id)),
        };
        let ids = merged(one, other, from, limit);
        let more = from.0 + from.1 + ids.len() < total;
        Page { ids, total: total as u64, more }
    }

    /// How many tokens the account has.
    pub fn count(&self, account: AccountId) -> u64 {
        self.read().accounts.get(&account).map_or(0, |roster| roster.all.length as u64)
    }

    /// How many tokens all accounts have.
    pub fn total(&self) -> u64 {
        self.read().accounts.values().map(|roster| roster.all.length as u64).sum()
    }

    /// What a member's logins made, oldest first.
    pub fn logins(&self, account: AccountId, member: MemberId) -> Vec<TokenId> {
        let lists = self.read();
        let logins = lists.accounts.get(&account).and_then(|roster| roster.logins.get(&member));
        logins.map(|list| list.with(&lists.ids).from(0).collect()).unwrap_or_default()
    }

    /// Lists tokens, each with the place of the secret that holds.
    pub(crate) fn add(&self, tokens: impl Iterator<Item = (Heading, TokenId, Place)>) {
        let mut lists = self.write();
        let Lists { ids, accounts } = &mut *lists;
        for (heading, id, place) in tokens {
            let Some(number) = place.number() else { continue };
            let roster = accounts.entry(heading.0).or_default();
            let is_newest = roster.all.with(ids).last().is_none_or(|last| last < id);
            // Whoever comes after everybody comes after those of their own list. Those of logins stand in no other.
            let is_newest = is_newest && heading.1 != TokenKind::Login;
            for list in roster.of_token(heading) {
                if is_newest { list.append(number) } else { list.insert(id, number, ids) }
            }
        }
    }

    /// The secret of a token that is listed is at another place now.
    pub(crate) fn put(&self, heading: Heading, id: TokenId, place: Place) {
        let mut lists = self.write();
        let Lists { ids, accounts } = &mut *lists;
        for list in accounts.entry(heading.0).or_default().of_token(heading) {
            match place.number() {
                Some(number) => list.put(id, number, ids),
                None => list.remove(id, ids),
            }
        }
    }

    pub(crate) fn remove(&self, heading: Heading, id: TokenId) {
        let mut lists = self.write();
        let Lists { ids, accounts } = &mut *lists;
        let roster = accounts.entry(heading.0).or_default();
        roster.of_token(heading).for_each(|list| list.remove(id, ids));
        for lists in [&mut roster.personal, &mut roster.logins] {
            if lists.get(&heading.2).is_some_and(|list| list.length == 0) {
                lists.remove(&heading.2);
            }
        }
    }

    /// Takes a member's personal tokens out. `false` if there were none.
    pub(crate) fn remove_personal(&self, account: AccountId, member: MemberId) -> bool {
        let mut lists = self.write();
        let Lists { ids, accounts } = &mut *lists;
        let roster = accounts.entry(account).or_default();
        let personal = roster.personal.remove(&member).unwrap_or_default();
        personal.with(ids).from(0).for_each(|id| roster.all.remove(id, ids));
        roster.logins.remove(&member).is_some() || personal.length > 0
    }

    /// Another table took the place of the one whose places are named here. Only who calls this changes rosters, so what
    /// is read here is still so when it is replaced.
    pub(crate) fn follow(&self, moved: Option<Moved>) {
        let Some(moved) = moved else { return };
        let accounts = {
            let lists = self.read();
            let roster = |(account, roster): (&AccountId, &Roster)| (*account, roster.moved(&moved));
            lists.accounts.iter().map(roster).collect()
        };
        let before = std::mem::replace(&mut *self.write(), Lists { ids: moved.ids, accounts });
        // When nobody waits for the lock any more.
        drop(before);
    }

    /// Everything, sorted, for a comparison.
    pub(crate) fn picture(&self) -> Vec<(AccountId, Option<MemberId>, Vec<TokenId>)> {
        let lists = self.read();
        let mut picture = Vec::new();
        for (account, roster) in &lists.accounts {
            let personal = roster.personal.iter().chain(&roster.logins);
            let personal = personal.map(|(member, list)| (Some(*member), list));
            let all = personal.chain([(None, &roster.service)]).filter(|(_, list)| list.length > 0);
            picture.extend(
                all.map(|(member, list)| (*account, member, list.with(&lists.ids).from(0).collect())),
            );
        }
        picture.sort();
        picture
    }

    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Roster {
    /// The lists that a token stands in.
    fn of_token(&mut self, (_, kind, owner): Heading) -> impl Iterator<Item = &mut List> {
        let (all, own) = match kind {
            TokenKind::Service => (Some(&mut self.all), &mut self.service),
            TokenKind::Personal => (Some(&mut self.all), self.personal.entry(owner).or_default()),
            TokenKind::Login => (None, self.logins.entry(owner).or_default()),
        };
        all.into_iter().chain([own])
    }

    fn moved(&self, moved: &Moved) -> Self {
        let each = |lists: &HashMap<MemberId, List, RandomState>| {
            lists.iter().map(|(member, list)| (*member, list.moved(moved))).collect()
        };
        Self {
            all: self.all.moved(moved),
            service: self.service.moved(moved),
            personal: each(&self.personal),
            logins: each(&self.logins),
        }
    }
}

/// Two sorted lists read as one, from a place in each.
fn merged(one: Sorted<'_>, other: Sorted<'_>, from: (usize, usize), limit: usize) -> Vec<TokenId> {
    let limit = limit.min(one.len() + other.len());
    let mut ones = one.from(from.0).peekable();
    let mut others = other.from(from.1).peekable();
    let mut page = Vec::with_capacity(limit);
    while page.len() < limit {
        let next = match (ones.peek(), others.peek()) {
            (Some(a), Some(b)) if b < a => others.next(),
            (Some(_), _) => ones.next(),
            (None, _) => others.next(),
        };
        match next {
            Some(id) => page.push(id),
            None => break,
        }
    }
    page
}

/// How many of the first `offset` of the merged list come from each. From `one` it is the least count whose next id
/// comes after every id that the rest takes from `other`.
fn split(one: Sorted<'_>, other: Sorted<'_>, offset: usize) -> (usize, usize) {
    let offset = offset.min(one.len() + other.len());
    let (mut low, mut high) = (offset.saturating_sub(other.len()), offset.min(one.len()));
    while low < high {
        let middle = usize::midpoint(low, high);
        // `middle` are too few as long as the next of `one` precedes the last that `other` would give.
        if one.get(middle) < other.get(offset - middle - 1) { low = middle + 1 } else { high = middle }
    }
    (low, offset - low)
}

/// Tokens in the order of their ids, by the numbers of their places, in chunks. New ones nearly always come last.
#[derive(Default)]
struct List {
    chunks: Vec<Vec<u32>>,
    length: usize,
}

/// A list with the ids that its numbers stand for.
#[derive(Clone, Copy)]
struct Sorted<'l> {
    list: &'l List,
    ids: &'l Ids,
}

impl List {
    const fn with<'l>(&'l self, ids: &'l Ids) -> Sorted<'l> {
        Sorted { list: self, ids }
    }

    fn insert(&mut self, id: TokenId, number: u32, ids: &Ids) {
        let sorted = self.with(ids);
        if sorted.last().is_none_or(|last| last < id) {
            self.append(number);
            return;
        }
        let at = sorted.chunk_for(id);
        let Err(place) = sorted.search(at, id) else { return };
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        if chunk.len() < CHUNK {
            make_room(chunk);
            chunk.insert(place, number);
        } else if place == CHUNK {
            self.chunks.insert(at + 1, vec![number]);
        } else {
            // Not always in the middle: a run of ids that all come in between leaves full chunks behind.
            let upper = chunk.split_off(place.max(CHUNK / 2));
            chunk.insert(place, number);
            self.chunks.insert(at + 1, upper);
        }
        self.length += 1;
    }

    /// Takes in a token that comes after all others.
    fn append(&mut self, number: u32) {
        self.length += 1;
        if let Some(chunk) = self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            make_room(chunk);
            chunk.push(number);
            return;
        }
        if self.chunks.is_empty() {
            self.chunks.reserve_exact(1);
        }
        self.chunks.push(vec![number]);
    }

    /// Gives a token that is listed another number.
    fn put(&mut self, id: TokenId, number: u32, ids: &Ids) {
        let at = self.with(ids).chunk_for(id);
        let Ok(place) = self.with(ids).search(at, id) else { return };
        if let Some(known) = self.chunks.get_mut(at).and_then(|chunk| chunk.get_mut(place)) {
            *known = number;
        }
    }

    fn remove(&mut self, id: TokenId, ids: &Ids) {
        let at = self.with(ids).chunk_for(id);
        let Ok(place) = self.with(ids).search(at, id) else { return };
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.length -= 1;
    }

    fn moved(&self, moved: &Moved) -> Self {
        let chunk_of = |before: &Vec<u32>| {
            let mut chunk = Vec::with_capacity(before.len());
            chunk.extend(before.iter().filter_map(|number| moved.number(*number)));
            chunk
        };
        let mut chunks: Vec<_> = self.chunks.iter().map(chunk_of).collect();
        chunks.retain(|chunk| !chunk.is_empty());
        let length = chunks.iter().map(Vec::len).sum();
        debug_assert_eq!(length, self.length, "whoever is listed has a secret that lives");
        Self { chunks, length }
    }
}

impl<'l> Sorted<'l> {
    const fn len(self) -> usize {
        self.list.length
    }

    fn id(self, number: u32) -> TokenId {
        self.ids.at(Place::numbered(number))
    }

    fn last(self) -> Option<TokenId> {
        self.list.chunks.last()?.last().map(|number| self.id(*number))
    }

    /// The chunk that holds the id, or would.
    fn chunk_for(self, id: TokenId) -> usize {
        let chunks = &self.list.chunks;
        let after = chunks.partition_point(|chunk| chunk.first().is_some_and(|first| self.id(*first) <= id));
        after.saturating_sub(1)
    }

    /// Where in a chunk the id is, or where it would be.
    fn search(self, chunk: usize, id: TokenId) -> Result<usize, usize> {
        let chunk = self.list.chunks.get(chunk).map(Vec::as_slice).unwrap_or_default();
        chunk.binary_search_by_key(&id, |number| self.id(*number))
    }

    /// How many ids come before or are this one.
    fn rank_after(self, id: TokenId) -> usize {
        let at = self.chunk_for(id);
        let before: usize = self.list.chunks.iter().take(at).map(Vec::len).sum();
        before + self.search(at, id).map_or_else(|before| before, |place| place + 1)
    }

    fn get(self, place: usize) -> Option<TokenId> {
        let (chunk, within) = self.locate(place);
        self.list.chunks.get(chunk)?.get(within).map(|number| self.id(*number))
    }

    fn from(self, place: usize) -> impl Iterator<Item = TokenId> + use<'l> {
        let (chunk, within) = self.locate(place);
        let chunks = self.list.chunks.get(chunk..).unwrap_or_default();
        chunks.iter().flatten().skip(within).map(move |number| self.id(*number))
    }

    fn locate(self, place: usize) -> (usize, usize) {
        let mut rest = place;
        for (at, chunk) in self.list.chunks.iter().enumerate() {
            if rest < chunk.len() {
                return (at, rest);
            }
            rest -= chunk.len();
        }
        (self.list.chunks.len(), 0)
    }
}

/// Room for one more in a chunk that is not full. There are as many short lists as members, so it is made in small steps:
/// doubling would leave a third of it unused.
fn make_room(chunk: &mut Vec<u32>) {
    if chunk.len() == chunk.capacity() {
        chunk.reserve_exact((chunk.len() / 4 + 4).min(CHUNK - chunk.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u32) -> TokenId {
        let mut bytes = [0; 12];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        TokenId::from_bytes(bytes)
    }

    /// So many ids, each at the place of its number.
    fn ids(length: u32) -> Ids {
        let ids = Ids::of(length as usize);
        (0..length).for_each(|number| ids.set(Place::numbered(number), id(number)));
        ids
    }

    proptest! {
        #[test]
        fn a_list_is_a_sorted_set(steps in proptest::collection::vec((any::<bool>(), 0..2000_u32), 0..3000)) {
            let ids = ids(2000);
            let mut list = List::default();
            let mut naive = std::collections::BTreeSet::new();
            for (add, number) in steps {
                if add { list.insert(id(number), number, &ids); naive.insert(id(number)); }
                else { list.remove(id(number), &ids); naive.remove(&id(number)); }
            }
            prop_assert_eq!(list.length, naive.len());
            prop_assert_eq!(list.with(&ids).from(0).collect::<Vec<_>>(), naive.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_page_of_two_lists_is_a_page_of_their_union(
            one in proptest::collection::btree_set(0..3000_u32, 0..1500),
            other in proptest::collection::btree_set(3000..6000_u32, 0..1500),
            shift in 0..3000_u32, offset in 0..3200_usize, limit in 0..60_usize,
        ) {
            let ids = ids(6000);
            let (mut a, mut b) = (List::default(), List::default());
            let other: Vec<u32> = other.into_iter().map(|number| number - shift).filter(|number| !one.contains(number)).collect();
            let mut union: Vec<TokenId> = one.iter().chain(&other).map(|number| id(*number)).collect();
            union.sort_unstable();
            for number in &one {
                a.insert(id(*number), *number, &ids);
            }
            for number in &other {
                b.insert(id(*number), *number, &ids);
            }
            let (a, b) = (a.with(&ids), b.with(&ids));
            let expected: Vec<TokenId> = union.iter().copied().skip(offset).take(limit).collect();
            let from = split(a, b, offset);
            prop_assert_eq!(merged(a, b, from, limit), expected.clone());
            let after = id(u32::try_from(offset).unwrap());
            let expected: Vec<TokenId> = union.iter().filter(|id| **id > after).take(limit).copied().collect();
            prop_assert_eq!(merged(a, b, (a.rank_after(after), b.rank_after(after)), limit), expected);
        }
    }
}
