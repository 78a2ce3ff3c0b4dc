//! The real server: built or found, started on a scratch directory, heard until it is ready, and stopped.

use std::io::{Write as _, stderr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::client::Client;
use crate::machine::{self, Core};
use crate::options::Options;
use crate::subprocess::{Subprocess, Voice};

/// The owner's secret. Everything that it opens is thrown away at the end.
pub(crate) const OWNER: &str = "benchmark-owner-0123456789abcdefghijklmnop";
/// The server's key.
pub(crate) const KEY: [u8; 32] = [0x5a; 32];

pub(crate) struct Server {
    process: Subprocess,
    pub(crate) address: SocketAddr,
    /// Where gateways ask over gRPC, if the flags said so.
    pub(crate) grpc_address: Option<SocketAddr>,
    /// From the start of the process until it says that it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts a server on this data directory, with a library loaded before all others if there is one.
    pub(crate) fn start(jeton: &Path, data: &Path, preload: Option<&Path>) -> Fallible<Self> {
        Self::start_with(jeton, data, preload, &[])
    }

    /// Starts a server that may use every core.
    pub(crate) fn start_on_all_cores(jeton: &Path, data: &Path) -> Fallible<Self> {
        Self::start_on(Core::Any, jeton, data, None, &[])
    }

    /// As [`Server::start`], with flags of its own.
    pub(crate) fn start_with(
        jeton: &Path,
        data: &Path,
        preload: Option<&Path>,
        flags: &[&str],
    ) -> Fallible<Self> {
        Self::start_on(Core::Server, jeton, data, preload, flags)
    }

    /// Starts a server on some core, with flags of its own.
    pub(crate) fn start_on(
        core: Core,
        jeton: &Path,
        data: &Path,
        preload: Option<&Path>,
        flags: &[&str],
    ) -> Fallible<Self> {
        let key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = Command::new(jeton);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command.args(["--token-rate", "0", "--max-tokens", "1000000000"]);
        command.args(["--log-format", "json", "--log-level", "info"]).args(flags);
        // What is set for a server of this machine, its database above all, is none of this one's business.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("JETON_") || text.starts_with("CANVUS_") {
                command.env_remove(&name);
            }
        }
        command.env("JETON_OWNER_TOKEN", OWNER).env("JETON_SERVER_KEY", key);
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let started = Instant::now();
        let mut process = Subprocess::start(&mut command, Voice::Log, core)?;
        let ready = loop {
            let line = process.line()?;
            if line.contains(r#""message":"ready""#) {
                break line;
            }
            pass_on(&line);
        };
        let ready_after = started.elapsed();
        process.leave_lines_to(pass_on);
        let ready: serde_json::Value = serde_json::from_str(&ready)?;
        let at = |name: &str| ready[name].as_str().and_then(|address| address.parse().ok());
        let address = at("address").ok_or("a server that is ready at no address")?;
        Ok(Self { process, address, grpc_address: at("grpc_address"), ready_after })
    }

    pub(crate) fn client(&self) -> Fallible<Client> {
        Client::connect(self.address)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Processor time so far.
    pub(crate) fn processor_time(&self) -> Fallible<Duration> {
        machine::processor_time(self.process.id())
    }

    pub(crate) fn resident_mib(&self) -> Fallible<f64> {
        machine::resident_mib(self.process.id())
    }
}

/// Shows what a server says, but for the ordinary.
fn pass_on(line: &str) {
    if !line.contains(r#""level":"INFO""#) {
        let _ = writeln!(stderr(), "{line}");
    }
}

/// The program to measure. Under cargo it is built first, so that what is measured is what stands in the tree.
pub(crate) fn program(options: &Options) -> Fallible<PathBuf> {
    if let Some(jeton) = &options.jeton {
        return Ok(jeton.clone());
    }
    let beside = std::env::current_exe()?.with_file_name("jeton");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let build = ["build", "--release", "--quiet", "--package", "jeton", "--manifest-path", manifest];
        if !Command::new(cargo).args(build).status()?.success() {
            return Err("jeton does not build".into());
        }
    }
    if beside.exists() {
        return Ok(beside);
    }
    Err(format!("there is no {}: build it, or name one with --jeton", beside.display()).into())
}
