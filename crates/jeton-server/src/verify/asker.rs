//! Who asks, and whether they may. A service authenticates with a token of its own. A gateway on this machine, or one
//! that the operator named, needs none.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use jeton_service::Session;

use crate::Shared;
use crate::http::listen::Peer;
use crate::trouble::Trouble;

/// Where a gateway that is not on this machine shows its own token: `Authorization` holds that of its client.
const CREDENTIAL: HeaderName = HeaderName::from_static("x-jeton-credential");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who asks.
pub(crate) enum Asker {
    /// A gateway whose word is taken.
    Gateway,
    /// Somebody with a token that may ask about others.
    Session(Session),
}

impl Asker {
    /// Admits a gateway.
    pub(crate) async fn gateway(shared: &Shared, headers: &HeaderMap, peer: Peer) -> Result<Self, Trouble> {
        if is_trusted(shared, peer) {
            return Ok(Self::Gateway);
        }
        let credential = headers.get(CREDENTIAL).and_then(|value| value.to_str().ok());
        // Apart: most gateways need none, and would carry the room for it about.
        let session = Box::pin(shared.gate.identify(&shared.service, credential, peer)).await?;
        shared.service.require_verifier(&session)?;
        Ok(Self::Session(session))
    }
}

/// Whether this is somebody whose word on other things than themselves is taken. Whoever reaches a Unix socket is on this
/// machine.
pub(super) fn is_trusted(shared: &Shared, peer: Peer) -> bool {
    peer.ip().is_none_or(|address| shared.settings.verify.trusts(address))
}

/// Where the request before a gateway came from: the nearest address that is not a trusted gateway's own. What stands
/// further left anybody can have written.
pub(super) fn client_of(shared: &Arc<Shared>, headers: &HeaderMap, peer: Peer) -> Peer {
    let trusts = |address| shared.settings.verify.trusts(address);
    if peer.ip().is_some_and(|nearest| !trusts(nearest)) {
        return peer;
    }
    let lines = headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
    let mut addresses: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    addresses.reverse();
    let parsed = addresses.into_iter().map_while(|text| text.parse::<IpAddr>().ok());
    let outside = parsed.map(|address| address.to_canonical()).find(|address| !trusts(*address));
    outside.map_or(peer, |address| Peer::Tcp(address, 0))
}
