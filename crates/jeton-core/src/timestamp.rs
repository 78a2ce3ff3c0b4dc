//! Instants: milliseconds since the Unix epoch, the resolution that both APIs show.

/// An instant in milliseconds since the Unix epoch (UTC, without leap seconds).
///
/// There is one rule of expiry in jeton, and it stands here: see [`Timestamp::has_come`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whether an end at this instant has come at `now`. The instant itself is already past the end:
    /// `expires_at <= now` means expired, everywhere.
    pub const fn has_come(self, now: Self) -> bool {
        self.0 <= now.0
    }
}
