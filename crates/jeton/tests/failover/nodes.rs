//! Nodes: real servers, each with wires of its own to both databases.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::load::OWNER;
use crate::pair::Pair;
use crate::support::{Ended, Server, serve_at};
use crate::wire::Wire;

pub(crate) struct Node {
    pub(crate) to_primary: Wire,
    pub(crate) to_standby: Wire,
    address: String,
    lease: Duration,
    directory: TempDir,
    server: Option<Server>,
}

/// Starts so many nodes, one after the other: the first founds the account.
pub(crate) fn start(pair: &Pair, count: usize, lease: Duration) -> Vec<Node> {
    (0..count).map(|_| Node::start(pair, lease)).collect()
}

impl Node {
    fn start(pair: &Pair, lease: Duration) -> Self {
        let mut node = Self {
            to_primary: Wire::to(pair.primary.socket()),
            to_standby: Wire::to(pair.standby.socket()),
            address: "127.0.0.1:0".to_owned(),
            lease,
            directory: tempfile::tempdir().unwrap(),
            server: None,
        };
        node.restart();
        node
    }

    /// Starts it, where it listened before.
    pub(crate) fn restart(&mut self) {
        let key: PathBuf = self.directory.path().join("key");
        std::fs::write(&key, "5a".repeat(32)).unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let mut command = serve_at(&self.address, self.directory.path());
        command
            .args(["--token-rate", "0", "--failed-auth-rate", "0"])
            .args(["--lease", &format!("{}ms", self.lease.as_millis())])
            .arg("--server-key-file")
            .arg(&key)
            .args(["--database", &self.url()])
            .env("JETON_OWNER_TOKEN", OWNER);
        let server = Server::start_with(&mut command);
        server.address().clone_into(&mut self.address);
        self.server = Some(server);
    }

    /// Both hosts in one address, the primary first.
    fn url(&self) -> String {
        let (primary, standby) = (self.to_primary.port(), self.to_standby.port());
        format!("postgres://postgres@127.0.0.1:{primary},127.0.0.1:{standby}/postgres")
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it still runs. One that does not has ended because it knows what is not so any more.
    pub(crate) fn is_running(&mut self) -> bool {
        self.server.as_mut().is_some_and(|server| server.process().is_running())
    }

    /// Waits for its end, and insists on what it ends with.
    pub(crate) fn end_astray(&mut self) {
        let ended: Ended = self.server.take().unwrap().stop_having_asked();
        let (told, code) = ended.error();
        assert!(told.contains("gone another way") && code == 1, "{ended:?}");
    }

    pub(crate) fn crash(&mut self) {
        self.server.take().unwrap().crash();
    }

    pub(crate) fn stop(self) {
        self.server.unwrap().stop();
    }
}
