//! The writer: commits groups of proposals, each with its rows and its log entry, in one transaction.

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event, Expectation, Proposal, Revision};
use jeton_core::member::{Member, Standing};
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::error::{failure, is_duplicate};
use super::read::last_revision;
use crate::encoding;
use crate::{Outcome, StoreError};

pub(super) struct Writer {
    connection: Connection,
    /// The last committed change. `None` after a failed commit: what the file holds is read again before the next.
    last: Option<Revision>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let last = Some(last_revision(&connection)?);
        Ok(Self { connection, last })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Commits a group. A duplicate key is rare, and found only when a row is written: then the whole transaction is
    /// rolled back and every proposal gets one of its own.
    pub(super) fn commit(&mut self, proposals: Vec<Proposal>) -> Result<Vec<Outcome>, StoreError> {
        match self.commit_group(&proposals) {
            Ok(outcomes) => Ok(outcomes),
            Err(error) if is_duplicate(&error) && proposals.len() == 1 => Ok(vec![Outcome::Duplicate]),
            Err(error) if is_duplicate(&error) => {
                let mut outcomes = Vec::with_capacity(proposals.len());
                for proposal in proposals {
                    outcomes.append(&mut self.commit(vec![proposal])?);
                }
                Ok(outcomes)
            }
            Err(error) => Err(failure(&error)),
        }
    }

    fn commit_group(&mut self, proposals: &[Proposal]) -> rusqlite::Result<Vec<Outcome>> {
        let started_at = match self.last.take() {
            Some(revision) => revision,
            None => last_revision(&self.connection)?,
        };
        let mut last = started_at;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let written = write_group(&self.connection, proposals, &mut last);
        let ended = match written {
            Ok(_) if last == started_at => self.connection.prepare_cached("ROLLBACK")?.execute([]),
            Ok(_) => self.connection.prepare_cached("COMMIT")?.execute([]),
            Err(_) => Ok(0),
        };
        let result = written.and_then(|outcomes| ended.map(|_| outcomes));
        if result.is_err() {
            // SQLite rolls back by itself on some errors; then there is nothing left to roll back.
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
            return result;
        }
        self.last = Some(last);
        result
    }

    pub(super) fn touch(&mut self, used: &[(jeton_core::id::TokenId, Timestamp)]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction().map_err(|error| failure(&error))?;
        let touch_all = || -> rusqlite::Result<()> {
            let mut statement = transaction.prepare_cached(
                "UPDATE tokens SET last_used_at = max(ifnull(last_used_at, 0), ?2) WHERE id = ?1",
            )?;
            for (id, at) in used {
                statement.execute(params![id.as_bytes(), at.as_millis()])?;
            }
            Ok(())
        };
        touch_all().and_then(|()| transaction.commit()).map_err(|error| failure(&error))
    }

    pub(super) fn bind_key(&mut self, fingerprint: [u8; 32]) -> Result<bool, StoreError> {
        let bind = |connection: &Connection| -> rusqlite::Result<bool> {
            connection.execute(
                "INSERT INTO installation (key, value) VALUES ('server_key_fingerprint', ?1) ON CONFLICT DO NOTHING",
                [fingerprint],
            )?;
            let bound: Vec<u8> = connection.query_row(
                "SELECT value FROM installation WHERE key = 'server_key_fingerprint'",
                [],
                |row| row.get(0),
            )?;
            Ok(bound == fingerprint)
        };
        bind(&self.connection).map_err(|error| failure(&error))
    }
}

fn write_group(
    connection: &Connection,
    proposals: &[Proposal],
    last: &mut Revision,
) -> rusqlite::Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(proposals.len());
    for proposal in proposals {
        outcomes.push(match broken_expectation(connection, &proposal.expects, *last)? {
            Some(expectation) => Outcome::Stale(expectation),
            None => {
                let change = proposal.clone().at_revision(last.next());
                write_rows(connection, &change.event)?;
                write_log(connection, &change)?;
                *last = change.revision;
                Outcome::Committed(change)
            }
        });
    }
    Ok(outcomes)
}

fn broken_expectation(
    connection: &Connection,
    expects: &[Expectation],
    last: Revision,
) -> rusqlite::Result<Option<Expectation>> {
    for expectation in expects {
        let holds = match expectation {
            Expectation::Empty => last == Revision::ZERO,
            Expectation::Token { id, revision } => {
                stands(connection, "SELECT revision FROM tokens WHERE id = ?1", id.as_bytes(), *revision)?
            }
            Expectation::Member { id, revision } => {
                stands(connection, "SELECT revision FROM members WHERE id = ?1", id.as_bytes(), *revision)?
            }
            Expectation::Role { id, revision } => {
                stands(connection, "SELECT revision FROM roles WHERE id = ?1", id.as_bytes(), *revision)?
            }
        };
        if !holds {
            return Ok(Some(*expectation));
        }
    }
    Ok(None)
}

fn stands(connection: &Connection, sql: &str, id: &[u8; 12], revision: Revision) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<u64> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(found == Some(revision.number()))
}

/// Writes the state that follows from an event. This is the only translation of events into rows.
fn write_rows(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::AccountFounded { account } => insert_account(connection, account),
        Event::MemberAdded { member } | Event::MemberChanged { after: member, .. } => {
            put_member(connection, member)
        }
        Event::RoleDefined { role } | Event::RoleChanged { after: role, .. } => put_role(connection, role),
        Event::RoleRemoved { role } => {
            delete(connection, "DELETE FROM roles WHERE id = ?1", role.id.as_bytes())
        }
        Event::TokenIssued { token } => insert_token(connection, token),
        Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => {
            update_token(connection, after)
        }
        Event::TokenRevoked { token } => {
            delete(connection, "DELETE FROM tokens WHERE id = ?1", token.id.as_bytes())
        }
    }
}

fn delete(connection: &Connection, sql: &str, id: &[u8; 12]) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([id]).map(drop)
}

fn insert_account(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO accounts (id, name, created_at, revision) VALUES (?1, ?2, ?3, ?4)")?;
    let (created_at, revision) = (account.created_at.as_millis(), account.revision.number());
    statement.execute(params![account.id.as_bytes(), account.name, created_at, revision]).map(drop)
}

fn put_member(connection: &Connection, member: &Member) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO members
            (id, account, number, email, name, role, custom_roles, standing, password, created_at, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (id) DO UPDATE SET
            email = excluded.email, name = excluded.name, role = excluded.role, custom_roles = excluded.custom_roles,
            standing = excluded.standing, password = excluded.password, revision = excluded.revision",
    )?;
    statement.execute(params![
        member.id.as_bytes(),
        member.account.as_bytes(),
        member.number,
        member.email,
        member.name,
        member.role.as_str(),
        encoding::role_ids_text(&member.custom_roles),
        encoding::standing_name(member.standing),
        member.password.as_ref().map(jeton_core::member::PasswordHash::as_phc),
        member.created_at.as_millis(),
        member.revision.number(),
    ])?;
    if member.standing == Standing::Removed {
        let sql = "DELETE FROM tokens WHERE owner = ?1 AND kind = 'personal'";
        delete(connection, sql, member.id.as_bytes())?;
    }
    Ok(())
}

fn put_role(connection: &Connection, role: &CustomRole) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO roles (id, account, key, name, base_permissions, policy, created_at, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET
            key = excluded.key, name = excluded.name, base_permissions = excluded.base_permissions,
            policy = excluded.policy, revision = excluded.revision",
    )?;
    let values = params![
        role.id.as_bytes(),
        role.account.as_bytes(),
        role.key,
        role.name,
        encoding::base_permissions_name(role.base_permissions),
        encoding::policy_text(&role.policy),
        role.created_at.as_millis(),
        role.revision.number(),
    ];
    statement.execute(values).map(drop)
}

fn insert_token(connection: &Connection, token: &Token) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO tokens
            (id, account, owner, kind, issued_at, name, description, scope, ceiling, api_version, modified_at,
             expires_at, digest, last_four, retiring_digest, retiring_last_four, retiring_ends_at, revision)
         VALUES (?1, ?15, ?16, ?17, ?18, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    bind_changing(&mut statement, token)?;
    statement.raw_bind_parameter(15, token.account.as_bytes())?;
    statement.raw_bind_parameter(16, token.owner.as_bytes())?;
    statement.raw_bind_parameter(17, encoding::kind_name(token.kind))?;
    statement.raw_bind_parameter(18, token.issued_at.as_millis())?;
    statement.raw_execute().map(drop)
}

fn update_token(connection: &Connection, token: &Token) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE tokens SET
            name = ?2, description = ?3, scope = ?4, ceiling = ?5, api_version = ?6, modified_at = ?7,
            expires_at = ?8, digest = ?9, last_four = ?10, retiring_digest = ?11, retiring_last_four = ?12,
            retiring_ends_at = ?13, revision = ?14
         WHERE id = ?1",
    )?;
    bind_changing(&mut statement, token)?;
    statement.raw_execute().map(drop)
}

/// Binds the id and the columns that a change can touch, as parameters 1 to 14.
fn bind_changing(statement: &mut CachedStatement<'_>, token: &Token) -> rusqlite::Result<()> {
    let retiring = token.retiring.as_ref();
    statement.raw_bind_parameter(1, token.id.as_bytes())?;
    statement.raw_bind_parameter(2, &token.name)?;
    statement.raw_bind_parameter(3, &token.description)?;
    statement.raw_bind_parameter(4, encoding::scope_text(&token.scope))?;
    statement.raw_bind_parameter(5, encoding::ceiling_text(&token.ceiling))?;
    statement.raw_bind_parameter(6, token.api_version.number())?;
    statement.raw_bind_parameter(7, token.modified_at.as_millis())?;
    statement.raw_bind_parameter(8, token.expires_at.map(Timestamp::as_millis))?;
    statement.raw_bind_parameter(9, token.secret.digest.as_bytes())?;
    statement.raw_bind_parameter(10, token.secret.last_four.as_str())?;
    statement.raw_bind_parameter(11, retiring.map(|retiring| *retiring.record.digest.as_bytes()))?;
    statement.raw_bind_parameter(12, retiring.map(|retiring| retiring.record.last_four.as_str()))?;
    statement.raw_bind_parameter(13, retiring.map(|retiring| retiring.ends_at.as_millis()))?;
    statement.raw_bind_parameter(14, token.revision.number())
}

fn write_log(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    let text = encoding::event_text(&change.event);
    let (token, member) = match &change.actor {
        Actor::System => (None, None),
        Actor::Token { token, member } => (Some(*token.as_bytes()), Some(*member.as_bytes())),
    };
    let mut statement = connection.prepare_cached(
        "INSERT INTO changes (revision, at, account, actor_token, actor_member, event, before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let values = params![
        change.revision.number(),
        change.at.as_millis(),
        change.account.as_bytes(),
        token,
        member,
        text.name,
        text.before,
        text.after,
    ];
    statement.execute(values).map(drop)
}
