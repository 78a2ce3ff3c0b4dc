//! The layer: asks about every request before the service sees it, and answers in its place if it has to.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::{Answer, Verified};
use crate::client::{JetonClient, Unavailable};
use crate::need::Need;
use crate::presented::{Presented, cleanse, presented};
use crate::refusal::Refusal;

/// The body of what comes out: the service's, or a refusal.
pub type AnswerBody<B> = Either<B, Full<Bytes>>;

/// Stands in the extensions, in place of [`Verified`], of a request that was let through although nobody could be asked
/// about it. There is none without [`JetonLayer::fail_open`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unverified {
    /// Why nobody could be asked.
    pub because: Unavailable,
}

/// Lets through to a service only what jeton says is good.
#[derive(Clone)]
pub struct JetonLayer {
    client: JetonClient,
    need: Arc<dyn Fn(&Parts) -> Need + Send + Sync>,
    fail_open: bool,
}

impl JetonLayer {
    /// Every request needs a good token, and nothing more.
    pub fn new(client: JetonClient) -> Self {
        Self { client, need: Arc::new(|_| Need::Token), fail_open: false }
    }

    /// Every request needs a token that may do this.
    #[must_use]
    pub fn permission(self, action: impl Into<String>, resource: impl Into<String>) -> Self {
        let need = Need::permission(action.into(), resource.into());
        self.need(move |_| need.clone())
    }

    /// What a request needs follows from its head. Paths are as the client has sent them, percent-encoded; let what becomes
    /// part of a resource go through [`plain`](crate::plain), and give [`Need::Denied`] for what you don't know.
    #[must_use]
    pub fn need(self, need: impl Fn(&Parts) -> Need + Send + Sync + 'static) -> Self {
        Self { need: Arc::new(need), ..self }
    }

    /// **Lets requests through unverified while jeton is out of order.** Any text then passes for a token: a revoked one,
    /// and one that never was. Whoever can keep this service from reaching jeton, or make jeton slow, has every right of
    /// everybody for as long.
    ///
    /// Such a request has an [`Unverified`] in its extensions and no [`Verified`], so that a handler that insists on the
    /// latter still fails. Out of order means: no connection, no answer in time, nonsense, or a status from 500. What jeton
    /// refuses (400, 401, 403, 429) lets nobody through, nor do too many questions at once, since a client could bring
    /// those about; and a request without a token is answered 401 as ever.
    ///
    /// It is for services where being shut is worse than being open, such as a page of public figures. If in doubt, don't.
    #[must_use]
    pub fn fail_open(self) -> Self {
        Self { fail_open: true, ..self }
    }

    /// Looks at the head of a request, and asks about it.
    async fn admit(&self, parts: &mut Parts) -> Result<(), Refusal> {
        cleanse(&mut parts.headers);
        parts.extensions.remove::<Verified>();
        parts.extensions.remove::<Unverified>();
        let need = (self.need)(parts);
        let permission = match &need {
            Need::Open => return Ok(()),
            Need::Token | Need::Denied => None,
            Need::Permission { action, resource } => Some((&**action, &**resource)),
        };
        let secret = match presented(&parts.headers) {
            Presented::Nothing => return Err(Refusal::NoToken),
            Presented::Unusable => return Err(Refusal::BadToken),
            Presented::Secret(secret) => secret,
        };
        match self.client.ask(secret, permission).await {
            Ok(Answer::Allowed(_)) if need == Need::Denied => Err(Refusal::Forbidden),
            Ok(Answer::Allowed(verified)) => {
                parts.extensions.insert(verified);
                Ok(())
            }
            Ok(Answer::Forbidden(_)) => Err(Refusal::Forbidden),
            Ok(Answer::Inactive) => Err(Refusal::BadToken),
            Err(because) if self.fail_open && because.is_an_outage() && need != Need::Denied => {
                tracing::error!(%because, "a request is let through UNVERIFIED: jeton can't be asked");
                parts.extensions.insert(Unverified { because });
                Ok(())
            }
            Err(because) => {
                tracing::warn!(%because, "a request is refused: jeton can't be asked");
                Err(Refusal::Unavailable)
            }
        }
    }
}

impl fmt::Debug for JetonLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetonLayer").field("fail_open", &self.fail_open).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for JetonLayer {
    type Service = JetonService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        JetonService { inner, layer: self.clone() }
    }
}

/// A service behind a [`JetonLayer`].
#[derive(Clone, Debug)]
pub struct JetonService<S> {
    inner: S,
    layer: JetonLayer,
}

impl<S, B, R> Service<Request<B>> for JetonService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<AnswerBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was found ready has to be called, and not a clone of it.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.admit(&mut parts).await {
                Ok(()) => Ok(inner.call(Request::from_parts(parts, body)).await?.map(Either::Left)),
                Err(refusal) => Ok(refusal.response().map(Either::Right)),
            }
        })
    }
}
