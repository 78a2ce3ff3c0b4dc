//! Where a request came from: whoever is connected, or whom a gateway names whose word is taken. Failures are counted against
//! that, so that one client behind a gateway holds up no other.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};

use crate::http::listen::Peer;
use crate::verify::VerifySettings;

/// Where a gateway says for whom it asks.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is connected, and what they say of where the request came from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'r> {
    pub(crate) peer: Peer,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r> Origin<'r> {
    pub(crate) fn of(request: &'r Request) -> Self {
        Self { peer: Peer::of(request.extensions()), headers: request.headers() }
    }

    /// Whether this is somebody whose word on other things than themselves is taken. Whoever reaches a Unix socket is on this
    /// machine.
    pub(crate) fn is_trusted(self, settings: &VerifySettings) -> bool {
        self.peer.ip().is_none_or(|address| settings.trusts(address))
    }

    /// The nearest address that is not a trusted gateway's own: what stands further left anybody can have written. `None` for
    /// whoever is on this machine.
    pub(crate) fn client(self, settings: &VerifySettings) -> Option<IpAddr> {
        let nearest = self.peer.ip();
        if !self.is_trusted(settings) {
            return nearest;
        }
        let lines = self.headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
        let mut addresses: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        addresses.reverse();
        let parsed = addresses.into_iter().map_while(|text| text.parse::<IpAddr>().ok());
        parsed.map(|address| address.to_canonical()).find(|address| !settings.trusts(*address)).or(nearest)
    }
}
