//! Everything that a surface may have to say no to. The list is closed and matched without a wildcard, so that a new
//! trouble does not compile until every surface has words for it.

use jeton_service::{Error, Unauthenticated};

use crate::http::body::BodyRefused;
use crate::http::json::BadJson;
use crate::http::rate_limit::Verdict;

/// Why a request is not answered as its sender wished.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No secret was presented.
    NoSecret,
    /// The secret is good for nothing; also if it died during the request.
    BadSecret,
    /// This address failed too often, and failed again.
    TooManyFailures(Verdict),
    /// This token asks too often.
    TooManyRequests(Verdict),
    /// The body was not taken.
    Body(BodyRefused),
    /// The body is not what was asked for.
    Json(BadJson),
    /// A parameter, a header or a member of the body has a value that can't be used.
    Invalid {
        /// What is wrong, and what would be right.
        message: String,
        /// RFC 6901 pointer into the body, where it is the body.
        pointer: Option<String>,
    },
    /// A patch that can be understood, but not applied.
    Unpatchable {
        /// What stands in the way.
        message: String,
    },
    /// There is nothing at this path.
    NoSuchRoute {
        /// The path.
        path: String,
    },
    /// There is something at this path, but not with this method.
    NoSuchMethod,
    /// Part of the API that does not exist yet.
    NotImplemented {
        /// What.
        what: &'static str,
    },
    /// A rule said no.
    Refused(jeton_core::refusal::Refusal),
    /// The machinery broke.
    Failed(jeton_service::Failure),
    /// A bug of ours.
    Internal,
}

impl Trouble {
    /// A value that can't be used.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), pointer: None }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated(_) => Self::BadSecret,
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Failed(failure) => Self::Failed(failure),
        }
    }
}

impl From<Unauthenticated> for Trouble {
    fn from(_: Unauthenticated) -> Self {
        Self::BadSecret
    }
}

impl From<BodyRefused> for Trouble {
    fn from(refused: BodyRefused) -> Self {
        Self::Body(refused)
    }
}

impl From<BadJson> for Trouble {
    fn from(bad: BadJson) -> Self {
        Self::Json(bad)
    }
}
