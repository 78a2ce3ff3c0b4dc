//! Members: the people of an account.

use crate::id::{AccountId, MemberId, RoleId};
use crate::revision::Revision;
use crate::role::BaseRole;
use crate::timestamp::Timestamp;

/// The number Canvus gives its first administrator; later members count up from here.
pub const FIRST_NUMBER: u32 = 1000;

/// A member of an account. One record serves both dialects: LaunchDarkly knows the id, Canvus the number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    /// The id, LaunchDarkly's `memberId`.
    pub id: MemberId,
    /// The account whose member this is.
    pub account: AccountId,
    /// Canvus's integer user id, unique in the account, from [`FIRST_NUMBER`].
    pub number: u32,
    /// The e-mail address, unique in the account without regard to case.
    pub email: String,
    /// The given name, or the whole name where nobody told the two apart; may be empty.
    pub name: String,
    /// The family name; may be empty.
    pub family_name: String,
    /// What the member may do, unless custom roles say otherwise.
    pub role: BaseRole,
    /// Custom roles. Where there are any, they take the place of the base role.
    pub custom_roles: Vec<RoleId>,
    /// Whether the member may use the account at all.
    pub standing: Standing,
    /// The password's argon2id hash in PHC form, if there is one.
    pub password: Option<PasswordHash>,
    /// When the member was added.
    pub created_at: Timestamp,
    /// The change that last touched this record.
    pub revision: Revision,
}

impl Member {
    /// The whole name, as Canvus shows it.
    pub fn full_name(&self) -> String {
        [self.name.as_str(), self.family_name.as_str()].join(" ").trim().to_owned()
    }

    /// Whether this member's personal tokens are honoured.
    pub fn is_active(&self) -> bool {
        self.standing == Standing::Active
    }
}

/// Whether a member may use the account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Standing {
    /// Invited or registered, not yet approved: no token of theirs is honoured.
    Pending,
    /// A member in good standing.
    Active,
    /// Blocked: every token is refused, and comes back when the block ends.
    Blocked,
    /// Gone. The record stays, because service tokens and the change log name it; the personal tokens do not.
    Removed,
}

impl Standing {
    /// Its name, in the log and on every surface of our own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Removed => "removed",
        }
    }
}

/// A password hash in PHC form. Printed as a placeholder, so that no log or panic can show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash in PHC form (`$argon2id$…`).
    pub fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC text, for the store and for the check of a password.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}
