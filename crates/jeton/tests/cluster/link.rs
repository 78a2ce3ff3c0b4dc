//! A node's way to the database: a socket before the server's, which delays, holds back and cuts what goes through it.
//!
//! Either direction may be disturbed by itself, because a commit that never arrives and one whose answer never arrives are two
//! different things. Whatever is held back arrives late, unless the way is cut meanwhile.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{JoinHandle, Scope};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    ToDatabase,
    ToNode,
}

/// The way of one node. It ends, with all that goes over it, when it is dropped.
pub(crate) struct Link {
    directory: TempDir,
    shared: Arc<Shared>,
    carrier: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    has_ended: bool,
    /// Both by direction.
    stalled: [bool; 2],
    delay: [Duration; 2],
    /// Both ends of each connection that is up, by its number.
    connections: Vec<(u64, UnixStream, UnixStream)>,
    next: u64,
}

impl Link {
    pub(crate) fn to(server: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket(directory.path())).unwrap();
        let shared = Arc::new(Shared::default());
        let carrying = Arc::clone(&shared);
        let carrier = std::thread::spawn(move || carrying.carry_all(&listener, &server));
        Self { directory, shared, carrier: Some(carrier) }
    }

    /// The directory that a client names as its host.
    pub(crate) fn sockets(&self) -> &Path {
        self.directory.path()
    }

    /// Ends every connection, and refuses new ones.
    pub(crate) fn cut(&self) {
        let mut state = self.shared.lock();
        state.is_cut = true;
        state.end_connections();
        self.shared.changed.notify_all();
    }

    /// Holds back whatever goes there.
    pub(crate) fn stall(&self, direction: Direction) {
        self.shared.lock().stalled[direction as usize] = true;
    }

    /// Makes whatever goes there later by this much.
    pub(crate) fn delay(&self, direction: Direction, by: Duration) {
        self.shared.lock().delay[direction as usize] = by;
    }

    /// Undoes whatever was done to it. What was held back arrives.
    pub(crate) fn heal(&self) {
        let mut state = self.shared.lock();
        (state.is_cut, state.stalled, state.delay) = (false, [false; 2], [Duration::ZERO; 2]);
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.has_ended = true;
            state.end_connections();
            self.shared.changed.notify_all();
        }
        // Whoever waits for a connection gets one, and sees that it was the last.
        let _ = UnixStream::connect(socket(self.directory.path()));
        if let Some(carrier) = self.carrier.take() {
            let _ = carrier.join();
        }
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join(".s.PGSQL.5432")
}

impl State {
    fn end_connections(&mut self) {
        for (_, node, database) in self.connections.drain(..) {
            let _ = (node.shutdown(Shutdown::Both), database.shutdown(Shutdown::Both));
        }
    }

    fn is_up(&self, number: u64) -> bool {
        self.connections.iter().any(|(up, ..)| *up == number)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Until the link ends.
    fn carry_all(&self, listener: &UnixListener, server: &Path) {
        std::thread::scope(|scope| {
            for node in listener.incoming() {
                let node = node.unwrap();
                if self.lock().has_ended {
                    return;
                }
                self.carry(scope, node, server);
            }
        });
    }

    fn carry<'s>(&'s self, scope: &'s Scope<'s, '_>, node: UnixStream, server: &Path) {
        let mut state = self.lock();
        // A node that is refused sees its connection end at once.
        if state.is_cut || state.has_ended {
            return;
        }
        let database = UnixStream::connect(server).unwrap();
        let number = state.next;
        state.next += 1;
        let copies =
            |one: &UnixStream, other: &UnixStream| (one.try_clone().unwrap(), other.try_clone().unwrap());
        let (there, back) = (copies(&node, &database), copies(&database, &node));
        state.connections.push((number, node, database));
        for ((from, to), direction) in [(there, Direction::ToDatabase), (back, Direction::ToNode)] {
            scope.spawn(move || self.pump(number, direction, from, to));
        }
    }

    fn pump(&self, number: u64, direction: Direction, mut from: UnixStream, mut to: UnixStream) {
        let mut buffer = vec![0; 65536];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if !self.may_pass(number, direction) || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let mut state = self.lock();
        state.connections.retain(|(up, ..)| *up != number);
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        self.changed.notify_all();
    }

    /// Waits until what was read may go on. `false` if the connection has ended meanwhile.
    fn may_pass(&self, number: u64, direction: Direction) -> bool {
        let mut state = self.lock();
        let read_at = Instant::now();
        while state.is_up(number) {
            let left = (read_at + state.delay[direction as usize]).saturating_duration_since(Instant::now());
            if state.stalled[direction as usize] {
                state = self.changed.wait(state).unwrap();
            } else if left.is_zero() {
                return true;
            } else {
                state = self.changed.wait_timeout(state, left).unwrap().0;
            }
        }
        false
    }
}
