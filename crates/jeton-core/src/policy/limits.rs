//! How large a policy may be.
//!
//! The contract names no limits, so these are ours. A policy is evaluated in every verification, and the worst that a
//! pattern can cost is its length times the length of the text. [`PolicyLimits::TOTAL_BYTES`] therefore bounds what one
//! verification can be made to cost; the other limits exist to give a clearer message before that one is reached.

/// The limits that [`Policy::new`](super::Policy::new) enforces. Reaching one is allowed, exceeding it isn't.
#[derive(Clone, Copy, Debug)]
pub struct PolicyLimits;

impl PolicyLimits {
    /// Statements in a policy.
    pub const STATEMENTS: usize = 256;
    /// Items in one list of a statement.
    pub const ITEMS: usize = 256;
    /// Length of a resource specifier, in bytes of UTF-8. Four keys of the usual maximum, with tags, fit.
    pub const SPECIFIER_BYTES: usize = 1024;
    /// Length of an action, in bytes of UTF-8.
    pub const ACTION_BYTES: usize = 256;
    /// What each specifier and action counts for besides its own text.
    pub const ITEM_BYTES: usize = 32;
    /// All specifiers and actions of a policy together, in bytes of UTF-8, with [`Self::ITEM_BYTES`] for each.
    pub const TOTAL_BYTES: usize = 64 * 1024;
}
