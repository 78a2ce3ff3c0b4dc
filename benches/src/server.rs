//! The real server: built or found, started on a scratch directory, asked until it is ready, and stopped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::client::{self, Client};
use crate::machine;
use crate::options::Options;
use crate::subprocess::Subprocess;

/// The owner's secret. Everything that it opens is thrown away at the end.
pub(crate) const OWNER: &str = "benchmark-owner-0123456789abcdefghijklmnop";
/// The server's key.
pub(crate) const KEY: [u8; 32] = [0x5a; 32];

/// How long a server may take to become ready, whatever the goal is.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Server {
    process: Subprocess,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer that it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts a server on this data directory, with a library loaded before all others if there is one.
    pub(crate) fn start(jeton: &Path, data: &Path, preload: Option<&Path>) -> Fallible<Self> {
        Self::start_with(jeton, data, preload, &[])
    }

    /// As [`Server::start`], with flags of its own.
    pub(crate) fn start_with(
        jeton: &Path,
        data: &Path,
        preload: Option<&Path>,
        flags: &[&str],
    ) -> Fallible<Self> {
        let address = free_address()?;
        let key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = Command::new(jeton);
        command.arg("serve").arg("--listen").arg(address.to_string()).arg("--data-dir").arg(data);
        command.args(["--token-rate", "0", "--log-level", "warn"]).args(flags);
        command.env("JETON_OWNER_TOKEN", OWNER).env("JETON_SERVER_KEY", key);
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        let started = Instant::now();
        let mut process = Subprocess::start(&mut command)?;
        wait_until_ready(&mut process, address, started)?;
        Ok(Self { process, address, ready_after: started.elapsed() })
    }

    pub(crate) fn client(&self) -> Fallible<Client> {
        Client::connect(self.address)
    }

    /// Processor time so far.
    pub(crate) fn processor_time(&self) -> Fallible<Duration> {
        machine::processor_time(self.process.id())
    }

    pub(crate) fn resident_mib(&self) -> Fallible<f64> {
        machine::resident_mib(self.process.id())
    }
}

/// The server takes its address before it opens the database, so early requests wait in its backlog and are answered at
/// the instant it is ready.
#[expect(clippy::disallowed_methods, reason = "the process that is waited for can't tell that it listens")]
fn wait_until_ready(process: &mut Subprocess, address: SocketAddr, started: Instant) -> Fallible<()> {
    let request = client::get("/readyz", "x-from", "benchmark");
    while started.elapsed() < PATIENCE {
        if process.has_ended()? {
            return Err("jeton has ended instead of serving: what it says stands above".into());
        }
        if let Ok(mut client) = Client::connect(address)
            && client.ask(&request).is_ok_and(|answer| answer.status == 200)
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(format!("jeton is not ready after {} s", PATIENCE.as_secs()).into())
}

/// An address that nobody has at this moment.
fn free_address() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
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
