//! The first account, its owner and the owner's first token; and a fresh token for a member who is locked out.
//!
//! Nobody has authenticated here: the authority is that of whoever runs jeton on the machine.

use crate::account::Account;
use crate::authority::Authority;
use crate::change::{Actor, Event, Expectation, Proposal, Revision};
use crate::id::{AccountId, MemberId, TokenId};
use crate::member::{FIRST_NUMBER, Member, PasswordHash, Standing};
use crate::role::BaseRole;
use crate::secret::Secret;
use crate::timestamp::Timestamp;
use crate::token::{ApiVersion, Scope, SecretRecord, Token, TokenKind};

use super::{Fresh, Issued, Mint};

/// What the first start is told.
#[derive(Debug, Default)]
pub struct Founding {
    /// The owner's e-mail address.
    pub owner_email: String,
    /// The owner's password, hashed, if there is to be one.
    pub owner_password: Option<PasswordHash>,
    /// The owner's first secret, if it comes from outside.
    pub owner_secret: Option<Secret>,
}

/// Founds the account: three proposals, to be committed together, and the owner's secret.
pub fn found(founding: Founding, mint: &Mint, now: Timestamp, fresh: [&Fresh; 3]) -> (Vec<Proposal>, Secret) {
    let account = AccountId::new(now, fresh[0].id);
    let owner = MemberId::new(now, fresh[1].id);
    let (secret, record) = match founding.owner_secret {
        Some(secret) => {
            let record = mint.record(&secret);
            (secret, record)
        }
        None => mint.strike(TokenKind::Personal, fresh[2]),
    };
    let events = [
        Event::AccountFounded {
            account: Account {
                id: account,
                name: "jeton".to_owned(),
                created_at: now,
                revision: Revision::ZERO,
            },
        },
        Event::MemberAdded {
            member: Member {
                id: owner,
                account,
                number: FIRST_NUMBER,
                email: founding.owner_email,
                name: "Owner".to_owned(),
                family_name: String::new(),
                role: BaseRole::Owner,
                custom_roles: Vec::new(),
                standing: Standing::Active,
                password: founding.owner_password,
                created_at: now,
                revision: Revision::ZERO,
            },
        },
        Event::TokenIssued {
            token: members_token(account, owner, "First token", record, TokenId::new(now, fresh[2].id), now),
        },
    ];
    // Each is the first, second and third change ever, or none of them is.
    let mut head = Revision::ZERO;
    let proposals = events.map(|event| {
        let expects = vec![Expectation::Head(head)];
        head = head.next();
        Proposal { at: now, account, actor: Actor::System, event, expects }
    });
    (proposals.into(), secret)
}

/// Issues a token with a member's own rights, for whoever is locked out.
pub fn recover(member: &Member, mint: &Mint, now: Timestamp, fresh: &Fresh) -> Issued {
    let (secret, record) = mint.strike(TokenKind::Personal, fresh);
    let id = TokenId::new(now, fresh.id);
    let token = members_token(member.account, member.id, "Recovered access", record, id, now);
    let proposal = Proposal {
        at: now,
        account: member.account,
        actor: Actor::System,
        event: Event::TokenIssued { token },
        expects: vec![Expectation::Member { id: member.id, revision: member.revision }],
    };
    Issued { proposal, secret }
}

pub(super) fn members_token(
    account: AccountId,
    owner: MemberId,
    name: &str,
    secret: SecretRecord,
    id: TokenId,
    now: Timestamp,
) -> Token {
    Token {
        id,
        account,
        owner,
        kind: TokenKind::Personal,
        name: name.to_owned(),
        description: String::new(),
        scope: Scope::Member,
        ceiling: Authority::default(),
        api_version: ApiVersion::LATEST,
        issued_at: now,
        modified_at: now,
        expires_at: None,
        secret,
        retiring: None,
        revision: Revision::ZERO,
    }
}
