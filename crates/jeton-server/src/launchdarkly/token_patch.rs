//! What a JSON Patch makes of a token.

use std::collections::BTreeSet;

use jeton_core::command::{Amend, Field, ScopeRequest};
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{ApiVersion, Scope};
use jeton_service::TokenView;
use serde::Deserialize;

use super::patch::{Patch, Patchable};
use super::{body, version, wire};
use crate::ask::Ask;
use crate::http::object::Object;
use crate::trouble::Trouble;

const SCOPE: [&str; 3] = ["role", "customRoleIds", "inlineRole"];
const PATCHABLE: Patchable =
    &["name", "description", "expiry", "defaultApiVersion", SCOPE[0], SCOPE[1], SCOPE[2]];

/// A patch of a token.
pub(super) struct TokenPatch(Patch);

/// What a token is after a patch, as far as it can be patched.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patched {
    name: Option<String>,
    description: Option<String>,
    role: Option<String>,
    custom_role_ids: Option<Vec<String>>,
    inline_role: Option<Vec<Object<wire::Statement>>>,
    expiry: Option<i64>,
    default_api_version: Option<i64>,
}

impl TokenPatch {
    pub(super) fn read(ask: &Ask) -> Result<Self, Trouble> {
        Patch::read(ask, PATCHABLE).map(Self)
    }

    /// The fields of the token that it touches, changed or not: for these its sender needs permission.
    pub(super) fn fields(&self) -> BTreeSet<Field> {
        self.0.touched().into_iter().map(field).collect()
    }

    /// The command that brings the token from what it is to what the patch makes of it.
    pub(super) fn command(&self, view: &TokenView) -> Result<Amend, Trouble> {
        let before: serde_json::Value =
            serde_json::from_slice(&wire::Token::new(view).json()).map_err(|_| Trouble::Internal)?;
        let (after, same_scope): (Patched, bool) = self.0.applied(&before, &SCOPE)?;
        after.into_command(&self.fields(), view, same_scope)
    }
}

impl Patched {
    /// The command for the fields that were touched. What was taken away is as if it had never been given.
    fn into_command(
        self,
        touched: &BTreeSet<Field>,
        view: &TokenView,
        same_scope: bool,
    ) -> Result<Amend, Trouble> {
        let touches = |field| touched.contains(&field);
        let scope = || match view.token.scope {
            // The same words for what is shown of an owner's rights change nothing, and fix nothing.
            Scope::Member if same_scope => Ok(ScopeRequest::Member),
            _ => body::scope(self.role, self.custom_role_ids, self.inline_role),
        };
        let version = || match self.default_api_version.map(version::from_number) {
            Some(version) => version.map(|version| version.unwrap_or(ApiVersion::LATEST)),
            None => Ok(ApiVersion::LATEST),
        };
        Ok(Amend {
            name: touches(Field::Name).then(|| self.name.unwrap_or_default()),
            description: touches(Field::Description).then(|| self.description.unwrap_or_default()),
            scope: touches(Field::Scope).then(scope).transpose()?,
            expires_at: touches(Field::Expiry).then(|| self.expiry.map(Timestamp::from_millis)),
            api_version: touches(Field::ApiVersion).then(version).transpose()?,
        })
    }
}

/// The field that a patchable member of a token's wire form belongs to.
fn field(member: &str) -> Field {
    match member {
        "name" => Field::Name,
        "description" => Field::Description,
        "expiry" => Field::Expiry,
        "defaultApiVersion" => Field::ApiVersion,
        _ => Field::Scope,
    }
}
