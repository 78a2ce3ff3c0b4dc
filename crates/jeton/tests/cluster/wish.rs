//! The changes that are asked for, as requests, with the answers that leave no doubt about what became of them.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::installation::OWNER;

const TOKENS: &str = "/api/v2/tokens";

pub(crate) struct Wish {
    pub(crate) what: &'static str,
    pub(crate) headers: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) good: &'static [u16],
}

impl Wish {
    pub(crate) fn create() -> Self {
        let body = json!({ "role": "reader", "serviceToken": true }).to_string();
        Self { body, ..Self::of_the_owner("create", "POST", TOKENS.to_owned(), &[201]) }
    }

    /// One that is gone already is as good: it must be so everywhere.
    pub(crate) fn revoke(id: &str) -> Self {
        Self::of_the_owner("revoke", "DELETE", format!("{TOKENS}/{id}"), &[204, 404])
    }

    /// On the authority of whoever holds the secret. Who is told that all is well is not told whether it was so before.
    pub(crate) fn revoke_by_secret(secret: &str) -> Self {
        Self {
            what: "revoke by secret",
            headers: "Content-Type: application/x-www-form-urlencoded\r\n".to_owned(),
            method: "POST",
            path: "/oauth2/revoke".to_owned(),
            body: format!("token={secret}"),
            good: &[200],
        }
    }

    /// With a grace from now on, if there is one.
    pub(crate) fn reset(id: &str, grace: Option<Duration>) -> Self {
        let end = grace.map_or(String::new(), |lasts| (now_by_the_wall() + lasts).as_millis().to_string());
        Self::of_the_owner("reset", "POST", format!("{TOKENS}/{id}/reset?expiry={end}"), &[200, 404])
    }

    fn of_the_owner(what: &'static str, method: &'static str, path: String, good: &'static [u16]) -> Self {
        Self { what, headers: format!("Authorization: {OWNER}\r\n"), method, path, body: String::new(), good }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an expiry is told by the wall clock, which the database reads too"
)]
fn now_by_the_wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}
