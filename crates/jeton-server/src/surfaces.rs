//! Which surface a path belongs to, for the answers that are given in place of a handler's.

use axum::body::Body;
use axum::response::Response;

use crate::http::Dialects;
use crate::http::method_override::BadMethodOverride;
use crate::http::request_id::RequestId;
use crate::trouble::Trouble;
use crate::verify::oauth2;
use crate::{canvus, launchdarkly, operations};

/// The surfaces, by the beginning of a path.
#[derive(Clone, Copy, Debug)]
pub struct Surfaces;

/// One surface, whose words an answer is given in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surface {
    /// Canvus v1.
    Canvus,
    /// LaunchDarkly v2.
    LaunchDarkly,
    /// Introspection and revocation.
    OAuth,
    /// Everything that is jeton's own.
    Own,
}

impl Surface {
    fn tell(self, trouble: Trouble, id: &RequestId) -> Response {
        match self {
            Self::Canvus => canvus::tell(&trouble),
            Self::LaunchDarkly => launchdarkly::tell(&trouble, id),
            Self::OAuth => oauth2::tell(trouble),
            Self::Own => operations::tell(&trouble),
        }
    }
}

impl Dialects for Surfaces {
    type Dialect = Surface;

    fn of(&self, path: &str) -> Surface {
        let under =
            |base| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if under("/api/v1") {
            Surface::Canvus
        } else if under("/api/v2") {
            Surface::LaunchDarkly
        } else if under("/oauth2") {
            Surface::OAuth
        } else {
            Surface::Own
        }
    }

    fn tunnels_methods(&self, surface: Surface) -> bool {
        surface == Surface::LaunchDarkly
    }

    fn bad_method_override(
        &self,
        surface: Surface,
        refusal: BadMethodOverride,
        id: &RequestId,
    ) -> axum::http::Response<Body> {
        surface.tell(Trouble::Invalid { message: refusal.to_string(), pointer: None }, id)
    }

    fn panicked(&self, surface: Surface, id: &RequestId) -> axum::http::Response<Body> {
        surface.tell(Trouble::Internal, id)
    }
}
