//! Where a server is: a URL, read strictly, so that a token goes to nobody else than was meant.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    /// A host and a port, and what stands before every path there.
    Network {
        /// Whether it is spoken to through TLS.
        tls: bool,
        /// A name or an address; one of IPv6 without its brackets.
        host: String,
        /// Its port.
        port: u16,
        /// What stands before `/api`; empty, or with a slash at its beginning and none at its end.
        base: String,
    },
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// What the `Host` header says.
    pub(super) fn host_header(&self) -> String {
        match self {
            Self::Network { tls, host, port, .. } => authority(*tls, host, *port),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// What stands before every path.
    pub(super) fn base(&self) -> &str {
        match self {
            Self::Network { base, .. } => base,
            Self::Unix(_) => "",
        }
    }

    /// Whether what is said can be overheard on its way.
    pub(super) fn is_open_to_the_network(&self) -> bool {
        let Self::Network { tls: false, host, .. } = self else { return false };
        let loopback = host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        !loopback && host != "localhost"
    }
}

fn authority(tls: bool, host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == usual_port(tls) { host } else { format!("{host}:{port}") }
}

const fn usual_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let text = text.escape_debug();
            format!(
                "`{text}` is not the address of a server ({why}): write http://HOST:PORT, https://HOST or unix:PATH"
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(wrong("its path has to begin with a slash"))
            };
        }
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user or a password has no place in it"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("it has a query or a fragment"));
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() {
            return Err(wrong("it names no host"));
        }
        let port = match authority.as_str().strip_prefix(host) {
            Some("") | None => usual_port(tls),
            Some(_) => authority.port_u16().ok_or_else(|| wrong("its port is no number up to 65535"))?,
        };
        let base = uri.path().trim_end_matches('/');
        if base.ends_with("/api/v1") || base.ends_with("/api/v2") {
            return Err(wrong("leave out the path of the API"));
        }
        Ok(Self::Network { tls, host: bare.to_ascii_lowercase(), port, base: base.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { tls, host, port, base } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{}{base}", authority(*tls, host, *port))
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_one_way() {
        for (text, written) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://Jeton.Example:443", "https://jeton.example"),
            ("http://[::1]:80/", "http://[::1]"),
            ("https://[::1]:8443/jeton/", "https://[::1]:8443/jeton"),
            ("unix:/run/jeton.sock", "unix:/run/jeton.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_could_lead_a_token_astray_is_refused() {
        for text in [
            "",
            "jeton.example",
            "127.0.0.1:8080",
            "ftp://jeton.example",
            "http://me:secret@jeton.example",
            "http://jeton.example/?x=1",
            "http://jeton.example/#x",
            "http://jeton.example:99999",
            "http://jeton.example:x",
            "http://jeton.example/api/v2",
            "unix:jeton.sock",
            "http://",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_and_tls_keep_a_token_to_themselves() {
        let open = |text: &str| text.parse::<Address>().unwrap().is_open_to_the_network();
        assert!(open("http://jeton.example") && open("http://192.0.2.1"));
        assert!(!open("https://jeton.example") && !open("http://127.0.0.1:1") && !open("http://[::1]:1"));
        assert!(!open("http://localhost:8080") && !open("unix:/x"));
    }
}
