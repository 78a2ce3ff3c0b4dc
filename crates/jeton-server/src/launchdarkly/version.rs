//! API versions: the header `LD-API-Version`, else the token's own default.

use jeton_core::token::ApiVersion;

use crate::ask::Ask;
use crate::trouble::Trouble;

/// From this version on, lists come in pages.
pub(super) fn lists_in_pages(version: ApiVersion) -> bool {
    version >= ApiVersion::LATEST
}

/// The version that a request is answered in. Some clients send the header twice: the first counts.
pub(super) fn of(ask: &Ask) -> Result<ApiVersion, Trouble> {
    match header(ask) {
        None => Ok(ask.session.caller().api_version),
        Some("beta") => Ok(ApiVersion::LATEST),
        Some(text) => text.parse().ok().and_then(ApiVersion::new).ok_or_else(|| unknown("LD-API-Version")),
    }
}

/// Whether the request asks for what is still being tried out. It gets the newest version.
pub(super) fn is_beta(ask: &Ask) -> bool {
    header(ask) == Some("beta")
}

fn header(ask: &Ask) -> Option<&str> {
    ask.headers.get("ld-api-version").map(|value| value.to_str().unwrap_or_default().trim())
}

/// A version in a body. Zero means that none is given.
pub(super) fn from_number(number: i64) -> Result<Option<ApiVersion>, Trouble> {
    if number == 0 {
        return Ok(None);
    }
    let version = u32::try_from(number).ok().and_then(ApiVersion::new);
    version.map(Some).ok_or_else(|| unknown("defaultApiVersion"))
}

fn unknown(what: &str) -> Trouble {
    let known: Vec<String> = ApiVersion::ALL.iter().map(|version| version.number().to_string()).collect();
    Trouble::invalid(format!("{what} must be one of {}", known.join(", ")))
}
