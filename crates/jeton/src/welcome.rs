//! What a first start says: the owner's secret, once, and two lines to try it with.

use std::fmt::Write as _;
use std::path::Path;

use jeton_core::member::FIRST_NUMBER;
use jeton_core::secret::Secret;
use jeton_server::http::ListenAddress;

use crate::config::KeySource;

/// What there is to say.
#[derive(Debug)]
pub(crate) struct Welcome<'a> {
    pub(crate) secret: &'a Secret,
    pub(crate) email: &'a str,
    pub(crate) reached: Reached<'a>,
    pub(crate) secret_file: &'a Path,
    pub(crate) server_key: &'a KeySource,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached<'a> {
    pub(crate) address: &'a ListenAddress,
    /// The TLS certificate, where there is one.
    pub(crate) tls_cert: Option<&'a Path>,
}

impl Welcome<'_> {
    pub(crate) fn text(&self) -> String {
        let secret = self.secret.expose();
        let curl = |header: &str, path: &str| curl(self.reached, &format!("{header}: {secret}"), path);
        let mut text = format!(
            "Welcome to jeton. This is the first token of {email}, who may do everything.
It is shown only now, and kept in {file}
until you delete that file:

    {secret}

Its owner's tokens, as Canvus lists them, and as LaunchDarkly does:

    {canvus}
    {launchdarkly}
",
            email = self.email,
            file = self.secret_file.display(),
            canvus = curl("Private-Token", &format!("/api/v1/users/{FIRST_NUMBER}/access-tokens")),
            launchdarkly = curl("Authorization", "/api/v2/tokens"),
        );
        if let KeySource::Kept(path) = self.server_key {
            let _ = write!(
                text,
                "
Keep a copy of {} in a safe place:
without it no token of this database, nor of a backup of it, can be verified.
",
                path.display()
            );
        }
        text
    }
}

/// A line that works when it is pasted into a shell on the same machine.
fn curl(reached: Reached<'_>, header: &str, path: &str) -> String {
    let (mut options, host) = match reached.address {
        ListenAddress::Unix(socket) => {
            (format!("--unix-socket {} ", quoted(&socket.display().to_string())), "localhost".to_owned())
        }
        // What takes connections on every address is reached on the nearest one.
        ListenAddress::Tcp { host, port } => match host.as_str() {
            "0.0.0.0" => (String::new(), format!("127.0.0.1:{port}")),
            // Brackets mean something to curl, unless it is told that they don't.
            "::" => ("-g ".to_owned(), format!("[::1]:{port}")),
            host if host.contains(':') => ("-g ".to_owned(), format!("[{host}]:{port}")),
            host => (String::new(), format!("{host}:{port}")),
        },
    };
    let mut scheme = "http";
    if let Some(cert) = reached.tls_cert {
        scheme = "https";
        options = format!("--cacert {} {options}", quoted(&cert.display().to_string()));
    }
    format!("curl {options}-H {} {}", quoted(header), quoted(&format!("{scheme}://{host}{path}")))
}

/// As a shell takes it for one word, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_reach_a_server_wherever_it_listens() {
        for (address, expected) in [
            ("127.0.0.1:80", "curl -H 'A: b' 'http://127.0.0.1:80/x'"),
            ("0.0.0.0:80", "curl -H 'A: b' 'http://127.0.0.1:80/x'"),
            ("[::]:80", "curl -g -H 'A: b' 'http://[::1]:80/x'"),
            ("[fe80::1]:80", "curl -g -H 'A: b' 'http://[fe80::1]:80/x'"),
            ("unix:/run/it's.sock", r"curl --unix-socket '/run/it'\''s.sock' -H 'A: b' 'http://localhost/x'"),
        ] {
            let address = &address.parse().unwrap();
            assert_eq!(curl(Reached { address, tls_cert: None }, "A: b", "/x"), expected);
        }
    }

    #[test]
    fn the_lines_trust_the_certificate_that_is_shown() {
        let tls_cert = Some(Path::new("/etc/it's.pem"));
        for (address, expected) in [
            ("0.0.0.0:443", r"curl --cacert '/etc/it'\''s.pem' -H 'A: b' 'https://127.0.0.1:443/x'"),
            ("[::1]:443", r"curl --cacert '/etc/it'\''s.pem' -g -H 'A: b' 'https://[::1]:443/x'"),
            (
                "unix:/run/a",
                r"curl --cacert '/etc/it'\''s.pem' --unix-socket '/run/a' -H 'A: b' 'https://localhost/x'",
            ),
        ] {
            let address = &address.parse().unwrap();
            assert_eq!(curl(Reached { address, tls_cert }, "A: b", "/x"), expected);
        }
    }
}
