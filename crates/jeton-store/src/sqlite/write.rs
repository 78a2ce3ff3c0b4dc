//! The writer: commits groups of proposals, each with its rows and its log entry, in one transaction.

use std::collections::HashSet;

use jeton_core::account::Account;
use jeton_core::change::{Actor, Change, Event, Expectation, Proposal, Revision};
use jeton_core::id::{MemberId, TokenId};
use jeton_core::member::{Member, PasswordHash, Standing};
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::error::{failure, is_duplicate};
use super::read::last_revision;
use crate::archive::{Item, Written};
use crate::encoding;
use crate::{Outcome, Presence, StoreError};

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

    /// Commits a group. A duplicate key is rare, and found only when a row is written: then the transaction is rolled
    /// back, and tried once more with a way back before each proposal. The group stays one transaction either way.
    pub(super) fn commit(&mut self, proposals: &[Proposal]) -> Result<Vec<Outcome>, StoreError> {
        let outcomes = match self.commit_group(proposals, write) {
            Err(error) if is_duplicate(&error) => self.commit_group(proposals, write_unless_duplicate),
            answered => answered,
        };
        outcomes.map_err(|error| failure(&error))
    }

    fn commit_group(&mut self, proposals: &[Proposal], write: Write) -> rusqlite::Result<Vec<Outcome>> {
        let started_at = match self.last.take() {
            Some(revision) => revision,
            None => last_revision(&self.connection)?,
        };
        let mut last = started_at;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut group = Group::on(&self.connection);
        let written: rusqlite::Result<Vec<Outcome>> =
            proposals.iter().map(|proposal| write(&mut group, proposal, &mut last)).collect();
        drop(group);
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

    /// Does something that is no commit in a transaction of its own. It may move the log, which is looked at again.
    pub(super) fn aside(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.last = None;
        let transaction = self.connection.transaction().map_err(|error| failure(&error))?;
        work(&transaction)?;
        transaction.commit().map_err(|error| failure(&error))
    }

    pub(super) fn touch(
        &mut self,
        used: &[(TokenId, Timestamp)],
        present: &[(MemberId, Presence)],
    ) -> Result<(), StoreError> {
        let touch_all = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            touch_tokens(&transaction, used)?;
            touch_members(&transaction, present)?;
            transaction.commit()
        };
        touch_all(&mut self.connection).map_err(|error| failure(&error))
    }

    pub(super) fn compact(&mut self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let connection = &self.connection;
        let forget = || -> rusqlite::Result<usize> {
            // From the beginning only: where a clock was set back older instants may follow younger ones, and the log has
            // to stay without a gap.
            let mut statement =
                connection.prepare_cached("SELECT revision, at FROM changes ORDER BY revision LIMIT ?1")?;
            let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(1)? >= before.as_millis() {
                    break;
                }
                last = Some(row.get::<_, i64>(0)?);
            }
            drop(rows);
            let Some(last) = last else { return Ok(0) };
            connection
                .prepare_cached("DELETE FROM changes WHERE revision <= ?1 AND revision < (SELECT max(revision) FROM changes)")?
                .execute([last])
        };
        forget().map_err(|error| failure(&error))
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

pub(super) fn touch_tokens(connection: &Connection, used: &[(TokenId, Timestamp)]) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("UPDATE tokens SET last_used_at = max(ifnull(last_used_at, 0), ?2) WHERE id = ?1")?;
    for (id, at) in used {
        statement.execute(params![id.as_bytes(), at.as_millis()])?;
    }
    Ok(())
}

/// Never is NULL, and the greater of an instant and NULL would be NULL: so each stands in for the other.
pub(super) fn touch_members(
    connection: &Connection,
    present: &[(MemberId, Presence)],
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE members SET
            last_seen_at = max(ifnull(last_seen_at, ?2), ifnull(?2, last_seen_at)),
            last_login_at = max(ifnull(last_login_at, ?3), ifnull(?3, last_login_at))
         WHERE id = ?1",
    )?;
    for (id, Presence { last_seen_at, last_login_at }) in present {
        let [seen, login] = [last_seen_at, last_login_at].map(|at| at.map(Timestamp::as_millis));
        statement.execute(params![id.as_bytes(), seen, login])?;
    }
    Ok(())
}

/// What the proposals of one transaction share.
struct Group<'c> {
    connection: &'c Connection,
    /// Each is looked up once: that costs about as much as to run it.
    statements: Vec<(&'static str, CachedStatement<'c>)>,
    /// What was found to hold, and still does: many proposals of a group rest on the same records.
    holding: HashSet<Expectation>,
}

impl<'c> Group<'c> {
    fn on(connection: &'c Connection) -> Self {
        Self { connection, statements: Vec::new(), holding: HashSet::new() }
    }

    /// The statement with this text, which is known by where it stands in the program.
    fn statement(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let known = self.statements.iter().position(|(known, _)| std::ptr::eq(*known, sql));
        let at = if let Some(at) = known {
            at
        } else {
            self.statements.push((sql, self.connection.prepare_cached(sql)?));
            self.statements.len() - 1
        };
        Ok(&mut self.statements[at].1)
    }
}

/// Writes one proposal inside a transaction, and moves the last revision on if it is written.
type Write = fn(&mut Group<'_>, &Proposal, &mut Revision) -> rusqlite::Result<Outcome>;

fn write(group: &mut Group<'_>, proposal: &Proposal, last: &mut Revision) -> rusqlite::Result<Outcome> {
    if let Some(expectation) = broken_expectation(group, &proposal.expects, *last)? {
        return Ok(Outcome::Stale(expectation));
    }
    let change = proposal.clone().at_revision(last.next());
    // A new token is nothing that another decision could rest on. Anything else may be.
    if !matches!(change.event, Event::TokenIssued { .. }) {
        group.holding.clear();
    }
    write_rows(group, &change.event)?;
    write_log(group, &change)?;
    *last = change.revision;
    Ok(Outcome::Committed(change))
}

fn write_unless_duplicate(
    group: &mut Group<'_>,
    proposal: &Proposal,
    last: &mut Revision,
) -> rusqlite::Result<Outcome> {
    group.statement("SAVEPOINT proposal")?.execute([])?;
    let outcome = match write(group, proposal, last) {
        Err(error) if is_duplicate(&error) => {
            group.statement("ROLLBACK TO proposal")?.execute([])?;
            Outcome::Duplicate
        }
        written => written?,
    };
    group.statement("RELEASE proposal")?.execute([])?;
    Ok(outcome)
}

fn broken_expectation(
    group: &mut Group<'_>,
    expects: &[Expectation],
    last: Revision,
) -> rusqlite::Result<Option<Expectation>> {
    for expectation in expects {
        if !holds(group, expectation, last)? {
            return Ok(Some(*expectation));
        }
    }
    Ok(None)
}

fn holds(group: &mut Group<'_>, expectation: &Expectation, last: Revision) -> rusqlite::Result<bool> {
    let stands = match expectation {
        Expectation::Head(revision) => return Ok(last == *revision),
        known if group.holding.contains(known) => return Ok(true),
        Expectation::Token { id, revision } => {
            stands(group, "SELECT revision FROM tokens WHERE id = ?1", id.as_bytes(), *revision)?
        }
        Expectation::Member { id, revision } => {
            stands(group, "SELECT revision FROM members WHERE id = ?1", id.as_bytes(), *revision)?
        }
        Expectation::Role { id, revision } => {
            stands(group, "SELECT revision FROM roles WHERE id = ?1", id.as_bytes(), *revision)?
        }
    };
    if stands {
        group.holding.insert(*expectation);
    }
    Ok(stands)
}

fn stands(
    group: &mut Group<'_>,
    sql: &'static str,
    id: &[u8; 12],
    revision: Revision,
) -> rusqlite::Result<bool> {
    let statement = group.statement(sql)?;
    let found: Option<u64> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(found == Some(revision.number()))
}

/// Writes the state that follows from an event. This is the only translation of events into rows.
fn write_rows(group: &mut Group<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::AccountFounded { account } => insert_account(group, account),
        Event::MemberAdded { member } => insert_member(group, member),
        Event::MemberChanged { after, .. } => update_member(group, after),
        Event::RoleDefined { role } => insert_role(group, role),
        Event::RoleChanged { after, .. } => update_role(group, after),
        Event::RoleRemoved { role } => delete(group, "DELETE FROM roles WHERE id = ?1", role.id.as_bytes()),
        Event::TokenIssued { token } => insert_token(group, token),
        Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => update_token(group, after),
        Event::TokenRevoked { token } => {
            delete(group, "DELETE FROM tokens WHERE id = ?1", token.id.as_bytes())
        }
    }
}

/// Writes what comes from another store, as it is.
pub(super) fn carried(connection: &Connection, items: &[Item]) -> rusqlite::Result<()> {
    let mut group = Group::on(connection);
    items.iter().try_for_each(|item| match item.written() {
        Written::Rows(event) => write_rows(&mut group, &event),
        Written::Log(change) => write_log(&mut group, change),
    })
}

fn delete(group: &mut Group<'_>, sql: &'static str, id: &[u8; 12]) -> rusqlite::Result<()> {
    group.statement(sql)?.execute([id]).map(drop)
}

fn insert_account(group: &mut Group<'_>, account: &Account) -> rusqlite::Result<()> {
    let statement =
        group.statement("INSERT INTO accounts (id, name, created_at, revision) VALUES (?1, ?2, ?3, ?4)")?;
    let (created_at, revision) = (account.created_at.as_millis(), account.revision.number());
    statement.execute(params![account.id.as_bytes(), account.name, created_at, revision]).map(drop)
}

fn insert_member(group: &mut Group<'_>, member: &Member) -> rusqlite::Result<()> {
    let statement = group.statement(
        "INSERT INTO members
            (id, account, number, created_at, email, name, role, custom_roles, standing, password, revision,
             family_name)
         VALUES (?1, ?10, ?11, ?12, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    bind_changing_of_member(statement, member)?;
    statement.raw_bind_parameter(10, member.account.as_bytes())?;
    statement.raw_bind_parameter(11, member.number)?;
    statement.raw_bind_parameter(12, member.created_at.as_millis())?;
    statement.raw_execute().map(drop)
}

fn update_member(group: &mut Group<'_>, member: &Member) -> rusqlite::Result<()> {
    let statement = group.statement(
        "UPDATE members SET
            email = ?2, name = ?3, role = ?4, custom_roles = ?5, standing = ?6, password = ?7, revision = ?8,
            family_name = ?9
         WHERE id = ?1",
    )?;
    bind_changing_of_member(statement, member)?;
    statement.raw_execute()?;
    if member.standing == Standing::Removed {
        let sql = "DELETE FROM tokens WHERE owner = ?1 AND kind <> 'service'";
        delete(group, sql, member.id.as_bytes())?;
    }
    Ok(())
}

/// Binds the id and the columns that a change can touch, as parameters 1 to 9.
fn bind_changing_of_member(statement: &mut CachedStatement<'_>, member: &Member) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, member.id.as_bytes())?;
    statement.raw_bind_parameter(2, &member.email)?;
    statement.raw_bind_parameter(3, &member.name)?;
    statement.raw_bind_parameter(4, member.role.as_str())?;
    statement.raw_bind_parameter(5, encoding::role_ids_text(&member.custom_roles))?;
    statement.raw_bind_parameter(6, member.standing.as_str())?;
    statement.raw_bind_parameter(7, member.password.as_ref().map(PasswordHash::as_phc))?;
    statement.raw_bind_parameter(8, member.revision.number())?;
    statement.raw_bind_parameter(9, &member.family_name)
}

fn insert_role(group: &mut Group<'_>, role: &CustomRole) -> rusqlite::Result<()> {
    let statement = group.statement(
        "INSERT INTO roles (id, account, created_at, key, name, base_permissions, policy, revision, description)
         VALUES (?1, ?8, ?9, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    bind_changing_of_role(statement, role)?;
    statement.raw_bind_parameter(8, role.account.as_bytes())?;
    statement.raw_bind_parameter(9, role.created_at.as_millis())?;
    statement.raw_execute().map(drop)
}

fn update_role(group: &mut Group<'_>, role: &CustomRole) -> rusqlite::Result<()> {
    let statement = group.statement(
        "UPDATE roles SET key = ?2, name = ?3, base_permissions = ?4, policy = ?5, revision = ?6, description = ?7
         WHERE id = ?1",
    )?;
    bind_changing_of_role(statement, role)?;
    statement.raw_execute().map(drop)
}

/// Binds the id and the columns that a change can touch, as parameters 1 to 7.
fn bind_changing_of_role(statement: &mut CachedStatement<'_>, role: &CustomRole) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, role.id.as_bytes())?;
    statement.raw_bind_parameter(2, &role.key)?;
    statement.raw_bind_parameter(3, &role.name)?;
    statement.raw_bind_parameter(4, role.base_permissions.as_str())?;
    statement.raw_bind_parameter(5, encoding::policy_text(&role.policy))?;
    statement.raw_bind_parameter(6, role.revision.number())?;
    statement.raw_bind_parameter(7, &role.description)
}

fn insert_token(group: &mut Group<'_>, token: &Token) -> rusqlite::Result<()> {
    let statement = group.statement(
        "INSERT INTO tokens
            (id, account, owner, kind, issued_at, name, description, scope, ceiling, api_version, modified_at,
             expires_at, digest, last_four, retiring_digest, retiring_last_four, retiring_ends_at, revision)
         VALUES (?1, ?15, ?16, ?17, ?18, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    bind_changing_of_token(statement, token)?;
    statement.raw_bind_parameter(15, token.account.as_bytes())?;
    statement.raw_bind_parameter(16, token.owner.as_bytes())?;
    statement.raw_bind_parameter(17, token.kind.as_str())?;
    statement.raw_bind_parameter(18, token.issued_at.as_millis())?;
    statement.raw_execute().map(drop)
}

fn update_token(group: &mut Group<'_>, token: &Token) -> rusqlite::Result<()> {
    let statement = group.statement(
        "UPDATE tokens SET
            name = ?2, description = ?3, scope = ?4, ceiling = ?5, api_version = ?6, modified_at = ?7,
            expires_at = ?8, digest = ?9, last_four = ?10, retiring_digest = ?11, retiring_last_four = ?12,
            retiring_ends_at = ?13, revision = ?14
         WHERE id = ?1",
    )?;
    bind_changing_of_token(statement, token)?;
    statement.raw_execute().map(drop)
}

/// Binds the id and the columns that a change can touch, as parameters 1 to 14.
fn bind_changing_of_token(statement: &mut CachedStatement<'_>, token: &Token) -> rusqlite::Result<()> {
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

fn write_log(group: &mut Group<'_>, change: &Change) -> rusqlite::Result<()> {
    let text = encoding::event_text(&change.event);
    let (token, member) = match &change.actor {
        Actor::System => (None, None),
        Actor::Token { token, member } => (Some(*token.as_bytes()), Some(*member.as_bytes())),
    };
    let statement = group.statement(
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
