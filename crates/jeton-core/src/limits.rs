//! Limits that rules enforce. Each has a default, and an error of its own.

/// How much an account may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Tokens in one account. A create beyond it is refused with [`crate::refusal::Refusal::TokenLimit`].
    pub tokens: u64,
    /// Bytes in a token's name or description.
    pub text_bytes: usize,
    /// Custom roles on one token.
    pub roles: usize,
    /// Members of one account, the removed ones left out.
    pub members: usize,
    /// Custom roles of one account.
    pub custom_roles: usize,
    /// Logins of one member that last at once. Another ends the oldest.
    pub logins: usize,
    /// Streams that are open at once, of all accounts together.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 10_000_000,
            text_bytes: 16 * 1024,
            roles: 100,
            members: 100_000,
            custom_roles: 10_000,
            logins: 100,
            streams: 20_000,
        }
    }
}
