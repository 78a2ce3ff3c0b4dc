//! Refusals: the rule said no. (When the machinery broke, that is a failure, and none of this crate's business.)
//!
//! The list is closed, and every dialect matches it without a wildcard: a new refusal does not compile until each has
//! an answer for it.

use crate::limits::Limits;
use crate::policy::Statement;

/// Why a rule said no. The text is for people; it never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No policy allows it, or one denies it.
    #[error("Access to the requested resource was denied")]
    NotAllowed {
        /// What was asked for.
        action: &'static str,
        /// On what.
        resource: String,
        /// The statement that denies it, if one does: otherwise none allows it.
        denied_by: Option<Box<Statement>>,
    },
    /// Something that only administrators may do.
    #[error("Permission denied: only an administrator may see or manage the tokens of other users")]
    AdministratorsOnly,
    /// Service tokens act for no person.
    #[error("Service tokens cannot create personal tokens")]
    ServiceCannotIssuePersonal,
    /// A role above the caller's own.
    #[error("A token cannot be given a role above that of the token that makes it: ask an administrator")]
    RoleAboveCaller,
    /// A chain of ever narrower tokens became too long.
    #[error(
        "This token was made by too long a chain of narrow tokens to make another: use one of its makers"
    )]
    CeilingTooDeep,
    /// The answer would hand out a secret of somebody else.
    #[error("Only its owner can reset a personal token, because the answer holds the new secret")]
    SecretOfAnother,
    /// The answer would hand out a secret that is good for more than the caller's.
    #[error("A token cannot be reset by one that may do less, because the answer holds the new secret")]
    StrongerThanCaller,
    /// A replaced secret would take its token over from whoever replaced it.
    #[error("This secret has been replaced: reset the token with its new secret, or with another token")]
    RetiringSecret,
    /// There is no such token that the caller may know of.
    #[error("There is no such access token")]
    NoSuchToken,
    /// There is no such member.
    #[error("There is no such user")]
    NoSuchMember,
    /// The address is no e-mail address.
    #[error("{email:?} is no e-mail address: give one like name@example.com")]
    BadEmail {
        /// As it was given.
        email: String,
    },
    /// Somebody has this address already.
    #[error("The e-mail address {email} is already in use in this account")]
    EmailTaken {
        /// The address.
        email: String,
    },
    /// Nobody is made an owner.
    #[error("An account has exactly one owner: give another role")]
    OneOwner,
    /// The owner is not to be touched.
    #[error("The owner of the account can't be removed, blocked or given another role")]
    OwnerStays,
    /// A member who may do more than the caller.
    #[error("Only somebody who may do all that this member may can change or remove the member")]
    StrongerMember,
    /// Rights beyond the caller's own.
    #[error("Nobody can give a member or a role more rights than their own token has")]
    RightsAboveCaller,
    /// The account is full: [`Limits::members`].
    #[error("The account has {limit} members, and that is the limit: remove some who are gone")]
    MemberLimit {
        /// How many are allowed.
        limit: usize,
    },
    /// Wrong address, wrong password, no password: nobody learns which.
    #[error("Invalid username or password.")]
    WrongPassword,
    /// The password is right, and its owner may not use the account.
    #[error("This user is blocked or not yet approved: ask an administrator")]
    MemberInactive,
    /// A password that is too easy to guess, or too long to be one.
    #[error("A password has {least} to {most} characters")]
    BadPassword {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// There is no such custom role.
    #[error("There is no such role")]
    NoSuchCustomRole,
    /// The key is no key.
    #[error("A role's key has 1 to 256 letters, digits, points, hyphens and underscores, and no others")]
    BadRoleKey,
    /// Another role has this key.
    #[error("There is a role with the key {key} already")]
    RoleKeyTaken {
        /// The key.
        key: String,
    },
    /// The account is full: [`Limits::custom_roles`].
    #[error("The account has {limit} custom roles, and that is the limit: delete some that nobody holds")]
    RoleLimit {
        /// How many are allowed.
        limit: usize,
    },
    /// A custom role that does not exist.
    #[error(
        "There is no custom role with the id or key {name:?}: list the roles of the account, or correct it"
    )]
    NoSuchRole {
        /// As it was given.
        name: String,
    },
    /// What a service token may do is fixed when it is issued.
    #[error("The permissions of a service token cannot be changed: create another and delete this one")]
    ServiceScopeFixed,
    /// An end that has already come.
    #[error("The expiry must lie in the future: give Unix milliseconds later than now")]
    ExpiryInThePast,
    /// A name or description beyond [`Limits::text_bytes`].
    #[error("The {field} is longer than {limit} bytes: shorten it")]
    TextTooLong {
        /// Which text.
        field: &'static str,
        /// How many bytes are allowed.
        limit: usize,
    },
    /// More roles than [`Limits::roles`].
    #[error("A token holds at most {limit} custom roles")]
    TooManyRoles {
        /// How many are allowed.
        limit: usize,
    },
    /// The account is full: [`Limits::tokens`].
    #[error("The access token limit of {limit} was reached: delete tokens that nobody needs")]
    TokenLimit {
        /// How many are allowed.
        limit: u64,
    },
}

impl Refusal {
    /// Refuses a text that is longer than the limit.
    pub(crate) fn check_text(field: &'static str, text: &str, limits: &Limits) -> Result<(), Self> {
        if text.len() > limits.text_bytes {
            return Err(Self::TextTooLong { field, limit: limits.text_bytes });
        }
        Ok(())
    }
}
