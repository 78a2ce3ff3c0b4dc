//! Who asks, and whether they may. A service authenticates with a token of its own. A gateway on this machine, or one
//! that the operator named, needs none.

use axum::http::HeaderName;
use jeton_service::Session;

use crate::Shared;
use crate::origin::Origin;
use crate::trouble::Trouble;

/// Where a gateway that is not on this machine shows its own token: `Authorization` holds that of its client.
const CREDENTIAL: HeaderName = HeaderName::from_static("x-jeton-credential");

/// Who asks.
pub(crate) enum Asker {
    /// A gateway whose word is taken.
    Gateway,
    /// Somebody with a token that may ask about others.
    Session(Session),
}

impl Asker {
    /// Admits a gateway.
    pub(crate) async fn gateway(shared: &Shared, origin: Origin<'_>) -> Result<Self, Trouble> {
        if origin.is_trusted(&shared.settings.verify) {
            return Ok(Self::Gateway);
        }
        let credential = origin.headers.get(CREDENTIAL).and_then(|value| value.to_str().ok());
        if credential.is_none() {
            shared.gate.warn_of_a_stranger(origin);
        }
        // Apart: most gateways need none, and would carry the room for it about.
        let session = Box::pin(shared.gate.identify(&shared.service, credential, origin)).await?;
        shared.service.require_verifier(&session)?;
        Ok(Self::Session(session))
    }
}
