//! A whole store carried into another one: begun or gone on with, compared, finished.
//!
//! How far it is stands in the target, in the transaction of what arrived: so it can be interrupted at any instant, and the
//! same call goes on. Nobody may write to the source meanwhile; that its log has not moved is looked at again at the end.

use sha2::{Digest as _, Sha256};

use super::item::{Touches, absorb};
use super::{Archive, Counts, Inventory, Kind, Origin, Place, Progress, Step};
use crate::{StoreError, encoding};

/// What is going on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// Records are written into the target.
    Carrying,
    /// Both stores are read and compared.
    Comparing,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// What is going on.
    pub doing: Doing,
    /// With which kind.
    pub kind: Kind,
    /// How many are done.
    pub done: u64,
    /// Of how many.
    pub of: u64,
}

/// What was carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transferred {
    /// For each kind what was found in both stores, in the order of [`Kind::ALL`].
    pub lines: Vec<Line>,
    /// The last change.
    pub head: u64,
    /// How much of it was there when this began: of an interrupted attempt, or all of it.
    pub found: Counts,
    /// How much of it this attempt carried.
    pub carried: u64,
}

/// What both stores hold of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which.
    pub kind: Kind,
    /// How many there are.
    pub count: u64,
    /// Over the canonical form of them all, in hexadecimal digits.
    pub sha256: String,
}

/// Why a store was not carried. Nothing of the source was changed, and the target serves nobody.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransferError {
    /// There is nothing in the source.
    #[error("nothing was ever written there")]
    NothingThere,
    /// The source is itself a target that was not finished.
    #[error("a migration into it was interrupted: go on with that one first")]
    SourceUnfinished,
    /// The target has been used.
    #[error("it is not empty")]
    NotEmpty,
    /// Something else was being carried into the target.
    #[error(
        "it holds what an interrupted migration of another database left, or of this one before it changed (that one's \
         last change was {before}, this one's is {now})"
    )]
    AnotherSource {
        /// The last change of what was being carried.
        before: u64,
        /// The last change of the source.
        now: u64,
    },
    /// Somebody wrote to the source meanwhile.
    #[error("somebody has written to it meanwhile (its last change was {before} and is {now})")]
    SourceMoved {
        /// The last change when this began.
        before: u64,
        /// The last change now.
        now: u64,
    },
    /// What arrived is not what was sent.
    #[error("the {kind} that arrived are not those that were sent ({sent} were sent, {arrived} arrived)", kind = .kind.as_str())]
    Differs {
        /// Of which kind.
        kind: Kind,
        /// How many there are in the source.
        sent: u64,
        /// How many there are in the target.
        arrived: u64,
    },
    /// The source can't be read.
    #[error(transparent)]
    Source(StoreError),
    /// The target can't be written.
    #[error(transparent)]
    Target(StoreError),
}

type Tell<'a> = &'a mut (dyn FnMut(Told) + Send);

/// Carries everything from one store into another, `batch` at a time, and compares both. `tell` hears of each batch once it
/// is durable.
///
/// # Errors
/// [`TransferError`]; what was carried so far is there, and the same call goes on from it.
pub async fn transfer(
    from: &dyn Archive,
    to: &dyn Archive,
    batch: usize,
    tell: Tell<'_>,
) -> Result<Transferred, TransferError> {
    let (source, target) = (TransferError::Source, TransferError::Target);
    if from.arriving().await.map_err(source)?.is_some() {
        return Err(TransferError::SourceUnfinished);
    }
    let sent = from.inventory().await.map_err(source)?;
    if sent.is_empty() {
        return Err(TransferError::NothingThere);
    }
    let origin = Origin::of(from).await.map_err(source)?;
    let Some(begun) = begin(from, to, &origin, batch).await? else {
        // It was finished before, and whoever did it did not hear of it.
        let lines = compare(from, to, &sent, batch, tell).await.map_err(|error| match error {
            TransferError::Differs { .. } => TransferError::NotEmpty,
            other => other,
        })?;
        return Ok(Transferred { lines, head: origin.head, found: sent.counts, carried: 0 });
    };
    let found = begun.carried;
    let done = carry(from, to, begun, &sent, batch, tell).await?;
    let lines = compare(from, to, &sent, batch, tell).await?;
    let now = Origin::of(from).await.map_err(source)?;
    if now != origin {
        return Err(TransferError::SourceMoved { before: origin.head, now: now.head });
    }
    to.take(Step::Finish { from: done, key: sent.key }).await.map_err(target)?;
    let arrived = to.inventory().await.map_err(target)?;
    if (arrived.head, arrived.key) != (sent.head, sent.key) {
        let (sent, arrived) = (sent.head.number(), arrived.head.number());
        return Err(TransferError::Differs { kind: Kind::Changes, sent, arrived });
    }
    let all: u64 = lines.iter().map(|line| line.count).sum();
    Ok(Transferred { lines, head: origin.head, found, carried: all - found.0.iter().sum::<u64>() })
}

/// Where to go on: at the beginning, or where an attempt was interrupted. `None` if all is there.
async fn begin(
    from: &dyn Archive,
    to: &dyn Archive,
    origin: &Origin,
    batch: usize,
) -> Result<Option<Progress>, TransferError> {
    match to.arriving().await.map_err(TransferError::Target)? {
        Some(progress) if progress.origin == *origin => {
            catch_up(from, to, &progress.place, batch).await?;
            Ok(Some(progress))
        }
        Some(other) => Err(TransferError::AnotherSource { before: other.origin.head, now: origin.head }),
        None if to.inventory().await.map_err(TransferError::Target)?.is_empty() => {
            let place = Place::beginning_of(Kind::Accounts);
            let progress = Progress { origin: origin.clone(), place, carried: Counts::default() };
            to.take(Step::Begin(progress.clone())).await.map_err(TransferError::Target)?;
            Ok(Some(progress))
        }
        None if Origin::of(to).await.map_err(TransferError::Target)? == *origin => Ok(None),
        None => Err(TransferError::NotEmpty),
    }
}

/// The source may have been served since the attempt that was interrupted: nothing was changed, or its log would have moved,
/// but tokens may have been used. An instant of use never goes backwards, so it may be told again.
async fn catch_up(
    from: &dyn Archive,
    to: &dyn Archive,
    until: &Place,
    batch: usize,
) -> Result<(), TransferError> {
    for kind in [Kind::Members, Kind::Tokens].into_iter().filter(|kind| *kind <= until.kind) {
        let mut place = Place::beginning_of(kind);
        loop {
            let items = from.page(&place, batch).await.map_err(TransferError::Source)?;
            let Some(last) = items.last() else { break };
            place.after = last.key();
            let Touches { used, present } = Touches::of(&items);
            to.touch(&used, &present).await.map_err(TransferError::Target)?;
            if kind == until.kind && place.after >= until.after {
                break;
            }
        }
    }
    Ok(())
}

async fn carry(
    from: &dyn Archive,
    to: &dyn Archive,
    mut at: Progress,
    sent: &Inventory,
    batch: usize,
    tell: Tell<'_>,
) -> Result<Progress, TransferError> {
    let first = at.place.kind;
    for kind in Kind::ALL.into_iter().filter(|kind| *kind >= first) {
        let mut place = if kind == first { at.place.clone() } else { Place::beginning_of(kind) };
        loop {
            let items = from.page(&place, batch).await.map_err(TransferError::Source)?;
            let Some(last) = items.last() else { break };
            place.after = last.key();
            let mut next = Progress { place: place.clone(), ..at.clone() };
            next.carried.add(kind, items.len() as u64);
            let step = Step::Carry { from: at, items, to: next.clone() };
            to.take(step).await.map_err(TransferError::Target)?;
            at = next;
            let (done, of) = (at.carried.of(kind), sent.counts.of(kind));
            tell(Told { doing: Doing::Carrying, kind, done, of });
        }
    }
    Ok(at)
}

/// Reads both stores from the beginning to the end.
async fn compare(
    from: &dyn Archive,
    to: &dyn Archive,
    sent: &Inventory,
    batch: usize,
    tell: Tell<'_>,
) -> Result<Vec<Line>, TransferError> {
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let of = sent.counts.of(kind);
        let mut quiet = |_| {};
        let there = read(from, kind, batch, &mut quiet).await.map_err(TransferError::Source)?;
        let mut told = |done| tell(Told { doing: Doing::Comparing, kind, done, of });
        let here = read(to, kind, batch, &mut told).await.map_err(TransferError::Target)?;
        if there != here {
            return Err(TransferError::Differs { kind, sent: there.count, arrived: here.count });
        }
        lines.push(here);
    }
    Ok(lines)
}

async fn read(
    store: &dyn Archive,
    kind: Kind,
    batch: usize,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<Line, StoreError> {
    let (mut place, mut hash, mut count) = (Place::beginning_of(kind), Sha256::new(), 0);
    loop {
        let items = store.page(&place, batch).await?;
        let Some(last) = items.last() else { break };
        place.after = last.key();
        items.iter().for_each(|item| absorb(&mut hash, item));
        count += items.len() as u64;
        tell(count);
    }
    Ok(Line { kind, count, sha256: encoding::hex(&hash.finalize()) })
}
