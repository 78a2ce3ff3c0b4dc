//! The writer: commits groups in one transaction each, and finds out what became of one whose answer was lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton_core::change::{Change, Proposal};
use tokio_postgres::Error;

use super::error::{is_refusal, may_succeed, told};
use super::ground::{self, Ground, lock_head};
use super::news::Ears;
use super::session::{ReadError, Session, Work, pause};
use super::write::{self, revision_number};
use super::{Address, read, row};
use crate::{Outcome, StoreError};

/// How long something is tried again: as long as a standby takes to become the primary.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a session needs to write. A jeton that falls silent in the middle of a transaction keeps the others waiting for a
/// second, since nothing but the way to the database lies between two statements of its own; a wait for the synchronous
/// standby is never broken off, because the server would answer then as if it had ended well; and where answers are given before
/// they are durable, jeton's are not. (Whoever asks for more than `on` keeps it.)
pub(super) const PREPARE: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '1s';
    SET statement_timeout = 0;
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit', true) IN ('off', 'local')";

/// Ends the transaction that holds the last revision with a write that changes nothing.
const CONFIRM: &str = "UPDATE head SET revision = revision WHERE number = 1; COMMIT";

pub(super) struct Writer {
    address: Address,
    /// How long a new session waits before its first group. It may be the first one on a standby that took over, while nodes
    /// that can still read the old primary take what they read there for the truth: for one lease, and not longer.
    patience: Duration,
    /// In no transaction. Taken out while it is in one, so that one that broke off is never gone on with.
    session: Option<Session>,
    ears: Arc<Ears>,
}

/// Why a group was not committed, as far as is known.
enum Failed {
    /// Nothing of it was.
    Before(ReadError),
    /// COMMIT was sent, and no answer says what became of it.
    Unknown(Vec<Outcome>, Error),
}

impl<E: Into<ReadError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Before(error.into())
    }
}

impl Writer {
    /// A writer on a session of its own.
    pub(super) fn new(address: Address, patience: Duration, session: Session, ears: Arc<Ears>) -> Self {
        Self { address, patience, session: Some(session), ears }
    }

    pub(super) async fn commit(&mut self, proposals: &[Proposal]) -> Result<Vec<Outcome>, StoreError> {
        let mut attempts = Attempts::begin();
        loop {
            let error = match self.attempt(proposals).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Before(error)) => error,
                Err(Failed::Unknown(outcomes, error)) => {
                    tracing::warn!("a commit was not answered, asking what became of it: {}", told(&error));
                    let changes: Vec<Change> = outcomes.iter().filter_map(Outcome::change).cloned().collect();
                    if self.find_out(&changes).await? {
                        return Ok(outcomes);
                    }
                    error.into()
                }
            };
            attempts.go_on_after(error).await.map_err(ReadError::into_failure)?;
        }
    }

    /// Does something beside the log, in a transaction that no commit runs beside. It may be done twice, where the answer to
    /// the first was lost.
    pub(super) async fn aside<T>(
        &mut self,
        work: impl for<'s> Fn(&'s Session) -> Work<'s, T> + Sync,
    ) -> Result<T, StoreError> {
        let mut attempts = Attempts::begin();
        loop {
            let error = match self.try_aside(&work).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            attempts.go_on_after(error).await.map_err(ReadError::into_failure)?;
        }
    }

    async fn try_aside<T>(
        &mut self,
        work: &(impl for<'s> Fn(&'s Session) -> Work<'s, T> + Sync),
    ) -> Result<T, ReadError> {
        let session = self.take_session().await?;
        let worked = async {
            session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            lock_head(&session).await?;
            let done = work(&session).await?;
            session.client.batch_execute("COMMIT").await?;
            Ok(done)
        };
        let worked: Result<T, ReadError> = worked.await;
        match worked {
            Ok(_) => self.session = Some(session),
            Err(_) => self.roll_back(session).await,
        }
        worked
    }

    async fn attempt(&mut self, proposals: &[Proposal]) -> Result<Vec<Outcome>, Failed> {
        let session = self.take_session().await?;
        self.outwait(&session).await;
        let written = write_group(&session, proposals).await;
        let (outcomes, changes) = match written {
            Ok(written) => written,
            Err(error) => {
                self.roll_back(session).await;
                return Err(error.into());
            }
        };
        if changes == 0 {
            self.roll_back(session).await;
            return Ok(outcomes);
        }
        match session.client.batch_execute("COMMIT").await {
            Ok(()) => {
                self.ears.spread(&session);
                self.session = Some(session);
                Ok(outcomes)
            }
            Err(error) if is_refusal(&error) => {
                self.roll_back(session).await;
                Err(error.into())
            }
            Err(error) => Err(Failed::Unknown(outcomes, error)),
        }
    }

    /// Whether these changes were committed.
    async fn find_out(&mut self, changes: &[Change]) -> Result<bool, StoreError> {
        let mut attempts = Attempts::begin();
        loop {
            let error = match self.try_find_out(changes).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            attempts.go_on_after(error).await.map_err(|error| {
                let error = error.into_failure();
                StoreError::Broken(format!("whether a change was committed is not known: {error}"))
            })?;
        }
    }

    /// The row with the last revision is locked by the transaction in question until it has ended, also when nobody is at
    /// its other end any more. So whoever gets that lock meets what has become of it, and not what it may yet become.
    ///
    /// Another node may have committed the very same at the very same revision: the same instant, the same actor, the same
    /// records before and after. Then that is what this one was to do, and it is done.
    async fn try_find_out(&mut self, changes: &[Change]) -> Result<bool, ReadError> {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(false) };
        let session = self.take_session().await?;
        // What the old primary never answered it shows nobody, although the new one has it.
        self.outwait(&session).await;
        session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let head = lock_head(&session).await?;
        let before = revision_number(first.revision) - 1;
        let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let rows = session.query(read::CHANGES, &[&before, &count]).await?;
        let found: Vec<Change> = rows.iter().map(row::change_from).collect::<Result<_, _>>()?;
        // What can be read may not be durable yet: a primary that was started again shows commits that its standby never
        // confirmed. One that confirms this write confirms what was before it.
        session.client.batch_execute(CONFIRM).await?;
        self.session = Some(session);
        if head < last.revision {
            return Ok(false);
        }
        if found.first().map(|change| change.revision) != Some(first.revision) {
            return Err(StoreError::Broken("the log has forgotten it".to_owned()).into());
        }
        Ok(found == changes)
    }

    /// The session, or a new one that has its statements prepared.
    async fn take_session(&mut self) -> Result<Session, ReadError> {
        if let Some(session) = self.session.take().filter(|session| !session.client.is_closed()) {
            return Ok(session);
        }
        let session = Session::connect(&self.address).await?;
        prepare(&session).await?;
        Ok(session)
    }

    /// Waits until no node takes an old primary for the truth any more that this session's server has replaced.
    async fn outwait(&self, session: &Session) {
        tokio::time::sleep_until((session.opened + self.patience).into()).await;
    }

    async fn roll_back(&mut self, session: Session) {
        if session.client.batch_execute("ROLLBACK").await.is_ok() {
            self.session = Some(session);
        }
    }
}

/// Makes a session ready to write.
pub(super) async fn prepare(session: &Session) -> Result<(), Error> {
    session.client.batch_execute(PREPARE).await?;
    for sql in ground::STATEMENTS.iter().chain(write::STATEMENTS) {
        session.statement(sql).await?;
    }
    Ok(())
}

/// Attempts at the same thing, for as long as it may yet succeed.
struct Attempts {
    begun: Instant,
    failed: u32,
}

impl Attempts {
    fn begin() -> Self {
        Self { begun: Instant::now(), failed: 0 }
    }

    /// Waits a little before the next attempt. Gives the error back if there is none.
    async fn go_on_after(&mut self, error: ReadError) -> Result<(), ReadError> {
        let is_passing = matches!(&error, ReadError::Database(error) if may_succeed(error));
        if self.begun.elapsed() >= PATIENCE || !is_passing {
            return Err(error);
        }
        self.failed += 1;
        pause(self.failed).await;
        Ok(())
    }
}

/// Writes a group in a new transaction; gives back what becomes of the proposals and how many changes there are.
async fn write_group(session: &Session, proposals: &[Proposal]) -> Result<(Vec<Outcome>, usize), ReadError> {
    let mut ground = ground::begin(session, proposals).await?;
    let outcomes: Vec<Outcome> = proposals.iter().map(|proposal| decide(&mut ground, proposal)).collect();
    let changes: Vec<Change> = outcomes.iter().filter_map(Outcome::change).cloned().collect();
    write::write(session, &changes).await?;
    Ok((outcomes, changes.len()))
}

fn decide(ground: &mut Ground, proposal: &Proposal) -> Outcome {
    if let Some(expectation) = ground.broken(&proposal.expects) {
        return Outcome::Stale(expectation);
    }
    let change = proposal.clone().at_revision(ground.head.next());
    if ground.take(&change.event, change.revision) { Outcome::Committed(change) } else { Outcome::Duplicate }
}
