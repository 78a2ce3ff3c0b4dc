//! Why a use case did not come to its end: the rule said no, or the machinery broke.

use jeton_core::refusal::Refusal;
use jeton_store::StoreError;

use crate::session::Unauthenticated;

/// Why a use case did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is good for nothing, or no longer: also if it died while the request was being decided.
    #[error(transparent)]
    Unauthenticated(#[from] Unauthenticated),
    /// A rule said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machinery broke.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The machinery broke. Nothing was changed, or what was changed is not known to be durable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// Others changed the same record again and again while this was being decided.
    #[error("The record is being changed by others at this moment: read it again and retry")]
    Contended,
    /// There is no room for the change.
    #[error("The disk of the server is full: nothing was changed; try again when its operator has made room")]
    Full,
    /// The database does not answer properly.
    #[error("The server cannot reach its database: nothing is known to have been changed; try again later")]
    Unavailable,
    /// This node of a cluster can't know what the others have done.
    #[error(
        "This server has lost touch with its database and cannot know whether that is still true: ask another one, or try \
         again in a moment"
    )]
    Stale,
    /// Too many passwords are being checked at once.
    #[error("Too many people are logging in at this moment: try again in a few seconds")]
    Busy,
    /// As many streams are open as may be.
    #[error("Too many streams are open: close some, or have the operator raise --max-streams")]
    TooManyStreams,
    /// The server is going down.
    #[error("The server is shutting down: nothing is known to have been changed; try again in a moment")]
    ShuttingDown,
}

impl From<StoreError> for Failure {
    /// Keeps the details in the operator's log; a client learns what it can act on.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Full(_) => Self::Full,
            StoreError::Broken(_) | StoreError::Unreadable(_) => Self::Unavailable,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
