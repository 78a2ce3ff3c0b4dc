//! Logging in and out: a token that lasts a day, for somebody who has shown a password or a token.

use crate::authority::Authority;
use crate::caller::Caller;
use crate::change::{Actor, Event, Expectation, Proposal};
use crate::member::Member;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use crate::token::{Token, TokenKind};

use super::found::members_token;
use super::scope::ceiling;
use super::{Fresh, Issued, Mint};

/// How long a login lasts: 24 hours, in milliseconds (contract, section 3.2).
pub const LOGIN_LASTS: i64 = 24 * 60 * 60 * 1000;

/// Logs a member in. Whoever asks has shown that they are this member: by password, or by a token, whose bounds then
/// are the login's too.
///
/// # Errors
/// [`Refusal::MemberInactive`].
pub fn login(
    member: &Member,
    by: Option<&Caller>,
    mint: &Mint,
    now: Timestamp,
    fresh: &Fresh,
) -> Result<Issued, Refusal> {
    if !member.is_active() {
        return Err(Refusal::MemberInactive);
    }
    let (secret, record) = mint.strike(TokenKind::Login, fresh);
    let id = crate::id::TokenId::new(now, fresh.id);
    let token = Token {
        kind: TokenKind::Login,
        expires_at: Some(end(now)),
        ceiling: match by {
            Some(caller) => ceiling(caller, TokenKind::Login, member.id, &Authority::default())?,
            None => Authority::default(),
        },
        ..members_token(member.account, member.id, "Login", record, id, now)
    };
    let proposal = Proposal {
        at: now,
        account: member.account,
        actor: Actor::Token { token: id, member: member.id },
        event: Event::TokenIssued { token },
        expects: match by {
            Some(caller) => caller.basis().to_vec(),
            None => vec![Expectation::Member { id: member.id, revision: member.revision }],
        },
    };
    Ok(Issued { proposal, secret })
}

/// Makes a login last from now on as long as a new one. `None` for any other token: it lasts as long as it was made to.
pub fn prolong(token: &Token, now: Timestamp) -> Option<Proposal> {
    (token.kind == TokenKind::Login && token.expires_at != Some(end(now))).then(|| {
        let after = Token { expires_at: Some(end(now)), modified_at: now, ..token.clone() };
        proposal(token, now, Event::TokenChanged { before: token.clone(), after })
    })
}

/// Ends a login. `None` for any other token: a logout must not kill the token that a script lives on.
pub fn logout(token: &Token, now: Timestamp) -> Option<Proposal> {
    (token.kind == TokenKind::Login)
        .then(|| proposal(token, now, Event::TokenRevoked { token: token.clone() }))
}

fn end(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(LOGIN_LASTS))
}

fn proposal(token: &Token, now: Timestamp, event: Event) -> Proposal {
    Proposal {
        at: now,
        account: token.account,
        actor: Actor::Token { token: token.id, member: token.owner },
        event,
        expects: vec![Expectation::Token { id: token.id, revision: token.revision }],
    }
}
