//! Images: a canonical picture of an index, by which the one that followed the log is compared with one that was built
//! anew from the store.

use std::sync::Arc;

use jeton_core::caller::Rights;
use jeton_core::change::Revision;
use jeton_core::id::{AccountId, MemberId, TokenId};
use jeton_core::member::Member;
use jeton_core::role::CustomRole;

use crate::Index;
use crate::slot::{Tag, Until, Worth};

/// Everything that an index knows, sorted. Two indexes with equal images give equal answers.
#[derive(PartialEq, Eq, Debug)]
pub struct Image {
    revision: Revision,
    secrets: Vec<Known>,
    /// How many distinct rights are kept: as many as living tokens have, or some were forgotten too late.
    rights: usize,
    members: Vec<Arc<Member>>,
    roles: Vec<Arc<CustomRole>>,
    rosters: Vec<(AccountId, Option<MemberId>, Vec<TokenId>)>,
}

#[derive(PartialEq, Eq, Debug)]
struct Known {
    tag: Tag,
    until: Until,
    token: TokenId,
    owner: Option<MemberId>,
    revision: Revision,
    retiring: bool,
    rights: Option<Arc<Rights>>,
}

impl Image {
    /// How many secrets are known, the retiring ones included.
    pub fn secrets(&self) -> usize {
        self.secrets.len()
    }
}

impl Index {
    /// The picture of this index. Nobody may be writing meanwhile.
    pub fn image(&self) -> Image {
        let mut secrets = Vec::new();
        self.credentials.each_living(|tag, found, rights| {
            let Worth { until, retiring, revision, .. } = found.worth;
            let owner = self.directory.seat(found.owner()).map(|seat| seat.id);
            secrets.push(Known { tag, until, token: found.token, owner, revision, retiring, rights });
        });
        secrets.sort_by_key(|known| known.tag);
        let mut members = self.directory.members();
        members.sort_by_key(|member| member.id);
        let mut roles = self.directory.roles();
        roles.sort_by_key(|role| role.id);
        let (rights, rosters) = (self.credentials.distinct_rights(), self.rosters.picture());
        Image { revision: self.revision(), secrets, rights, members, roles, rosters }
    }
}
