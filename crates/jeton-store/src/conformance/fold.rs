//! The log folded: the state that follows from the changes, worked out as naively as can be.

use std::collections::BTreeMap;

use jeton_core::change::{Change, Event, Revision};
use jeton_core::credential::Credential;
use jeton_core::id::{MemberId, RoleId, TokenId};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;
use jeton_core::snapshot::Record;
use jeton_core::token::Token;

use crate::Store;

/// Everything that a snapshot tells.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) roles: BTreeMap<RoleId, CustomRole>,
    pub(super) credentials: BTreeMap<TokenId, Credential>,
}

impl State {
    pub(super) async fn of_snapshot(store: &dyn Store) -> Self {
        let mut state = Self::default();
        let head = store
            .snapshot(&mut |_| {}, &mut |record| match record {
                Record::Member(member) => put(&mut state.members, member.id, member),
                Record::Role(role) => put(&mut state.roles, role.id, role),
                Record::Credential(credential) => put(&mut state.credentials, credential.id, credential),
            })
            .await
            .unwrap();
        Self { revision: head.revision, ..state }
    }

    pub(super) fn of_tokens(folded: Folded) -> Self {
        let credentials = folded.tokens.iter().map(|(id, token)| (*id, Credential::from(token))).collect();
        Self { revision: folded.revision, members: folded.members, roles: folded.roles, credentials }
    }
}

fn put<K: Ord, V>(records: &mut BTreeMap<K, V>, key: K, record: V) {
    assert!(records.insert(key, record).is_none(), "a snapshot tells each record once");
}

/// As [`State`], with the tokens whole.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) revision: Revision,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) roles: BTreeMap<RoleId, CustomRole>,
    pub(super) tokens: BTreeMap<TokenId, Token>,
}

impl Folded {
    pub(super) fn of_log(log: &[Change]) -> Self {
        let mut folded = Self::default();
        for change in log {
            folded.follow(change);
        }
        folded
    }

    pub(super) fn follow(&mut self, change: &Change) {
        self.revision = change.revision;
        match change.event.clone() {
            Event::AccountFounded { .. } => {}
            Event::MemberAdded { member } => drop(self.members.insert(member.id, member)),
            Event::MemberChanged { after, .. } => {
                if after.standing == Standing::Removed {
                    let goes = |token: &Token| token.owner == after.id && token.kind.is_of_a_person();
                    self.tokens.retain(|_, token| !goes(token));
                }
                self.members.insert(after.id, after);
            }
            Event::RoleDefined { role } => drop(self.roles.insert(role.id, role)),
            Event::RoleChanged { after, .. } => drop(self.roles.insert(after.id, after)),
            Event::RoleRemoved { role } => drop(self.roles.remove(&role.id)),
            Event::TokenIssued { token } => drop(self.tokens.insert(token.id, token)),
            Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => {
                drop(self.tokens.insert(after.id, after));
            }
            Event::TokenRevoked { token } => drop(self.tokens.remove(&token.id)),
        }
    }
}
