//! Who is calling, in which version, and what there is: `/caller-identity`, `/versions` and the root.

use axum::http::StatusCode;
use axum::response::Response;
use jeton_core::token::{ApiVersion, TokenKind};

use super::{answer, version, wire};
use crate::ask::Ask;
use crate::trouble::Trouble;

pub(super) async fn caller(ask: Ask) -> Result<Response, Trouble> {
    let caller = ask.session.caller();
    let view = ask.service().own_token(&ask.session).await?;
    let service = caller.kind == TokenKind::Service;
    let identity = wire::CallerIdentity {
        account_id: caller.account.to_string(),
        auth_kind: "token",
        token_kind: if service { "service" } else { "personal" },
        token_name: &view.token.name,
        token_id: caller.token.to_string(),
        member_id: caller.member.id.to_string(),
        service_token: service,
    };
    Ok(answer::json(StatusCode::OK, &identity))
}

/// The account of the caller.
pub(super) async fn account(ask: Ask) -> Result<Response, Trouble> {
    let account = wire::Account {
        links: wire::own("/api/v2/account"),
        id: ask.session.caller().account.to_string(),
        organization: "jeton",
    };
    Ok(answer::json(StatusCode::OK, &account))
}

pub(super) async fn versions(ask: Ask) -> Result<Response, Trouble> {
    let versions = wire::Versions {
        valid_versions: ApiVersion::ALL.iter().map(|version| version.number()).collect(),
        latest_version: ApiVersion::LATEST.number(),
        current_version: version::of(&ask)?.number(),
        beta: version::is_beta(&ask),
    };
    Ok(answer::json(StatusCode::OK, &versions))
}

/// What there is. Needs no token.
pub(super) fn root() -> Response {
    let link = |path: &str| wire::Link::to(format!("/api/v2{path}"));
    let links = [
        ("self", link("")),
        ("account", link("/account")),
        ("caller-identity", link("/caller-identity")),
        ("members", link("/members")),
        ("roles", link("/roles")),
        ("tokens", link("/tokens")),
        ("versions", link("/versions")),
    ];
    answer::json(StatusCode::OK, &wire::Root { links: links.into() })
}
