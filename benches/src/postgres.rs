//! A PostgreSQL for a benchmark: made in a scratch directory, reached by a socket in it, durable as an operator's would be.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::Fallible;
use crate::machine::Core;
use crate::scratch::Scratch;
use crate::subprocess::{Subprocess, Voice};

pub(crate) struct Postgres {
    process: Subprocess,
    programs: PathBuf,
    sockets: PathBuf,
}

impl Postgres {
    /// `None` where there is none.
    pub(crate) fn start(scratch: &Scratch) -> Fallible<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let sockets = scratch.join("postgres");
        let data = sockets.join("data");
        std::fs::create_dir(&sockets)?;
        if rustix::process::geteuid().is_root() {
            // PostgreSQL does not run as root.
            chown(&sockets, Some(id("-u")?), Some(id("-g")?))?;
        }
        let mut initdb = as_anyone(&programs.join("initdb"));
        initdb
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data);
        let made = initdb.output()?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let mut server = as_anyone(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&sockets);
        server.args(["-c", "listen_addresses=", "-c", "max_connections=200"]);
        let mut process = Subprocess::start(&mut server, Voice::Log, Core::Any)?;
        while !process.line()?.contains("ready to accept connections") {}
        process.leave_lines_to(|_| {});
        Ok(Some(Self { process, programs, sockets }))
    }

    /// Makes an empty database; gives back its address.
    pub(crate) fn database(&self, name: &str) -> Fallible<String> {
        let mut createdb = Command::new(self.programs.join("createdb"));
        let status = createdb.arg("-h").arg(&self.sockets).args(["-U", "postgres", name]).status()?;
        let address = format!("postgres:///{name}?host={}&user=postgres", self.sockets.display());
        if status.success() { Ok(address) } else { Err("createdb failed".into()) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends its own processes then; killed outright it would leave them behind.
        if let Some(process) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::INT);
        }
        self.process.wait();
    }
}

/// The program, as a user whom PostgreSQL serves.
fn as_anyone(program: &Path) -> Command {
    let mut command;
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn id(which: &str) -> Fallible<u32> {
    let told = Command::new("id").args([which, "postgres"]).output()?;
    Ok(String::from_utf8(told.stdout)?.trim().parse()?)
}

/// The directory of PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("JETON_TEST_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = PathBuf::from("/usr/lib/postgresql/15/bin");
    let places = named.into_iter().chain([debian]).chain(std::env::split_paths(&path));
    places
        .into_iter()
        .find(|place| ["initdb", "postgres", "createdb"].iter().all(|it| place.join(it).exists()))
}
