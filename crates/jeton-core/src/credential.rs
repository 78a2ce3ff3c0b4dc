//! Credentials: the part of a token that verification needs, without the texts that people read.

use crate::caller::Rights;
use crate::digest::Digest;
use crate::id::{AccountId, MemberId, TokenId};
use crate::revision::Revision;
use crate::timestamp::Timestamp;
use crate::token::Token;

/// What a token is recognised by, and what that is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    /// The token.
    pub id: TokenId,
    /// Its account.
    pub account: AccountId,
    /// Its owner.
    pub owner: MemberId,
    /// What it may do by itself.
    pub rights: Rights,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The digest of its secret.
    pub digest: Digest,
    /// The digest of the secret before it, and when that one ends.
    pub retiring: Option<(Digest, Timestamp)>,
    /// The change that last touched the token.
    pub revision: Revision,
}

impl From<&Token> for Credential {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id,
            account: token.account,
            owner: token.owner,
            rights: Rights::from(token),
            expires_at: token.expires_at,
            digest: token.secret.digest,
            retiring: token.retiring.map(|retiring| (retiring.record.digest, retiring.ends_at)),
            revision: token.revision,
        }
    }
}
