//! What a first start says: the owner's secret, once, and two lines to try it with.

use std::fmt::Write as _;
use std::path::Path;

use jeton_core::member::FIRST_NUMBER;
use jeton_core::secret::Secret;
use jeton_server::http::ListenAddress;

use crate::config::{KeySource, NamedFile};
use crate::tls;

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
    pub(crate) tls_cert: Option<&'a NamedFile>,
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
    let (mut options, host, port) = match reached.address {
        ListenAddress::Unix(socket) => {
            (format!("--unix-socket {} ", quoted(&socket.display().to_string())), "localhost", String::new())
        }
        ListenAddress::Tcp { host, port } => {
            // What takes connections on every address is reached on the nearest one.
            let host = match host.as_str() {
                "0.0.0.0" => "127.0.0.1",
                "::" => "::1",
                host => host,
            };
            // Brackets mean something to curl, unless it is told that they don't.
            let options = if host.contains(':') { "-g " } else { "" };
            (options.to_owned(), host, format!(":{port}"))
        }
    };
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut origin = format!("http://{bracketed}{port}");
    if let Some(file) = reached.tls_cert {
        options = format!("--cacert {} {options}", quoted(&file.path.display().to_string()));
        let name = tls::name_instead_of(host, file);
        if name.is_some() && !port.is_empty() {
            let _ = write!(options, "--connect-to {} ", quoted(&format!("::{bracketed}{port}")));
        }
        origin = format!("https://{}{port}", name.unwrap_or(bracketed));
    }
    format!("curl {options}-H {} {}", quoted(header), quoted(&format!("{origin}{path}")))
}

/// As a shell takes it for one word, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::Origin;

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
    fn the_lines_trust_the_certificate_that_is_shown_and_call_it_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it's.pem");
        let file = NamedFile { path: path.clone(), origin: Origin::Default };
        let start = format!("curl --cacert {} ", quoted(&path.display().to_string()));
        let line = |name: &str, address: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            std::fs::write(&path, made.cert.pem()).unwrap();
            let address = &address.parse().unwrap();
            let line = curl(Reached { address, tls_cert: Some(&file) }, "A: b", "/x");
            line.strip_prefix(&start).unwrap().to_owned()
        };
        assert_eq!(line("127.0.0.1", "0.0.0.0:443"), "-H 'A: b' 'https://127.0.0.1:443/x'");
        assert_eq!(line("::1", "[::]:443"), "-g -H 'A: b' 'https://[::1]:443/x'");
        assert_eq!(
            line("a.b", "0.0.0.0:443"),
            "--connect-to '::127.0.0.1:443' -H 'A: b' 'https://a.b:443/x'"
        );
        assert_eq!(line("a.b", "[::]:443"), "-g --connect-to '::[::1]:443' -H 'A: b' 'https://a.b:443/x'");
        assert_eq!(
            line("localhost", "unix:/run/a"),
            "--unix-socket '/run/a' -H 'A: b' 'https://localhost/x'"
        );
        assert_eq!(line("a.b", "unix:/run/a"), "--unix-socket '/run/a' -H 'A: b' 'https://a.b/x'");
    }
}
