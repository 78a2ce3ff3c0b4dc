//! The nodes that share the database: how they join, show that they live, and follow the log.

use std::sync::Arc;
use std::time::Duration;

use jeton_core::change::Revision;
use jeton_core::timestamp::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Address;
use super::ground::lock_head;
use super::news::Ears;
use super::read::HEAD;
use super::row::{bytes, change_from, instant, revision};
use super::session::{ReadError, Readers, Session};
use super::write::revision_number;
use crate::StoreError;
use crate::encoding::rows::Columns as _;
use crate::encoding::unreadable;
use crate::shared::{Beat, Joined, Node, NodeId, NodeRow, Nodes, Tail};

/// The database's clock, in milliseconds.
macro_rules! clock {
    () => {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
    };
}
const CLOCK: &str = concat!("SELECT ", clock!());
const LEASE: &str = "SELECT value FROM installation WHERE key = 'lease_ms'";
const SET_LEASE: &str = "INSERT INTO installation (key, value) VALUES ('lease_ms', $1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
/// A beat that is the first of a node, or comes after somebody has struck it out, registers it. None is taken from a node
/// that lives by another lease than the others do by now.
const BEAT: &str = concat!(
    "INSERT INTO nodes (id, name, address, version, joined_at, beat, beat_at, revision)
    SELECT CAST($1 AS bytea), CAST($2 AS text), CAST($3 AS text), CAST($4 AS text), ",
    clock!(),
    ", CAST($5 AS bigint), ",
    clock!(),
    ", CAST($6 AS bigint) FROM installation WHERE key = 'lease_ms' AND value = $7 FOR SHARE
    ON CONFLICT (id) DO UPDATE SET beat = excluded.beat, beat_at = excluded.beat_at, revision = excluded.revision"
);
const CHANGES_FROM: &str = "SELECT revision, at, account, actor_token, actor_member, event, before, after
    FROM changes WHERE revision >= $1 ORDER BY revision LIMIT $2";
const NODES: &str =
    "SELECT id, name, address, version, joined_at, beat, beat_at, revision FROM nodes ORDER BY name, id";
const TABLE: &str = "SELECT 1 FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_name = 'nodes'";
const STRIKE_OUT: &str = "DELETE FROM nodes WHERE id = $1 AND (beat = $2 OR $2 IS NULL)";

/// Under the lock of the last revision, so that of two nodes with different leases one comes first.
pub(super) async fn join(session: &Session, node: &Node) -> Result<Joined, ReadError> {
    lock_head(session).await?;
    let nodes = all(session).await?;
    let ours = lease_millis(node.lease);
    if let Some(theirs) = nodes.lease.filter(|theirs| lease_millis(*theirs) != ours)
        && nodes.living().next().is_some()
    {
        return Ok(Joined::OtherLease(theirs));
    }
    session.execute(SET_LEASE, &[&&ours.to_be_bytes()[..]]).await?;
    beat(session, node, Beat { number: 0, revision: Revision::ZERO, awaited: false }).await?;
    Ok(Joined::Registered)
}

/// Follows the log, over a session that is kept.
pub(super) struct Follower {
    address: Address,
    /// Taken out while something is asked, so that one that was given up is not gone on with.
    session: Option<Session>,
    ears: Arc<Ears>,
}

impl Follower {
    pub(super) fn new(address: Address, ears: Arc<Ears>) -> Self {
        Self { address, session: None, ears }
    }

    /// No longer than one lease: what is answered later would make nobody fresher.
    pub(super) async fn tail(
        &mut self,
        node: &Node,
        beat: Option<Beat>,
        after: Revision,
        limit: usize,
        readers: &Readers,
    ) -> Result<Tail, StoreError> {
        let asked = tokio::time::timeout(node.lease, self.try_tail(node, beat, after, limit, readers)).await;
        match asked {
            Ok(answered) => answered.map_err(ReadError::into_failure),
            Err(_) => Err(StoreError::Broken("the database has not answered for a whole lease".to_owned())),
        }
    }

    async fn try_tail(
        &mut self,
        node: &Node,
        sign: Option<Beat>,
        after: Revision,
        limit: usize,
        readers: &Readers,
    ) -> Result<Tail, ReadError> {
        let kept = self.session.take().filter(|session| !session.client.is_closed());
        let session = if let Some(session) = kept {
            session
        } else {
            let session = self.ears.listen(&self.address).await?;
            // What led here before may lead elsewhere now, and what is read there must not be older than this node.
            readers.throw_away();
            session
        };
        let first = revision_number(after);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        if let Some(sign) = sign {
            // Durable before the rest is asked: what is read afterwards is what makes this node fresh.
            beat(&session, node, sign).await?;
            if sign.awaited {
                self.ears.spread(&session);
            }
        }
        let values: [&(dyn ToSql + Sync); 2] = [&first, &limit];
        let (changes, now, rows) = tokio::join!(
            session.query(CHANGES_FROM, &values),
            session.query(CLOCK, &[]),
            session.query(NODES, &[]),
        );
        let tail = Tail {
            changes: changes?.iter().map(change_from).collect::<Result<_, _>>()?,
            now: clock(&now?)?,
            nodes: rows?.iter().map(node_from).collect::<Result<_, _>>()?,
        };
        self.session = Some(session);
        Ok(tail)
    }
}

async fn beat(session: &Session, node: &Node, beat: Beat) -> Result<(), ReadError> {
    let number = i64::try_from(beat.number).unwrap_or(i64::MAX);
    let written = session
        .execute(
            BEAT,
            &[
                &&node.id.as_bytes()[..],
                &node.name,
                &node.address,
                &node.version,
                &number,
                &revision_number(beat.revision),
                &&lease_millis(node.lease).to_be_bytes()[..],
            ],
        )
        .await?;
    if written == 0 {
        return Err(StoreError::Broken(
            "the other nodes live by another --lease by now: start this one again with theirs".to_owned(),
        )
        .into());
    }
    Ok(())
}

pub(super) async fn all(session: &Session) -> Result<Nodes, ReadError> {
    let lease = session.query(LEASE, &[]).await?;
    let lease = lease.first().map(|row| bytes(row, 0).map(u64::from_be_bytes)).transpose()?;
    let rows = session.query(NODES, &[]).await?;
    let head = session.query(HEAD, &[]).await?;
    Ok(Nodes {
        head: revision(head.first().ok_or_else(|| unreadable("database without a last revision"))?, 0)?,
        rows: rows.iter().map(node_from).collect::<Result<_, _>>()?,
        lease: lease.map(Duration::from_millis),
        now: clock(&session.query(CLOCK, &[]).await?)?,
    })
}

/// Whether the database has not even a place for nodes.
pub(super) async fn there_are_none(session: &Session) -> Result<bool, ReadError> {
    Ok(session.query(TABLE, &[]).await?.is_empty())
}

pub(super) async fn strike_out(session: &Session, node: NodeId, beat: Option<u64>) -> Result<(), ReadError> {
    let beat = beat.map(|beat| i64::try_from(beat).unwrap_or(i64::MAX));
    session.execute(STRIKE_OUT, &[&&node.as_bytes()[..], &beat]).await?;
    Ok(())
}

fn lease_millis(lease: Duration) -> u64 {
    u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)
}

fn clock(rows: &[Row]) -> Result<Timestamp, StoreError> {
    instant(rows.first().ok_or_else(|| unreadable("clock that says nothing"))?, 0)
}

fn node_from(row: &Row) -> Result<NodeRow, StoreError> {
    Ok(NodeRow {
        node: NodeId::new(bytes(row, 0)?),
        name: row.text(1)?.to_owned(),
        address: row.text(2)?.to_owned(),
        version: row.text(3)?.to_owned(),
        joined_at: instant(row, 4)?,
        beat: revision(row, 5)?.number(),
        beat_at: instant(row, 6)?,
        revision: revision(row, 7)?,
    })
}
