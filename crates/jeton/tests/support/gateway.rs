//! Runs a real gateway with the very configuration that stands in `examples/`.
//!
//! Only the ports in it are replaced: 8000 where clients come, 8080 where jeton is, 8081 where it speaks gRPC, 9000 what is
//! protected.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::{PATIENCE, Reply, Running, curl};

/// A folder of `examples/`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Where a program is: in a variable, or else on the path. Debian keeps servers where only root's path leads.
pub(crate) fn program(name: &str, variable: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(":/usr/sbin"));
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The ports of an example.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) clients: u16,
    pub(crate) jeton: u16,
    pub(crate) grpc: u16,
    pub(crate) upstream: u16,
}

impl Ports {
    /// With a port for clients that nobody has at the moment.
    pub(crate) fn new(jeton: u16, grpc: u16, upstream: u16) -> Self {
        let clients = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { clients, jeton, grpc, upstream }
    }

    /// Puts them in the place of the ports that stand in an example. In two steps: a port may contain another one's digits.
    fn fill(self, text: &str) -> String {
        let ports = [
            ("8000", "<clients>", self.clients),
            ("8080", "<jeton>", self.jeton),
            ("8081", "<grpc>", self.grpc),
            ("9000", "<upstream>", self.upstream),
        ];
        let marked =
            ports.iter().fold(text.to_owned(), |text, (written, mark, _)| text.replace(written, mark));
        ports.iter().fold(marked, |text, (_, mark, port)| text.replace(mark, &port.to_string()))
    }
}

/// A gateway that runs.
pub(crate) struct Gateway {
    process: Running,
    ports: Ports,
    _dir: TempDir,
}

impl Gateway {
    /// Copies an example, starts a program in the copy, and waits until it asks jeton about requests.
    pub(crate) fn start(example_name: &str, ports: Ports, command: impl FnOnce(&Path) -> Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(example(example_name)).unwrap() {
            let file = entry.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(dir.path().join(file.file_name().unwrap()), ports.fill(&text)).unwrap();
        }
        let process = Running::start(command(dir.path()).current_dir(dir.path()));
        let mut gateway = Self { process, ports, _dir: dir };
        gateway.wait_until_it_asks();
        gateway
    }

    /// None of them says reliably when it has taken up its whole configuration, so it is asked. Until then it refuses
    /// connections, or knows no route.
    fn wait_until_it_asks(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let url = self.url("/me");
        let not_asking = |url: &str| {
            let mut command = Command::new("curl");
            command.args(["-q", "-s", "--max-time", "30", "-o", "/dev/null", "-w", "%{http_code}", url]);
            command.output().unwrap().stdout != b"401"
        };
        while not_asking(&url) {
            assert!(self.process.is_running(), "the gateway ended: {:?}", self.process.log_at_the_end());
            assert!(Instant::now() < deadline, "the gateway does not ask: {:?}", self.process.log());
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.clients)
    }

    /// Asks with the real curl, which leaves the path as it is.
    pub(crate) fn ask(&self, path: &str, arguments: &[&str]) -> Reply {
        curl(&[&["--path-as-is", &self.url(path)], arguments].concat())
    }

    pub(crate) fn stop(self) {
        self.process.stop();
    }
}
