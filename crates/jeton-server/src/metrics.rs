//! What is counted, for `/metrics` (OpenMetrics 1.0).
//!
//! Counting must not make cores wait for one another, so each thread counts in a place of its own, on a cache line of its
//! own, and whoever reads adds the places up.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jeton_service::{Presented, Requirement, Session, Verdict};

use crate::Shared;
use crate::operations::tell;
use crate::origin::Origin;
use crate::trouble::Trouble;
use crate::verify::asker::Asker;

/// Where somebody asks about a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Surface {
    Introspection,
    Json,
    Forward,
    ExtAuthz,
}

const SURFACES: [(Surface, &str); 4] = [
    (Surface::Introspection, "introspection"),
    (Surface::Json, "json"),
    (Surface::Forward, "forward"),
    (Surface::ExtAuthz, "ext_authz"),
];
const RESULTS: [&str; 3] = ["allowed", "forbidden", "inactive"];
/// Places to count in: more than the threads that count in most installations. Two that share one are only slower.
const PLACES: usize = 64;

/// Everything that is counted.
pub(crate) struct Metrics {
    places: Box<[Place]>,
}

#[derive(Default)]
#[repr(align(128))]
struct Place {
    verifications: [[AtomicU64; RESULTS.len()]; SURFACES.len()],
}

impl Default for Metrics {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Place::default()).collect() }
    }
}

thread_local! {
    /// The place of this thread.
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}

fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PLACE.with(|place| {
        place.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
            place.set(Some(next));
            next
        })
    })
}

impl Metrics {
    pub(crate) fn count(&self, surface: Surface, verdict: &Verdict) {
        let result = match verdict {
            Verdict::Allowed(_) => 0,
            Verdict::Forbidden(_) => 1,
            Verdict::Inactive => 2,
        };
        self.places[place()].verifications[surface as usize][result].fetch_add(1, Ordering::Relaxed);
    }

    fn verifications(&self, surface: Surface, result: usize) -> u64 {
        let of = |place: &Place| place.verifications[surface as usize][result].load(Ordering::Relaxed);
        self.places.iter().map(of).sum()
    }
}

impl Shared {
    /// The verdict on what was presented, counted; in a cluster, also if another node has issued it a moment ago.
    pub(crate) async fn verdict(
        &self,
        surface: Surface,
        asker: Option<&Session>,
        presented: Option<Presented>,
        requirement: Option<Requirement<'_>>,
    ) -> Result<Verdict, Trouble> {
        self.seek(&[presented]).await?;
        self.verdict_on_sought(surface, asker, presented, requirement)
    }

    /// As [`Shared::verdict`], on one of several that were sought together.
    pub(crate) fn verdict_on_sought(
        &self,
        surface: Surface,
        asker: Option<&Session>,
        presented: Option<Presented>,
        requirement: Option<Requirement<'_>>,
    ) -> Result<Verdict, Trouble> {
        let verdict = self.service.verify(asker, presented, requirement).map_err(Trouble::Failed)?;
        self.metrics.count(surface, &verdict);
        Ok(verdict)
    }

    /// Waits until these are known here, if they are anywhere.
    pub(crate) async fn seek(&self, presented: &[Option<Presented>]) -> Result<(), Trouble> {
        self.service.seek_presented(presented).await.map_err(Trouble::Failed)
    }

    fn written(&self) -> String {
        let service = &self.service;
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
            for (sample, value) in samples {
                let _ = writeln!(text, "{name}{sample} {value}");
            }
        };
        let build = format!("_info{{version=\"{}\"}}", self.settings.version);
        family("jeton_build", "info", "The version that runs.", &[(build, 1)]);
        let mut verifications = Vec::new();
        for (surface, surface_name) in SURFACES {
            for (result, result_name) in RESULTS.into_iter().enumerate() {
                let sample = format!("_total{{surface=\"{surface_name}\",result=\"{result_name}\"}}");
                verifications.push((sample, self.metrics.verifications(surface, result)));
            }
        }
        family("jeton_verifications", "counter", "Secrets asked about, by what came of it.", &verifications);
        let gauge = |value: u64| [(String::new(), value)];
        let index = service.index();
        family("jeton_tokens", "gauge", "Tokens in the index.", &gauge(index.tokens()));
        let bytes = index.bytes() as u64;
        family("jeton_index_bytes", "gauge", "Memory of the table of secrets.", &gauge(bytes));
        family("jeton_revision", "gauge", "The last change known.", &gauge(index.revision().number()));
        let streams = service.watches() as u64;
        family("jeton_streams", "gauge", "Streams that are open.", &gauge(streams));
        if let Some(standing) = service.standing() {
            let age = standing.age.map_or(u64::MAX, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            let help = "How old what this node knows may be.";
            family("jeton_knowledge_age_milliseconds", "gauge", help, &gauge(age));
            let help = "Whether it has outlived its lease.";
            family("jeton_lease_expired", "gauge", help, &gauge(standing.is_overdue.into()));
            let others = standing.others as u64;
            family("jeton_other_nodes", "gauge", "Other nodes that are registered.", &gauge(others));
        }
        text.push_str("# EOF\n");
        text
    }
}

/// The figures, for those who may ask about secrets: a monitor on this machine, or one with a token.
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match Asker::gateway(&shared, Origin::of(&request)).await {
        Ok(_) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            (StatusCode::OK, [(CONTENT_TYPE, kind)], shared.written()).into_response()
        }
        Err(trouble) => tell(&trouble),
    }
}
