//! Changes into rows: what follows from each event, sent without waiting for what went before.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use jeton_core::change::{Actor, Change, Event, Revision};
use jeton_core::member::{Member, PasswordHash, Standing};
use jeton_core::role::CustomRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::Token;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::session::Session;
use super::text::{email_key, kept};
use crate::archive::{Item, Written};
use crate::encoding;

const SET_HEAD: &str = "UPDATE head SET revision = $1 WHERE number = 1";
const LOG: &str =
    "INSERT INTO changes (revision, at, account, actor_token, actor_member, event, before, after)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_ACCOUNT: &str = "INSERT INTO accounts (id, name, created_at, revision) VALUES ($1, $2, $3, $4)";
const INSERT_MEMBER: &str = "INSERT INTO members
        (id, email, email_key, name, family_name, role, custom_roles, standing, password, revision, account, number,
         created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const UPDATE_MEMBER: &str = "UPDATE members SET
        email = $2, email_key = $3, name = $4, family_name = $5, role = $6, custom_roles = $7, standing = $8,
        password = $9, revision = $10
    WHERE id = $1";
const DELETE_TOKENS_OF: &str = "DELETE FROM tokens WHERE owner = $1 AND kind <> 'service'";
const INSERT_ROLE: &str = "INSERT INTO roles
        (id, key, name, description, base_permissions, policy, revision, account, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const UPDATE_ROLE: &str = "UPDATE roles SET
        key = $2, name = $3, description = $4, base_permissions = $5, policy = $6, revision = $7
    WHERE id = $1";
const DELETE_ROLE: &str = "DELETE FROM roles WHERE id = $1";
const INSERT_TOKEN: &str = "INSERT INTO tokens
        (id, name, description, scope, ceiling, api_version, modified_at, expires_at, digest, last_four,
         retiring_digest, retiring_last_four, retiring_ends_at, revision, account, owner, kind, issued_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const UPDATE_TOKEN: &str = "UPDATE tokens SET
        name = $2, description = $3, scope = $4, ceiling = $5, api_version = $6, modified_at = $7, expires_at = $8,
        digest = $9, last_four = $10, retiring_digest = $11, retiring_last_four = $12, retiring_ends_at = $13,
        revision = $14
    WHERE id = $1";
const DELETE_TOKEN: &str = "DELETE FROM tokens WHERE id = $1";

/// Every statement with which a group is written.
pub(super) const STATEMENTS: &[&str] = &[
    SET_HEAD,
    LOG,
    INSERT_ACCOUNT,
    INSERT_MEMBER,
    UPDATE_MEMBER,
    DELETE_TOKENS_OF,
    INSERT_ROLE,
    UPDATE_ROLE,
    DELETE_ROLE,
    INSERT_TOKEN,
    UPDATE_TOKEN,
    DELETE_TOKEN,
];

type Values = Vec<Box<dyn ToSql + Sync + Send>>;
type Waiting<'s> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 's>>;

/// Writes changes, in their order, in the transaction that runs: one way there and back for all of them. The statements are
/// prepared.
pub(super) async fn write(session: &Session, changes: &[Change]) -> Result<(), Error> {
    let mut pipeline = Pipeline { session, asked: Vec::new() };
    for change in changes {
        write_rows(&mut pipeline, &change.event).await?;
        pipeline.send(LOG, log_entry(change)).await?;
    }
    if let Some(last) = changes.last() {
        pipeline.send(SET_HEAD, vec![revision(last.revision)]).await?;
    }
    pipeline.answers().await
}

/// Writes what comes from another store, as it is, in the transaction that runs.
pub(super) async fn carried(session: &Session, items: &[Item]) -> Result<(), Error> {
    let mut pipeline = Pipeline { session, asked: Vec::new() };
    for item in items {
        match item.written() {
            Written::Rows(event) => write_rows(&mut pipeline, &event).await?,
            Written::Log(change) => pipeline.send(LOG, log_entry(change)).await?,
        }
    }
    pipeline.answers().await
}

/// Statements on their way. They run in the order in which they were sent; once one has failed, the rest do nothing.
struct Pipeline<'s> {
    session: &'s Session,
    asked: Vec<Asked<'s>>,
}

enum Asked<'s> {
    Waiting(Waiting<'s>),
    Answered(Result<u64, Error>),
}

impl Pipeline<'_> {
    async fn send(&mut self, sql: &'static str, values: Values) -> Result<(), Error> {
        let statement = self.session.statement(sql).await?;
        let client = &self.session.client;
        let mut waiting: Waiting<'_> = Box::pin(async move { client.execute_raw(&statement, values).await });
        // The first poll hands the statement to the connection. Whom to wake is told by the second.
        let asked = match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Asked::Answered(answer),
            Poll::Pending => Asked::Waiting(waiting),
        };
        self.asked.push(asked);
        Ok(())
    }

    /// Waits for all, or for the first that failed.
    async fn answers(self) -> Result<(), Error> {
        for asked in self.asked {
            match asked {
                Asked::Waiting(waiting) => waiting.await?,
                Asked::Answered(answer) => answer?,
            };
        }
        Ok(())
    }
}

/// Writes the state that follows from an event. This is the only translation of events into rows.
async fn write_rows(pipeline: &mut Pipeline<'_>, event: &Event) -> Result<(), Error> {
    match event {
        Event::AccountFounded { account } => {
            let values: Values = vec![
                bytes(account.id.as_bytes()),
                text(&account.name),
                instant(account.created_at),
                revision(account.revision),
            ];
            pipeline.send(INSERT_ACCOUNT, values).await
        }
        Event::MemberAdded { member } => {
            let mut values = changing_of_member(member);
            values.push(bytes(member.account.as_bytes()));
            values.push(Box::new(i64::from(member.number)));
            values.push(instant(member.created_at));
            pipeline.send(INSERT_MEMBER, values).await
        }
        Event::MemberChanged { after, .. } => {
            pipeline.send(UPDATE_MEMBER, changing_of_member(after)).await?;
            if after.standing == Standing::Removed {
                pipeline.send(DELETE_TOKENS_OF, vec![bytes(after.id.as_bytes())]).await?;
            }
            Ok(())
        }
        Event::RoleDefined { role } => {
            let mut values = changing_of_role(role);
            values.push(bytes(role.account.as_bytes()));
            values.push(instant(role.created_at));
            pipeline.send(INSERT_ROLE, values).await
        }
        Event::RoleChanged { after, .. } => pipeline.send(UPDATE_ROLE, changing_of_role(after)).await,
        Event::RoleRemoved { role } => pipeline.send(DELETE_ROLE, vec![bytes(role.id.as_bytes())]).await,
        Event::TokenIssued { token } => {
            let mut values = changing_of_token(token);
            values.push(bytes(token.account.as_bytes()));
            values.push(bytes(token.owner.as_bytes()));
            values.push(Box::new(token.kind.as_str()));
            values.push(instant(token.issued_at));
            pipeline.send(INSERT_TOKEN, values).await
        }
        Event::TokenChanged { after, .. } | Event::TokenRotated { after, .. } => {
            pipeline.send(UPDATE_TOKEN, changing_of_token(after)).await
        }
        Event::TokenRevoked { token } => pipeline.send(DELETE_TOKEN, vec![bytes(token.id.as_bytes())]).await,
    }
}

/// The id and the columns that a change can touch, as parameters 1 to 10.
fn changing_of_member(member: &Member) -> Values {
    let address = (member.standing != Standing::Removed).then(|| email_key(&member.email));
    vec![
        bytes(member.id.as_bytes()),
        text(&member.email),
        Box::new(address),
        text(&member.name),
        text(&member.family_name),
        Box::new(member.role.as_str()),
        Box::new(encoding::role_ids_text(&member.custom_roles)),
        Box::new(member.standing.as_str()),
        Box::new(member.password.as_ref().map(PasswordHash::as_phc).map(str::to_owned)),
        revision(member.revision),
    ]
}

/// The id and the columns that a change can touch, as parameters 1 to 7.
fn changing_of_role(role: &CustomRole) -> Values {
    vec![
        bytes(role.id.as_bytes()),
        text(&role.key),
        text(&role.name),
        text(&role.description),
        Box::new(role.base_permissions.as_str()),
        Box::new(encoding::policy_text(&role.policy)),
        revision(role.revision),
    ]
}

/// The id and the columns that a change can touch, as parameters 1 to 14.
fn changing_of_token(token: &Token) -> Values {
    let retiring = token.retiring.as_ref();
    vec![
        bytes(token.id.as_bytes()),
        text(&token.name),
        text(&token.description),
        Box::new(encoding::scope_text(&token.scope)),
        Box::new(encoding::ceiling_text(&token.ceiling)),
        Box::new(i64::from(token.api_version.number())),
        instant(token.modified_at),
        Box::new(token.expires_at.map(Timestamp::as_millis)),
        bytes(token.secret.digest.as_bytes()),
        Box::new(token.secret.last_four.as_str().to_owned()),
        Box::new(retiring.map(|retiring| retiring.record.digest.as_bytes().to_vec())),
        Box::new(retiring.map(|retiring| retiring.record.last_four.as_str().to_owned())),
        Box::new(retiring.map(|retiring| retiring.ends_at.as_millis())),
        revision(token.revision),
    ]
}

fn log_entry(change: &Change) -> Values {
    let written = encoding::event_text(&change.event);
    let (token, member) = match &change.actor {
        Actor::System => (None, None),
        Actor::Token { token, member } => (Some(token.as_bytes().to_vec()), Some(member.as_bytes().to_vec())),
    };
    vec![
        revision(change.revision),
        instant(change.at),
        bytes(change.account.as_bytes()),
        Box::new(token),
        Box::new(member),
        Box::new(written.name),
        Box::new(written.before),
        Box::new(written.after),
    ]
}

fn bytes(value: &[u8]) -> Box<dyn ToSql + Sync + Send> {
    Box::new(value.to_vec())
}

/// A text that a person wrote.
fn text(value: &str) -> Box<dyn ToSql + Sync + Send> {
    Box::new(kept(value).into_owned())
}

fn instant(value: Timestamp) -> Box<dyn ToSql + Sync + Send> {
    Box::new(value.as_millis())
}

/// A revision counts changes: it does not come near the largest number of a column.
pub(super) fn revision_number(value: Revision) -> i64 {
    i64::try_from(value.number()).unwrap_or(i64::MAX)
}

fn revision(value: Revision) -> Box<dyn ToSql + Sync + Send> {
    Box::new(revision_number(value))
}
