//! TLS to the database: who is believed, who is not, and what is said of it.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::spawn;

use jeton_store::{Postgres, Store};
use pollster::block_on;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::cluster::{Cluster, Database, give_away};

/// Who is let in by TCP, and how. (Over the socket everybody is.)
const ACCESS: &str = "local   all all                   trust
hostssl   all owner     127.0.0.1/32  scram-sha-256
hostssl   all certified 127.0.0.1/32  cert
hostnossl all bare      127.0.0.1/32  trust
";

struct Encrypted {
    cluster: Cluster,
    port: u16,
    files: TempDir,
}

/// A server whose certificate is for `db.example` and signed by `ca.pem`; `other.pem` is a stranger's root.
fn encrypted() -> Option<&'static Encrypted> {
    static ENCRYPTED: OnceLock<Option<Encrypted>> = OnceLock::new();
    let start = || {
        let files = tempfile::tempdir().unwrap();
        let ca = Authority::new("ours");
        ca.write(&files.path().join("ca.pem"));
        Authority::new("theirs").write(&files.path().join("other.pem"));
        ca.sign("certified", &files.path().join("me.pem"), &files.path().join("me.key"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = "-c listen_addresses=127.0.0.1 -c ssl=on -c ssl_ca_file=ca.pem";
        let prepare = |data: &Path| {
            ca.sign("db.example", &data.join("server.crt"), &data.join("server.key"));
            std::fs::copy(data.join("server.crt"), files.path().join("server.pem")).unwrap();
            ca.write(&data.join("ca.pem"));
            std::fs::write(data.join("pg_hba.conf"), ACCESS).unwrap();
            for name in ["server.crt", "server.key", "ca.pem", "pg_hba.conf"] {
                let path = data.join(name);
                std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
                give_away(&path);
            }
        };
        let cluster = Cluster::start_at(port, settings, prepare)?;
        let admin = Database::on(&cluster);
        admin.sql(
            "CREATE ROLE owner SUPERUSER LOGIN PASSWORD 'hunter2'; CREATE ROLE certified SUPERUSER LOGIN;
             CREATE ROLE bare SUPERUSER LOGIN",
        );
        Some(Encrypted { cluster, port, files })
    };
    ENCRYPTED.get_or_init(start).as_ref()
}

impl Encrypted {
    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// An address on a database of its own; `FILES` in the parameters stands for the directory of the certificates.
    fn url(&self, database: &Database, user: &str, parameters: &str) -> String {
        let (port, name) = (self.port, database.name());
        let parameters = parameters.replace("FILES", &self.files.path().display().to_string());
        format!("postgres://{user}@db.example:{port}/{name}?hostaddr=127.0.0.1&{parameters}")
    }
}

struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    fn write(&self, path: &Path) {
        std::fs::write(path, &self.certificate).unwrap();
    }

    /// Writes a certificate for this name, which is a client's or a server's.
    fn sign(&self, name: &str, certificate: &Path, key_path: &Path) {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let signed = parameters.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(certificate, signed.pem()).unwrap();
        std::fs::write(key_path, key.serialize_pem()).unwrap();
    }
}

/// Opens a store there and sees whether its sessions are encrypted, or what is said of it.
fn open(database: &Database, url: &str) -> Result<bool, String> {
    let store = match block_on(Postgres::open(&url.parse().unwrap(), std::time::Duration::ZERO)) {
        Ok(store) => store,
        Err(error) => {
            let told = error.to_string();
            assert!(!told.contains("hunter2"), "{told}");
            let begins = "the database ";
            let (_, message) = told.split_once(" cannot be opened: ").unwrap();
            assert!(told.starts_with(begins), "{told}");
            return Err(message.to_owned());
        }
    };
    // Readers connect by themselves.
    block_on(store.presences(None)).unwrap();
    let sessions = database.sql(
        "SELECT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE datname = current_database() AND application_name = 'jeton'",
    );
    assert!(sessions.len() >= 2 && sessions.iter().all(|ssl| *ssl == sessions[0]), "{sessions:?}");
    Ok(sessions[0] == "true")
}

#[test]
fn a_server_with_tls_is_spoken_to_with_it() {
    let Some(server) = encrypted() else { return };
    for parameters in [
        "sslmode=verify-full&sslrootcert=FILES/ca.pem",
        "sslmode=verify-full&sslrootcert=FILES/server.pem",
        "sslmode=verify-ca&sslrootcert=FILES/ca.pem",
        "sslmode=require&sslrootcert=FILES/ca.pem",
        "sslmode=require",
        "sslmode=prefer",
        "sslmode=require&channel_binding=require",
        "",
    ] {
        let database = Database::on(&server.cluster);
        let url = server.url(&database, "owner:hunter2", parameters);
        assert_eq!(open(&database, &url), Ok(true), "{parameters}");
    }
}

#[test]
fn a_server_that_is_not_the_one_is_not_believed() {
    let Some(server) = encrypted() else { return };
    let database = Database::on(&server.cluster);
    let stranger = "error performing TLS handshake: the server's certificate is not believed (UnknownIssuer): name who signed it with sslrootcert=FILE, or check that this is the server that you \
                    mean";
    for parameters in [
        "sslmode=verify-full&sslrootcert=FILES/other.pem",
        "sslmode=verify-ca&sslrootcert=FILES/other.pem",
        "sslmode=require&sslrootcert=FILES/other.pem",
        "sslmode=verify-full",
        "sslrootcert=system",
    ] {
        let url = server.url(&database, "owner:hunter2", parameters);
        assert_eq!(open(&database, &url), Err(stranger.to_owned()), "{parameters}");
    }
    // By its number, which the certificate does not name.
    let by_number = |parameters: &str| {
        let url = server.url(&database, "owner:hunter2", parameters);
        open(&database, &url.replace("db.example", "127.0.0.1"))
    };
    let told = by_number("sslmode=verify-full&sslrootcert=FILES/ca.pem").unwrap_err();
    let (why, advice) = told.split_once("): ").unwrap();
    assert!(why.contains("not valid for") && why.contains("db.example"), "{told}");
    assert_eq!(
        advice,
        "write the host as one of its subject alternative names, or make it a certificate for this name (what stands in \
         its common name alone does not count)"
    );
    assert_eq!(
        by_number("sslmode=verify-ca&sslrootcert=FILES/ca.pem"),
        Ok(true),
        "its name does not matter here"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let Some(server) = encrypted() else { return };
    let database = Database::on(&server.cluster);
    std::fs::write(server.file("empty.pem"), "nothing\n").unwrap();
    let told =
        |parameters: &str| open(&database, &server.url(&database, "owner:hunter2", parameters)).unwrap_err();
    let empty = told("sslmode=verify-full&sslrootcert=FILES/empty.pem");
    let expected = format!(
        "error performing TLS handshake: sslrootcert {} cannot be used (there is no certificate in it): name a PEM file \
         with certificates in it",
        server.file("empty.pem").display()
    );
    assert_eq!(empty, expected);
    let missing = told("sslmode=verify-full&sslrootcert=FILES/nowhere.pem");
    assert!(
        missing.contains("nowhere.pem cannot be used (") && missing.contains("No such file"),
        "{missing}"
    );
    for mode in ["require", "prefer"] {
        let wrong_key = told(&format!("sslmode={mode}&sslcert=FILES/me.pem&sslkey=FILES/ca.pem"));
        assert!(wrong_key.contains("sslkey ") && wrong_key.contains("the key of sslcert"), "{wrong_key}");
    }
}

#[test]
fn a_certificate_of_ones_own_is_shown() {
    let Some(server) = encrypted() else { return };
    let database = Database::on(&server.cluster);
    let both = "sslmode=verify-full&sslrootcert=FILES/ca.pem&sslcert=FILES/me.pem&sslkey=FILES/me.key";
    assert_eq!(open(&database, &server.url(&database, "certified", both)), Ok(true));
    let without = "sslmode=verify-full&sslrootcert=FILES/ca.pem";
    let told = open(&database, &server.url(&database, "certified", without)).unwrap_err();
    assert!(told.contains("FATAL: connection requires a valid client certificate"), "{told}");
}

/// As libpq: whoever only prefers TLS does without where the server lets nobody in with it.
#[test]
fn who_prefers_tls_does_without_where_it_must() {
    let Some(server) = encrypted() else { return };
    let database = Database::on(&server.cluster);
    assert_eq!(open(&database, &server.url(&database, "bare", "sslmode=prefer")), Ok(false));
    assert_eq!(open(&database, &server.url(&database, "bare", "sslmode=disable")), Ok(false));
    let told = open(&database, &server.url(&database, "bare", "sslmode=require")).unwrap_err();
    assert!(told.contains("no pg_hba.conf entry") && told.contains("SSL encryption"), "{told}");
    let told = open(&database, &server.url(&database, "owner:hunter2", "sslmode=disable")).unwrap_err();
    assert!(told.contains("no pg_hba.conf entry") && told.contains("no encryption"), "{told}");
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_needed() {
    let Some(database) = Database::new() else { return };
    let port = over_tcp(database.socket(), false);
    let url = |parameters: &str| {
        format!("postgres://postgres:hunter2@127.0.0.1:{port}/{}?{parameters}", database.name())
    };
    let refused = "error performing TLS handshake: server does not support TLS: turn it on there (ssl = on), or write \
                   sslmode=disable where the network is your own";
    for parameters in ["sslmode=require", "sslmode=verify-full", "sslrootcert=system"] {
        assert_eq!(open(&database, &url(parameters)), Err(refused.to_owned()), "{parameters}");
    }
    for parameters in ["sslmode=prefer", "sslmode=disable", ""] {
        assert_eq!(open(&database, &url(parameters)), Ok(false), "{parameters}");
    }
    // A socket has no TLS, and needs none.
    assert_eq!(open(&database, &format!("{}&sslmode=verify-full", database.url())), Ok(false));
}

/// A server whose TLS is of no use is one without it to whoever only prefers it.
#[test]
fn a_handshake_that_fails_is_done_without_where_it_may() {
    let Some(database) = Database::new() else { return };
    let port = over_tcp(database.socket(), true);
    let open = |parameters: &str| {
        open(&database, &format!("postgres://postgres@127.0.0.1:{port}/{}?{parameters}", database.name()))
    };
    assert_eq!(open("sslmode=prefer"), Ok(false));
    let told = open("sslmode=require").unwrap_err();
    assert!(told.starts_with("error performing TLS handshake: received corrupt message"), "{told}");
}

/// The server at this socket, by TCP: over a socket it has no TLS, unless it is made to promise some and to talk nonsense.
fn over_tcp(socket: PathBuf, promises: bool) -> u16 {
    const ASKS_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    fn carry(mut from: impl Read, mut to: impl Write, ended: impl FnOnce()) {
        let _ = std::io::copy(&mut from, &mut to);
        ended();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        for client in listener.incoming() {
            let (mut client, server) = (client.unwrap(), UnixStream::connect(&socket).unwrap());
            let mut begins = [0; 8];
            if promises && client.peek(&mut begins).is_ok() && begins == ASKS_FOR_TLS {
                let _ = client
                    .read_exact(&mut begins)
                    .and_then(|()| client.write_all(b"Snonsense and nothing else"));
                // Whoever closes before all was read takes back what it wrote.
                let _ = client.shutdown(Shutdown::Write).and_then(|()| client.read_to_end(&mut Vec::new()));
                continue;
            }
            let both = |client: &TcpStream, server: &UnixStream| {
                (client.try_clone().unwrap(), server.try_clone().unwrap())
            };
            let ((client_in, server_in), (client_out, server_out)) =
                (both(&client, &server), both(&client, &server));
            spawn(move || carry(client_in, server_in, move || drop(server.shutdown(Shutdown::Both))));
            spawn(move || carry(server_out, client_out, move || drop(client.shutdown(Shutdown::Both))));
        }
    });
    port
}
