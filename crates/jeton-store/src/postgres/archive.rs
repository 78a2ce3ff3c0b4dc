//! This store carried into another one, and another one into this.

use super::read::{self, HEAD};
use super::row::{bytes, revision};
use super::session::{ReadError, Session};
use super::{aside, write};
use crate::archive::{Counts, Inventory, Item, Kind, PROGRESS, Place, Progress, Step, Touches, not_empty};
use crate::encoding::unreadable;

const KEY: &str = "server_key_fingerprint";
const KNOWN: &str = "SELECT value FROM installation WHERE key = $1";
const NOTE: &str = "INSERT INTO installation (key, value) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const FORGET: &str = "DELETE FROM installation WHERE key = $1";
const END_OF_LOG: &str =
    "UPDATE head SET revision = (SELECT coalesce(max(revision), 0) FROM changes) WHERE number = 1";

pub(super) async fn arriving(session: &Session) -> Result<Option<Progress>, ReadError> {
    let rows = session.query(KNOWN, &[&PROGRESS]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Progress::from_text(row.try_get(0)?)?))
}

pub(super) async fn inventory(session: &Session) -> Result<Inventory, ReadError> {
    let mut counts = Counts::default();
    for kind in Kind::ALL {
        let rows = session.query(kind.count_sql(), &[]).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        counts.add(kind, count.unsigned_abs());
    }
    let head = session.query(HEAD, &[]).await?;
    let head = revision(head.first().ok_or_else(|| unreadable("database without a last revision"))?, 0)?;
    let key = session.query(KNOWN, &[&KEY]).await?;
    let key = key.first().map(|row| bytes(row, 0)).transpose()?;
    Ok(Inventory { head, counts, key })
}

pub(super) async fn page(session: &Session, place: &Place, limit: usize) -> Result<Vec<Item>, ReadError> {
    if place.kind == Kind::Changes {
        let changes = read::changes(session, place.revision()?, limit).await?;
        return Ok(changes.into_iter().map(Item::Change).collect());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(place.kind.page_sql(), &[&place.after, &limit]).await?;
    Ok(rows.iter().map(|row| Item::from_row(place.kind, row)).collect::<Result<_, _>>()?)
}

/// Takes a step in the transaction that runs, in which nobody else commits.
pub(super) async fn take(session: &Session, step: &Step) -> Result<(), ReadError> {
    if !step.is_due(arriving(session).await?.as_ref())? {
        return Ok(());
    }
    match step {
        Step::Begin(to) => {
            if !inventory(session).await?.is_empty() {
                return Err(not_empty().into());
            }
            session.execute(NOTE, &[&PROGRESS, &to.text()]).await?;
        }
        Step::Carry { items, to, .. } => {
            write::carried(session, items).await?;
            let Touches { used, present } = Touches::of(items);
            aside::touch(session, &used, &present).await?;
            session.execute(NOTE, &[&PROGRESS, &to.text()]).await?;
        }
        Step::Finish { key, .. } => {
            if let Some(key) = key {
                session.execute(NOTE, &[&KEY, &&key[..]]).await?;
            }
            session.execute(END_OF_LOG, &[]).await?;
            session.execute(FORGET, &[&PROGRESS]).await?;
        }
    }
    Ok(())
}
