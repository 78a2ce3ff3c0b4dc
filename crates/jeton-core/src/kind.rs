//! The kinds of tokens, which a secret shows in its text and a record in a field.

/// Whose a token is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenKind {
    /// A person's: it never does more than its owner may now, and dies with the owner.
    Personal,
    /// A machine's: its rights are fixed when it is issued, and it outlives its creator.
    Service,
}
