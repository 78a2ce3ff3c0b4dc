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
    /// A good token that may not do what is asked of it.
    Forbidden,
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

/// A message as it may be told: without anything long enough to be a secret.
///
/// Messages repeat what a client sent, and clients put secrets into paths and bodies by mistake. Whatever looks like one,
/// from here or from elsewhere, is cut to its beginning before it gets into an answer, and so into somebody's log.
pub(crate) fn harmless(message: &str) -> String {
    const SHORTEST_SECRET: usize = jeton_core::secret::MIN_FOREIGN;
    const SHOWN: usize = 8;
    let part_of_a_secret = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~' | b'%')
    };
    let mut told = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.bytes().position(part_of_a_secret) {
        let (before, run) = rest.split_at(start);
        told.push_str(before);
        let length = run.bytes().position(|byte| !part_of_a_secret(byte)).unwrap_or(run.len());
        let (run, after) = run.split_at(length);
        if length < SHORTEST_SECRET {
            told.push_str(run);
        } else {
            told.push_str(&run[..SHOWN]);
            told.push('…');
        }
        rest = after;
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn nothing_long_enough_to_be_a_secret_is_told() {
        for (message, told) in [
            ("User ID me is not an integer", "User ID me is not an integer"),
            ("no role \"019b7ca98f2e6f9b6dae6f4c\"", "no role \"019b7ca98f2e6f9b6dae6f4c\""),
            ("at /jtn_pat_0123456789012345678901234567890123456789012345!", "at /jtn_pat…!"),
            ("no role \"Zm9vYmFyYmF6+cXV4/MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=\"", "no role \"Zm9vYmFy…\""),
            ("W1bns7ZYuN_u7fQTR3i6L0JopiRCGsbNjXRw7Z-yX0E", "W1bns7ZY…"),
            ("é ü", "é ü"),
        ] {
            assert_eq!(harmless(message), told);
        }
    }
}
