//! The directory: members and custom roles, by every name that a request gives them.

use std::sync::Arc;

use foldhash::fast::RandomState;
use jeton_core::caller::Roles;
use jeton_core::id::{AccountId, MemberId, RoleId};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;

/// Members and roles, read without a lock.
#[derive(Default)]
pub struct Directory {
    // Ids and numbers are drawn here and chosen by nobody, so a fast hash is good enough for them. Every request looks
    // a member up.
    members: papaya::HashMap<MemberId, Arc<Member>, RandomState>,
    numbers: papaya::HashMap<(AccountId, u32), MemberId, RandomState>,
    roles: papaya::HashMap<RoleId, Arc<CustomRole>, RandomState>,
    keys: papaya::HashMap<(AccountId, String), RoleId>,
}

impl Directory {
    /// The member with this id, whatever their standing.
    pub fn member(&self, id: &MemberId) -> Option<Arc<Member>> {
        self.members.pin().get(id).cloned()
    }

    /// The member with this number, unless removed.
    pub fn member_by_number(&self, account: AccountId, number: u32) -> Option<Arc<Member>> {
        let id = *self.numbers.pin().get(&(account, number))?;
        self.member(&id)
    }

    pub(crate) fn is_active(&self, id: &MemberId) -> bool {
        self.members.pin().get(id).is_some_and(|member| member.is_active())
    }

    pub(crate) fn put_member(&self, member: Member) {
        let number = (member.account, member.number);
        if member.standing == Standing::Removed {
            self.numbers.pin().remove(&number);
        } else {
            self.numbers.pin().insert(number, member.id);
        }
        self.members.pin().insert(member.id, Arc::new(member));
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
        let members = self.members.pin();
        members
            .values()
            .filter(|member| member.account == account)
            .map(|member| member.number)
            .max()
            .unwrap_or(0)
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
        self.members.pin().values().cloned().collect()
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
