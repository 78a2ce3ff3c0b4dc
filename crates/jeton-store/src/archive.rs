//! Everything in a store, to be carried into another one: read in pages in an order of its own, and written in steps, each
//! with the place that it leads to, in one transaction.
//!
//! It stands beside [`Store`] because nothing that serves needs it. A record arrives as it is, revisions
//! included, and the log with it: to play the log over an empty store was rejected, since old changes may be forgotten.
//!
//! | to learn | read |
//! |---|---|
//! | how a whole store is carried, interrupted and compared | [`transfer()`] |
//! | what an adapter does for it | [`Archive`] |

mod item;
mod transfer;

use jeton_core::change::Revision;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encoding::{self, unreadable};
use crate::{Answer, Store, StoreError};

pub(crate) use item::{Touches, Written};

pub use item::Item;
pub use transfer::{Doing, Line, Told, TransferError, Transferred, transfer};

/// What is carried, in this order: what a record rests on comes before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Accounts.
    Accounts,
    /// Members, with when they were last here.
    Members,
    /// Custom roles.
    Roles,
    /// Tokens, with when they were last used.
    Tokens,
    /// The change log.
    Changes,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Accounts, Self::Members, Self::Roles, Self::Tokens, Self::Changes];

    /// What people call them.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Members => "members",
            Self::Roles => "roles",
            Self::Tokens => "tokens",
            Self::Changes => "changes",
        }
    }

    /// The page after a key, in the order of the keys. Both engines know these words; the columns stand in the order in
    /// which rows are read.
    pub(crate) const fn page_sql(self) -> &'static str {
        match self {
            Self::Accounts => {
                "SELECT id, name, created_at, revision FROM accounts WHERE id > $1 ORDER BY id LIMIT $2"
            }
            Self::Members => {
                "SELECT id, account, number, email, name, role, custom_roles, standing, password, created_at, revision,
                    family_name, last_seen_at, last_login_at FROM members WHERE id > $1 ORDER BY id LIMIT $2"
            }
            Self::Roles => {
                "SELECT id, account, key, name, base_permissions, policy, created_at, revision, description
                    FROM roles WHERE id > $1 ORDER BY id LIMIT $2"
            }
            Self::Tokens => {
                "SELECT id, account, owner, kind, name, description, scope, ceiling, api_version, issued_at,
                    modified_at, expires_at, digest, last_four, retiring_digest, retiring_last_four, retiring_ends_at,
                    revision, last_used_at FROM tokens WHERE id > $1 ORDER BY id LIMIT $2"
            }
            Self::Changes => {
                "SELECT revision, at, account, actor_token, actor_member, event, before, after FROM changes
                    WHERE revision > $1 ORDER BY revision LIMIT $2"
            }
        }
    }

    pub(crate) const fn count_sql(self) -> &'static str {
        match self {
            Self::Accounts => "SELECT count(*) FROM accounts",
            Self::Members => "SELECT count(*) FROM members",
            Self::Roles => "SELECT count(*) FROM roles",
            Self::Tokens => "SELECT count(*) FROM tokens",
            Self::Changes => "SELECT count(*) FROM changes",
        }
    }
}

/// So many of each kind, in the order of [`Kind::ALL`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counts(pub [u64; 5]);

impl Counts {
    /// How many of this kind.
    pub const fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    pub(crate) const fn add(&mut self, kind: Kind, more: u64) {
        self.0[kind as usize] += more;
    }
}

/// A place in a store: in a kind, behind a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// In which kind.
    pub kind: Kind,
    /// The bytes of an id, or of a revision in big-endian order; empty for the beginning.
    pub after: Vec<u8>,
}

impl Place {
    /// Before the first of a kind.
    pub const fn beginning_of(kind: Kind) -> Self {
        Self { kind, after: Vec::new() }
    }

    /// The key as the revision that it is, where changes are read.
    pub(crate) fn revision(&self) -> Result<Revision, StoreError> {
        if self.after.is_empty() {
            return Ok(Revision::ZERO);
        }
        let bytes = self.after.as_slice().try_into().map_err(|_| unreadable("place in the log"))?;
        Ok(Revision::new(u64::from_be_bytes(bytes)))
    }
}

/// What a store was when it began to be carried. It is the same store in the same state if this is equal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Its last change.
    pub head: u64,
    /// Over the key it is bound to, and the ends of its log, in hexadecimal digits.
    pub sha256: String,
}

impl Origin {
    /// What this store is now.
    ///
    /// # Errors
    /// If it fails.
    pub async fn of(store: &dyn Archive) -> Result<Self, StoreError> {
        let inventory = store.inventory().await?;
        let first = store.changes(Revision::ZERO, 1).await?;
        let before_last = Revision::new(inventory.head.number().saturating_sub(1));
        let last = store.changes(before_last, 1).await?;
        let mut hash = Sha256::new();
        hash.update(inventory.key.unwrap_or_default());
        for change in first.iter().chain(&last) {
            item::absorb(&mut hash, &Item::Change(change.clone()));
        }
        Ok(Self { head: inventory.head.number(), sha256: encoding::hex(&hash.finalize()) })
    }
}

/// How far a store has been carried into the one in which this is written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// What it comes from.
    pub origin: Origin,
    /// What has arrived is everything up to here.
    pub place: Place,
    /// So many have arrived.
    pub carried: Counts,
}

impl Progress {
    pub(crate) fn text(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("this shape has text keys only, so JSON can say it all")
    }

    pub(crate) fn from_text(text: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(text).map_err(|error| unreadable(&format!("progress of a migration: {error}")))
    }
}

/// What a store holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inventory {
    /// Its last change.
    pub head: Revision,
    /// So many of each kind.
    pub counts: Counts,
    /// The fingerprint of the server key that it is bound to.
    pub key: Option<[u8; 32]>,
}

impl Inventory {
    /// Whether nothing was ever written there.
    pub fn is_empty(&self) -> bool {
        self.head == Revision::ZERO && self.counts == Counts::default() && self.key.is_none()
    }
}

/// A step of a store into another one.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// The first, into a store that is empty. From here to the last it serves nobody.
    Begin(Progress),
    /// These come next.
    Carry {
        /// Where it stands.
        from: Progress,
        /// Of one kind, in their order.
        items: Vec<Item>,
        /// Where it stands then.
        to: Progress,
    },
    /// All is there, and this is a store as any other: it is bound to the key, and its last change is the origin's.
    Finish {
        /// Where it stands.
        from: Progress,
        /// The fingerprint of the server key.
        key: Option<[u8; 32]>,
    },
}

impl Step {
    /// Whether it is to be taken from where a store stands. One that was taken already, its answer lost, is not.
    pub(crate) fn is_due(&self, standing: Option<&Progress>) -> Result<bool, StoreError> {
        let (before, after) = match self {
            Self::Begin(to) => (None, Some(to)),
            Self::Carry { from, to, .. } => (Some(from), Some(to)),
            Self::Finish { from, .. } => (Some(from), None),
        };
        if standing == after {
            Ok(false)
        } else if standing == before {
            Ok(true)
        } else {
            Err(StoreError::Broken("another jeton carries something into this database".to_owned()))
        }
    }
}

/// A store that can be carried into another one, and that others can be carried into.
pub trait Archive: Store {
    /// What is carried into this store and has not all arrived: until then it serves nobody.
    fn arriving(&self) -> Answer<'_, Option<Progress>>;

    /// What it holds.
    fn inventory(&self) -> Answer<'_, Inventory>;

    /// What comes after a place, of one kind, in the order of ids or revisions; at most `limit`. Nothing at the end.
    fn page<'a>(&'a self, place: &'a Place, limit: usize) -> Answer<'a, Vec<Item>>;

    /// Takes a step, in one transaction that holds the place that it leads to. One that was taken already changes nothing;
    /// one that does not lead from where the store stands, or begins in one that is not empty, is a failure.
    fn take(&self, step: Step) -> Answer<'_, ()>;
}

/// Where the progress stands in the table of what an installation knows of itself.
pub(crate) const PROGRESS: &str = "transfer";

/// What is said of a first step into a store that has been used.
pub(crate) fn not_empty() -> StoreError {
    StoreError::Broken("this database is not empty".to_owned())
}
