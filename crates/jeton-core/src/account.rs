//! Accounts: the walls. Every other record names the account it belongs to, and no rule looks past it.

use crate::id::AccountId;
use crate::revision::Revision;
use crate::timestamp::Timestamp;

/// An account.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Account {
    /// What LaunchDarkly calls `ownerId` and `accountId`.
    pub id: AccountId,
    /// The organization's name, as people gave it.
    pub name: String,
    /// When it was founded.
    pub created_at: Timestamp,
    /// The change that last touched this record.
    pub revision: Revision,
}
