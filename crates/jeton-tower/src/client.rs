//! Asks a jeton about secrets: over connections that are kept, in bounded time, with a bounded number of questions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::address::Address;
use crate::answer::Answer;
use crate::presented::could_be;

const TIME_OUT: Duration = Duration::from_secs(1);
const AT_ONCE: usize = 256;
/// Less than the 75 seconds for which a jeton keeps a connection without a request, so that few are used that it closes.
const IDLE: Duration = Duration::from_secs(30);
/// An answer has some hundred bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Asks one jeton. Clones share its connections, and the bound on questions at once.
#[derive(Clone)]
pub struct JetonClient {
    client: Client<Address, Full<Bytes>>,
    question: Uri,
    credential: HeaderValue,
    time_out: Duration,
    at_once: Arc<Semaphore>,
}

/// What a client can't be made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadClient {
    /// The address is none.
    #[error(
        "jeton's address is http://HOST:PORT or unix:/PATH; for https put a proxy on this machine before it"
    )]
    Address,
    /// The service's own token is none.
    #[error("the service's own token is empty, too long, or holds what no token holds")]
    Token,
}

/// Why a question has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// There are as many questions under way as may be.
    #[error("too many questions at once")]
    Overloaded,
    /// No answer came in time.
    #[error("no answer in time")]
    TimedOut,
    /// Nobody is there, or the connection broke.
    #[error("no connection")]
    Unreachable,
    /// Jeton said that it can't answer: 401 and 403 mean that the service's own token may not ask, 400 that the action or
    /// the resource is none, 429 that the service asks too often.
    #[error("jeton answered {0}")]
    Refused(StatusCode),
    /// What came is no answer.
    #[error("what answered is no jeton")]
    Nonsense,
}

#[derive(Serialize)]
struct Question<'a> {
    secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
}

impl JetonClient {
    /// A client for the jeton at `http://HOST:PORT` or `unix:/PATH`, which asks with a token of the service's own: a
    /// service token, or one that may `verifyToken`.
    ///
    /// Opens no connection yet, and may be called outside of a runtime.
    ///
    /// # Errors
    /// The address is none, or the token can't be one.
    pub fn new(address: &str, token: &str) -> Result<Self, BadClient> {
        let (address, question) = Address::read(address).ok_or(BadClient::Address)?;
        let token = token.trim();
        let credential = could_be(token).then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut credential = credential.flatten().ok_or(BadClient::Token)?;
        credential.set_sensitive(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(address);
        let at_once = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { client, question, credential, time_out: TIME_OUT, at_once })
    }

    /// How long an answer may take, connecting included: a second if nothing is said.
    #[must_use]
    pub fn time_out(self, time_out: Duration) -> Self {
        Self { time_out, ..self }
    }

    /// How many questions may be under way at once: 256 if nothing is said. More are not asked, nor kept waiting.
    #[must_use]
    pub fn at_once(self, questions: usize) -> Self {
        Self { at_once: Arc::new(Semaphore::new(questions.min(Semaphore::MAX_PERMITS))), ..self }
    }

    /// Asks whether a secret is good, and, if an action and a resource are given, whether it may do that.
    ///
    /// # Errors
    /// Why there is no answer. Nothing follows from that about the secret.
    pub async fn ask(&self, secret: &str, permission: Option<(&str, &str)>) -> Result<Answer, Unavailable> {
        if !could_be(secret) {
            return Ok(Answer::Inactive);
        }
        let Ok(_permit) = self.at_once.try_acquire() else { return Err(Unavailable::Overloaded) };
        let (action, resource) = permission.unzip();
        let body = serde_json::to_vec(&Question { secret, action, resource });
        let body = Bytes::from(body.expect("texts are JSON"));
        let answered = timeout(self.time_out, self.exchange(body)).await;
        let answer = answered.unwrap_or(Err(Unavailable::TimedOut))?;
        Answer::read(&answer, permission.is_some()).ok_or(Unavailable::Nonsense)
    }

    async fn exchange(&self, body: Bytes) -> Result<Bytes, Unavailable> {
        let response = match self.send(body.clone()).await {
            // A connection that was kept may have been closed just now. A question changes nothing, so it may be put
            // once more.
            Err(error) if !error.is_connect() => self.send(body).await,
            other => other,
        };
        let response = response.map_err(|_| Unavailable::Unreachable)?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(Unavailable::Refused(status));
        }
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if status != StatusCode::OK || !is_json {
            return Err(Unavailable::Nonsense);
        }
        let collected = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        Ok(collected.map_err(|_| Unavailable::Nonsense)?.to_bytes())
    }

    async fn send(&self, body: Bytes) -> Result<Response<Incoming>, Error> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.question.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.credential.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.client.request(request).await
    }
}

impl Unavailable {
    /// Whether jeton is out of order. Of what it refused, nothing follows but that somebody asked wrongly, which whoever
    /// sends requests may bring about.
    pub(crate) fn is_an_outage(self) -> bool {
        match self {
            Self::TimedOut | Self::Unreachable | Self::Nonsense => true,
            Self::Refused(status) => status.is_server_error(),
            Self::Overloaded => false,
        }
    }
}

/// Shows neither the credential nor anything that was asked.
impl fmt::Debug for JetonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetonClient").field("time_out", &self.time_out).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_made_of_an_address_and_a_token() {
        let client = JetonClient::new("http://127.0.0.1:1", " jtn_svc_abc\n").unwrap();
        assert!(!format!("{client:?}").contains("jtn_svc"));
        assert_eq!(JetonClient::new("https://jeton", "x").unwrap_err(), BadClient::Address);
        for bad in ["", "a b", "a\u{fc}"] {
            assert_eq!(JetonClient::new("http://jeton", bad).unwrap_err(), BadClient::Token);
        }
    }

    #[test]
    fn only_an_outage_may_open_anything() {
        for (why, outage) in [
            (Unavailable::TimedOut, true),
            (Unavailable::Unreachable, true),
            (Unavailable::Nonsense, true),
            (Unavailable::Refused(StatusCode::SERVICE_UNAVAILABLE), true),
            (Unavailable::Refused(StatusCode::BAD_REQUEST), false),
            (Unavailable::Refused(StatusCode::TOO_MANY_REQUESTS), false),
            (Unavailable::Refused(StatusCode::UNAUTHORIZED), false),
            (Unavailable::Overloaded, false),
        ] {
            assert_eq!(why.is_an_outage(), outage, "{why}");
        }
    }
}
