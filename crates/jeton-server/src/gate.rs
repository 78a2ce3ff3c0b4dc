//! The gate: who is asking, and whether too often.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use jeton_core::refusal::Refusal;
use jeton_service::{Error, Service, Session};

use crate::Settings;
use crate::http::rate_limit::{Key, RateLimiter, Verdict};
use crate::origin::Origin;
use crate::trouble::Trouble;
use crate::verify::VerifySettings;

/// Which header counts where a request has several that could hold a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prefers {
    /// `Private-Token` before `Authorization`.
    PrivateToken,
    /// `Authorization` before `Private-Token`.
    Authorization,
    /// Neither, nor the first value of one: several that differ are as good as a wrong one. What is behind a gateway may take
    /// another one of them.
    Neither,
}

/// Who is asking, and what is left of their rate.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) session: Session,
    /// `None` where there is no limit.
    pub(crate) rate: Option<Verdict>,
}

pub(crate) struct Gate {
    tokens: RateLimiter,
    failures: RateLimiter,
    passwords: RateLimiter,
    /// Whose word is taken on where a request came from.
    trusted: VerifySettings,
    /// Whether the operator was told that somebody asks as a gateway who is none.
    warned: AtomicBool,
}

impl Gate {
    pub(crate) fn new(settings: &Settings) -> Self {
        let seeds = |at: usize| [settings.seeds[at], settings.seeds[at + 1]];
        Self {
            tokens: RateLimiter::new(Some(settings.token_requests), seeds(1)),
            failures: RateLimiter::new(Some(settings.failed_authentications), seeds(3)),
            passwords: RateLimiter::new(Some(settings.failed_logins), seeds(5)),
            trusted: settings.verify.clone(),
            warned: AtomicBool::new(false),
        }
    }

    /// Lets a request in, counting it.
    ///
    /// An address that failed too often is told so instead of the plain refusal, but only when it fails again: a good
    /// secret is never held up by others behind the same address, and to a bad one both answers say no.
    pub(crate) async fn admit(
        &self,
        service: &Service,
        origin: Origin<'_>,
        prefers: Prefers,
    ) -> Result<Admitted, Trouble> {
        let session = self.identify(service, presented(origin.headers, prefers), origin).await?;
        let key = self.tokens.key(session.caller().token.as_bytes());
        let rate = self.tokens.check(key, millis(service));
        match rate {
            Some(verdict) if !verdict.allowed => Err(Trouble::TooManyRequests(verdict)),
            _ => Ok(Admitted { session, rate }),
        }
    }

    /// Finds out who presents a secret, without counting the request: who asks about the tokens of others does so for each
    /// request that they serve, and no limit on what one token may do is meant for that.
    pub(crate) async fn identify(
        &self,
        service: &Service,
        presented: Option<&str>,
        origin: Origin<'_>,
    ) -> Result<Session, Trouble> {
        let Some(secret) = presented else {
            return Err(self.failed(service, origin, Trouble::NoSecret));
        };
        service.authenticate(secret).await.map_err(|error| match error {
            Error::Unauthenticated(reason) => {
                tracing::debug!(?reason, "authentication failed");
                self.failed(service, origin, Trouble::BadSecret)
            }
            // Nothing is known of the secret, so nobody has failed.
            Error::Refused(_) | Error::Failed(_) => error.into(),
        })
    }

    /// Lets a password be tried for this e-mail address, unless too many were wrong, for it or from there: looking at one
    /// costs more than anything else that strangers can ask for.
    pub(crate) fn admit_password(
        &self,
        service: &Service,
        origin: Origin<'_>,
        email: &str,
    ) -> Result<(), Trouble> {
        self.admit_own_password(service, email)?;
        match self.failures.peek(self.key_of(origin), millis(service)) {
            Some(verdict) if !verdict.allowed => Err(Trouble::TooManyFailures(verdict)),
            _ => Ok(()),
        }
    }

    /// As [`Gate::admit_password`], for somebody who is signed in: others behind the same address don't hold them up.
    pub(crate) fn admit_own_password(&self, service: &Service, email: &str) -> Result<(), Trouble> {
        match self.passwords.peek(self.password_key(email), millis(service)) {
            Some(verdict) if !verdict.allowed => Err(Trouble::TooManyFailures(verdict)),
            _ => Ok(()),
        }
    }

    /// Counts a login that failed: against whoever tried, and against the address that it was tried for.
    pub(crate) fn login_failed(
        &self,
        service: &Service,
        origin: Origin<'_>,
        email: Option<&str>,
        why: Trouble,
    ) -> Trouble {
        if let Some(email) = email {
            self.passwords.charge(self.password_key(email), millis(service));
        }
        self.failed(service, origin, why)
    }

    /// Counts a wrong password of somebody who is signed in.
    pub(crate) fn password_failed(&self, service: &Service, email: &str, why: Trouble) -> Trouble {
        if matches!(why, Trouble::Refused(Refusal::WrongPassword)) {
            self.passwords.charge(self.password_key(email), millis(service));
        }
        why
    }

    fn password_key(&self, email: &str) -> Key {
        self.passwords.key(email.to_lowercase().as_bytes())
    }

    /// Counts a failure of somebody, and says what to answer: this trouble, unless they have failed too often.
    pub(crate) fn failed(&self, service: &Service, origin: Origin<'_>, trouble: Trouble) -> Trouble {
        match self.failures.check(self.key_of(origin), millis(service)) {
            Some(verdict) if !verdict.allowed => Trouble::TooManyFailures(verdict),
            _ => trouble,
        }
    }

    /// Says once who asks as a gateway and is not known as one: its clients are all refused, and nothing in that says why.
    pub(crate) fn warn_of_a_stranger(&self, origin: Origin<'_>) {
        if let Some(address) = origin.peer.ip()
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %address,
                "somebody asks as a gateway does, without a credential: if it is one, name it with --trusted-proxy, or let \
                 it send X-Jeton-Credential. This is said once"
            );
        }
    }

    fn key_of(&self, origin: Origin<'_>) -> Key {
        let client = origin.client(&self.trusted);
        self.failures.key_of_address(client.unwrap_or(IpAddr::from([127, 0, 0, 1])))
    }
}

fn millis(service: &Service) -> u64 {
    u64::try_from(service.now().as_millis()).unwrap_or(0)
}

/// Where clients of Canvus put their secret.
pub(crate) const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");

/// Stands for bytes that are no text, and is no secret either: something was presented, and it is wrong.
const UNREADABLE: &str = "\u{fffd}";

/// The secret that a request presents: the first value of whichever header counts.
///
/// `Authorization` holds it raw, as LaunchDarkly defines, or behind the scheme `Bearer` (RFC 6750, section 2.1), whose
/// name has no letter case.
pub(crate) fn presented(headers: &HeaderMap, prefers: Prefers) -> Option<&str> {
    let first = |name: HeaderName| {
        let first = headers.get(&name)?;
        let is_it = prefers != Prefers::Neither || !contradicts_itself(headers, &name);
        Some(first.to_str().ok().filter(|_| is_it).unwrap_or(UNREADABLE))
    };
    let some = |secret: &&str| !secret.is_empty();
    let private = || first(PRIVATE_TOKEN).map(str::trim);
    let authorization = || first(AUTHORIZATION).map(unwrapped);
    match prefers {
        Prefers::PrivateToken => private().or_else(authorization),
        Prefers::Authorization => authorization().or_else(private),
        Prefers::Neither => match (authorization().filter(some), private().filter(some)) {
            (Some(one), Some(other)) if one != other => Some(UNREADABLE),
            (one, other) => one.or(other),
        },
    }
    .filter(some)
}

/// Whether a header has several values that differ.
pub(crate) fn contradicts_itself(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut values = headers.get_all(name).into_iter();
    values.next().is_some_and(|first| values.any(|other| other != first))
}

fn unwrapped(value: &str) -> &str {
    let value = value.trim();
    behind_scheme(value, "bearer ").map_or(value, str::trim_start)
}

/// What stands behind a scheme, which is given with the blank after it, in any letter case.
pub(crate) fn behind_scheme<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let (begin, rest) = value.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: Pairs) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_secret_is_found_wherever_clients_put_it() {
        let cases: [(Pairs, Option<&str>); 9] = [
            (&[], None),
            (&[("private-token", "a")], Some("a")),
            (&[("private-token", "a"), ("private-token", "a")], Some("a")),
            (&[("private-token", "")], None),
            (&[("authorization", "a")], Some("a")),
            (&[("authorization", "Bearer a")], Some("a")),
            (&[("authorization", "bearer   a ")], Some("a")),
            (&[("authorization", "Basic a")], Some("Basic a")),
            (&[("authorization", "Bearer")], Some("Bearer")),
        ];
        for (pairs, expected) in cases {
            for prefers in [Prefers::PrivateToken, Prefers::Authorization, Prefers::Neither] {
                assert_eq!(presented(&headers(pairs), prefers), expected, "{pairs:?}");
            }
        }
        let both = headers(&[("authorization", "a"), ("private-token", "p")]);
        assert_eq!(presented(&both, Prefers::PrivateToken), Some("p"));
        assert_eq!(presented(&both, Prefers::Authorization), Some("a"));
        assert_eq!(presented(&both, Prefers::Neither), Some(UNREADABLE));
        for name in ["private-token", "authorization"] {
            let mut several = HeaderMap::new();
            several.append(name, HeaderValue::from_static("a"));
            several.append(name, HeaderValue::from_static("b"));
            assert_eq!(presented(&several, Prefers::PrivateToken), Some("a"));
            assert_eq!(presented(&several, Prefers::Authorization), Some("a"));
            assert_eq!(presented(&several, Prefers::Neither), Some(UNREADABLE));
        }
        let same = headers(&[("authorization", "Bearer a"), ("private-token", "a")]);
        assert_eq!(presented(&same, Prefers::Neither), Some("a"));
    }
}
