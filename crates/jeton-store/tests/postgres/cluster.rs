//! A PostgreSQL of this test process: made in a directory of its own, reached by a socket in it, gone with the process.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jeton_store::Postgres;
use jeton_store::postgres::Address;
use pollster::block_on;
use tokio_postgres::NoTls;

/// Nothing that is left behind here is worth a wait for a disk.
const SETTINGS: &str = "-c fsync=off -c max_connections=200 -c autovacuum=off";

/// Starts a server, waits until the test process has ended, however it ended, and stops it and takes its directory away.
const KEEPER: &str = r#"
"$1/pg_ctl" -D "$2/data" -s -w -l "$2/log" -o "-k $2 $3" start && echo started
read -r _
"$1/pg_ctl" -D "$2/data" -s -m immediate stop
rm -rf "$2"
"#;

pub(crate) struct Cluster {
    sockets: PathBuf,
    /// A part of the socket's name, also where nobody listens there.
    port: u16,
    /// What it reads from ends with this process.
    _keeper: Child,
}

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// An empty database, if this machine has PostgreSQL.
pub(crate) struct Database {
    name: String,
    sockets: PathBuf,
    port: u16,
}

impl Database {
    pub(crate) fn new() -> Option<Self> {
        let cluster =
            CLUSTER.get_or_init(|| Cluster::start_at(5432, "-c listen_addresses=", |_| {})).as_ref()?;
        Some(Self::on(cluster))
    }

    pub(crate) fn on(cluster: &Cluster) -> Self {
        let name = format!("case_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        sql_in(&cluster.sockets, cluster.port, "postgres", &format!("CREATE DATABASE {name}"));
        Self { name, sockets: cluster.sockets.clone(), port: cluster.port }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The socket of the server.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{}", self.port))
    }

    pub(crate) fn address(&self) -> Address {
        self.address_by(&self.sockets)
    }

    /// The address of the database by a socket in another directory.
    pub(crate) fn address_by(&self, sockets: &Path) -> Address {
        self.url_by(sockets).parse().unwrap()
    }

    /// The address as an operator writes it. The server does not ask for the password.
    pub(crate) fn url(&self) -> String {
        self.url_by(&self.sockets)
    }

    pub(crate) fn url_by(&self, sockets: &Path) -> String {
        format!("postgres:///{}?host={}&user=postgres&password=hunter2", self.name, sockets.display())
    }

    pub(crate) fn open(&self) -> Postgres {
        block_on(Postgres::open(&self.address(), Duration::ZERO)).unwrap()
    }

    /// The message of a refusal to open.
    pub(crate) fn refusal(&self) -> String {
        match block_on(Postgres::open(&self.address(), Duration::ZERO)) {
            Ok(_) => panic!("this should not have opened"),
            Err(error) => error.to_string(),
        }
    }

    /// Runs SQL past the store; gives back the first column of what it finds.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        sql_in(&self.sockets, self.port, &self.name, sql)
    }

    /// Ends every other session on this database.
    pub(crate) fn end_sessions(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
}

/// Runs SQL; gives back the first column of what it finds.
pub(crate) fn sql_in(sockets: &Path, port: u16, database: &str, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host_path(sockets).port(port).user("postgres").dbname(database);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let answered = client.simple_query(sql).await.unwrap();
        let first = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        answered.into_iter().filter_map(first).collect()
    })
}

impl Cluster {
    /// `None`, said aloud, where there is no PostgreSQL. What belongs into its directory besides is put there before it
    /// starts.
    pub(crate) fn start_at(port: u16, settings: &str, prepare: impl FnOnce(&Path)) -> Option<Self> {
        let Some(programs) = programs() else {
            left_out(
                "PostgreSQL: scripts/test installs it (postgresql-15), or JETON_TEST_POSTGRES_BIN says where it is",
            );
            return None;
        };
        let directory = tempfile::tempdir().unwrap().keep();
        let data = directory.join("data");
        // PostgreSQL does not run as root.
        give_away(&directory);
        initdb(&programs, &data);
        prepare(&data);
        let mut keeper = as_anyone(Path::new("sh"))
            .args(["-c", KEEPER, "keeper"])
            .arg(&programs)
            .arg(&directory)
            .arg(format!("{SETTINGS} -c port={port} {settings}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n", "see {}", directory.join("log").display());
        Some(Self { sockets: directory, port, _keeper: keeper })
    }
}

/// Makes the files of a server that has none.
pub(crate) fn initdb(programs: &Path, data: &Path) {
    let made = as_anyone(&programs.join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .args(["--no-sync", "-D"])
        .arg(data)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Makes a file the server's, where that is another user.
pub(crate) fn give_away(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let [user, group] = ["-u", "-g"].map(|what| {
            let told = Command::new("id").args([what, "postgres"]).output().unwrap();
            String::from_utf8(told.stdout).unwrap().trim().parse().unwrap()
        });
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// The program, as a user whom PostgreSQL serves.
pub(crate) fn as_anyone(program: &Path) -> Command {
    let mut command;
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    command
}

/// The directory of PostgreSQL's programs.
pub(crate) fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("JETON_TEST_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = PathBuf::from("/usr/lib/postgresql/15/bin");
    let places = named.into_iter().chain(std::env::split_paths(&path)).chain([debian]);
    places.into_iter().find(|place| place.join("initdb").exists() && place.join("pg_ctl").exists())
}

/// Says what was not tested. In CI that is a failure.
#[allow(clippy::print_stdout, reason = "a test may say what it leaves out")]
pub(crate) fn left_out(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI nothing may be left out: {what}");
    println!("LEFT OUT: {what}");
}
