//! Instants as people give them (`90d`, `24h`, or a date with a time) and as they like to read them (`3d ago`).

use std::str::FromStr;

use jeton_core::timestamp::Timestamp;
use jeton_service::Clock as _;

use crate::system::{SystemClock, utc};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// An instant to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// So many milliseconds from now.
    In(i64),
    /// At this one, in milliseconds since the Unix epoch.
    At(i64),
}

impl When {
    /// It, in milliseconds since the Unix epoch.
    pub(super) fn millis(self) -> i64 {
        match self {
            Self::In(span) => now().saturating_add(span),
            Self::At(instant) => instant,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = span(text).filter(|span| *span > 0).map(Self::In);
        let instant = || Some(Self::At(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()));
        span.or_else(instant).ok_or_else(|| {
            "write a time like 30m, 24h, 90d or 2w, or an instant like 2030-01-31T12:00:00Z".to_owned()
        })
    }
}

/// A number and a unit.
fn span(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => SECOND,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<i64>().ok().filter(|_| digits)?.checked_mul(unit)
}

pub(super) fn now() -> i64 {
    SystemClock.now().as_millis()
}

/// How far an instant is from now, short: `3d ago`, `in 90d`.
pub(super) fn far(instant: i64, now: i64) -> String {
    let distance = instant.saturating_sub(now).saturating_abs();
    let (unit, letter) = match distance {
        0..MINUTE => return if instant > now { "in under 1m".to_owned() } else { "just now".to_owned() },
        MINUTE..HOUR => (MINUTE, 'm'),
        HOUR..172_800_000 => (HOUR, 'h'),
        _ => (DAY, 'd'),
    };
    // To the nearest: what was asked for as 90 days is not called 89 a moment later.
    let number = distance.saturating_add(unit / 2) / unit;
    if instant > now { format!("in {number}{letter}") } else { format!("{number}{letter} ago") }
}

/// An instant in full, and how far it is.
pub(super) fn exactly(instant: i64) -> String {
    format!("{} ({})", utc(Timestamp::from_millis(instant)), far(instant, now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_instants_are_understood() {
        for (text, expected) in [
            ("30m", When::In(30 * MINUTE)),
            ("24h", When::In(DAY)),
            ("90d", When::In(90 * DAY)),
            ("2w", When::In(14 * DAY)),
            ("45s", When::In(45 * SECOND)),
            ("1970-01-01T00:00:01Z", When::At(SECOND)),
            ("1970-01-01T02:00:00+02:00", When::At(0)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "d",
            "90",
            "0d",
            "-1d",
            "+1d",
            "1.5h",
            "9223372036854775807d",
            "tomorrow",
            "2030-01-01",
            "1é",
        ] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn distances_are_short() {
        let now = 1000 * DAY;
        for (instant, expected) in [
            (now, "just now"),
            (now - 59 * SECOND, "just now"),
            (now + 1, "in under 1m"),
            (now - 5 * MINUTE, "5m ago"),
            (now - 25 * HOUR, "25h ago"),
            (now + 90 * DAY - 5 * SECOND, "in 90d"),
            (0, "1000d ago"),
        ] {
            assert_eq!(far(instant, now), expected);
        }
    }
}
