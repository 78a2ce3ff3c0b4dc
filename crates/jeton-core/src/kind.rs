//! The kinds of tokens, which a secret shows in its text and a record in a field.

/// Whose a token is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenKind {
    /// A person's: it never does more than its owner may now, and dies with the owner.
    Personal,
    /// A machine's: its rights are fixed when it is issued, and it outlives its creator.
    Service,
    /// What somebody who logs in with a password gets: good for a day, acts for that person, and stands in no list of
    /// tokens.
    Login,
}

impl TokenKind {
    /// Its name, in the log and on every surface of our own.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Service => "service",
            Self::Login => "login",
        }
    }

    /// Whether it acts for a person, as far as that person may now, and dies with them.
    pub const fn is_of_a_person(self) -> bool {
        matches!(self, Self::Personal | Self::Login)
    }
}
