//! What jeton says of a secret, and whether that is an answer at all. Nothing that is odd may let somebody through, so
//! every answer has to be whole and agree with itself.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

/// What jeton says of a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is good, and may do what was asked.
    Allowed(Verified),
    /// It is good, and may not.
    Forbidden(Verified),
    /// It is not good: unknown, revoked, expired, or its owner is blocked. Jeton's log, at level debug, says which, as far
    /// as that is still known.
    Inactive,
}

/// Whose token it is. In the extensions of every request that was let through with one.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// The token's id: 24 hexadecimal digits. It is no secret, and what to write into an audit log.
    pub token: String,
    /// What sort of token it is.
    pub kind: Kind,
    /// The id of its account.
    pub account: String,
    /// Whom it acts for: the id of the member, or of the token itself where it is a service's.
    pub subject: String,
    /// The owner's address, where it is a person's.
    pub email: Option<String>,
    /// What it may do by itself, in words between blanks: a base role, ids of custom roles, `policy` for one of its own,
    /// `member` for all that its owner may. To be shown; to decide by it would be to guess what jeton knows.
    pub scope: String,
    /// When it ends, to the millisecond; `None` if never.
    pub expires_at: Option<SystemTime>,
    /// Whether the secret has been replaced, and works only until its grace ends.
    pub retiring: bool,
    /// The revision of jeton's state that the answer was given at. It never goes back.
    pub revision: u64,
}

/// What sort of token it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A person's.
    Personal,
    /// A service's, which is nobody's.
    Service,
    /// A person's, made by logging in.
    Login,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    allowed: bool,
    active: bool,
    token: Option<String>,
    kind: Option<Kind>,
    account: Option<String>,
    subject: Option<String>,
    email: Option<String>,
    scope: Option<String>,
    expires_at: Option<u64>,
    #[serde(default)]
    retiring: bool,
    revision: Option<u64>,
}

impl Answer {
    /// Reads the body of an answer. `None` if it is none. `to_a_permission` says whether one was asked for: without it
    /// a good secret is allowed.
    pub(crate) fn read(body: &[u8], to_a_permission: bool) -> Option<Self> {
        // An array would be read as an object without names.
        let wire: Wire = body.starts_with(b"{").then(|| serde_json::from_slice(body).ok()).flatten()?;
        match (wire.allowed, wire.active) {
            (true, true) => wire.verified().map(Self::Allowed),
            (false, true) if to_a_permission => wire.verified().map(Self::Forbidden),
            (false, false) => Some(Self::Inactive),
            _ => None,
        }
    }
}

impl Wire {
    fn verified(self) -> Option<Verified> {
        let expires_at = match self.expires_at {
            None => None,
            Some(millis) => Some(SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))?),
        };
        Some(Verified {
            token: self.token.filter(is_id)?,
            kind: self.kind?,
            account: self.account.filter(is_id)?,
            subject: self.subject.filter(is_id)?,
            email: self.email,
            scope: self.scope?,
            expires_at,
            retiring: self.retiring,
            revision: self.revision?,
        })
    }
}

#[expect(clippy::ptr_arg, reason = "what a filter of an Option<String> is given")]
fn is_id(text: &String) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"allowed":true,"active":true,"token":"019b7ca98f2e9f6b9dae6f4c","kind":"personal",
        "account":"019b7ca98f2e9f6b9dae6f4d","subject":"019b7ca98f2e9f6b9dae6f4e","email":"a@example.com",
        "scope":"reader","expiresAt":1767323045678,"retiring":true,"revision":7,"something":"new"}"#;

    #[test]
    fn an_answer_is_read_whole() {
        let Some(Answer::Allowed(it)) = Answer::read(GOOD.as_bytes(), false) else { panic!("allowed") };
        assert_eq!((it.kind, it.revision, it.retiring), (Kind::Personal, 7, true));
        let end = it.expires_at.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(end.as_millis(), 1_767_323_045_678);
        let forbidden = GOOD.replacen("true", "false", 1);
        assert!(matches!(Answer::read(forbidden.as_bytes(), true), Some(Answer::Forbidden(_))));
        let inactive = br#"{"allowed":false,"active":false}"#;
        assert_eq!(Answer::read(inactive, true), Some(Answer::Inactive));
    }

    #[test]
    fn what_does_not_agree_with_itself_is_no_answer() {
        // Good, and not allowed, although nothing was asked of it.
        assert_eq!(Answer::read(GOOD.replacen("true", "false", 1).as_bytes(), false), None);
        for (from, to) in [
            (r#""active":true"#, r#""active":false"#),
            (r#""active":true,"#, ""),
            (r#""active":true"#, r#""active":"true""#),
            (r#""allowed":true"#, r#""allowed":1"#),
            (r#""allowed":true"#, r#""allowed":true,"allowed":true"#),
            (r#""token":"019b7ca98f2e9f6b9dae6f4c","#, ""),
            ("019b7ca98f2e9f6b9dae6f4c", "019b7ca98f2e9f6b9dae6f4"),
            ("019b7ca98f2e9f6b9dae6f4d", "019b7ca98f2e9f6b9dae6f4g"),
            ("personal", "imaginary"),
            (r#""scope":"reader","#, ""),
            (r#""revision":7,"#, ""),
            ("1767323045678", "-1"),
            ("}", "} x"),
            ("{", "[{"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            assert_eq!(Answer::read(bad.as_bytes(), true), None, "{bad}");
        }
        for bad in ["", "null", "true", "[true,true]", "<html>", "{}"] {
            assert_eq!(Answer::read(bad.as_bytes(), true), None, "{bad}");
        }
    }
}
