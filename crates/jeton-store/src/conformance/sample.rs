//! Sample records: plain ones for cases about something else, and odd ones for cases about the records themselves.

use jeton_core::account::Account;
use jeton_core::authority::{Authority, Grant, PolicyGrant};
use jeton_core::change::Revision;
use jeton_core::digest::Digest;
use jeton_core::id::{AccountId, MemberId};
use jeton_core::member::{Member, PasswordHash, Standing};
use jeton_core::policy::{Effect, Policy, Statement};
use jeton_core::role::{BasePermissions, BaseRole, CustomRole};
use jeton_core::secret::LastFour;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, RetiringSecret, Scope, SecretRecord, Token, TokenKind};

use super::draw::Draw;

/// The instant at which everything plain happens.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(super) fn account(draw: &mut Draw) -> Account {
    Account { id: draw.account(), name: "jeton".to_owned(), created_at: NOW, revision: Revision::ZERO }
}

pub(super) fn member(draw: &mut Draw, account: AccountId, number: u32) -> Member {
    Member {
        id: draw.member(),
        account,
        number,
        email: format!("member-{number}@example.com"),
        name: format!("Member {number}"),
        family_name: String::new(),
        role: BaseRole::Writer,
        custom_roles: Vec::new(),
        standing: Standing::Active,
        password: None,
        created_at: NOW,
        revision: Revision::ZERO,
    }
}

pub(super) fn role(draw: &mut Draw, account: AccountId, key: &str) -> CustomRole {
    CustomRole {
        id: draw.role(),
        account,
        key: key.to_owned(),
        name: key.to_owned(),
        description: String::new(),
        base_permissions: BasePermissions::NoAccess,
        policy: policy(draw),
        created_at: NOW,
        revision: Revision::ZERO,
    }
}

pub(super) fn token(draw: &mut Draw, account: AccountId, owner: MemberId, kind: TokenKind) -> Token {
    Token {
        id: draw.token(),
        account,
        owner,
        kind,
        name: "a token".to_owned(),
        description: String::new(),
        scope: Scope::Member,
        ceiling: Authority::default(),
        api_version: ApiVersion::LATEST,
        issued_at: NOW,
        modified_at: NOW,
        expires_at: None,
        secret: secret(draw),
        retiring: None,
        revision: Revision::ZERO,
    }
}

/// A token with something unusual in every field but the ids.
pub(super) fn odd_token(draw: &mut Draw, account: AccountId, owner: MemberId) -> Token {
    let kind = draw.one_of(&[TokenKind::Personal, TokenKind::Service, TokenKind::Login]);
    let plain = token(draw, account, owner, kind);
    Token { issued_at: instant(draw), ..changed_token(draw, &plain) }
}

/// The same token with everything drawn anew that a change can touch.
pub(super) fn changed_token(draw: &mut Draw, token: &Token) -> Token {
    Token {
        name: text(draw),
        description: text(draw),
        scope: scope(draw),
        ceiling: authority(draw),
        api_version: draw.one_of(&ApiVersion::ALL),
        modified_at: instant(draw),
        expires_at: (!draw.once_in(3)).then(|| instant(draw)),
        secret: secret(draw),
        retiring: (!draw.once_in(3)).then(|| RetiringSecret { record: secret(draw), ends_at: instant(draw) }),
        ..token.clone()
    }
}

/// A member with something unusual in every field but the ids. Its number and address are its own.
pub(super) fn odd_member(draw: &mut Draw, account: AccountId, number: u32) -> Member {
    let plain = member(draw, account, number);
    Member { created_at: instant(draw), ..changed_member(draw, &plain) }
}

/// The same member with everything drawn anew that a change can touch, removal left out.
pub(super) fn changed_member(draw: &mut Draw, member: &Member) -> Member {
    let domain = draw.one_of(&["Example.COM", "ex\u{e4}mple.org", "a.b"]);
    Member {
        email: format!("M{}+{}@{domain}", member.number, draw.below(1000)),
        name: text(draw),
        family_name: text(draw),
        role: draw.one_of(&BaseRole::ALL),
        custom_roles: draw.several(3, Draw::role),
        standing: draw.one_of(&[Standing::Pending, Standing::Active, Standing::Blocked]),
        password: draw.once_in(2).then(|| PasswordHash::new(format!("$argon2id$v=19${}", draw.number()))),
        ..member.clone()
    }
}

/// The same role with everything drawn anew that a change can touch. The key ends in something of its own.
pub(super) fn changed_role(draw: &mut Draw, role: &CustomRole) -> CustomRole {
    CustomRole {
        key: format!("{}{}", text(draw), draw.number()),
        name: text(draw),
        description: text(draw),
        base_permissions: draw.one_of(&[BasePermissions::NoAccess, BasePermissions::Reader]),
        policy: policy(draw),
        ..role.clone()
    }
}

/// Texts that a careless encoding changes. A zero character is not among them: no database but one keeps it.
pub(super) fn text(draw: &mut Draw) -> String {
    const ODD: &[&str] = &[
        "",
        " ",
        "'; DROP TABLE tokens; --",
        "\"quoted\" \\ back\\slash",
        "line\nbreak\r\n\ttab",
        "\u{1}\u{1f}\u{7f}",
        "ünïcödé 日本語 🦀 e\u{301} \u{feff}\u{202e}",
        "null",
        "{\"json\": [1]}",
        "%s %d $1 ?1 :name",
    ];
    match draw.below(4) {
        0 => format!("{}{}", draw.one_of(ODD), draw.one_of(ODD)),
        1 => draw.one_of(ODD).repeat(500),
        2 => format!("token {}", draw.number()),
        _ => draw.one_of(ODD).to_owned(),
    }
}

/// Instants, those at the ends of time among them.
fn instant(draw: &mut Draw) -> Timestamp {
    let ends = [i64::MIN, -1, 0, 1, i64::from(u32::MAX) + 1, NOW.as_millis(), i64::MAX];
    let near = NOW.as_millis() + i64::try_from(draw.below(1_000_000)).unwrap();
    Timestamp::from_millis(if draw.once_in(2) { draw.one_of(&ends) } else { near })
}

fn secret(draw: &mut Draw) -> SecretRecord {
    let last_four = draw.one_of(&["abcd", "0000", "\"\\'%", "{}[]", "~!$;"]);
    SecretRecord { digest: Digest::from_bytes(draw.bytes()), last_four: LastFour::parse(last_four).unwrap() }
}

fn scope(draw: &mut Draw) -> Scope {
    match draw.below(4) {
        0 => Scope::Member,
        1 => Scope::Base(draw.one_of(&BaseRole::ALL)),
        2 => Scope::Roles(draw.several(4, Draw::role)),
        _ => Scope::Inline(policy(draw)),
    }
}

fn authority(draw: &mut Draw) -> Authority {
    Authority::all_of(draw.several(4, |draw| match draw.below(3) {
        0 => Grant::Base(draw.one_of(&BaseRole::ALL)),
        1 => Grant::Member { id: draw.member(), role: draw.one_of(&BaseRole::ALL) },
        _ => Grant::AnyOf(draw.several(3, |draw| PolicyGrant {
            base_permissions: draw.one_of(&[BasePermissions::NoAccess, BasePermissions::Reader]),
            policy: policy(draw),
        })),
    }))
}

fn policy(draw: &mut Draw) -> Policy {
    Policy::new(draw.several(4, statement)).unwrap()
}

fn statement(draw: &mut Draw) -> Statement {
    const RESOURCES: &[&[&str]] = &[
        &["*"],
        &["service-token/*", "/service-token/ab*c"],
        &["member/${roleAttribute/me}:token/*"],
        &["proj/*:env/*;qa_*,{critical:true}:flag/*", "proj/a-b_c.d:env/e:flag/f;t"],
        &["acct"],
    ];
    const ACTIONS: &[&[&str]] = &[&["*"], &["update*", "viewProject"], &["\"odd\" \\ action ünï"]];
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (resources, actions) = (owned(draw.one_of(RESOURCES)), owned(draw.one_of(ACTIONS)));
    let (resources, not_resources) =
        if draw.once_in(3) { (Vec::new(), resources) } else { (resources, Vec::new()) };
    let (actions, not_actions) = if draw.once_in(3) { (Vec::new(), actions) } else { (actions, Vec::new()) };
    let effect = draw.one_of(&[Effect::Allow, Effect::Deny]);
    Statement { effect, resources, not_resources, actions, not_actions }
}
