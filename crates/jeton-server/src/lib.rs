//! Jeton over HTTP: shared plumbing, then one folder a surface.
//!
//! A surface translates and decides nothing. It reads its own wire form into a command, calls one method of the service,
//! and writes the outcome in its own words:
//!
//! | place | what it is |
//! |---|---|
//! | [`http`] | sockets, limits, bodies, ids: knows no token |
//! | `gate` | who is asking, and whether too often |
//! | `lanes` | the way of a request to its handler |
//! | `ask` | an admitted request, whole |
//! | `trouble` | everything that a surface may have to say no to, in one closed list |
//! | `canvus` | Canvus v1, under `/api/v1` |
//! | `launchdarkly` | LaunchDarkly v2, under `/api/v2` |
//! | `pages` | lists that are too long for one piece |
//! | `streams` | answers that go on for as long as somebody listens |
//! | [`verify`] | whether a token is good, for services and gateways |
//! | `metrics` | what is counted |
//! | `explain` | why a token may do something, or why not |
//! | `changes` | everything that happens in an account, live |
//! | `operations` | whether the server lives and is ready |
//! | [`openapi`] | the document of all of it |

mod ask;
mod canvus;
mod changes;
mod explain;
mod gate;
pub mod http;
mod lanes;
mod launchdarkly;
mod metrics;
pub mod openapi;
mod operations;
mod origin;
mod pages;
mod routes;
mod streams;
mod surfaces;
mod trouble;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use jeton_service::Service;

use crate::gate::Gate;
use crate::http::Edge;
use crate::http::rate_limit::RateLimit;
use crate::http::request_id::RequestIds;
use crate::lanes::Lanes;
use crate::metrics::Metrics;
use crate::surfaces::Surfaces;
use crate::verify::VerifySettings;
use crate::verify::grpc::Grpc;

/// What an operator may choose about the surfaces.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often one token may ask.
    pub token_requests: RateLimit,
    /// How often one address may fail to authenticate. Good secrets from the same address are never held up by it.
    pub failed_authentications: RateLimit,
    /// How often somebody may give a wrong password for one address. Tokens of that person are never held up by it.
    pub failed_logins: RateLimit,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// How long a stream may be silent before it gives a sign of life.
    pub stream_keepalive: Duration,
    /// Whether the server speaks TLS itself, for addresses of its own that it tells.
    pub tls: bool,
    /// What may be chosen about verification.
    pub verify: VerifySettings,
    /// Jeton's version, as `server-info` gives it.
    pub version: &'static str,
    /// What tells this installation from others, in the shape of a UUID.
    pub server_id: String,
    /// Randomness for what attackers must not guess: how request ids begin, where rate limits keep their counts.
    pub seeds: [u64; 7],
}

impl Default for Settings {
    fn default() -> Self {
        let window = Duration::from_secs(10);
        Self {
            token_requests: RateLimit { requests: 10_000, window },
            failed_authentications: RateLimit { requests: 100, window },
            failed_logins: RateLimit { requests: 10, window: Duration::from_mins(1) },
            max_body_bytes: 256 * 1024,
            body_timeout: Duration::from_secs(30),
            stream_keepalive: Duration::from_secs(15),
            tls: false,
            verify: VerifySettings::default(),
            version: env!("CARGO_PKG_VERSION"),
            server_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            seeds: [0; 7],
        }
    }
}

/// All surfaces over one service that are HTTP, to be served.
pub type App = Edge<Lanes, Surfaces>;

/// Envoy's authorization service over gRPC, to be served at an address of its own.
pub type GrpcApp = Edge<Grpc, Surfaces>;

/// Everything over one service that can be served. Both share their limits and their counts.
#[derive(Debug)]
pub struct Apps {
    /// What speaks HTTP.
    pub http: App,
    /// What speaks gRPC.
    pub grpc: GrpcApp,
}

/// Builds all surfaces over one service.
pub fn apps(service: Service, settings: Settings) -> Apps {
    let seed = settings.seeds[0];
    let shared =
        Arc::new(Shared { gate: Gate::new(&settings), metrics: Metrics::default(), service, settings });
    let grpc = Grpc::new(Arc::clone(&shared));
    let router = Router::new()
        .merge(canvus::routes())
        .merge(launchdarkly::routes())
        .merge(operations::routes())
        .merge(verify::routes())
        .fallback(operations::no_such_route);
    let lanes = if shared.service.may_be_stale() {
        let router = router.layer(from_fn_with_state(Arc::clone(&shared), operations::say_its_age));
        Lanes::routed(router.with_state(shared))
    } else {
        Lanes::direct(router.with_state(Arc::clone(&shared)), shared)
    };
    Apps {
        http: Edge::new(lanes, RequestIds::new(seed), Surfaces),
        // Ids that begin otherwise, so that no two requests are called the same.
        grpc: Edge::new(grpc, RequestIds::new(!seed), Surfaces),
    }
}

/// As [`apps`], for who serves HTTP alone.
pub fn app(service: Service, settings: Settings) -> App {
    apps(service, settings).http
}

/// What every handler can reach.
pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) gate: Gate,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
}
