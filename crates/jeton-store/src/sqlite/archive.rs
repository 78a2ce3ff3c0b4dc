//! This store carried into another one, and another one into this.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::failure;
use super::read::{self, each_row};
use super::write;
use crate::StoreError;
use crate::archive::{Counts, Inventory, Item, Kind, PROGRESS, Place, Progress, Step, Touches, not_empty};

const KEY: &str = "server_key_fingerprint";

pub(super) fn arriving(connection: &Connection) -> Result<Option<Progress>, StoreError> {
    known(connection, PROGRESS)?.map(|text| Progress::from_text(&text)).transpose()
}

/// What the installation knows under a key.
fn known(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT value FROM installation WHERE key = ?1";
    let found = connection.query_row(sql, [key], |row| row.get(0)).optional();
    found.map_err(|error| failure(&error))
}

pub(super) fn inventory(connection: &Connection) -> Result<Inventory, StoreError> {
    let mut counts = Counts::default();
    for kind in Kind::ALL {
        let count = connection.query_row(kind.count_sql(), [], |row| row.get(0));
        counts.add(kind, count.map_err(|error| failure(&error))?);
    }
    let key = known(connection, KEY)?.map(|bytes| read::fingerprint(&bytes)).transpose()?;
    let head = read::last_revision(connection).map_err(|error| failure(&error))?;
    Ok(Inventory { head, counts, key })
}

pub(super) fn page(connection: &Connection, place: &Place, limit: usize) -> Result<Vec<Item>, StoreError> {
    if place.kind == Kind::Changes {
        let changes = read::changes(connection, place.revision()?, limit)?;
        return Ok(changes.into_iter().map(Item::Change).collect());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut items = Vec::new();
    each_row(connection, place.kind.page_sql(), params![place.after, limit], |row| {
        items.push(Item::from_row(place.kind, row)?);
        Ok(())
    })?;
    Ok(items)
}

/// Takes a step in the transaction that runs.
pub(super) fn take(connection: &Connection, step: &Step) -> Result<(), StoreError> {
    if !step.is_due(arriving(connection)?.as_ref())? {
        return Ok(());
    }
    let written = match step {
        Step::Begin(_) if !inventory(connection)?.is_empty() => return Err(not_empty()),
        Step::Begin(to) => note(connection, PROGRESS, &to.text()),
        Step::Carry { items, to, .. } => {
            let Touches { used, present } = Touches::of(items);
            write::carried(connection, items)
                .and_then(|()| write::touch_tokens(connection, &used))
                .and_then(|()| write::touch_members(connection, &present))
                .and_then(|()| note(connection, PROGRESS, &to.text()))
        }
        Step::Finish { key, .. } => key
            .map_or(Ok(()), |key| note(connection, KEY, &key))
            .and_then(|()| connection.execute("DELETE FROM installation WHERE key = ?1", [PROGRESS]))
            .map(drop),
    };
    written.map_err(|error| failure(&error))
}

fn note(connection: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO installation (key, value) VALUES (?1, ?2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.execute(sql, params![key, value]).map(drop)
}
