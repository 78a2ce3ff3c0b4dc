//! A PostgreSQL primary and its standby, made by hand: streaming replication, over a wire that can be cut.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::cluster::{as_anyone, give_away, initdb, left_out, programs, sql_in};
use crate::support::{Running, run};
use crate::wire::{Passage, Wire};

/// Nothing here outlasts the machine, so no disk is waited for. What a standby confirms it has all the same.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=off",
    "autovacuum=off",
    "max_connections=100",
    "wal_level=replica",
    "hot_standby=on",
    "synchronous_commit=on",
    "wal_retrieve_retry_interval=100ms",
];

/// Whether a commit waits until the standby has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replication {
    Synchronous,
    Asynchronous,
}

/// A server that runs, or that was killed.
pub(crate) struct Machine {
    programs: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    replication: Replication,
    process: Option<Running>,
}

pub(crate) struct Pair {
    pub(crate) primary: Machine,
    pub(crate) standby: Machine,
    /// From the standby to the primary.
    pub(crate) replication: Wire,
    _directory: TempDir,
}

impl Pair {
    /// `None`, said aloud, where there is no PostgreSQL.
    pub(crate) fn start(replication: Replication) -> Option<Self> {
        let Some(programs) = programs() else {
            left_out("PostgreSQL: scripts/test installs it (postgresql-15)");
            return None;
        };
        // Where some are only linked to, all of them are.
        let programs = programs.join("initdb").canonicalize().unwrap().parent().unwrap().to_owned();
        let directory = tempfile::tempdir().unwrap();
        give_away(directory.path());
        // Whoever takes over has no standby of its own.
        let machine = |name: &str, replication| {
            let sockets = directory.path().join(format!("{name}.sockets"));
            std::fs::create_dir(&sockets).unwrap();
            give_away(&sockets);
            let data = directory.path().join(name);
            Machine { programs: programs.clone(), data, sockets, replication, process: None }
        };
        let mut primary = machine("primary", replication);
        let mut standby = machine("standby", Replication::Asynchronous);
        initdb(&programs, &primary.data);
        // The wire comes over TCP, and it arrives at a socket.
        primary.start("ready to accept connections");
        let wire = Wire::to(primary.socket());
        let conninfo = format!("host=127.0.0.1 port={} user=postgres application_name=standby", wire.port());
        run(as_anyone(&programs.join("pg_basebackup"))
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname", &conninfo, "-D"])
            .arg(&standby.data))
        .success();
        standby.start("ready to accept read-only connections");
        standby.await_streaming();
        Some(Self { primary, standby, replication: wire, _directory: directory })
    }

    /// Cuts the standby off, and makes it the primary.
    pub(crate) fn take_over(&mut self) {
        self.replication.set(Passage::Shut);
        self.standby.promote();
    }
}

impl Machine {
    /// Starts it, and waits until it says this.
    pub(crate) fn start(&mut self, ready: &str) {
        let standby = match self.replication {
            Replication::Synchronous => "standby",
            Replication::Asynchronous => "",
        };
        // It ends with the test, however that ends.
        let mut command = as_anyone(Path::new("setpriv"));
        command.args(["--pdeathsig", "QUIT"]).arg(self.programs.join("postgres"));
        command.arg("-D").arg(&self.data).arg("-k").arg(&self.sockets);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("synchronous_standby_names={standby}")]);
        let mut process = Running::start(&mut command);
        process.logged(ready);
        self.process = Some(process);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.join(".s.PGSQL.5432")
    }

    /// By its socket, past every wire.
    pub(crate) fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=postgres", self.sockets.display())
    }

    /// Ends it as a loss of power does: the postmaster and all of its children by SIGKILL.
    pub(crate) fn kill(&mut self) {
        let process = self.process.take().unwrap();
        // One that is stopped brings up no more children.
        process.signal(Signal::STOP);
        let id = process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let children = children.split_whitespace().map(|id| Pid::from_raw(id.parse().unwrap()).unwrap());
        let children: Vec<Pid> = children.collect();
        assert!(!children.is_empty(), "a server has children");
        for child in &children {
            // One that has ended by itself is as dead.
            let _ = kill_process(*child, Signal::KILL);
        }
        process.signal(Signal::KILL);
        process.wait();
        crate::until("every process of the server is dead", || children.iter().copied().all(is_dead));
    }

    /// What was killed comes up again where it was.
    pub(crate) fn restart(&mut self) {
        self.start("ready to accept connections");
    }

    fn promote(&self) {
        run(as_anyone(&self.programs.join("pg_ctl")).args(["-s", "-w", "promote", "-D"]).arg(&self.data))
            .success();
    }

    /// Waits until what is committed at the primary arrives here.
    fn await_streaming(&self) {
        crate::until("the standby follows", || {
            self.sql("SELECT status FROM pg_stat_wal_receiver") == ["streaming"]
        });
    }

    /// The first column of what is found.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        sql_in(&self.sockets, 5432, "postgres", sql)
    }

    /// The last revision that can be read here.
    pub(crate) fn revision(&self) -> u64 {
        self.sql("SELECT max(revision) FROM changes")[0].parse().unwrap()
    }
}

/// Whether a process has gone, or is one that only waits for somebody to ask how it ended.
fn is_dead(id: Pid) -> bool {
    let told = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero()));
    told.map_or(true, |told| told.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z')))
}
