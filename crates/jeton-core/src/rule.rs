//! Rules: every decision of jeton, each a pure function of the caller, the command, the facts, the time and fresh
//! randomness. A dialect translates, a service fetches the facts, a store writes; only here is anything decided.

mod amend;
mod found;
mod issue;
mod login;
mod member;
mod revoke;
mod role;
mod rotate;
mod scope;
mod see;
mod verify;

use zeroize::Zeroizing;

pub use amend::{amend, may_amend};
pub use found::{Founding, found, recover};
pub use issue::{Issued, issue};
pub use login::{LOGIN_LASTS, login, logout, prolong};
pub use member::{MemberFacts, add_member, change_member, living_roles, remove_member};
pub use revoke::{revoke, revoke_by_secret};
pub use role::{change_role, define_role, remove_role};
pub use rotate::rotate;
pub use see::{may_list_all, may_see, may_see_change, tokens_of};
pub use verify::may_verify;

use crate::digest::ServerKey;
use crate::policy::Resource;
use crate::secret::{Secret, SecretFormat};
use crate::token::{SecretRecord, Token, TokenKind};

/// Fresh randomness for one decision: the system's in the binary, a seed's in a test. Never used twice.
pub struct Fresh {
    /// For the id of a new record.
    pub id: [u8; 6],
    /// For a new secret.
    pub secret: Zeroizing<[u8; 48]>,
}

/// What secrets are made with.
#[derive(Debug)]
pub struct Mint {
    /// How secrets look.
    pub format: SecretFormat,
    /// What digests are keyed with.
    pub key: ServerKey,
}

impl Mint {
    /// A new secret and what is kept of it.
    fn strike(&self, kind: TokenKind, fresh: &Fresh) -> (Secret, SecretRecord) {
        let secret = self.format.generate(kind, &fresh.secret);
        let record = self.record(&secret);
        (secret, record)
    }

    /// What is kept of a secret.
    pub fn record(&self, secret: &Secret) -> SecretRecord {
        SecretRecord { digest: self.key.digest(secret.expose()), last_four: secret.last_four() }
    }
}

/// Runs `check` on the resource that policies know the token by.
fn with_resource<T>(token: &Token, check: impl FnOnce(Resource<'_>) -> T) -> T {
    let id = token.id.hex();
    match token.kind {
        TokenKind::Service => check(Resource::service_token(id.as_str())),
        TokenKind::Personal | TokenKind::Login => {
            let owner = token.owner.hex();
            check(Resource::token(owner.as_str(), id.as_str()))
        }
    }
}
