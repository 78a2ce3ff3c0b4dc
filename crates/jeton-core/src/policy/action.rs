//! The names of the actions on access tokens (section 3.2), members and custom roles.
//!
//! A policy may name any action, also one that nobody here has heard of: stored roles outlive the actions they name.
//! These are the names that the rules of this crate ask about. There is none for reading: who sees a token is decided
//! without policies. The actions on the account's old keys (`updateAccountToken`, `deleteAccountToken`) and the
//! `updateTokens` of a role aren't about access tokens and so are missing on purpose.

/// Create a token, personal or service.
pub const CREATE_ACCESS_TOKEN: &str = "createAccessToken";
/// Change a token's name.
pub const UPDATE_ACCESS_TOKEN_NAME: &str = "updateAccessTokenName";
/// Change a token's description.
pub const UPDATE_ACCESS_TOKEN_DESCRIPTION: &str = "updateAccessTokenDescription";
/// Change what a personal token may do. A service token's permissions are fixed when it is created.
pub const UPDATE_ACCESS_TOKEN_POLICY: &str = "updateAccessTokenPolicy";
/// Change when a token ends.
pub const UPDATE_ACCESS_TOKEN_EXPIRY: &str = "updateAccessTokenExpiry";
/// Change the API version that a token's calls get by default (section 3.3).
///
/// The published list has no such action, so nobody names it outright and only a glob can grant it.
pub const UPDATE_ACCESS_TOKEN_DEFAULT_API_VERSION: &str = "updateAccessTokenDefaultApiVersion";
/// Replace a token's secret.
pub const RESET_ACCESS_TOKEN: &str = "resetAccessToken";
/// Delete a token.
pub const DELETE_ACCESS_TOKEN: &str = "deleteAccessToken";

/// Ask whether the tokens of others are good.
///
/// The published list has no such action: it is for the services that tokens are presented to.
pub const VERIFY_TOKEN: &str = "verifyToken";

/// Add a member to the account.
pub const CREATE_MEMBER: &str = "createMember";
/// Remove a member.
pub const DELETE_MEMBER: &str = "deleteMember";
/// Change a member's base role.
pub const UPDATE_ROLE: &str = "updateRole";
/// Change a member's custom roles.
pub const UPDATE_CUSTOM_ROLE: &str = "updateCustomRole";
/// Change anything else about another member: name, address, password, standing.
///
/// The published list has no such action, so nobody names it outright and only a glob can grant it.
pub const UPDATE_MEMBER: &str = "updateMember";
/// Define a custom role.
pub const CREATE_ROLE: &str = "createRole";
/// Change a custom role's name.
pub const UPDATE_NAME: &str = "updateName";
/// Change a custom role's description.
pub const UPDATE_DESCRIPTION: &str = "updateDescription";
/// Change what a custom role allows and denies.
pub const UPDATE_POLICY: &str = "updatePolicy";
/// Change what a custom role grants before its policy is asked.
pub const UPDATE_BASE_PERMISSIONS: &str = "updateBasePermissions";
/// Delete a custom role.
pub const DELETE_ROLE: &str = "deleteRole";
