//! Steps: what can happen next, as small numbers that are read against the records there are.

use jeton_core::authority::{Authority, Grant};
use jeton_core::change::{Change, Event};
use jeton_core::member::{Member, Standing};
use jeton_core::role::{BaseRole, CustomRole};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, RetiringSecret, Scope, SecretRecord, Token, TokenKind};
use proptest::prelude::*;

use crate::naive::{Naive, policy};

/// The instants of these histories end here.
pub(crate) const HORIZON: i64 = 60;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    AddMember,
    ChangeMember(usize, Standing, BaseRole, usize),
    DefineRole,
    ChangeRole(usize, bool, u64),
    RemoveRole(usize),
    Issue {
        owner: usize,
        service: bool,
        scope: usize,
        expires_at: Option<i64>,
        count: usize,
    },
    /// A secret that is gone comes back with another token, as an import could bring it.
    Reissue {
        owner: usize,
        digest: usize,
    },
    Rename(usize),
    Rescope(usize, usize),
    Reschedule(usize, Option<i64>),
    Rotate(usize, Option<i64>),
    Revoke(usize),
    RevokeMany(usize, usize),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    use Step::{
        AddMember, ChangeMember, ChangeRole, DefineRole, Issue, Reissue, RemoveRole, Rename, Reschedule,
        Rescope, Revoke, RevokeMany, Rotate,
    };
    let standings =
        [Standing::Pending, Standing::Active, Standing::Active, Standing::Blocked, Standing::Removed];
    let standing = proptest::sample::select(standings.to_vec());
    let role = proptest::sample::select(BaseRole::ALL.to_vec());
    let one = || 0..10_000_usize;
    let end = || proptest::option::of(0..HORIZON);
    prop_oneof![
        2 => Just(AddMember),
        4 => (one(), standing, role, one()).prop_map(|(at, standing, role, held)| ChangeMember(at, standing, role, held)),
        1 => Just(DefineRole),
        1 => (one(), any::<bool>(), 0..3_u64).prop_map(|(at, rekey, policy)| ChangeRole(at, rekey, policy)),
        1 => one().prop_map(RemoveRole),
        6 => (one(), any::<bool>(), one(), end(), prop_oneof![3 => 1..4_usize, 1 => 100..400_usize])
            .prop_map(|(owner, service, scope, expires_at, count)| Issue { owner, service, scope, expires_at, count }),
        2 => (one(), one()).prop_map(|(owner, digest)| Reissue { owner, digest }),
        2 => one().prop_map(Rename),
        4 => (one(), one()).prop_map(|(at, scope)| Rescope(at, scope)),
        4 => (one(), end()).prop_map(|(at, end)| Reschedule(at, end)),
        6 => (one(), end()).prop_map(|(at, end)| Rotate(at, end)),
        4 => one().prop_map(Revoke),
        1 => (one(), 0..300_usize).prop_map(|(at, count)| RevokeMany(at, count)),
    ]
}

impl Naive {
    /// Takes a step, if there is what it needs, and tells what happened.
    pub(crate) fn take(&mut self, step: &Step) -> Vec<Change> {
        let events: Vec<Event> = match *step {
            Step::AddMember => vec![Event::MemberAdded { member: self.new_member() }],
            Step::ChangeMember(at, standing, role, held) => {
                let Some(before) = self.member(at) else { return Vec::new() };
                let custom_roles = self.role(held).filter(|_| held % 3 == 0).map(|role| role.id);
                let custom_roles = custom_roles.into_iter().collect();
                let after = Member { standing, role, custom_roles, ..before.clone() };
                vec![Event::MemberChanged { before, after }]
            }
            Step::DefineRole => vec![Event::RoleDefined { role: self.new_role() }],
            Step::ChangeRole(at, rekey, number) => {
                let Some(before) = self.role(at) else { return Vec::new() };
                let key = if rekey { self.new_role().key } else { before.key.clone() };
                let after = CustomRole { key, policy: policy(number), ..before.clone() };
                vec![Event::RoleChanged { before, after }]
            }
            Step::RemoveRole(at) => {
                self.role(at).map(|role| Event::RoleRemoved { role }).into_iter().collect()
            }
            Step::Issue { owner, service, scope, expires_at, count } => {
                let Some(owner) = self.member(owner) else { return Vec::new() };
                let kind = if service { TokenKind::Service } else { TokenKind::Personal };
                let expires_at = expires_at.map(Timestamp::from_millis);
                let (scope, ceiling) = (self.scope(scope), Self::ceiling(scope));
                let token = |_| {
                    let plain = self.new_token(&owner, kind);
                    Token { scope: scope.clone(), ceiling: ceiling.clone(), expires_at, ..plain }
                };
                (0..count).map(token).map(|token| Event::TokenIssued { token }).collect()
            }
            Step::Reissue { owner, digest } => {
                let (Some(owner), Some(digest)) = (self.member(owner), nth(&self.digests, digest)) else {
                    return Vec::new();
                };
                let plain = self.new_token(&owner, TokenKind::Personal);
                let token = Token { secret: SecretRecord { digest, ..plain.secret }, ..plain };
                let alive = self.tokens.values().any(|token| {
                    token.secret.digest == digest
                        || token.retiring.is_some_and(|it| it.record.digest == digest)
                });
                if alive { Vec::new() } else { vec![Event::TokenIssued { token }] }
            }
            Step::Rename(at) => self.change(at, |token| token.name.push('x')),
            Step::Rescope(at, number) => {
                let (scope, ceiling) = (self.scope(number), Self::ceiling(number));
                self.change(at, |token| {
                    (token.scope, token.ceiling) = (scope, ceiling);
                    token.api_version = ApiVersion::ALL[number % 5];
                })
            }
            Step::Reschedule(at, end) => {
                self.change(at, |token| token.expires_at = end.map(Timestamp::from_millis))
            }
            Step::Rotate(at, grace) => {
                let Some(before) = self.token(at) else { return Vec::new() };
                let ends_at = grace.map(Timestamp::from_millis);
                let retiring = ends_at.map(|ends_at| RetiringSecret { record: before.secret, ends_at });
                let after = Token { secret: self.new_secret(), retiring, ..before.clone() };
                vec![Event::TokenRotated { before, after }]
            }
            Step::Revoke(at) => {
                self.token(at).map(|token| Event::TokenRevoked { token }).into_iter().collect()
            }
            Step::RevokeMany(at, count) => {
                let from = self.tokens.values().skip(at % self.tokens.len().max(1));
                from.take(count).cloned().map(|token| Event::TokenRevoked { token }).collect()
            }
        };
        events.into_iter().map(|event| self.happen(event)).collect()
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut Token)) -> Vec<Event> {
        let Some(before) = self.token(at) else { return Vec::new() };
        let mut after = before.clone();
        change(&mut after);
        vec![Event::TokenChanged { before, after }]
    }

    fn member(&self, at: usize) -> Option<Member> {
        let there = self.members.values().filter(|member| member.standing != Standing::Removed);
        let there: Vec<_> = there.collect();
        nth(&there, at).map(|member| Member::clone(member))
    }

    fn role(&self, at: usize) -> Option<CustomRole> {
        let there: Vec<_> = self.roles.values().collect();
        nth(&there, at).map(|role| CustomRole::clone(role))
    }

    fn token(&self, at: usize) -> Option<Token> {
        self.tokens.values().nth(at.checked_rem(self.tokens.len())?).cloned()
    }

    fn scope(&self, number: usize) -> Scope {
        match number % 4 {
            0 => Scope::Member,
            1 => Scope::Base(BaseRole::ALL[number / 4 % 5]),
            2 => Scope::Roles(self.role(number / 4).map(|role| role.id).into_iter().collect()),
            _ => Scope::Inline(policy(number as u64 / 4 % 3)),
        }
    }

    fn ceiling(number: usize) -> Authority {
        let role = BaseRole::ALL[number / 16 % 5];
        Authority::all_of(number.is_multiple_of(3).then_some(Grant::Base(role)))
    }
}

fn nth<T: Clone>(things: &[T], at: usize) -> Option<T> {
    things.get(at.checked_rem(things.len())?).cloned()
}
