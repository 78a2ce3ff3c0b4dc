//! What a secret is to be good for, as those who ask say it: an action and a resource, or neither.

use jeton_core::policy::Resource;
use jeton_service::Requirement;

/// Only one of the two was given.
pub(super) const APART: &str = "action and resource go together: give both or neither";
/// The resource can't be read.
pub(super) const NO_RESOURCE: &str =
    "resource names no resource: give one like proj/KEY:env/KEY:flag/KEY or member/ID";

/// Reads what is required, if anything is.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<'a>(
    action: Option<&'a str>,
    resource: Option<&'a str>,
) -> Result<Option<Requirement<'a>>, &'static str> {
    match (action, resource) {
        (None, None) => Ok(None),
        (Some(action), Some(resource)) => {
            let resource = Resource::parse(resource).ok_or(NO_RESOURCE)?;
            Ok(Some(Requirement { action, resource }))
        }
        _ => Err(APART),
    }
}
