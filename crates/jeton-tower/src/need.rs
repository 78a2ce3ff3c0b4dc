//! What a request needs, and how a part of its path becomes part of that.

use std::borrow::Cow;

/// What a request needs to be let through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing. Nobody is asked, and the request has no [`Verified`](crate::Verified).
    Open,
    /// A good token.
    Token,
    /// A good token that may do this.
    Permission {
        /// The action, as policies name it: `viewProject`.
        action: Cow<'static, str>,
        /// The resource, as policies name it: `proj/web:env/production:flag/dark-mode`. What comes from a request has to
        /// go through [`plain`] first.
        resource: Cow<'static, str>,
    },
    /// More than any token may: 401 to a stranger, who learns no paths by it, and 403 to everybody else. For what fits no
    /// rule of yours.
    Denied,
}

impl Need {
    /// A good token that may do this.
    pub fn permission(action: impl Into<Cow<'static, str>>, resource: impl Into<Cow<'static, str>>) -> Self {
        Self::Permission { action: action.into(), resource: resource.into() }
    }
}

/// This segment of a path if it may become part of a resource: letters, digits and `-._~`, and not only dots.
///
/// Anything else could mean more than it says. With `format!("proj/{segment}")` the segment `web:env/test` would name an
/// environment and `*` every project, and what is percent-encoded is read in one way here and perhaps in another by the
/// service. Answer `None` with [`Need::Denied`].
pub fn plain(segment: &str) -> Option<&str> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (segment.bytes().all(good) && segment.bytes().any(|byte| byte != b'.')).then_some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_itself_is_plain() {
        for good in ["web", "a.b", "A-1_~", ".well-known"] {
            assert_eq!(plain(good), Some(good));
        }
        for bad in ["", ".", "..", "a/b", "a:env", "*", "%77eb", "a b", "a,b", "{a}", "ü", "a;b", "$a"] {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }
}
