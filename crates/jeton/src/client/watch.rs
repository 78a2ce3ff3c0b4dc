//! `jeton watch`: follows what happens in an account, a line for each change, and goes on by itself after a lost connection.
//!
//! It knows the revision up to which it was told everything, and asks for what comes after: so nothing is missed or shown
//! twice, however often the connection is lost. A signal ends it as it ends any program, at once and without a word; each
//! line is written whole, so there is nothing to put in order first.

mod change;

use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Deserialize;

use super::arguments::asking;
use super::ask::say;
use super::lines::Lines;
use super::session::Session;
use super::transport::Call;
use crate::fault::Fault;
use crate::show::clean;
use change::Change;

const EXAMPLE: &str = "jeton watch";

/// Before the first attempt to connect again; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// It is never longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

pub(super) fn command() -> Command {
    asking(
        Command::new("watch").about("Follow what happens in the account, a line for each change, until Ctrl-C"),
        EXAMPLE,
    )
    .long_about(
        "Follow what happens in the account, a line for each change, until Ctrl-C. A connection that is lost is made anew, \
         and nothing is missed or shown twice by that. Members, roles and service tokens are shown to everybody, personal \
         tokens to their owner and to administrators.",
    )
    .arg(
        Arg::new("after")
            .long("after")
            .value_name("REVISION")
            .value_parser(value_parser!(u64))
            .help("Go on after this change, 0 being before the oldest there is; from now on if it is left out"),
    )
    .mut_arg("json", |json| json.help("Print the server's JSON, a line for each change, for scripts"))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Fault> {
    let session = Session::open(matches, EXAMPLE)?;
    let after = matches.get_one::<u64>("after").copied();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(Watch { session, after, followed: false }.follow());
    // A look-up of a name that nobody answers is not waited for.
    runtime.shutdown_background();
    match ended {
        Err(End::Unread) => Ok(()),
        Err(End::Fault(fault)) => Err(fault),
        Ok(never) => match never {},
    }
}

/// Why it does not go on.
enum End {
    /// Nobody reads what it prints: whoever wanted a few lines has them.
    Unread,
    /// Something that another attempt would not mend.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Fault(Fault::failed(format!("nothing can be written to standard output ({error})"))),
        }
    }
}

/// Why there is no connection, for people.
type Lost = String;

/// What there is of every line.
#[derive(Deserialize)]
struct Place {
    revision: u64,
    kind: String,
}

struct Watch {
    session: Session,
    /// Everything up to here has been shown.
    after: Option<u64>,
    /// The server was there once: so it will be again.
    followed: bool,
}

impl Watch {
    async fn follow(mut self) -> Result<std::convert::Infallible, End> {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match self.open().await? {
                Ok(mut lines) => {
                    let (heard, lost) = self.show(&mut lines).await?;
                    if heard {
                        pause = FIRST_PAUSE;
                    }
                    lost
                }
                Err(lost) => lost,
            };
            say(&format!("{lost}; trying again in {} s", pause.as_secs()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Opens the stream. What may get better by itself is no reason to give up, once there was a stream: until then it is a
    /// mistyped address more often than a server that is away.
    async fn open(&self) -> Result<Result<Lines, Lost>, End> {
        let after = self.after.map_or(String::new(), |after| format!("?after={after}"));
        match self.session.open_stream(&Call::get(format!("/changes{after}"))).await {
            Ok(Ok(lines)) => Ok(Ok(lines)),
            Ok(Err(answer)) if self.followed && matches!(answer.status, 429 | 500..) => {
                Ok(Err(format!("the server at {} answers {}", self.session.address(), answer.status)))
            }
            Ok(Err(answer)) => Err(self.session.refusal(&answer).into()),
            Err(Fault::Failed(why)) if self.followed => {
                // Its first line: what else is in it helps whoever is asked for an address.
                Ok(Err(why.lines().next().unwrap_or_default().to_owned()))
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// Shows what comes. Gives back whether anything did, and why nothing more does.
    async fn show(&mut self, lines: &mut Lines) -> Result<(bool, Lost), End> {
        let mut heard = false;
        loop {
            let line = match lines.next().await {
                Ok(line) => line,
                Err(why) => {
                    return Ok((heard, format!("lost the server at {}: {why}", self.session.address())));
                }
            };
            let Place { revision, kind } = self.session.understand(&line)?;
            if kind == "keep-alive" {
                if !heard {
                    say(&format!("following {} after revision {revision}", self.session.address()));
                }
            } else if self.session.wants_json() {
                put(&line)?;
            } else {
                let change: Change = self.session.understand(&line)?;
                put(change.line().as_bytes())?;
            }
            // After it was shown, never before.
            self.after = Some(revision);
            (heard, self.followed) = (true, true);
        }
    }
}

/// Writes a line in one piece.
fn put(line: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(&[line, b"\n"].concat())?;
    stdout.flush()
}
