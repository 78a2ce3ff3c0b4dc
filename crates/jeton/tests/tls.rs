//! TLS through the outer door: what clients get, how a certificate is replaced while the server runs, and what is said
//! about files that can't be used.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rcgen::{Certificate, CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use support::{Ended, PATIENCE, Server, jeton, owner_token, run, serve};
use tempfile::{TempDir, tempdir};

/// A certificate for this machine, and its key.
struct Pair {
    cert: Certificate,
    key: KeyPair,
}

impl Pair {
    fn new() -> Self {
        Self::of(KeyPair::generate().unwrap())
    }

    fn of(key: KeyPair) -> Self {
        Self::called(&["localhost", "127.0.0.1"], key)
    }

    fn called(names: &[&str], key: KeyPair) -> Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        Self { cert, key }
    }
}

/// The files of a server.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempdir().unwrap() }
    }

    /// With a pair in it.
    fn with(pair: &Pair) -> Self {
        let place = Self::new();
        place.put(pair);
        place
    }

    fn put(&self, pair: &Pair) {
        self.write("cert.pem", &pair.cert.pem());
        self.write("key.pem", &pair.key.serialize_pem());
    }

    /// As whoever renews certificates does it: the new file takes the place of the old one.
    fn write(&self, name: &str, content: &str) -> PathBuf {
        let (path, fresh) = (self.path(name), self.path("fresh"));
        std::fs::write(&fresh, content).unwrap();
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(fresh, &path).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn command(&self) -> Command {
        let mut command = serve(&self.data());
        command.arg("--tls-cert").arg(self.path("cert.pem")).arg("--tls-key").arg(self.path("key.pem"));
        command
    }

    fn start(&self) -> Server {
        Server::start_with(&mut self.command())
    }

    /// The refusal of a server, and of a check of the configuration, which say the same.
    fn refusal(&self) -> (String, i32) {
        let said = run(&mut self.command()).error();
        let mut check = jeton(&["config", "check", "--tls-cert"]);
        check.arg(self.path("cert.pem")).arg("--tls-key").arg(self.path("key.pem"));
        assert_eq!(run(&mut check).error(), said);
        assert!(!self.data().exists(), "nothing is begun");
        said
    }
}

fn url(server: &Server, path: &str) -> String {
    format!("https://{}{path}", server.address())
}

/// Asks with the real curl, trusting one certificate; prints the headers, the body, and last the version of HTTP.
fn curl(cert: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "-i", "--max-time", "30", "-w", "\n%{http_version} %{http_code}", "--cacert"]);
    run(command.arg(cert).args(arguments))
}

/// What a client goes by that trusts these certificates alone.
fn trusting(pairs: &[&Pair]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.cert.der().clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// A connection that is kept.
struct Client(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    /// Connects to a server that has to show this certificate.
    fn connect(server: &Server, pair: &Pair) -> Result<Self, std::io::Error> {
        Self::connect_as(server, &trusting(&[pair]))
    }

    fn connect_as(server: &Server, config: &Arc<ClientConfig>) -> Result<Self, std::io::Error> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(BufReader::new(stream)))
    }

    /// Whether the server is alive, as it says over this connection.
    fn asks(&mut self) -> bool {
        self.0.get_mut().write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut status = String::new();
        self.0.read_line(&mut status).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        status == "HTTP/1.1 200 OK\r\n"
    }
}

/// Whether a new client is shown this certificate, which is the only one that it trusts.
fn shows(server: &Server, pair: &Pair) -> bool {
    match Client::connect(server, pair) {
        Ok(mut client) => client.asks(),
        Err(error) => {
            assert!(error.to_string().contains("certificate"), "{error}");
            false
        }
    }
}

#[test]
fn curl_speaks_both_versions_of_tls_and_both_of_http() {
    let place = Place::with(&Pair::new());
    let server = place.start();
    assert_eq!(server.ready()["tls"], true);
    let cert = place.path("cert.pem");
    let secret = owner_token(&place.data());
    let header = format!("Private-Token: {secret}");
    let body = serde_json::json!({ "description": "x".repeat(200) }).to_string();
    let (issue, list) =
        (url(&server, "/api/v1/users/1000/access-tokens"), url(&server, "/api/v2/tokens?showAll=true"));
    for tls in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        for (http, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let asked = |arguments: &[&str]| {
                let said = curl(&cert, &[tls, &[http], arguments].concat()).success();
                assert!(said.ends_with(&format!("\n{version} 200")), "{tls:?} {http}: {said}");
                assert!(!said.contains("strict-transport-security"), "{said}");
                said
            };
            asked(&["-X", "POST", "-H", &header, "-d", &body, &issue]);
            let listed = asked(&["-H", &format!("Authorization: {secret}"), &list]);
            assert!(listed.contains(&"x".repeat(200)), "{listed}");
        }
    }
    // What is too large is refused while it is still being sent, and the refusal arrives.
    let large = format!("@{}", place.write("large", &"x".repeat(4 * 1024 * 1024)).display());
    let refused = ["--http1.1", "-X", "POST", "-H", &header, "--data-binary", &large, &issue];
    let said = curl(&cert, &refused).success();
    assert!(said.ends_with("\n1.1 413"), "{said}");
}

#[test]
fn every_usual_kind_of_key_is_taken() {
    let place = Place::new();
    let made = |algorithm| Pair::of(KeyPair::generate_for(algorithm).unwrap());
    let p256 = made(&rcgen::PKCS_ECDSA_P256_SHA256);
    let rsa = made(&rcgen::PKCS_RSA_SHA256);
    let mut cases = vec![];
    for pair in [&p256, &rsa, &made(&rcgen::PKCS_ECDSA_P384_SHA384)] {
        cases.push((pair.cert.pem(), pair.key.serialize_pem()));
    }
    cases.push((p256.cert.pem(), pem("EC PRIVATE KEY", inside_pkcs8(&p256.key))));
    cases.push((rsa.cert.pem(), pem("RSA PRIVATE KEY", inside_pkcs8(&rsa.key))));
    // Some tools write one file for both, and give its name twice.
    let both = format!("{}{}", p256.key.serialize_pem(), p256.cert.pem());
    cases.push((both.clone(), both));
    for (cert, key) in cases {
        let cert = place.write("cert.pem", &cert);
        place.write("key.pem", &key);
        let server = place.start();
        let said = curl(&cert, &[&url(&server, "/healthz")]).success();
        assert!(said.ends_with("\n2 200"), "{said}");
        server.stop();
    }
}

/// The key that PKCS#8 wraps (RFC 5958): its last part, an octet string, up to the end.
fn inside_pkcs8(key: &KeyPair) -> &[u8] {
    let whole = key.serialized_der();
    let sequences = whole.windows(2).enumerate().filter(|(_, window)| window[0] == 0x04).map(|(at, _)| at);
    for at in sequences {
        let (length, header) = match whole[at + 1] {
            0x82 => (usize::from(whole[at + 2]) << 8 | usize::from(whole[at + 3]), 4),
            0x81 => (usize::from(whole[at + 2]), 3),
            short => (usize::from(short), 2),
        };
        if at + header + length == whole.len() {
            return &whole[at + header..];
        }
    }
    panic!("no octet string at the end")
}

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits =
                group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for digit in 0..4 {
                let sextet = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap();
                text.push(if digit <= group.len() { DIGITS[sextet].into() } else { '=' });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[test]
fn sighup_brings_the_new_certificate_and_open_connections_go_on() {
    let (old, new) = (Pair::new(), Pair::new());
    let place = Place::with(&old);
    let mut server = place.start();
    let mut open = Client::connect(&server, &old).unwrap();
    assert!(open.asks());
    place.put(&new);
    server.process().signal(Signal::HUP);
    let line = server.process().logged("new connections get the certificate as it is now");
    assert!(line.contains("cert.pem"), "{line}");
    assert!(shows(&server, &new) && !shows(&server, &old));
    assert!(open.asks(), "a connection that is open goes on");
    drop(open);
    server.stop();
}

/// Whoever has to replace a key that was stolen wants it to be of no use any more.
#[test]
fn a_session_from_before_a_reload_is_not_resumed() {
    let (old, new) = (Pair::new(), Pair::new());
    let place = Place::with(&old);
    let mut server = place.start();
    let config = trusting(&[&old, &new]);
    let kind = |server: &Server| {
        let mut client = Client::connect_as(server, &config).unwrap();
        assert!(client.asks());
        client.0.get_ref().conn.handshake_kind().unwrap()
    };
    assert_eq!(kind(&server), HandshakeKind::Full);
    assert_eq!(kind(&server), HandshakeKind::Resumed);
    place.put(&new);
    server.process().signal(Signal::HUP);
    server.process().logged("new connections get the certificate");
    assert_eq!(kind(&server), HandshakeKind::Full);
    server.stop();
}

#[test]
fn a_certificate_is_replaced_when_its_files_change() {
    let (old, new) = (Pair::new(), Pair::new());
    let place = Place::with(&old);
    let mut server = place.start();
    assert!(shows(&server, &old));
    place.put(&new);
    server.process().logged(r#""reason":"the files changed""#);
    assert!(shows(&server, &new) && !shows(&server, &old));
    server.stop();
}

#[test]
fn what_cannot_be_reloaded_leaves_the_old_certificate_in_use() {
    let (old, new) = (Pair::new(), Pair::new());
    let place = Place::with(&old);
    let mut server = place.start();
    let key = std::fs::read_to_string(place.path("key.pem")).unwrap();
    for (name, content, complaint) in [
        ("key.pem", new.key.serialize_pem(), "holds a private key that does not belong to the certificate"),
        ("key.pem", String::new(), "holds no private key"),
        ("cert.pem", "nonsense".to_owned(), "holds no certificate"),
    ] {
        place.write(name, &content);
        server.process().signal(Signal::HUP);
        let line = server.process().logged("the certificate could not be reloaded");
        assert!(line.contains(r#""level":"ERROR""#) && line.contains(complaint), "{line}");
        assert!(!line.contains("PRIVATE KEY-----"), "{line}");
        assert!(shows(&server, &old));
    }
    std::fs::remove_file(place.path("cert.pem")).unwrap();
    server.process().signal(Signal::HUP);
    server.process().logged("cannot be read (No such file or directory (os error 2))");
    assert!(shows(&server, &old));
    place.write("cert.pem", &old.cert.pem());
    place.write("key.pem", &key);
    server.process().signal(Signal::HUP);
    server.process().logged("new connections get the certificate");
    assert!(shows(&server, &old));
    server.stop();
}

#[test]
fn sighup_does_nothing_to_a_server_without_tls() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path());
    assert_eq!(server.ready()["tls"], false);
    for _ in 0..2 {
        server.process().signal(Signal::HUP);
        server.process().logged("there is nothing to reload");
    }
    assert_eq!(server.status_for(&owner_token(dir.path())), 200);
    server.stop();
}

#[test]
fn a_certificate_without_its_key_is_refused_and_a_key_without_its_certificate() {
    let cert = run(&mut jeton(&["serve", "--tls-cert", "cert.pem"])).error();
    let expected = "--tls-cert is given without the key that belongs to it: give --tls-key or JETON_TLS_KEY as well, or \
                    neither for plain HTTP";
    assert_eq!(cert, (expected.to_owned(), 2));
    let key = run(jeton(&["config", "check"]).env("JETON_TLS_KEY", "key.pem")).error();
    let expected = "JETON_TLS_KEY is given without the certificate that it belongs to: give --tls-cert or JETON_TLS_CERT \
                    as well, or neither for plain HTTP";
    assert_eq!(key, (expected.to_owned(), 2));
}

#[test]
fn files_that_are_of_no_use_are_refused_in_words() {
    let (pair, other) = (Pair::new(), Pair::new());
    let place = Place::new();
    let (cert, key) = (place.path("cert.pem"), place.path("key.pem"));
    let of_cert = |what: &str| format!("the file {} (--tls-cert) {what}", cert.display());
    let of_key = |what: &str| format!("the file {} (--tls-key) {what}", key.display());
    let unreadable = "cannot be read (No such file or directory (os error 2)): check that it exists and that this user \
                      may read it";

    assert_eq!(place.refusal(), (of_cert(unreadable), 1));
    place.write("cert.pem", &pair.cert.pem());
    assert_eq!(place.refusal(), (of_key(unreadable), 1));

    place.write("key.pem", &pair.cert.pem());
    let expected =
        "holds no private key: it has to be PEM, as PKCS#8, PKCS#1 or SEC1, and without a passphrase";
    assert_eq!(place.refusal(), (of_key(expected), 2));
    place.write("key.pem", &other.key.serialize_pem());
    let expected = "holds a private key that does not belong to the certificate: give the key for which the certificate \
                    was made, and put the server's own certificate before those of its issuers";
    assert_eq!(place.refusal(), (of_key(expected), 2));
    place.write("key.pem", &pem("PRIVATE KEY", b"something else"));
    let (said, code) = place.refusal();
    assert!(said.starts_with(&of_key("holds a private key that cannot be used: ")) && code == 2, "{said}");

    place.write("key.pem", &pair.key.serialize_pem());
    place.write("cert.pem", &pair.key.serialize_pem());
    let expected = "holds no certificate: it has to be PEM, beginning with -----BEGIN CERTIFICATE-----";
    assert_eq!(place.refusal(), (of_cert(expected), 2));
    for broken in [pem("CERTIFICATE", b"something else"), "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned()] {
        place.write("cert.pem", &broken);
        let (said, code) = place.refusal();
        assert!(
            said.starts_with(&of_cert("holds a certificate that cannot be used (")) && code == 2,
            "{said}"
        );
    }
}

#[test]
fn a_key_that_everybody_could_read_is_warned_about() {
    let place = Place::with(&Pair::new());
    std::fs::set_permissions(place.path("key.pem"), Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(place.path("cert.pem"), Permissions::from_mode(0o644)).unwrap();
    let server = place.start();
    let log = server.stop().stderr;
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(r#""level":"WARN""#)).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("key.pem") && warnings[0].contains("chmod 600"), "{log}");
}

#[test]
fn plain_http_is_told_that_this_port_speaks_https() {
    let place = Place::with(&Pair::new());
    let server = place.start();
    let reply = support::curl(&[&server.url("/api/v2/tokens")]);
    let told = "This port speaks HTTPS: write https:// in place of http://\n";
    assert_eq!((reply.status, reply.body.as_str()), (400, told));
}

#[test]
fn whoever_does_not_shake_hands_holds_nobody_up_and_is_cut() {
    let place = Place::with(&Pair::new());
    let cert = place.path("cert.pem");
    let server = place.start();
    let mut silent = TcpStream::connect(server.address()).unwrap();
    // The beginning of a record of TLS, and no more.
    silent.write_all(&[22, 3, 1]).unwrap();
    assert!(curl(&cert, &[&url(&server, "/healthz")]).success().ends_with("\n2 200"));
    // Nor does it hold up the end.
    let ended = server.stop();
    assert!(ended.stderr.contains(r#""message":"stopped","cut_connections":0"#), "{ended:?}");

    let server =
        Server::start_with(place.command().args(["--max-connections", "1", "--header-timeout", "200ms"]));
    let mut silent = TcpStream::connect(server.address()).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    // The only place is taken until the silent one has lost it.
    assert!(curl(&cert, &[&url(&server, "/healthz")]).success().ends_with("\n2 200"));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    server.stop();
}

#[test]
fn a_healthcheck_knows_its_own_server_by_its_certificate() {
    let (pair, other) = (Pair::new(), Pair::new());
    let place = Place::with(&pair);
    let server = place.start();
    let check = |cert: Option<&Path>, address: &str| {
        let mut command = jeton(&["healthcheck", "--listen", address]);
        if let Some(cert) = cert {
            command.env("JETON_TLS_CERT", cert);
        }
        run(&mut command)
    };
    let (own, address) = (place.path("cert.pem"), server.address());
    assert_eq!(check(Some(&own), address).success(), "ready\n");

    let (said, code) = check(None, address).error();
    assert!(
        said.ends_with("wants something else than plain HTTP: give --tls-cert as the server has it"),
        "{said}"
    );
    assert_eq!(code, 1);
    let foreign = place.write("other.pem", &other.cert.pem());
    let (said, code) = check(Some(&foreign), address).error();
    assert!(said.contains("has another certificate than the first one in the file of --tls-cert"), "{said}");
    assert_eq!(code, 1);
    let key = place.path("key.pem");
    let (said, code) = check(Some(&key), address).error();
    assert!(
        said.starts_with(&format!("the file {} (JETON_TLS_CERT) holds no certificate", key.display())),
        "{said}"
    );
    assert_eq!(code, 2);

    let plain = Server::start(&place.path("plain"));
    let (said, _) = check(Some(&own), plain.address()).error();
    assert!(said.contains("speaks no TLS"), "{said}");
}

#[test]
fn the_lines_of_the_welcome_work_over_tls() {
    let elsewhere = Pair::called(&["*.example.com", "jeton.example.com"], KeyPair::generate().unwrap());
    for (pair, origin) in [(Pair::new(), "https://127.0.0.1:"), (elsewhere, "https://jeton.example.com:")] {
        let place = Place::with(&pair);
        let mut server = place.start();
        let welcome = server.process().printed("can be verified");
        let lines = welcome.lines().map(str::trim_start).filter(|line| line.starts_with("curl "));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 2, "{welcome}");
        for line in lines {
            let start = format!("curl --cacert '{}' -", place.path("cert.pem").display());
            assert!(line.starts_with(&start) && line.contains(origin), "{line}");
            let pasted = format!("{line} -sS -o /dev/null -w '%{{http_code}}'");
            assert_eq!(run(Command::new("sh").args(["-c", &pasted])).success(), "200", "{line}");
        }
    }
}

#[test]
fn tls_works_over_a_unix_socket() {
    let place = Place::with(&Pair::new());
    let socket = place.path("socket");
    let listen = format!("unix:{}", socket.display());
    let cert = place.path("cert.pem");
    let mut command = jeton(&["serve", "--listen", &listen, "--data-dir"]);
    command.arg(place.data()).env("JETON_TLS_CERT", &cert).env("JETON_TLS_KEY", place.path("key.pem"));
    let server = Server::start_with(&mut command);
    let said =
        curl(&cert, &["--unix-socket", socket.to_str().unwrap(), "https://localhost/healthz"]).success();
    assert!(said.ends_with("\n2 200"), "{said}");
    let health = run(jeton(&["healthcheck", "--listen", &listen]).env("JETON_TLS_CERT", &cert));
    assert_eq!(health.success(), "ready\n");
    server.stop();
}
