//! The directory: members and custom roles, by every name that a request gives them.
//!
//! A member also has a seat, with a number that they keep: so that a secret's owner is found by a look into an array.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;
use jeton_core::caller::Roles;
use jeton_core::id::{AccountId, MemberId, RoleId};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;

use crate::slab::Slab;
use crate::slot::NOBODY;

/// Members and roles, read without a lock.
pub struct Directory {
    seats: Slab<Seat>,
    // Ids and numbers are drawn here and chosen by nobody, so a fast hash is good enough for them. Many requests look a
    // member up.
    members: papaya::HashMap<MemberId, u32, RandomState>,
    numbers: papaya::HashMap<(AccountId, u32), MemberId, RandomState>,
    roles: papaya::HashMap<RoleId, Arc<CustomRole>, RandomState>,
    keys: papaya::HashMap<(AccountId, String), RoleId>,
}

/// A member's place. Members are never forgotten, so a seat is given once.
pub(crate) struct Seat {
    pub(crate) id: MemberId,
    /// None as long as there are tokens of a member who has not come yet.
    record: ArcSwapOption<Member>,
    /// What the record says, without a look at it.
    active: AtomicBool,
}

impl Seat {
    pub(crate) fn record(&self) -> Option<Arc<Member>> {
        self.record.load_full()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::with_seats(NOBODY)
    }
}

impl Directory {
    fn with_seats(seats: u32) -> Self {
        let seats = Slab::with_limit(seats);
        let (members, numbers) = (papaya::HashMap::default(), papaya::HashMap::default());
        Self { seats, members, numbers, roles: papaya::HashMap::default(), keys: papaya::HashMap::default() }
    }

    /// The member with this id, whatever their standing.
    pub fn member(&self, id: &MemberId) -> Option<Arc<Member>> {
        let number = *self.members.pin().get(id)?;
        self.seat(number)?.record()
    }

    /// The member with this number, unless removed.
    pub fn member_by_number(&self, account: AccountId, number: u32) -> Option<Arc<Member>> {
        let id = *self.numbers.pin().get(&(account, number))?;
        self.member(&id)
    }

    pub(crate) fn seat(&self, number: u32) -> Option<&Seat> {
        self.seats.get(number)
    }

    /// The number of a member's seat. [`NOBODY`], who has none, if all seats are taken.
    pub(crate) fn seat_of(&self, id: MemberId) -> u32 {
        let members = self.members.pin();
        if let Some(number) = members.get(&id) {
            return *number;
        }
        let seat = Seat { id, record: ArcSwapOption::empty(), active: AtomicBool::new(false) };
        let Some(number) = self.seats.push(seat) else { return NOBODY };
        members.insert(id, number);
        number
    }

    /// The numbers of many, as [`Directory::seat_of`] gives them.
    pub(crate) fn seats_of(&self, ids: impl Iterator<Item = MemberId>) -> Vec<u32> {
        let members = self.members.pin();
        ids.map(|id| members.get(&id).copied().unwrap_or_else(|| self.seat_of(id))).collect()
    }

    pub(crate) fn put_member(&self, member: Member) {
        let number = (member.account, member.number);
        if member.standing == Standing::Removed {
            self.numbers.pin().remove(&number);
        } else {
            self.numbers.pin().insert(number, member.id);
        }
        if let Some(seat) = self.seat(self.seat_of(member.id)) {
            let active = member.is_active();
            seat.record.store(Some(Arc::new(member)));
            seat.active.store(active, Ordering::Release);
        }
    }

    pub(crate) fn put_role(&self, role: CustomRole) {
        self.keys.pin().insert((role.account, role.key.clone()), role.id);
        self.roles.pin().insert(role.id, Arc::new(role));
    }

    pub(crate) fn replace_role(&self, before: &CustomRole, after: CustomRole) {
        if before.key != after.key {
            self.keys.pin().remove(&(before.account, before.key.clone()));
        }
        self.put_role(after);
    }

    pub(crate) fn remove_role(&self, role: &CustomRole) {
        self.keys.pin().remove(&(role.account, role.key.clone()));
        self.roles.pin().remove(&role.id);
    }

    /// The members of an account, the removed ones left out, by number.
    pub fn members_of(&self, account: AccountId) -> Vec<Arc<Member>> {
        let mut members = self.members();
        members.retain(|member| member.account == account && member.standing != Standing::Removed);
        members.sort_by_key(|member| member.number);
        members
    }

    /// The highest number that a member of the account ever had.
    pub fn highest_number(&self, account: AccountId) -> u32 {
        let members = self.members();
        let theirs = members.iter().filter(|member| member.account == account);
        theirs.map(|member| member.number).max().unwrap_or(0)
    }

    /// The custom roles of an account, oldest first.
    pub fn roles_of(&self, account: AccountId) -> Vec<Arc<CustomRole>> {
        let mut roles = self.roles();
        roles.retain(|role| role.account == account);
        roles.sort_by_key(|role| role.id);
        roles
    }

    /// Every member, in no order.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        self.seats.iter().filter_map(Seat::record).collect()
    }

    /// Every role, in no order.
    pub(crate) fn roles(&self) -> Vec<Arc<CustomRole>> {
        self.roles.pin().values().cloned().collect()
    }
}

impl Roles for Directory {
    fn by_id(&self, account: AccountId, id: RoleId) -> Option<Arc<CustomRole>> {
        self.roles.pin().get(&id).filter(|role| role.account == account).cloned()
    }

    fn by_key(&self, account: AccountId, key: &str) -> Option<Arc<CustomRole>> {
        let id = *self.keys.pin().get(&(account, key.to_owned()))?;
        self.by_id(account, id)
    }
}

#[cfg(test)]
mod tests {
    use jeton_core::revision::Revision;
    use jeton_core::role::BaseRole;
    use jeton_core::timestamp::Timestamp;

    use super::*;

    fn member(number: u32) -> Member {
        let mut id = [0; 12];
        id[8..].copy_from_slice(&number.to_be_bytes());
        Member {
            id: MemberId::from_bytes(id),
            account: AccountId::from_bytes([0; 12]),
            number,
            email: format!("{number}@example.com"),
            name: String::new(),
            family_name: String::new(),
            role: BaseRole::Writer,
            custom_roles: Vec::new(),
            standing: Standing::Active,
            password: None,
            created_at: Timestamp::from_millis(0),
            revision: Revision::ZERO,
        }
    }

    #[test]
    fn a_seat_is_given_once_and_shows_the_latest_record() {
        let directory = Directory::default();
        let early = directory.seat_of(member(7).id);
        assert!(directory.member(&member(7).id).is_none() && !directory.seat(early).unwrap().is_active());
        for number in 0..200 {
            directory.put_member(member(number));
        }
        for standing in [Standing::Blocked, Standing::Active, Standing::Pending] {
            directory.put_member(Member { standing, ..member(7) });
            assert_eq!(directory.seat_of(member(7).id), early);
            assert_eq!(directory.seat(early).unwrap().is_active(), standing == Standing::Active);
            assert_eq!(directory.member(&member(7).id).unwrap().standing, standing);
        }
        assert_eq!(directory.members().len(), 200);
    }

    /// The bound is a thousand times the memory of any machine, so the test brings its own.
    #[test]
    fn whoever_comes_when_all_seats_are_taken_is_not_known_and_the_others_are() {
        let directory = Directory::with_seats(2);
        for number in 1..=3 {
            directory.put_member(member(number));
        }
        assert_eq!([1, 2, 3].map(|number| directory.seat_of(member(number).id)), [0, 1, NOBODY]);
        assert!(directory.seat(NOBODY).is_none() && directory.member(&member(3).id).is_none());
        directory.put_member(Member { standing: Standing::Blocked, ..member(2) });
        assert!(directory.seat(0).unwrap().is_active() && !directory.seat(1).unwrap().is_active());
    }
}
