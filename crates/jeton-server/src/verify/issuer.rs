//! Under which address clients know the server: what they asked, as they see it. Clients of RFC 8414 insist that the
//! metadata names the very address that they asked, so behind a gateway that speaks TLS for the server it is the gateway's.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use jeton_core::secret::MIN_FOREIGN;

use crate::Shared;
use crate::origin::Origin;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest name there is, and a port.
const LONGEST: usize = 253 + 6;

/// The scheme and host that were asked, without a slash at the end: `https://jeton.example.com`.
pub(super) fn of(shared: &Arc<Shared>, request: &Request) -> String {
    let trusted = Origin::of(request).is_trusted(&shared.settings.verify);
    // Of several the first: the gateway that the client spoke to. Nobody but the client itself could have written it, and
    // nobody but the client gets this answer.
    let header = |name: &HeaderName| {
        let text = request.headers().get(name)?.to_str().ok()?;
        text.split(',').next().map(str::trim)
    };
    let forwarded = |name: &HeaderName| header(name).filter(|_| trusted);
    let proto = forwarded(&FORWARDED_PROTO).map(str::to_ascii_lowercase);
    let scheme = match proto.as_deref() {
        Some("https") => "https",
        Some("http") => "http",
        _ if shared.settings.tls => "https",
        _ => "http",
    };
    // HTTP/2 has no Host, and a request line with a whole address overrules it (RFC 9112, section 3.2.2).
    let asked = request.uri().authority().map(Authority::as_str);
    let candidates = [forwarded(&FORWARDED_HOST), asked, header(&HOST)];
    let host = candidates.into_iter().flatten().find(|text| is_host(text)).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// Whether a text is a host, perhaps with a port. What might be a secret that somebody has put there by mistake is none:
/// those have underscores, and names that long don't.
fn is_host(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(part)
        && text.split('.').all(|label| label.len() < MIN_FOREIGN || !label.contains('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host() {
        for good in
            ["jeton", "jeton.a-rather-long-name.internal.example.com:8443", "[::1]:8080", "a_b:80", "1.2.3.4"]
        {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a/b", "a b", "a\"b", "user@a", "jtn_pat_UhTiZf9Rf7WRHOeJdp6xyYzCE28c", "a?b", "ü"] {
            assert!(!is_host(bad), "{bad}");
        }
        assert!(!is_host(&"a".repeat(LONGEST + 1)));
    }
}
