//! Verification: every surface on which somebody asks whether a token is good and what it may do. The verdict is the
//! service's; each surface only translates it.
//!
//! | path | who asks |
//! |---|---|
//! | `POST /oauth2/introspect`, `POST /oauth2/revoke` | clients of RFC 7662 and RFC 7009 ([`oauth2`]) |
//! | `POST /verify` | services, about one secret or many ([`json`]) |
//! | `/verify/x-original`, `/verify/x-forwarded`, `/ext-authz/…` | gateways, about the request before them ([`forward`]) |
//! | `envoy.service.auth.v3.Authorization/Check`, at an address of its own | Envoy, over gRPC ([`grpc`]) |
//!
//! A stranger never learns why a secret is not good: unknown, revoked and expired look alike. The log says why at level debug,
//! as far as that is still known.

pub(crate) mod asker;
mod decision;
mod forward;
pub mod grpc;
mod headers;
mod issuer;
mod json;
pub(crate) mod oauth2;
mod requirement;
mod route_map;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use axum::routing::{Router, any, get, post};
use ipnet::IpNet;

pub use route_map::{BadRouteMap, Decided, Denied, Need, RouteMap, RouteName};

use crate::Shared;
use crate::http::request_id;
use crate::operations::no_such_method;
use crate::routes::{self, Path};

/// What an operator may choose about verification.
#[derive(Clone, Debug, Default)]
pub struct VerifySettings {
    /// Gateways that may ask about the requests before them, besides those on this machine, and whose word on where a
    /// request came from is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// For how long a gateway may keep a good answer. Zero: not at all. Anything else breaks the promise that a revoked
    /// token is dead, for as long.
    pub max_age: Duration,
    /// Which request needs what, for gateways that say only what was asked for.
    pub route_map: Option<Arc<RouteMap>>,
}

impl VerifySettings {
    /// Whether this is a gateway whose word is taken: on this machine, or named by the operator.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    // The root of what is protected, which no wildcard fits.
    routes::exactly(paths()).route("/ext-authz/", any(forward::ext_authz))
}

/// Every path there is.
pub(crate) fn paths() -> Vec<Path> {
    vec![
        ("/oauth2/introspect", post(oauth2::introspect).fallback(oauth2::no_such_method)),
        ("/oauth2/revoke", post(oauth2::revoke).fallback(oauth2::no_such_method)),
        ("/.well-known/oauth-authorization-server", get(oauth2::metadata).fallback(no_such_method)),
        ("/verify", post(json::verify).fallback(no_such_method)),
        ("/verify/x-original", get(forward::x_original).fallback(no_such_method)),
        ("/verify/x-forwarded", get(forward::x_forwarded).fallback(no_such_method)),
        ("/ext-authz/{*path}", any(forward::ext_authz)),
    ]
}

/// A question that gateways and services ask before each request of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hot {
    Forwarded,
    Original,
    Envoys,
    Introspection,
    Json,
}

/// An answer that is being made.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl Hot {
    /// The question that is asked with this method at this path, if it is one of these.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::GET, "/verify/x-forwarded") => Some(Self::Forwarded),
            (&Method::GET, "/verify/x-original") => Some(Self::Original),
            (&Method::POST, "/oauth2/introspect") => Some(Self::Introspection),
            (&Method::POST, "/verify") => Some(Self::Json),
            // The router takes the bodies of answers to HEAD away.
            (method, path) if method != Method::HEAD && forward::is_envoys(path) => Some(Self::Envoys),
            _ => None,
        }
    }

    /// Answers it, as its route does.
    pub(crate) fn answer(self, shared: &Arc<Shared>, request: Request) -> Answering {
        let shared = State(Arc::clone(shared));
        match self {
            Self::Forwarded => Box::pin(forward::x_forwarded(shared, request)),
            Self::Original => Box::pin(forward::x_original(shared, request)),
            Self::Envoys => Box::pin(forward::ext_authz(shared, request)),
            Self::Introspection => Box::pin(oauth2::introspect(shared, request)),
            Self::Json => Box::pin(json::verify(shared, request)),
        }
    }
}

/// A head that answers are given copies of: that is cheaper than putting it together for each. For answers that leave through
/// an [`Edge`](crate::http::Edge) only, which puts their id in its place.
fn head(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> HeaderMap {
    // With room for the id that every answer gets.
    headers.into_iter().chain([(request_id::HEADER, HeaderValue::from_static("-"))]).collect()
}

/// Nobody on the way may keep what was said of a secret.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// As the cache headers of HTTP/1.0 say it (RFC 7662, section 4 asks for caches to be thought of).
const PRAGMA: (HeaderName, HeaderValue) =
    (HeaderName::from_static("pragma"), HeaderValue::from_static("no-cache"));
