//! Runs the real binary: starts it, knows its address, reads what it says, stops it.
//!
//! Nothing here sleeps. A test waits for a line that the process prints or for the end of its output, and for neither
//! longer than [`PATIENCE`]. Whatever was started is stopped when its guard is dropped, by its own id.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and may say what it leaves out"
)]

pub mod gateway;
pub mod http;
pub mod responder;
pub mod terminal;
pub mod upstream;

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// For anything that should take a moment, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A `jeton` command that hears nothing of the surroundings of the test.
pub(crate) fn jeton(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jeton"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("JETON_") || name.starts_with("CANVUS_") {
            command.env_remove(&*name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// `jeton serve` on a port that the system chooses.
pub(crate) fn serve(data_dir: &Path) -> Command {
    serve_at("127.0.0.1:0", data_dir)
}

/// `jeton serve` where another one listened before.
pub(crate) fn serve_at(address: &str, data_dir: &Path) -> Command {
    let mut command = jeton(&["serve", "--listen", address, "--data-dir"]);
    command.arg(data_dir);
    command
}

/// The same on the first core alone.
pub(crate) fn on_one_core(command: &Command) -> Command {
    through("taskset", &["--cpu-list", "0"], command)
}

/// The same, to be ended by Ctrl-C also where whoever started these tests is not: what a shell starts in the background isn't.
pub(crate) fn hearing_ctrl_c(command: &Command) -> Command {
    through("env", &["--default-signal=INT"], command)
}

/// The same, started by another program that makes way for it.
fn through(program: &str, arguments: &[&str], command: &Command) -> Command {
    let mut started = Command::new(program);
    started.args(arguments).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    started
}

/// A process that has ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The exit code; panics if a signal ended the process.
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self:?}"))
    }

    /// What was printed by a command that succeeded.
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }

    /// The one message of a command that failed, without `error: `, and its exit code. Log lines are passed over.
    pub(crate) fn error(&self) -> (String, i32) {
        let errors: Vec<_> = self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert_eq!(errors.len(), 1, "{self:?}");
        (errors[0].to_owned(), self.code())
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Running::start(command).wait()
}

/// Runs a command to its end, with this on its standard input.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Ended {
    let mut running = Running::start(command.stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().unwrap();
    // A command that has made up its mind early may not read it all.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    running.wait()
}

/// A process, stopped when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    deadline: Instant,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::follow(child.stdout.take().unwrap());
        let stderr = Lines::follow(child.stderr.take().unwrap());
        Self { child, stdout, stderr, deadline: Instant::now() + PATIENCE }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on standard error that holds this text.
    pub(crate) fn logged(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stderr.next(deadline) {
                Some(line) if line.contains(text) => return line,
                Some(_) => {}
                None => {
                    panic!("ended without saying {text:?}: {:?} {:?}", self.stdout.seen, self.stderr.seen)
                }
            }
        }
    }

    /// Waits for a line on standard output that holds this text, and gives back everything up to it.
    pub(crate) fn printed(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Some(line) = self.stdout.next(deadline) {
            if line.contains(text) {
                return self.stdout.seen.clone();
            }
        }
        panic!("ended without printing {text:?}: {:?} {:?}", self.stdout.seen, self.stderr.seen)
    }

    /// What was printed so far, as far as somebody waited for it.
    pub(crate) fn printed_so_far(&self) -> &str {
        &self.stdout.seen
    }

    /// Whether it says a line on standard error that holds this text, before it ends.
    pub(crate) fn logs_before_it_ends(&mut self, text: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        std::iter::from_fn(|| self.stderr.next(deadline)).any(|line| line.contains(text))
    }

    /// What was logged so far, as far as somebody waited for it.
    pub(crate) fn log(&self) -> &str {
        &self.stderr.seen
    }

    /// All that was logged by a process that has ended.
    pub(crate) fn log_at_the_end(&mut self) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while self.stderr.next(deadline).is_some() {}
        &self.stderr.seen
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).unwrap();
    }

    /// Whether it still runs, without waiting.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Ended {
        self.wait_within(PATIENCE)
    }

    /// Waits for its end, which takes its time.
    pub(crate) fn wait_within(mut self, patience: Duration) -> Ended {
        let deadline = self.deadline.max(Instant::now() + patience);
        while self.stdout.next(deadline).is_some() {}
        while self.stderr.next(deadline).is_some() {}
        let status = self.child.wait().unwrap();
        let (stdout, stderr) = (std::mem::take(&mut self.stdout.seen), std::mem::take(&mut self.stderr.seen));
        Ended { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended and was waited for is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, read by a thread so that the process never waits for us.
struct Lines {
    coming: Receiver<String>,
    seen: String,
}

impl Lines {
    fn follow(pipe: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { coming, seen: String::new() }
    }

    /// The next line; `None` at the end. Panics if neither comes in time.
    fn next(&mut self, deadline: Instant) -> Option<String> {
        match self.coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.seen.push_str(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more came in time after: {}", self.seen),
        }
    }
}

/// A server that is ready.
pub(crate) struct Server {
    process: Running,
    ready: Value,
}

impl Server {
    /// Starts a server on a data directory, and waits until it is ready.
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(&mut serve(data_dir))
    }

    /// Starts a server with a command of one's own, whose log has to be JSON.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut process = Running::start(command);
        let line = process.logged(r#""message":"ready""#);
        Self { process, ready: serde_json::from_str(&line).unwrap() }
    }

    /// The line that said that the server is ready.
    pub(crate) fn ready(&self) -> &Value {
        &self.ready
    }

    /// Where it listens: `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.ready["address"].as_str().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Ended {
        self.process.signal(Signal::TERM);
        let ended = self.process.wait();
        assert_eq!(ended.code(), 0, "{ended:?}");
        ended
    }

    /// Waits until it has ended, after a signal that was sent already.
    pub(crate) fn stop_having_asked(self) -> Ended {
        self.process.wait()
    }

    /// Ends it as a crash does: `kill -9`.
    pub(crate) fn crash(self) -> Ended {
        self.process.signal(Signal::KILL);
        self.process.wait()
    }

    /// The status with which somebody with this secret is answered.
    pub(crate) fn status_for(&self, secret: &str) -> u16 {
        self.list(secret).status
    }

    /// Lists the tokens that this secret sees, with the API of version 2.
    pub(crate) fn list(&self, secret: &str) -> Reply {
        curl(&["-H", &format!("Authorization: {secret}"), &self.url("/api/v2/tokens")])
    }

    /// Issues a token, as Canvus does, and gives back its secret.
    pub(crate) fn issue(&self, secret: &str, description: &str) -> String {
        let body = serde_json::json!({ "description": description }).to_string();
        let header = format!("Private-Token: {secret}");
        let reply =
            curl(&["-X", "POST", "-H", &header, "-d", &body, &self.url("/api/v1/users/1000/access-tokens")]);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["plain_token"].as_str().unwrap().to_owned()
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Empty if the body has no type.
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Reply {
    /// What curl says of a reply after its body, for the option `-w`.
    pub(crate) const TOLD: &str = r"\n%{http_code} %{content_type}";

    /// Reads what curl printed.
    pub(crate) fn printed(printed: &str) -> Self {
        let (body, told) = printed.rsplit_once('\n').unwrap();
        let (status, content_type) = told.split_once(' ').unwrap();
        Self { status: status.parse().unwrap(), content_type: content_type.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks with the real curl.
pub(crate) fn curl(arguments: &[&str]) -> Reply {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "--max-time", "30", "-w", Reply::TOLD]).args(arguments);
    Reply::printed(&run(command.stdin(Stdio::null())).success())
}

/// The secret in a data directory's `owner-token`.
pub(crate) fn owner_token(data_dir: &Path) -> String {
    let line = std::fs::read_to_string(data_dir.join("owner-token")).unwrap();
    line.strip_suffix('\n').unwrap().to_owned()
}

/// Says that a test can't run here. In CI that is a failure: there everything runs.
pub fn left_out(what: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI nothing may be left out: {what}");
    println!("LEFT OUT: {what}");
}
