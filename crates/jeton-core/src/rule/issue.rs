//! Issuing a token.

use crate::authority::Authority;
use crate::caller::{Caller, Roles};
use crate::change::{Event, Expectation, Proposal, Revision};
use crate::command::Issue;
use crate::id::TokenId;
use crate::limits::Limits;
use crate::member::{Member, Standing};
use crate::policy::action;
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::timestamp::Timestamp;
use crate::token::{ApiVersion, Token, TokenKind};

use super::scope::{ceiling, resolve};
use super::{Fresh, Mint, with_resource};

/// A decision that makes a secret: the proposal to commit, and what to show once it is committed.
#[derive(Debug)]
pub struct Issued {
    /// What is to be committed.
    pub proposal: Proposal,
    /// The secret. It exists nowhere else.
    pub secret: Secret,
}

/// Decides whether the caller may have this token.
///
/// The id is drawn first, so that a policy about `token/*` can match the token that does not exist yet. `tokens` is the
/// number of tokens the account has now, `owner` the member that the command names.
///
/// # Errors
/// Any of the refusals about rights, roles, texts, expiry and limits.
#[allow(clippy::too_many_arguments, reason = "a rule takes everything it depends on as an argument")]
pub fn issue(
    caller: &Caller,
    command: &Issue,
    owner: &Member,
    roles: &impl Roles,
    tokens: u64,
    limits: &Limits,
    mint: &Mint,
    now: Timestamp,
    fresh: &Fresh,
) -> Result<Issued, Refusal> {
    if caller.kind == TokenKind::Service && command.kind == TokenKind::Personal {
        return Err(Refusal::ServiceCannotIssuePersonal);
    }
    // A service token outlives whoever made it, and so do the tokens that it makes.
    let gone = owner.standing == Standing::Removed && command.kind == TokenKind::Personal;
    if owner.account != caller.account || owner.id != command.owner || gone {
        return Err(Refusal::NoSuchMember);
    }
    let (secret, record) = mint.strike(command.kind, fresh);
    let mut token = Token {
        id: TokenId::new(now, fresh.id),
        account: caller.account,
        owner: command.owner,
        kind: command.kind,
        name: command.name.clone(),
        description: command.description.clone(),
        scope: crate::token::Scope::Member,
        ceiling: Authority::default(),
        api_version: command.api_version.unwrap_or(ApiVersion::LATEST),
        issued_at: now,
        modified_at: now,
        expires_at: command.expires_at,
        secret: record,
        retiring: None,
        revision: Revision::ZERO,
    };
    with_resource(&token, |resource| caller.require(action::CREATE_ACCESS_TOKEN, resource))?;
    Refusal::check_text("name", &token.name, limits)?;
    Refusal::check_text("description", &token.description, limits)?;
    if token.expires_at.is_some_and(|end| end.has_come(now)) {
        return Err(Refusal::ExpiryInThePast);
    }
    token.scope = resolve(caller, &command.scope, roles, limits)?;
    token.ceiling = ceiling(caller, token.kind, token.owner, &token.ceiling)?;
    if tokens >= limits.tokens {
        return Err(Refusal::TokenLimit { limit: limits.tokens });
    }
    let mut expects = caller.basis().to_vec();
    let stands = Expectation::Member { id: owner.id, revision: owner.revision };
    if command.kind == TokenKind::Personal && !expects.contains(&stands) {
        expects.push(stands);
    }
    let proposal = Proposal {
        at: now,
        account: caller.account,
        actor: caller.actor(),
        event: Event::TokenIssued { token },
        expects,
    };
    Ok(Issued { proposal, secret })
}
