//! The values of settings: each is read from text, refuses what it can't be in words that show how to write it, and is
//! written so that it reads back.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use jeton_core::secret::SecretFormat;
use jeton_server::http::rate_limit::RateLimit;
use jeton_store::postgres::Address;
use tracing::level_filters::LevelFilter;

/// A text that is no value of the kind. What it says is all there is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadValue(String);

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilePath(pub(crate) PathBuf);

impl FromStr for FilePath {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.is_empty() { Err(BadValue("the path is empty".to_owned())) } else { Ok(Self(text.into())) }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Which database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Database {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// One on PostgreSQL.
    Postgres(Box<Address>),
}

impl Database {
    /// Whether there is a password in it, which is not written.
    pub(crate) fn is_secret(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(address) => address.is_secret(),
        }
    }
}

impl FromStr for Database {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme {
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(BadValue("there is no path after `sqlite:`: write sqlite:PATH".to_owned())),
                ":memory:" => Err(BadValue(
                    "tokens in memory alone would not survive a restart: write sqlite:PATH".to_owned(),
                )),
                path => Ok(Self::Sqlite(path.into())),
            },
            "postgres" | "postgresql" => {
                let address = text.parse::<Address>().map_err(|error| BadValue(error.to_string()))?;
                Ok(Self::Postgres(Box::new(address)))
            }
            // The text is not repeated: a URL of another database may hold a password.
            _ => Err(BadValue(
                "that is not a database that jeton knows: write sqlite:PATH or postgres://USER@HOST/DATABASE"
                    .to_owned(),
            )),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

/// What secrets begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TokenPrefix(pub(crate) SecretFormat);

impl FromStr for TokenPrefix {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let format = SecretFormat::new(text);
        format.map(Self).map_err(|error| BadValue(format!("`{text}` cannot be taken: {error}")))
    }
}

impl fmt::Display for TokenPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.prefix())
    }
}

/// An e-mail address. Whether mail arrives there is not for a server to judge; that it is one word with an `@` is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Email(pub(crate) String);

impl FromStr for Email {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control()) && text.len() <= 254;
        let parts = text.rsplit_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
        if plain && parts {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadValue(format!("`{text}` is not an e-mail address: write for example owner@example.com")))
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of things, at least one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Count(pub(crate) u32);

impl FromStr for Count {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| {
            BadValue(format!(
                "`{text}` is not a number that fits: write a whole number from 1 to {}",
                u32::MAX
            ))
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// So many in so many seconds, or no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate(pub(crate) RateLimit);

impl FromStr for Rate {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let rate = |requests, seconds| Self(RateLimit { requests, window: Duration::from_secs(seconds) });
        if text == "0" {
            return Ok(rate(0, 0));
        }
        let read = |(requests, seconds): (&str, &str)| {
            let (requests, seconds) = (requests.parse().ok()?, seconds.parse().ok()?);
            (requests > 0 && (1..=86_400).contains(&seconds)).then(|| rate(requests, seconds))
        };
        text.split_once('/').and_then(read).ok_or_else(|| {
            BadValue(format!(
                "`{text}` is not a rate: write N/SECONDS, for example 100/10 for a hundred in ten seconds, or 0 for no \
                 limit"
            ))
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.requests {
            0 => f.write_str("0"),
            requests => write!(f, "{requests}/{}", self.0.window.as_secs()),
        }
    }
}

/// A length of time, at most a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let seconds = text.parse().ok().map(Duration::from_secs);
        let read = || text.parse::<jiff::SignedDuration>().ok()?.try_into().ok();
        let fits = |span: &Duration| *span >= Duration::from_millis(1) && *span <= Duration::from_hours(24);
        seconds.or_else(read).filter(fits).map(Self).ok_or_else(|| {
            BadValue(format!("`{text}` is not a time up to a day: write for example 30s, 500ms or 2m"))
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{}s", self.0.as_secs()),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}

fn span_within(text: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    text.parse().ok().map(|Span(span)| span).filter(|span| range.contains(span))
}

/// How long a stream may be silent. Shorter than the time after which a connection on which nothing moves is cut, and than
/// what clients wait for a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SignOfLife(pub(crate) Duration);

impl FromStr for SignOfLife {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        span_within(text, Duration::ZERO..=Duration::from_secs(20)).map(Self).ok_or_else(|| {
            BadValue(format!("`{text}` is not a time up to 20s: write for example 15s or 500ms"))
        })
    }
}

impl fmt::Display for SignOfLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// For how long a node of a cluster answers by itself: long enough for some looks at a database on another machine, and no
/// longer than anybody waits for a revocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lease(pub(crate) Duration);

impl FromStr for Lease {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        span_within(text, Duration::from_millis(100)..=Duration::from_mins(1)).map(Self).ok_or_else(|| {
            BadValue(format!("`{text}` is not a time from 100ms to 1m: write for example 1s or 500ms"))
        })
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.0).fmt(f)
    }
}

/// A name that people give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Name(pub(crate) String);

impl FromStr for Name {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let fits = !text.trim().is_empty() && text.len() <= 100 && !text.contains(char::is_control);
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(|| BadValue("that is no name: write up to 100 characters in one line".to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Seconds, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seconds(pub(crate) u64);

impl FromStr for Seconds {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
        seconds.filter(|seconds| *seconds <= DAY).map(Self).ok_or_else(|| {
            BadValue(format!("`{text}` is no whole number of seconds up to a day: write for example 0 or 5"))
        })
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Addresses and networks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl FromStr for Networks {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let one = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let networks = text.split(',').map(str::trim).map(|part| {
            one(part).map_err(|_| {
                BadValue(format!("`{part}` is no address and no network: write for example 10.0.0.7, 10.1.0.0/16 or fd00::/8"))
            })
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// How long something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Retention(pub(crate) Duration);

const DAY: u64 = 24 * 60 * 60;

impl FromStr for Retention {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let days = || text.strip_suffix('d')?.parse::<u64>().ok()?.checked_mul(DAY);
        let shorter = || text.parse::<Span>().ok().map(|Span(span)| span);
        let span = days().map(Duration::from_secs).or_else(shorter);
        span.filter(|span| (1..=36_500 * DAY).contains(&span.as_secs())).map(Self).ok_or_else(|| {
            BadValue(format!(
                "`{text}` is not a time from a second to a hundred years: write for example 30d or 12h"
            ))
        })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_secs() / DAY, self.0.as_secs() % DAY) {
            (0, _) | (_, 1..) => Span(self.0).fmt(f),
            (days, 0) => write!(f, "{days}d"),
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogLevel(pub(crate) LevelFilter);

impl FromStr for LogLevel {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "error" => Ok(Self(LevelFilter::ERROR)),
            "warn" => Ok(Self(LevelFilter::WARN)),
            "info" => Ok(Self(LevelFilter::INFO)),
            "debug" => Ok(Self(LevelFilter::DEBUG)),
            "trace" => Ok(Self(LevelFilter::TRACE)),
            _ => {
                Err(BadValue(format!("`{text}` is not a log level: write error, warn, info, debug or trace")))
            }
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(BadValue(format!("`{text}` is not a log format: write text or json"))),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text is taken and written as the second, or refused if there is none.
    fn check<T: FromStr<Err = BadValue> + fmt::Display>(cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            let written = text.parse::<T>().map(|value| value.to_string());
            assert_eq!(written.as_deref().ok(), *expected, "{text}: {written:?}");
            if let Ok(written) = written {
                assert_eq!(written.parse::<T>().map(|value| value.to_string()).as_ref(), Ok(&written));
            }
        }
    }

    #[test]
    fn databases() {
        check::<Database>(&[
            ("sqlite:here.db", Some("sqlite:here.db")),
            ("sqlite:/var/lib/jeton.db", Some("sqlite:/var/lib/jeton.db")),
            ("sqlite:///var/lib/jeton.db", Some("sqlite:/var/lib/jeton.db")),
            ("sqlite://here.db", Some("sqlite:here.db")),
            ("sqlite:", None),
            ("sqlite::memory:", None),
            ("postgres://me@host/jeton", Some("postgres://me@host/jeton")),
            ("postgresql://host/jeton?sslmode=disable", Some("postgresql://host/jeton?sslmode=disable")),
            (
                "postgres://host/jeton?sslmode=verify-full&sslrootcert=/ca.pem",
                Some("postgres://host/jeton?sslmode=verify-full&sslrootcert=/ca.pem"),
            ),
            ("postgres://host/jeton?sslmode=maybe", None),
            ("postgres://host", None),
            ("here.db", None),
            ("", None),
        ]);
        for text in ["mysql://root:hunter2@host/x", "postgres://root:hunter2@host/x?hunter2=1"] {
            let refusal = text.parse::<Database>().unwrap_err();
            assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
        }
        // What is secret in an address is not written.
        let kept = "postgres://me:hunter2@host/jeton".parse::<Database>().unwrap();
        assert!(kept.is_secret() && !kept.to_string().contains("hunter2"), "{kept}");
    }

    #[test]
    fn rates() {
        check::<Rate>(&[
            ("100/10", Some("100/10")),
            ("1/1", Some("1/1")),
            ("0", Some("0")),
            ("0/10", None),
            ("10/0", None),
            ("10", None),
            ("10/1s", None),
            ("-1/1", None),
            ("", None),
        ]);
    }

    #[test]
    fn times() {
        check::<Span>(&[
            ("30", Some("30s")),
            ("30s", Some("30s")),
            ("2m", Some("120s")),
            ("1m 30s", Some("90s")),
            ("500ms", Some("500ms")),
            ("1500ms", Some("1500ms")),
            ("24h", Some("86400s")),
            ("25h", None),
            ("0", None),
            ("-5s", None),
            ("soon", None),
            ("", None),
        ]);
    }

    #[test]
    fn numbers_and_words() {
        check::<Count>(&[
            ("1", Some("1")),
            ("007", Some("7")),
            ("0", None),
            ("-1", None),
            ("5000000000", None),
        ]);
        check::<Email>(&[("a@b", Some("a@b")), ("a", None), ("@b", None), ("a@", None), ("a b@c", None)]);
        check::<LogLevel>(&[("debug", Some("debug")), ("verbose", None), ("off", None)]);
        check::<LogFormat>(&[("json", Some("json")), ("text", Some("text")), ("JSON", None)]);
        check::<TokenPrefix>(&[("jtn", Some("jtn")), ("JTN", None), ("", None)]);
        check::<FilePath>(&[("./x", Some("./x")), ("", None)]);
    }
}
