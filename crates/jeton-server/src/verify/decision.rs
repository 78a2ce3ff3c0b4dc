//! Whether a request that a gateway has before it may pass: one decision, whatever words the gateway asks in.
//!
//! What a request needs stands in the gateway's own address (`action` and `resource`), or follows from the route map. With
//! neither, a good token is enough.

use std::sync::Arc;

use axum::http::HeaderMap;
use jeton_service::{Requirement, Verdict, Verified};

use super::asker::{Asker, client_of};
use super::{Need, requirement};
use crate::Shared;
use crate::gate::{Prefers, presented};
use crate::http::listen::Peer;
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::trouble::Trouble;

/// A request before a gateway.
pub(super) struct Question<'a> {
    pub(super) surface: Surface,
    pub(super) asker: Asker,
    /// Whoever is known to have sent it on, and whose word is taken on where it came from: failures are counted against that.
    pub(super) peer: Peer,
    /// The client's, with its secret among them.
    pub(super) headers: &'a HeaderMap,
    pub(super) method: &'a str,
    /// The path with its query, as the client sent it.
    pub(super) uri: &'a str,
    /// What the gateway's own address says of what is needed.
    pub(super) query: Query<'a>,
}

/// Lets the request through, with who sent it if that was asked; or says what to answer it.
pub(super) async fn decide(
    shared: &Arc<Shared>,
    question: &Question<'_>,
) -> Result<Option<Verified>, Trouble> {
    let need = need(shared, question)?;
    let requirement = match &need {
        Need::Nothing => return Ok(None),
        Need::Denied(_) => {
            // A stranger is not told which paths there are.
            verified(shared, question, None).await?;
            return Err(Trouble::Forbidden);
        }
        Need::Token => None,
        Need::Permission { action, resource } => {
            requirement::read(Some(action), Some(resource)).map_err(Trouble::invalid)?
        }
    };
    verified(shared, question, requirement).await.map(Some)
}

/// Whether words that only the gateway may say came with its client's query. Some gateways hand that on where the address
/// in their configuration has no query of its own (Caddy does), and then the client would choose what it needs. They are
/// not passed over: where the operator did write them, a client that sends the very same must not make them vanish.
fn is_the_clients(query: Query<'_>, uri: &str) -> bool {
    let Some((_, theirs)) = uri.split_once('?') else { return false };
    let ours = ["action", "resource", "on_limit"];
    ours.into_iter().any(|name| Query::from_text(theirs).has(name)) && query.text().contains(theirs)
}

const THE_CLIENTS: &str = "the gateway hands its client's query on to this server: write its address with a query of its \
                           own, or end it with ?";

/// What the request needs: as the gateway's own address says, or else the route map.
fn need(shared: &Shared, question: &Question<'_>) -> Result<Need, Trouble> {
    let Question { method, uri, query, .. } = *question;
    if is_the_clients(query, uri) {
        return Err(Trouble::invalid(THE_CLIENTS));
    }
    match (query.first("action"), query.first("resource")) {
        (Some(action), Some(resource)) => {
            Ok(Need::Permission { action: action.into_owned(), resource: resource.into_owned() })
        }
        (None, None) => {
            Ok(shared.settings.verify.route_map.as_ref().map_or(Need::Token, |map| map.need(method, uri)))
        }
        _ => Err(Trouble::invalid(requirement::APART)),
    }
}

async fn verified(
    shared: &Arc<Shared>,
    question: &Question<'_>,
    requirement: Option<Requirement<'_>>,
) -> Result<Verified, Trouble> {
    let failed = |trouble| {
        let client = client_of(shared, question.headers, question.peer);
        shared.gate.failed(&shared.service, client, trouble)
    };
    let Some(secret) = presented(question.headers, Prefers::Authorization) else {
        return Err(failed(Trouble::NoSecret));
    };
    let session = match &question.asker {
        Asker::Gateway => None,
        Asker::Session(session) => Some(session),
    };
    let presented = shared.service.present(secret);
    match shared.verdict(question.surface, session, presented, requirement).await? {
        Verdict::Allowed(verified) => Ok(verified),
        Verdict::Forbidden(_) => Err(Trouble::Forbidden),
        Verdict::Inactive => Err(failed(Trouble::BadSecret)),
    }
}
