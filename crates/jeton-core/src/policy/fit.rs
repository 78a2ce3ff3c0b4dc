//! The answer of a part of a policy to the question whether it matches.
//!
//! There are three answers, not two: a condition on a role attribute that the member doesn't have, or on something that
//! this server doesn't keep, can't be told. Such a part matches nothing, but its absence from an exclusion must not
//! look like proof either (see `reach`).

/// How well something fits.
///
/// The order is that of logic: all of several parts fit as well as the worst of them, any of several as well as the
/// best of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    No,
    Unknown,
    Yes,
}

impl From<bool> for Fit {
    fn from(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}
