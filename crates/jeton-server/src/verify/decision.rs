//! Whether a request that a gateway has before it may pass: one decision, whatever words the gateway asks in.
//!
//! What a request needs stands in the gateway's own address (`action` and `resource`), or follows from the route map. With
//! neither, a good token is enough.

use std::sync::Arc;

use jeton_service::{Requirement, Verdict, Verified};

use super::asker::Asker;
use super::{Need, requirement};
use crate::Shared;
use crate::gate::{Prefers, presented};
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::origin::Origin;
use crate::trouble::Trouble;

/// A request before a gateway.
pub(super) struct Question<'a> {
    pub(super) surface: Surface,
    pub(super) asker: Asker,
    /// Whoever is known to have sent it on, and the client's headers, with its secret among them.
    pub(super) origin: Origin<'a>,
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
        Need::Permission { action, resource } => {
            requirement::read(Some(action), Some(resource)).map_err(Trouble::invalid)?
        }
        Need::Token | Need::Denied(_) => None,
    };
    match verdict(shared, question, requirement, !matches!(need, Need::Denied(_))).await? {
        Verdict::Allowed(verified) => Ok(Some(verified)),
        Verdict::Forbidden(_) => Err(Trouble::Forbidden),
        Verdict::Inactive => Err(shared.gate.failed(&shared.service, question.origin, Trouble::BadSecret)),
    }
}

/// What a gateway may say in the address that it asks at.
const WORDS: [&str; 3] = ["action", "resource", "on_limit"];

const THE_CLIENTS: &str = "the gateway hands its client's query on to this server: write its address with a query of its \
                           own, or end it with ?";

/// Insists that the query of the address means something, and one thing only.
///
/// Some gateways hand their client's query on where the address in their configuration has none of its own (Caddy does), and
/// then the client would choose what it needs. Its words are not passed over: where the operator did write them, a client
/// that sends the very same must not make them vanish. What else the client says is nothing to us; what else the operator
/// says is a mistake, and one that lets too much through.
fn check(query: Query<'_>, uri: &str) -> Result<(), Trouble> {
    let theirs = uri.split_once('?').map_or("", |(_, theirs)| theirs);
    let is_handed_on = !theirs.is_empty() && query.text().contains(theirs);
    if is_handed_on && WORDS.into_iter().any(|name| Query::from_text(theirs).has(name)) {
        return Err(Trouble::invalid(THE_CLIENTS));
    }
    let mut said = [0; WORDS.len()];
    for (name, _) in query.pairs() {
        match WORDS.iter().position(|word| *word == name) {
            Some(at) => said[at] += 1,
            None if is_handed_on => {}
            None => {
                let words = WORDS.join(", ");
                return Err(Trouble::invalid(format!(
                    "the query of this address may hold {words}, and nothing else"
                )));
            }
        }
    }
    match WORDS.iter().zip(said).find(|(_, times)| *times > 1) {
        Some((word, _)) => Err(Trouble::invalid(format!("the query of this address may hold {word} once"))),
        None => Ok(()),
    }
}

/// What the request needs: as the gateway's own address says, or else the route map.
fn need(shared: &Shared, question: &Question<'_>) -> Result<Need, Trouble> {
    let Question { method, uri, query, .. } = *question;
    check(query, uri)?;
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

/// The verdict on the secret of the request, counted. Where there is no way through, a good one is forbidden, and of a wrong
/// one no more is said than anywhere: a stranger is not told which paths there are.
async fn verdict(
    shared: &Arc<Shared>,
    question: &Question<'_>,
    requirement: Option<Requirement<'_>>,
    is_a_way: bool,
) -> Result<Verdict, Trouble> {
    let Some(secret) = presented(question.origin.headers, Prefers::Neither) else {
        return Err(shared.gate.failed(&shared.service, question.origin, Trouble::NoSecret));
    };
    let session = match &question.asker {
        Asker::Gateway => None,
        Asker::Session(session) => Some(session),
    };
    let presented = shared.service.present(secret);
    shared.seek(&[presented]).await?;
    let verdict = match shared.service.verify(session, presented, requirement).map_err(Trouble::Failed)? {
        Verdict::Allowed(verified) if !is_a_way => Verdict::Forbidden(verified),
        verdict => verdict,
    };
    shared.metrics.count(question.surface, &verdict);
    Ok(verdict)
}
