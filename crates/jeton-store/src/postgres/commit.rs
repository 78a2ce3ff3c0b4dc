//! The writer: commits groups in one transaction each, and finds out what became of one whose answer was lost.

use std::time::{Duration, Instant};

use jeton_core::change::{Change, Proposal, Revision};
use tokio_postgres::Error;

use super::error::{is_refusal, may_succeed, told};
use super::ground::{self, Ground, lock_head};
use super::guard::Guard;
use super::session::{ReadError, Session, Work, pause};
use super::write::{self, revision_number};
use super::{Address, read, row};
use crate::{Outcome, StoreError};

/// How long something is tried again: as long as a standby takes to become the primary.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a session needs to write. Nobody is kept waiting for long by a jeton that has gone silent; and where answers are
/// given before they are durable, jeton's are not. (Whoever asks for more than `on` keeps it.)
const PREPARE: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit', true) IN ('off', 'local')";

pub(super) struct Writer {
    address: Address,
    guard: Option<Guard>,
    /// In no transaction. Taken out while it is in one, so that one that broke off is never gone on with.
    session: Option<Session>,
    /// The last revision as this writer knows it. `None` before its first group.
    head: Option<Revision>,
    /// What may have been committed, or not, although it was answered as failed.
    doubt: Option<Vec<Change>>,
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
    /// A writer on a session of its own, which holds the guard if there is one.
    pub(super) fn new(address: Address, guard: Option<Guard>, session: Session) -> Self {
        Self { address, guard, session: Some(session), head: None, doubt: None }
    }

    pub(super) async fn commit(&mut self, proposals: &[Proposal]) -> Result<Vec<Outcome>, StoreError> {
        self.settle().await?;
        let (begun, mut attempt) = (Instant::now(), 0);
        loop {
            let error = match self.attempt(proposals).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::Before(error)) => error,
                Err(Failed::Unknown(outcomes, error)) => {
                    tracing::warn!("a commit was not answered, asking what became of it: {}", told(&error));
                    if self.find_out_or_doubt(&outcomes).await? {
                        return Ok(outcomes);
                    }
                    error.into()
                }
            };
            if begun.elapsed() >= PATIENCE || !is_passing(&error) {
                return Err(error.into_failure());
            }
            attempt += 1;
            pause(attempt).await;
        }
    }

    /// Does something beside the log, in a transaction that no commit runs beside. It may be done twice, where the answer to
    /// the first was lost.
    pub(super) async fn aside<T>(
        &mut self,
        work: impl for<'s> Fn(&'s Session) -> Work<'s, T> + Sync,
    ) -> Result<T, StoreError> {
        let (begun, mut attempt) = (Instant::now(), 0);
        loop {
            let error = match self.try_aside(&work).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if begun.elapsed() >= PATIENCE || !is_passing(&error) {
                return Err(error.into_failure());
            }
            attempt += 1;
            pause(attempt).await;
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
        let written = self.write(&session, proposals).await;
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
                self.session = Some(session);
                self.head = last_of(&outcomes).or(self.head);
                Ok(outcomes)
            }
            Err(error) if is_refusal(&error) => {
                self.roll_back(session).await;
                Err(error.into())
            }
            Err(error) => Err(Failed::Unknown(outcomes, error)),
        }
    }

    /// Writes a group in a new transaction; gives back what becomes of the proposals and how many changes there are.
    async fn write(
        &self,
        session: &Session,
        proposals: &[Proposal],
    ) -> Result<(Vec<Outcome>, usize), ReadError> {
        let mut ground = ground::begin(session, proposals).await?;
        if self.guard.is_some() && self.head.is_some_and(|head| head != ground.head) {
            return Err(StoreError::Broken(
                "this database is not where this jeton left it: another one has written to it, or it went back in time; stop \
                 the other one, and start this one again"
                    .to_owned(),
            )
            .into());
        }
        let outcomes: Vec<Outcome> = proposals.iter().map(|proposal| decide(&mut ground, proposal)).collect();
        let changes: Vec<Change> = outcomes.iter().filter_map(Outcome::change).cloned().collect();
        write::write(session, &changes).await?;
        Ok((outcomes, changes.len()))
    }

    /// What was left open before comes first: a writer that does not know what it has done does nothing more.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Some(doubt) = self.doubt.take() else { return Ok(()) };
        let found = self.find_out(&doubt).await;
        if found == Ok(false) {
            return Ok(());
        }
        self.doubt = Some(doubt);
        found?;
        Err(StoreError::Broken(
            "changes are in the database that were answered as failed, because it could not be asked for too long: \
             restart jeton, so that it reads them"
                .to_owned(),
        ))
    }

    async fn find_out_or_doubt(&mut self, outcomes: &[Outcome]) -> Result<bool, StoreError> {
        let changes: Vec<Change> = outcomes.iter().filter_map(Outcome::change).cloned().collect();
        let found = self.find_out(&changes).await;
        match found {
            Ok(true) => self.head = last_of(outcomes).or(self.head),
            Ok(false) => {}
            Err(_) => self.doubt = Some(changes),
        }
        found
    }

    /// Whether these changes were committed.
    async fn find_out(&mut self, changes: &[Change]) -> Result<bool, StoreError> {
        let (begun, mut attempt) = (Instant::now(), 0);
        loop {
            let error = match self.try_find_out(changes).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            if begun.elapsed() >= PATIENCE || !is_passing(&error) {
                let error = error.into_failure();
                return Err(StoreError::Broken(format!(
                    "whether a change was committed is not known: {error}"
                )));
            }
            attempt += 1;
            pause(attempt).await;
        }
    }

    /// The row with the last revision is locked by the transaction in question until it has ended, also when nobody is at
    /// its other end any more. So whoever gets that lock meets what has become of it, and not what it may yet become.
    async fn try_find_out(&mut self, changes: &[Change]) -> Result<bool, ReadError> {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(false) };
        let session = self.take_session().await?;
        session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let head = lock_head(&session).await?;
        let before = revision_number(first.revision) - 1;
        let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let rows = session.query(read::CHANGES, &[&before, &count]).await?;
        let found: Vec<Change> = rows.iter().map(row::change_from).collect::<Result<_, _>>()?;
        self.roll_back(session).await;
        if head < last.revision {
            return Ok(false);
        }
        if found.first().map(|change| change.revision) != Some(first.revision) {
            return Err(StoreError::Broken("the log has forgotten it".to_owned()).into());
        }
        Ok(found == changes)
    }

    /// The session, or a new one that holds the guard and has its statements prepared.
    async fn take_session(&mut self) -> Result<Session, ReadError> {
        if let Some(session) = self.session.take().filter(|session| !session.client.is_closed()) {
            return Ok(session);
        }
        let session = Session::connect(&self.address).await?;
        if let Some(guard) = &self.guard
            && !guard.take(&session).await?
        {
            return Err(ReadError::Busy);
        }
        prepare(&session).await?;
        Ok(session)
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

fn is_passing(error: &ReadError) -> bool {
    match error {
        ReadError::Database(error) => may_succeed(error),
        ReadError::Busy => true,
        ReadError::Content(_) => false,
    }
}

fn decide(ground: &mut Ground, proposal: &Proposal) -> Outcome {
    if let Some(expectation) = ground.broken(&proposal.expects) {
        return Outcome::Stale(expectation);
    }
    let change = proposal.clone().at_revision(ground.head.next());
    if ground.take(&change.event, change.revision) { Outcome::Committed(change) } else { Outcome::Duplicate }
}

fn last_of(outcomes: &[Outcome]) -> Option<Revision> {
    outcomes.iter().rev().find_map(Outcome::change).map(|change| change.revision)
}
