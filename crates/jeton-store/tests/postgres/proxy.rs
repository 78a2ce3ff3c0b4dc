//! A stretch of wire that breaks when it is told to: a socket in front of the server's.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::spawn;

use tempfile::TempDir;

/// What becomes of the next COMMIT. After that one all is well again.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Next {
    /// It arrives, and so does its answer.
    Passes,
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
}

pub(crate) struct Proxy {
    directory: TempDir,
    next: Arc<AtomicU8>,
}

impl Proxy {
    /// Stands before the server at this socket for as long as the test process lives.
    pub(crate) fn before(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let next = Arc::new(AtomicU8::new(Next::Passes as u8));
        let shared = Arc::clone(&next);
        spawn(move || {
            for client in listener.incoming() {
                carry(&client.unwrap(), &UnixStream::connect(&server).unwrap(), &shared);
            }
        });
        Self { directory, next }
    }

    pub(crate) fn sockets(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn next_commit(&self, next: Next) {
        self.next.store(next as u8, Ordering::SeqCst);
    }
}

/// Carries what one says to the other, both ways.
fn carry(client: &UnixStream, server: &UnixStream, next: &Arc<AtomicU8>) {
    let cut = Arc::new(AtomicU8::new(0));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (next, cut_here) = (Arc::clone(next), Arc::clone(&cut));
    spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let said = &buffer[..read];
            if said.windows(7).any(|bytes| bytes == b"COMMIT\0") {
                let fate = next.swap(Next::Passes as u8, Ordering::SeqCst);
                if fate == Next::Lost as u8 {
                    break;
                }
                cut_here.store(u8::from(fate == Next::Unanswered as u8), Ordering::SeqCst);
            }
            if to.write_all(said).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if cut.load(Ordering::SeqCst) == 1 || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
