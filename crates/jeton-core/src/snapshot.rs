//! Snapshots: the records that an index is built from, as a store hands them over.

use crate::credential::Credential;
use crate::member::Member;
use crate::role::CustomRole;

/// One record of a snapshot.
#[derive(Clone, Debug)]
pub enum Record {
    /// A member, whatever their standing.
    Member(Member),
    /// A custom role.
    Role(CustomRole),
    /// A token. Its owner comes before it.
    Credential(Credential),
}
