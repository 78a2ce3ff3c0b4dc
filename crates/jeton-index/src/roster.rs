//! Rosters: which tokens there are, in the order of their making, at any offset.
//!
//! A database finds the millionth row of a list by walking past the others. A roster keeps the ids alone, in chunks of
//! known length, so that a page deep in a list costs what the first one does. What a page shows is then read by id.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::token::TokenKind;

const CHUNK: usize = 512;

/// Where a token is listed: its account, its kind and, for a personal token, its owner.
pub type Place = (AccountId, TokenKind, MemberId);

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
#[derive(Default)]
pub struct Rosters {
    // Ids are drawn here and chosen by nobody, so a fast hash is good enough for them.
    accounts: RwLock<HashMap<AccountId, Roster, RandomState>>,
}

#[derive(Default)]
struct Roster {
    all: Ids,
    service: Ids,
    personal: HashMap<MemberId, Ids, RandomState>,
    /// What logins made. They are in no list; a login looks here for those that have ended.
    logins: HashMap<MemberId, Ids, RandomState>,
}

impl Rosters {
    /// A page of a list: at most `limit` ids.
    pub fn page(&self, account: AccountId, selection: Selection, start: Start, limit: usize) -> Page {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let empty = Ids::default();
        let Some(roster) = accounts.get(&account) else {
            return Page { ids: Vec::new(), total: 0, more: false };
        };
        let personal = |member| roster.personal.get(member).unwrap_or(&empty);
        let (one, other) = match &selection {
            Selection::All => (&roster.all, &empty),
            Selection::ServiceAndOwn(member) => (&roster.service, personal(member)),
            Selection::Personal(member) => (personal(member), &empty),
        };
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
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).map_or(0, |roster| roster.all.len() as u64)
    }

    /// How many tokens all accounts have.
    pub fn total(&self) -> u64 {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.values().map(|roster| roster.all.len() as u64).sum()
    }

    pub(crate) fn add(&self, tokens: impl Iterator<Item = (Place, TokenId)>) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        for (place, id) in tokens {
            let roster = accounts.entry(place.0).or_default();
            if place.1 != TokenKind::Login {
                roster.all.insert(id);
            }
            roster.list(place).insert(id);
        }
    }

    pub(crate) fn remove(&self, place: Place, id: TokenId) {
        self.with(place.0, |roster| {
            roster.all.remove(id);
            roster.list(place).remove(id);
            for lists in [&mut roster.personal, &mut roster.logins] {
                if lists.get(&place.2).is_some_and(|ids| ids.len() == 0) {
                    lists.remove(&place.2);
                }
            }
        });
    }

    /// Takes a member's personal tokens out. `false` if there were none.
    pub(crate) fn remove_personal(&self, account: AccountId, member: MemberId) -> bool {
        let mut any = false;
        self.with(account, |roster| {
            for id in roster.personal.remove(&member).unwrap_or_default().chunks.into_iter().flatten() {
                roster.all.remove(id);
                any = true;
            }
            any |= roster.logins.remove(&member).is_some();
        });
        any
    }

    /// What a member's logins made, oldest first.
    pub fn logins(&self, account: AccountId, member: MemberId) -> Vec<TokenId> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let logins = accounts.get(&account).and_then(|roster| roster.logins.get(&member));
        logins.map(|ids| ids.chunks.concat()).unwrap_or_default()
    }

    /// Everything, sorted, for a comparison.
    pub(crate) fn picture(&self) -> Vec<(AccountId, Option<MemberId>, Vec<TokenId>)> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        let mut picture = Vec::new();
        for (account, roster) in &*accounts {
            let service = roster.service.chunks.concat();
            let personal = roster.personal.iter().chain(&roster.logins);
            let personal = personal.map(|(member, ids)| (*account, Some(*member), ids.chunks.concat()));
            picture.extend(personal.chain([(*account, None, service)]).filter(|(_, _, ids)| !ids.is_empty()));
        }
        picture.sort();
        picture
    }

    fn with(&self, account: AccountId, change: impl FnOnce(&mut Roster)) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        change(accounts.entry(account).or_default());
    }
}

impl Roster {
    fn list(&mut self, (_, kind, owner): Place) -> &mut Ids {
        match kind {
            TokenKind::Service => &mut self.service,
            TokenKind::Personal => self.personal.entry(owner).or_default(),
            TokenKind::Login => self.logins.entry(owner).or_default(),
        }
    }
}

/// Two sorted lists read as one, from a place in each.
fn merged(one: &Ids, other: &Ids, from: (usize, usize), limit: usize) -> Vec<TokenId> {
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
fn split(one: &Ids, other: &Ids, offset: usize) -> (usize, usize) {
    let offset = offset.min(one.len() + other.len());
    let (mut low, mut high) = (offset.saturating_sub(other.len()), offset.min(one.len()));
    while low < high {
        let middle = usize::midpoint(low, high);
        // `middle` are too few as long as the next of `one` precedes the last that `other` would give.
        if one.get(middle) < other.get(offset - middle - 1) { low = middle + 1 } else { high = middle }
    }
    (low, offset - low)
}

/// Ids in order, in chunks. New ids nearly always come last.
#[derive(Default)]
struct Ids {
    chunks: Vec<Vec<TokenId>>,
    length: usize,
}

impl Ids {
    const fn len(&self) -> usize {
        self.length
    }

    fn insert(&mut self, id: TokenId) {
        if self.last().is_none_or(|last| last < id) {
            self.append(id);
            return;
        }
        let at = self.chunk_for(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Err(place) = chunk.binary_search(&id) else { return };
        if chunk.len() < CHUNK {
            make_room(chunk);
            chunk.insert(place, id);
        } else if place == CHUNK {
            self.chunks.insert(at + 1, vec![id]);
        } else {
            // Not always in the middle: a run of ids that all come in between leaves full chunks behind.
            let upper = chunk.split_off(place.max(CHUNK / 2));
            chunk.insert(place, id);
            self.chunks.insert(at + 1, upper);
        }
        self.length += 1;
    }

    fn last(&self) -> Option<TokenId> {
        self.chunks.last()?.last().copied()
    }

    /// Takes in an id that comes after all others.
    fn append(&mut self, id: TokenId) {
        self.length += 1;
        if let Some(chunk) = self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            make_room(chunk);
            chunk.push(id);
            return;
        }
        if self.chunks.is_empty() {
            self.chunks.reserve_exact(1);
        }
        self.chunks.push(vec![id]);
    }

    fn remove(&mut self, id: TokenId) {
        let at = self.chunk_for(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Ok(place) = chunk.binary_search(&id) else { return };
        chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.length -= 1;
    }

    /// The chunk that holds the id, or would.
    fn chunk_for(&self, id: TokenId) -> usize {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| *first <= id));
        after.saturating_sub(1)
    }

    /// How many ids come before or are this one.
    fn rank_after(&self, id: TokenId) -> usize {
        let at = self.chunk_for(id);
        let before: usize = self.chunks.iter().take(at).map(Vec::len).sum();
        before + self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(|other| *other <= id))
    }

    fn get(&self, place: usize) -> Option<TokenId> {
        let (chunk, within) = self.locate(place);
        self.chunks.get(chunk)?.get(within).copied()
    }

    fn from(&self, place: usize) -> impl Iterator<Item = TokenId> {
        let (chunk, within) = self.locate(place);
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        chunks.iter().flatten().copied().skip(within)
    }

    fn locate(&self, place: usize) -> (usize, usize) {
        let mut rest = place;
        for (at, chunk) in self.chunks.iter().enumerate() {
            if rest < chunk.len() {
                return (at, rest);
            }
            rest -= chunk.len();
        }
        (self.chunks.len(), 0)
    }
}

/// Room for one more in a chunk that is not full. There are as many short lists as members, so it is made in small steps:
/// doubling would leave a third of it unused.
fn make_room(chunk: &mut Vec<TokenId>) {
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

    proptest! {
        #[test]
        fn ids_are_a_sorted_set(steps in proptest::collection::vec((any::<bool>(), 0..2000_u32), 0..3000)) {
            let mut ids = Ids::default();
            let mut naive = std::collections::BTreeSet::new();
            for (add, number) in steps {
                if add { ids.insert(id(number)); naive.insert(id(number)); }
                else { ids.remove(id(number)); naive.remove(&id(number)); }
            }
            prop_assert_eq!(ids.len(), naive.len());
            prop_assert_eq!(ids.from(0).collect::<Vec<_>>(), naive.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_page_of_two_lists_is_a_page_of_their_union(
            one in proptest::collection::btree_set(0..3000_u32, 0..1500),
            other in proptest::collection::btree_set(3000..6000_u32, 0..1500),
            shift in 0..3000_u32, offset in 0..3200_usize, limit in 0..60_usize,
        ) {
            let (mut a, mut b) = (Ids::default(), Ids::default());
            let other: Vec<u32> = other.into_iter().map(|number| number - shift).filter(|number| !one.contains(number)).collect();
            let mut union: Vec<TokenId> = one.iter().chain(&other).map(|number| id(*number)).collect();
            union.sort_unstable();
            for number in &one {
                a.insert(id(*number));
            }
            for number in &other {
                b.insert(id(*number));
            }
            let expected: Vec<TokenId> = union.iter().copied().skip(offset).take(limit).collect();
            let from = split(&a, &b, offset);
            prop_assert_eq!(merged(&a, &b, from, limit), expected.clone());
            let after = id(u32::try_from(offset).unwrap());
            let expected: Vec<TokenId> = union.iter().filter(|id| **id > after).take(limit).copied().collect();
            prop_assert_eq!(merged(&a, &b, (a.rank_after(after), b.rank_after(after)), limit), expected);
        }
    }
}
