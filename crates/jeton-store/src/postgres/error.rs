//! What can go wrong with a database on another machine: in words for the operator, and in what may be done about it.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::{StoreError, Unfit};

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its schema is not for this program.
    #[error("the database {address} {unfit}")]
    Unfit {
        /// The database, without its password.
        address: String,
        /// Why.
        unfit: Unfit,
    },
    /// Somebody else's tables are there.
    #[error(
        "the database {address} holds tables that are not jeton's: give jeton a database or a schema of its own"
    )]
    Foreign {
        /// The database, without its password.
        address: String,
    },
    /// It can't be reached, or does not do what it is asked.
    #[error("the database {address} cannot be opened: {message}")]
    Unusable {
        /// The database, without its password.
        address: String,
        /// What PostgreSQL or the system said.
        message: String,
    },
}

/// What the driver says of a server that has no TLS.
const NO_TLS: &str = "server does not support TLS";

/// What an error says. Details are left out: they may quote a row.
pub(super) fn told(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{}: {} ({})", said.severity(), said.message(), said.code().code());
    }
    match error.source() {
        Some(source) if source.to_string() == NO_TLS => format!(
            "{error}: {source}: turn it on there (ssl = on), or write sslmode=disable where the network is your own"
        ),
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A failure of a database that was opened.
pub(super) fn failure(error: &Error) -> StoreError {
    if error.code() == Some(&SqlState::DISK_FULL) {
        StoreError::Full(told(error))
    } else {
        StoreError::Broken(told(error))
    }
}

/// Whether the connection is gone, or the server is about to close it.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.code() {
        Some(code) => {
            // Class 08 is about connections; 57P01 to 57P03 say that the server, or this session, is coming or going.
            code.code().starts_with("08") || matches!(code.code(), "57P01" | "57P02" | "57P03" | "53300")
        }
        None => {
            error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        }
    }
}

/// Whether nobody answered for as long as anybody waits: to try again at once would only keep somebody waiting.
pub(super) fn has_timed_out(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// Whether the same transaction may well succeed when it is tried again.
pub(super) fn may_succeed(error: &Error) -> bool {
    // Class 40: rolled back for the sake of others. 55P03: a lock took too long. 25006: the server has become a standby.
    let passing = |code: &str| code.starts_with("40") || matches!(code, "55P03" | "25006" | "25P03");
    is_lost(error) || error.code().is_some_and(|code| passing(code.code()))
}

/// Whether an error that answers COMMIT means that nothing was committed. What is not known to mean that leaves it open.
pub(super) fn is_refusal(error: &Error) -> bool {
    let refusal = |code: &str| {
        matches!(code, "40000" | "40001" | "40002" | "40P01")
            || code.starts_with("23")
            || code.starts_with("25")
    };
    error.code().is_some_and(|code| refusal(code.code()))
}
