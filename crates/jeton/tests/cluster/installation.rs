//! The real thing: nodes that are processes, each on a way of its own to one PostgreSQL.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::bell::Bell;
use crate::database::Database;
use crate::link::Link;
use crate::support::http::Connection;
use crate::support::{Ended, PATIENCE, Server, serve_at};

/// The secret of the account's owner.
pub(crate) const OWNER: &str = "owner-secret-for-the-cluster-test-0123456789";
/// How long a node that is cut off answers.
pub(crate) const LEASE: Duration = Duration::from_millis(500);
const NODES: usize = 3;

pub(crate) struct Installation {
    pub(crate) database: Database,
    pub(crate) nodes: Vec<Node>,
    _key: TempDir,
}

/// A node, whether it runs or not.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Where it listens, in every one of its lives.
    pub(crate) address: String,
    pub(crate) link: Link,
    url: String,
    key_file: PathBuf,
    max_staleness: &'static str,
    data: TempDir,
    process: Mutex<Option<Server>>,
    /// What it said in its former lives.
    said: Mutex<String>,
}

impl Installation {
    /// `None`, said aloud, where there is no PostgreSQL.
    pub(crate) fn start(max_staleness: &'static str) -> Option<Self> {
        let database = Database::new()?;
        let key = tempfile::tempdir().unwrap();
        let key_file = key.path().join("server-key");
        std::fs::write(&key_file, "5a".repeat(32)).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let node = |number| {
            let link = Link::to(database.socket());
            Node {
                name: format!("node {number}"),
                address: free_address(),
                url: database.url_by(link.sockets()),
                link,
                key_file: key_file.clone(),
                max_staleness,
                data: tempfile::tempdir().unwrap(),
                process: Mutex::default(),
                said: Mutex::default(),
            }
        };
        let nodes: Vec<Node> = (0..NODES).map(node).collect();
        nodes.iter().for_each(Node::start);
        Some(Self { database, nodes, _key: key })
    }

    /// Waits until every node says that it is ready.
    pub(crate) fn until_ready(&self) {
        let (bell, deadline) = (Bell::default(), Instant::now() + PATIENCE);
        for node in &self.nodes {
            while !node.is_ready() {
                assert!(Instant::now() < deadline, "{} is not ready again:\n{}", node.name, self.said());
                bell.wait(Duration::from_millis(20));
            }
        }
    }

    /// Whether revisions follow each other without a gap, up to the last one that was given.
    pub(crate) fn assert_dense_log(&self) {
        let gap = "SELECT max(revision) - min(revision) + 1 - count(*) || ' ' || max(revision) - (SELECT revision FROM head)
            FROM changes";
        assert_eq!(self.database.sql(gap), ["0 0"]);
    }

    /// Stops all nodes; each has to end well.
    pub(crate) fn stop(&self) {
        for node in &self.nodes {
            let server = node.process().take().unwrap();
            node.keep(&server.stop());
        }
    }

    /// What the nodes have logged, as far as they have ended.
    pub(crate) fn said(&self) -> String {
        self.nodes.iter().map(|node| format!("== {}\n{}", node.name, node.said.lock().unwrap())).collect()
    }
}

impl Node {
    pub(crate) fn start(&self) {
        let mut command = serve_at(&self.address, self.data.path());
        command.arg("--server-key-file").arg(&self.key_file);
        command.args(["--node-name", &self.name, "--lease", &format!("{}ms", LEASE.as_millis())]);
        command.args(["--max-staleness", self.max_staleness, "--token-rate", "0", "--failed-auth-rate", "0"]);
        command.env("JETON_DATABASE_URL", &self.url).env("JETON_OWNER_TOKEN", OWNER);
        *self.process() = Some(Server::start_with(&mut command));
    }

    /// `kill -9`.
    pub(crate) fn crash(&self) {
        let server = self.process().take().unwrap();
        self.keep(&server.crash());
    }

    /// Stops the process in the middle of whatever it does, for as long as what comes back is kept.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        self.signal(Signal::STOP);
        Frozen(self)
    }

    fn signal(&self, signal: Signal) {
        self.process().as_mut().unwrap().process().signal(signal);
    }

    /// To a node that has to be there.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.address).unwrap_or_else(|error| {
            let mut process = self.process();
            let process = process.as_mut().unwrap().process();
            let said = if process.is_running() { process.log() } else { process.log_at_the_end() };
            panic!("{} at {}: {error}:\n{said}", self.name, self.address)
        })
    }

    fn is_ready(&self) -> bool {
        let asked = Connection::open(&self.address).and_then(|mut it| it.ask("", "GET", "/readyz", ""));
        asked.is_ok_and(|reply| reply.status == 200)
    }

    fn keep(&self, ended: &Ended) {
        self.said.lock().unwrap().push_str(&ended.stderr);
    }

    fn process(&self) -> MutexGuard<'_, Option<Server>> {
        self.process.lock().unwrap()
    }
}

/// A node whose process is stopped.
pub(crate) struct Frozen<'n>(&'n Node);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::CONT);
    }
}

/// One that nobody listens at, for a server that has to come back to the same.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
