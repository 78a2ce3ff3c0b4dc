//! Token introspection (RFC 7662) and revocation (RFC 7009), and the document that says where they are (RFC 8414).
//!
//! Whoever introspects authenticates with a token of this server that may ask about others: as the password of
//! `client_secret_basic`, as `client_secret` in the form, or as a bearer token. The client id is not looked at: a secret
//! says who it is. A token may always ask about itself.
//!
//! Revocation asks for nothing but the secret: whoever has found one somewhere can kill it.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jeton_service::{Session, Verdict, Verified};
use percent_encoding::percent_decode_str;
use serde_json::json;
use zeroize::Zeroizing;

use super::json::{scope, subject};
use super::{NO_STORE, PRAGMA, head, issuer, requirement};
use crate::Shared;
use crate::ask::{self, Stranger};
use crate::gate::{Prefers, behind_scheme, presented};
use crate::http::json::Json;
use crate::http::query::Query;
use crate::metrics::Surface;
use crate::operations::{reply, retry_after, words};
use crate::trouble::Trouble;

/// More than an error takes besides its description, in bytes.
const SHORT: usize = 80;

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) async fn introspect(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let answered = async {
        let stranger = ask::of_stranger(&shared, request).await;
        let stranger = stranger.map_err(|trouble| Answer::of(trouble, Way::Form))?;
        // Whoever has not said who they are is told that first, whatever else may be wrong.
        let form = form(&stranger);
        let secret = form.as_ref().ok().and_then(|form| form.client_secret.clone());
        let (asker, way) = asker(&stranger, secret).await?;
        let form = form?;
        let requirement = requirement::read(form.action.as_deref(), form.resource.as_deref());
        let requirement = requirement.map_err(Answer::invalid)?;
        let presented = shared.service.present(&form.token);
        shared.service.may_ask(&asker, presented).map_err(|error| Answer::of(error.into(), way))?;
        let verdict = shared.verdict(Surface::Introspection, Some(&asker), presented, requirement).await;
        let body = match verdict.map_err(|trouble| Answer::of(trouble, way))? {
            Verdict::Allowed(verified) => active(&verified),
            // Nothing is added: not even that there is such a token (section 2.2).
            Verdict::Forbidden(_) | Verdict::Inactive => br#"{"active":false}"#.to_vec(),
        };
        Ok::<_, Answer>(body)
    };
    match answered.await {
        Ok(body) => {
            let mut response = Response::new(Body::from(body));
            *response.headers_mut() = INTROSPECTED.clone();
            response
        }
        Err(answer) => {
            let mut response = answer.into_response();
            response.headers_mut().insert(PRAGMA.0, PRAGMA.1);
            response
        }
    }
}

static INTROSPECTED: LazyLock<HeaderMap> = LazyLock::new(|| {
    let json = HeaderValue::from_static("application/json");
    head([(CONTENT_TYPE, json), (CACHE_CONTROL, NO_STORE), PRAGMA])
});

pub(crate) async fn revoke(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let answered = async {
        let stranger = ask::of_stranger(&shared, request).await;
        let stranger = stranger.map_err(|trouble| Answer::of(trouble, Way::Form))?;
        let form = form(&stranger)?;
        // Whoever says who they are has to be right about it; nobody has to say.
        let is_nobody = credential(&stranger.headers, form.client_secret.clone())?.is_none();
        if !is_nobody {
            asker(&stranger, form.client_secret.clone()).await?;
        }
        let revoked = shared.service.revoke_by_secret(&form.token).await;
        let was_good = revoked.map_err(|error| Answer::of(error.into(), Way::Form))?;
        if is_nobody && !was_good {
            let counted = shared.gate.failed(&shared.service, stranger.origin(), Trouble::BadSecret);
            if matches!(counted, Trouble::TooManyFailures(_)) {
                return Err(Answer::of(counted, Way::Form));
            }
        }
        Ok(())
    };
    match answered.await {
        // Also for what was no good token: it is not one now (section 2.2).
        Ok(()) => (StatusCode::OK, [(CACHE_CONTROL, NO_STORE)]).into_response(),
        Err(answer) => answer.into_response(),
    }
}

pub(crate) async fn no_such_method() -> Response {
    tell(Trouble::NoSuchMethod)
}

/// What is answered in place of a handler.
pub(crate) fn tell(trouble: Trouble) -> Response {
    Answer::of(trouble, Way::Form).into_response()
}

/// Where everything is, as the request's own address says.
pub(crate) async fn metadata(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let base = issuer::of(&shared, &request);
    let methods = ["client_secret_basic", "client_secret_post"];
    // RFC 8414, section 2: a type of access token is a method of introspection too.
    let document = json!({
        "issuer": base,
        "introspection_endpoint": format!("{base}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": [methods[0], methods[1], "Bearer"],
        "revocation_endpoint": format!("{base}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none", methods[0], methods[1]],
        "response_types_supported": [],
        "grant_types_supported": [],
        "service_documentation": format!("{base}/openapi.json"),
    });
    reply(StatusCode::OK, document.to_string())
}

/// The form of either request. What else is in it is nobody's business (RFC 7662, section 2.1).
struct Form {
    token: Zeroizing<String>,
    client_secret: Option<Zeroizing<String>>,
    action: Option<String>,
    resource: Option<String>,
}

fn form(stranger: &Stranger) -> Result<Form, Answer> {
    let kind = stranger.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)) {
        return Err(Answer::invalid(
            "the body must be a form: Content-Type: application/x-www-form-urlencoded",
        ));
    }
    let text = std::str::from_utf8(&stranger.body).map_err(|_| Answer::invalid("the body is not UTF-8"))?;
    let mut form = Parameters::default();
    for (name, value) in Query::from_text(text).pairs() {
        let place = match &*name {
            "token" => &mut form.token,
            // A hint about where to look, and there is only one place (RFC 7662, section 2.1).
            "token_type_hint" => &mut form.token_type_hint,
            "client_id" => &mut form.client_id,
            "client_secret" => &mut form.client_secret,
            "action" => &mut form.action,
            "resource" => &mut form.resource,
            _ => continue,
        };
        // RFC 6749, section 3.2: a parameter comes once at the most, and one without a value is left out.
        if place.is_some() {
            return Err(Answer::invalid(format!("{name} is given twice")));
        }
        *place = Some(value.into_owned().into());
    }
    let given = |place: Option<Zeroizing<String>>| place.filter(|value| !value.is_empty());
    let plain = |place| given(place).map(|value| value.as_str().to_owned());
    let token = given(form.token);
    Ok(Form {
        token: token.ok_or_else(|| Answer::invalid("token is missing: the secret to ask about"))?,
        client_secret: given(form.client_secret),
        action: plain(form.action),
        resource: plain(form.resource),
    })
}

/// What a form may say, as it says it. Wiped from memory afterwards, since some of it is secret.
#[derive(Default)]
struct Parameters {
    token: Option<Zeroizing<String>>,
    token_type_hint: Option<Zeroizing<String>>,
    client_id: Option<Zeroizing<String>>,
    client_secret: Option<Zeroizing<String>>,
    action: Option<Zeroizing<String>>,
    resource: Option<Zeroizing<String>>,
}

/// How somebody says who they are.
struct Credential {
    secret: Zeroizing<String>,
    way: Way,
}

/// Where the secret of whoever asks stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`, or nowhere because nobody has to say.
    Form,
    /// As the secret of every other call does.
    Bearer,
}

/// The secret with which the asker authenticates, if there is one.
fn credential(headers: &HeaderMap, in_form: Option<Zeroizing<String>>) -> Result<Option<Credential>, Answer> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let basic = behind_scheme(authorization, "basic ")
        .map(|encoded| password(encoded.trim()).ok_or_else(|| Answer::client(Way::Basic)))
        .transpose()?;
    let in_header = match basic {
        Some(secret) => Some(Credential { secret, way: Way::Basic }),
        None => presented(headers, Prefers::Authorization)
            .map(|secret| Credential { secret: secret.to_owned().into(), way: Way::Bearer }),
    };
    match (in_header, in_form) {
        (Some(_), Some(_)) => Err(Answer::invalid("authenticate in one way: in the header or in the form")),
        (Some(credential), None) => Ok(Some(credential)),
        (None, Some(secret)) => Ok(Some(Credential { secret, way: Way::Form })),
        (None, None) => Ok(None),
    }
}

/// The password of `client_secret_basic`, both halves of which are form-encoded (RFC 6749, section 2.3.1).
fn password(encoded: &str) -> Option<Zeroizing<String>> {
    let pair = Zeroizing::new(String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?);
    let (_, password) = pair.split_once(':')?;
    Some(percent_decode_str(password).decode_utf8().ok()?.into_owned().into())
}

async fn asker(stranger: &Stranger, in_form: Option<Zeroizing<String>>) -> Result<(Session, Way), Answer> {
    let Stranger { shared, headers, .. } = stranger;
    let credential = credential(headers, in_form)?;
    let way = credential.as_ref().map_or(Way::Bearer, |credential| credential.way);
    let presented = credential.as_ref().map(|credential| credential.secret.as_str());
    match shared.gate.identify(&shared.service, presented, stranger.origin()).await {
        Ok(session) => Ok((session, way)),
        Err(Trouble::NoSecret | Trouble::BadSecret) if way != Way::Bearer => Err(Answer::client(way)),
        Err(trouble) => Err(Answer::of(trouble, way)),
    }
}

fn active(it: &Verified) -> Vec<u8> {
    let mut text = Vec::with_capacity(384);
    let mut json = Json::onto(&mut text);
    json.raw(r#"{"active":true,"scope":"#).plain(scope(it).as_bytes());
    json.raw(r#","token_type":"Bearer","sub":"#).plain(subject(it).hex().as_bytes());
    if it.kind.is_of_a_person() {
        json.raw(r#","username":"#).text(&it.member.email);
    }
    json.raw(r#","client_id":"#).plain(it.token.hex().as_bytes());
    json.raw(r#","jti":"#).plain(it.token.hex().as_bytes());
    if let Some(end) = it.expires_at {
        // Rounded down: nobody may take it for good when it is not.
        json.raw(r#","exp":"#).value(&end.as_millis().div_euclid(1000));
    }
    json.raw(r#","iat":"#).value(&it.token.made_at().as_millis().div_euclid(1000));
    json.raw(r#","kind":"#).plain(it.kind.as_str().as_bytes());
    json.raw(r#","account":"#).plain(it.member.account.hex().as_bytes());
    if it.retiring {
        json.raw(r#","retiring":true"#);
    }
    json.raw("}");
    text
}

/// What is answered in place of what was asked, in the words of RFC 6749, section 5.2, whatever it is: clients of OAuth
/// read nothing else.
struct Answer {
    status: StatusCode,
    error: &'static str,
    description: String,
    challenge: Option<&'static str>,
    /// What else a client is to know: when to try again.
    trouble: Option<Box<Trouble>>,
}

impl Answer {
    fn invalid(description: impl Into<String>) -> Self {
        let (status, description) = (StatusCode::BAD_REQUEST, description.into());
        Self { status, error: "invalid_request", description, challenge: None, trouble: None }
    }

    fn client(way: Way) -> Self {
        let description = "The client's secret is no good token of this server".to_owned();
        // Every 401 has a challenge, also where there is no scheme for what was tried (RFC 9110, section 15.5.2).
        let challenge = if way == Way::Basic { r#"Basic realm="jeton""# } else { r#"Bearer realm="jeton""# };
        let status = StatusCode::UNAUTHORIZED;
        Self { status, error: "invalid_client", description, challenge: Some(challenge), trouble: None }
    }

    /// Anything else that stood in the way.
    fn of(trouble: Trouble, way: Way) -> Self {
        let (status, description) = words(&trouble);
        let bearer = |challenge| Some(challenge).filter(|_| way == Way::Bearer);
        let (error, challenge) = match (status, &trouble) {
            (StatusCode::UNAUTHORIZED, Trouble::NoSecret) => {
                ("invalid_client", bearer(r#"Bearer realm="jeton""#))
            }
            (StatusCode::UNAUTHORIZED, _) => {
                ("invalid_token", Some(r#"Bearer realm="jeton", error="invalid_token""#))
            }
            (StatusCode::FORBIDDEN, _) => {
                ("insufficient_scope", bearer(r#"Bearer realm="jeton", error="insufficient_scope""#))
            }
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => {
                ("temporarily_unavailable", None)
            }
            (status, _) if status.is_server_error() => ("server_error", None),
            _ => ("invalid_request", None),
        };
        Self { status, error, description, challenge, trouble: Some(Box::new(trouble)) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        // Neither may stand in a description (RFC 6749, section 5.2).
        let description = self.description.replace(['"', '\\'], "'");
        let mut text = Vec::with_capacity(SHORT + description.len());
        let mut json = Json::onto(&mut text);
        json.raw(r#"{"error":"#).plain(self.error.as_bytes());
        json.raw(r#","error_description":"#).text(&description).raw("}");
        let mut response = reply(self.status, text);
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(trouble) = &self.trouble {
            retry_after(&mut response, trouble);
        }
        response
    }
}
