//! The certificate of the server: read from its files at the start, and again while the server runs.
//!
//! Certificates live shorter and shorter, and whoever renews them either tells the server (SIGHUP) or only writes the
//! files. So both are heeded. Two files can't be replaced in one step: a change is taken up when it has stood still from
//! one look to the next, so that a certificate is not tried with the key of the one before it.
//!
//! What can't be used at the start ends it. Later the server goes on with what it has, since an old certificate serves
//! more clients than none.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use jeton_server::http::tls::BadIdentity;
use jeton_server::http::{self, Identity, Tls};
use tokio::signal::unix::Signal;
use tokio::time::MissedTickBehavior;

use crate::config::{NamedFile, TlsFiles, secret};
use crate::fault::Fault;

/// More than any chain of certificates.
const LARGEST: u64 = 1024 * 1024;

/// Reads a certificate and its key.
pub(crate) fn read(files: &TlsFiles) -> Result<Identity, Fault> {
    let chain = read_chain(&files.cert)?;
    let key = secret::read_file(&files.key.path).map_err(|error| unreadable(&files.key, &error))?;
    Identity::from_pem(&chain, key.as_bytes()).map_err(|error| {
        let file = match error {
            BadIdentity::NoCertificate | BadIdentity::BadCertificate(_) => &files.cert,
            BadIdentity::NoKey | BadIdentity::BadKey | BadIdentity::NotAPair => &files.key,
        };
        Fault::usage(format!("{file} {error}"))
    })
}

/// Reads the file with the certificates, whatever it holds.
pub(crate) fn read_chain(file: &NamedFile) -> Result<Vec<u8>, Fault> {
    read_whole(&file.path).map_err(|error| unreadable(file, &error))
}

/// By which name to call the server on a line that is to be pasted, where this host is not what its certificate says.
pub(crate) fn name_instead_of(host: &str, file: &NamedFile) -> Option<String> {
    let chain = http::tls::certificates(&read_chain(file).ok()?).ok()?;
    http::tls::name_instead_of(host, chain.first()?)
}

fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::other("it is too large to hold certificates"));
    }
    Ok(content)
}

fn unreadable(file: &NamedFile, error: &io::Error) -> Fault {
    Fault::failed(format!(
        "{file} cannot be read ({error}): check that it exists and that this user may read it"
    ))
}

/// A certificate in use, and the files that it comes from.
pub(crate) struct Certificate {
    files: TlsFiles,
    tls: Tls,
    /// What the files were when they were last read.
    read: Stamp,
    /// What they were when they were last looked at.
    seen: Stamp,
}

impl Certificate {
    /// Reads the files for the first time.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, Fault> {
        // Before they are read: what changes meanwhile is found to be new.
        let stamp = Stamp::of(&files);
        let tls = Tls::new(read(&files)?);
        Ok(Self { files, tls, read: stamp, seen: stamp })
    }

    /// What the server shows, now and after every reload.
    pub(crate) fn shown(&self) -> Tls {
        self.tls.clone()
    }

    /// Reads the files again if somebody asked for it, or if they have changed and stood still since the last look.
    fn look(&mut self, asked: bool) {
        let now = Stamp::of(&self.files);
        let still = now == std::mem::replace(&mut self.seen, now);
        if asked || (still && now != self.read) {
            self.read = now;
            self.reload(if asked { "SIGHUP" } else { "the files changed" });
        }
    }

    fn reload(&self, reason: &str) {
        let cert = self.files.cert.path.display();
        match read(&self.files) {
            Ok(identity) => {
                self.tls.replace(identity);
                tracing::info!(%cert, reason, "new connections get the certificate as it is now");
            }
            Err(fault) => tracing::error!(
                reason,
                error = fault.message(),
                "the certificate could not be reloaded, and the one from before is still in use: put its files right, and \
                 they are read again"
            ),
        }
    }
}

/// Follows the files and the signal for as long as the server runs. Files are looked at every so often, on a thread that
/// may wait for a disk. Without a certificate the signal does nothing, but it doesn't end the process either.
pub(crate) async fn follow(certificate: Option<Certificate>, mut hangups: Signal, every: Duration) {
    let Some(mut certificate) = certificate else {
        while hangups.recv().await.is_some() {
            tracing::info!(signal = "SIGHUP", "there is nothing to reload: only a TLS certificate would be");
        }
        return;
    };
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            Some(()) = hangups.recv() => true,
            _ = ticks.tick() => false,
        };
        let looked = tokio::task::spawn_blocking(move || {
            certificate.look(asked);
            certificate
        });
        let Ok(after) = looked.await else { return };
        certificate = after;
    }
}

/// What tells two states of the files apart without reading them. Times of change are a part of it: a file that nobody
/// could read is tried again when its rights are put right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp([Option<[i128; 5]>; 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        Self([&files.cert, &files.key].map(|file| file.path.metadata().ok().map(|found| mark(&found))))
    }
}

fn mark(found: &Metadata) -> [i128; 5] {
    let instant = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    [
        found.dev().into(),
        found.ino().into(),
        found.len().into(),
        instant(found.mtime(), found.mtime_nsec()),
        instant(found.ctime(), found.ctime_nsec()),
    ]
}

#[cfg(test)]
mod tests {
    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::config::layers::Origin;

    fn put(dir: &TempDir) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(dir.path().join("cert"), made.cert.pem()).unwrap();
        std::fs::write(dir.path().join("key"), made.signing_key.serialize_pem()).unwrap();
    }

    fn files(dir: &TempDir) -> TlsFiles {
        let named = |name: &str| NamedFile { path: dir.path().join(name), origin: Origin::Default };
        TlsFiles { cert: named("cert"), key: named("key") }
    }

    #[test]
    fn a_change_is_taken_up_once_it_stands_still() {
        let dir = tempdir().unwrap();
        put(&dir);
        let mut certificate = Certificate::open(files(&dir)).unwrap();
        let first = certificate.read;
        certificate.look(false);
        assert_eq!(certificate.read, first);
        std::fs::remove_file(dir.path().join("cert")).unwrap();
        certificate.look(false);
        put(&dir);
        certificate.look(false);
        assert_eq!(certificate.read, first, "it has moved since the last look");
        certificate.look(false);
        assert_eq!(certificate.read, Stamp::of(&certificate.files));
        assert_ne!(certificate.read, first);
    }

    #[test]
    fn who_asks_need_not_wait() {
        let dir = tempdir().unwrap();
        put(&dir);
        let mut certificate = Certificate::open(files(&dir)).unwrap();
        std::fs::remove_file(dir.path().join("key")).unwrap();
        certificate.look(true);
        assert_eq!(certificate.read, Stamp::of(&certificate.files));
    }

    #[test]
    fn the_rights_to_a_file_are_a_part_of_its_state() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempdir().unwrap();
        put(&dir);
        let before = Stamp::of(&files(&dir));
        let rights = std::fs::Permissions::from_mode(0o400);
        // The clock of a file system may stand still for some milliseconds.
        while Stamp::of(&files(&dir)) == before {
            std::fs::set_permissions(dir.path().join("key"), rights.clone()).unwrap();
        }
    }
}
