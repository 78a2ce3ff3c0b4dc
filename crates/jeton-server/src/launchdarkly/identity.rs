//! Who is calling, and in which version: `/caller-identity`, `/versions`.

use axum::http::StatusCode;
use axum::response::Response;
use jeton_core::token::{ApiVersion, TokenKind};

use super::{answer, version, wire};
use crate::ask::Ask;
use crate::trouble::Trouble;

pub(super) async fn caller(ask: Ask) -> Result<Response, Trouble> {
    let caller = ask.session.caller();
    let view = ask.service().get(&ask.session, caller.token).await?;
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

pub(super) async fn versions(ask: Ask) -> Result<Response, Trouble> {
    let versions = wire::Versions {
        valid_versions: ApiVersion::ALL.iter().map(|version| version.number()).collect(),
        latest_version: ApiVersion::LATEST.number(),
        current_version: version::of(&ask)?.number(),
    };
    Ok(answer::json(StatusCode::OK, &versions))
}
