//! Members and custom roles: who may touch whom, and what is in whose gift.

use jeton_core::caller::Caller;
use jeton_core::command::{AddMember, ChangeMember, ChangeRole, DefineRole};
use jeton_core::id::MemberId;
use jeton_core::member::{Member, PasswordHash, Standing};
use jeton_core::policy::Effect::{Allow, Deny};
use jeton_core::policy::Policy;
use jeton_core::role::BasePermissions;
use jeton_core::role::BaseRole::{self, Admin, NoAccess, Owner, Reader, Writer};
use jeton_core::rule::{self, MemberFacts};
use jeton_core::token::Scope;

use crate::cast::{Cast, NOW, answer, fresh, inline, member, other_account, personal};

const FACTS: MemberFacts = MemberFacts { number: 1100, members: 5, email_taken: false };

fn caller(role: BaseRole) -> Caller {
    let owner = member(role);
    Cast::default().caller(&personal(&owner, Scope::Member), &owner)
}

/// An administrator's token that may do everything with members and roles by its policy.
fn narrow() -> Caller {
    let owner = member(Admin);
    let scope = inline(&[(Allow, "*", "member/*"), (Allow, "*", "role/*")]);
    Cast::default().caller(&personal(&owner, scope), &owner)
}

/// Somebody else with this role.
fn other(role: BaseRole) -> Member {
    Member { id: MemberId::from_bytes([0x55; 12]), ..member(role) }
}

fn change(caller: &Caller, target: &Member, command: &ChangeMember) -> &'static str {
    let cast = Cast::default();
    answer(&rule::change_member(caller, target, command, FACTS, &cast, &cast.limits, NOW))
}

fn add(caller: &Caller, command: &AddMember, facts: MemberFacts) -> &'static str {
    let cast = Cast::default();
    answer(&rule::add_member(caller, command, facts, &cast, &cast.limits, NOW, &fresh(1)))
}

fn newcomer(role: BaseRole) -> AddMember {
    AddMember {
        email: "new@example.com".to_owned(),
        name: String::new(),
        family_name: String::new(),
        role,
        custom_roles: Vec::new(),
        standing: Standing::Active,
        password: None,
    }
}

#[test]
fn who_touches_whom() {
    let block = ChangeMember { standing: Some(Standing::Blocked), ..ChangeMember::default() };
    let name = ChangeMember { name: Some("N".to_owned()), ..ChangeMember::default() };
    for (who, whom, answers) in [
        (Owner, Admin, "yes"),
        (Owner, NoAccess, "yes"),
        (Admin, Owner, "stronger member"),
        (Admin, Admin, "yes"),
        (Admin, Reader, "yes"),
        (Writer, Reader, "not allowed"),
        (Writer, Owner, "not allowed"),
        (Reader, Reader, "not allowed"),
        (NoAccess, NoAccess, "not allowed"),
    ] {
        for command in [&block, &name] {
            assert_eq!(change(&caller(who), &other(whom), command), answers, "{who:?} {whom:?}");
        }
    }
    for (whom, answers) in [(Reader, "yes"), (Writer, "stronger member"), (Owner, "stronger member")] {
        assert_eq!(change(&narrow(), &other(whom), &block), answers, "{whom:?}");
    }
}

#[test]
fn who_is_removed() {
    let cast = Cast::default();
    let remove = |who: &Caller, whom: &Member| answer(&rule::remove_member(who, whom, &cast, NOW));
    assert_eq!(remove(&caller(Owner), &member(Owner)), "owner stays");
    assert_eq!(remove(&caller(Admin), &member(Owner)), "owner stays");
    assert_eq!(remove(&caller(Admin), &other(Admin)), "yes");
    assert_eq!(remove(&caller(Writer), &other(Reader)), "not allowed");
    assert_eq!(remove(&narrow(), &other(Admin)), "stronger member");
    let gone = Member { standing: Standing::Removed, ..other(Reader) };
    assert_eq!(remove(&caller(Owner), &gone), "no such member");
    assert_eq!(
        remove(&caller(Owner), &Member { account: other_account(), ..other(Reader) }),
        "no such member"
    );
}

#[test]
fn what_is_in_whose_gift() {
    for (role, by_admin, by_narrow) in [
        (NoAccess, "yes", "yes"),
        (Reader, "yes", "yes"),
        (Writer, "yes", "rights above"),
        (Admin, "yes", "rights above"),
        (Owner, "one owner", "one owner"),
    ] {
        assert_eq!(add(&caller(Admin), &newcomer(role), FACTS), by_admin, "{role:?}");
        assert_eq!(add(&narrow(), &newcomer(role), FACTS), by_narrow, "{role:?}");
        assert_eq!(add(&caller(Writer), &newcomer(role), FACTS), "not allowed", "{role:?}");
        let promote = ChangeMember { role: Some(role), ..ChangeMember::default() };
        assert_eq!(change(&caller(Admin), &other(Reader), &promote), by_admin, "{role:?}");
        assert_eq!(change(&narrow(), &other(Reader), &promote), by_narrow, "{role:?}");
        // Their own: nobody promotes themselves.
        assert_eq!(change(&caller(Writer), &member(Writer), &promote), "not allowed", "{role:?}");
    }
    let demote = ChangeMember { role: Some(Reader), ..ChangeMember::default() };
    assert_eq!(change(&caller(Owner), &member(Owner), &demote), "owner stays");
}

#[test]
fn everybody_has_their_own_name_address_and_password() {
    let own = ChangeMember {
        name: Some("N".to_owned()),
        email: Some("n@example.com".to_owned()),
        ..ChangeMember::default()
    };
    for role in BaseRole::ALL {
        assert_eq!(change(&caller(role), &member(role), &own), "yes", "{role:?}");
        let standing = ChangeMember { standing: Some(Standing::Active), ..ChangeMember::default() };
        let answers = if role >= Admin { "yes" } else { "not allowed" };
        assert_eq!(change(&caller(role), &member(role), &standing), answers, "{role:?}");
    }
}

#[test]
fn addresses() {
    for (email, answers) in [
        ("a@b", "yes"),
        ("no address", "no address"),
        ("@b", "no address"),
        ("a@", "no address"),
        ("a b@c", "no address"),
        ("a\n@c", "no address"),
        ("", "no address"),
    ] {
        let command = AddMember { email: email.to_owned(), ..newcomer(Reader) };
        assert_eq!(add(&caller(Admin), &command, FACTS), answers, "{email:?}");
    }
    let long = AddMember { email: format!("{}@b", "a".repeat(260)), ..newcomer(Reader) };
    assert_eq!(add(&caller(Admin), &long, FACTS), "no address");
    let taken = MemberFacts { email_taken: true, ..FACTS };
    assert_eq!(add(&caller(Admin), &newcomer(Reader), taken), "address taken");
    let full = MemberFacts { members: 100_000, ..FACTS };
    assert_eq!(add(&caller(Admin), &newcomer(Reader), full), "account full");
}

/// A token that may less than its owner would become its owner by setting a password and logging in.
#[test]
fn a_narrow_token_sets_no_password() {
    let cast = Cast::default();
    let password = || ChangeMember {
        password: Some(PasswordHash::new("$argon2id$".to_owned())),
        ..ChangeMember::default()
    };
    let email = ChangeMember { email: Some("n@example.com".to_owned()), ..ChangeMember::default() };
    for role in BaseRole::ALL {
        assert_eq!(change(&caller(role), &member(role), &password()), "yes", "{role:?}");
        for scope in [Scope::Base(NoAccess), inline(&[(Allow, "*", "service-token/*")])] {
            let narrow = cast.caller(&personal(&member(role), scope), &member(role));
            assert_eq!(change(&narrow, &member(role), &password()), "stronger member", "{role:?}");
            assert_eq!(change(&narrow, &member(role), &email), "stronger member", "{role:?}");
        }
    }
}

fn policy() -> Policy {
    let Scope::Inline(policy) = inline(&[(Deny, "*", "service-token/*")]) else { unreachable!() };
    policy
}

#[test]
fn roles_are_for_administrators_to_define() {
    let limits = Cast::default().limits;
    let define = |caller: &Caller, key: &str, facts| {
        let command = DefineRole {
            key: key.to_owned(),
            name: String::new(),
            description: String::new(),
            base_permissions: BasePermissions::NoAccess,
            policy: policy(),
        };
        answer(&rule::define_role(caller, &command, facts, &limits, NOW, &fresh(1)))
    };
    for (who, answers) in [
        (Owner, "yes"),
        (Admin, "yes"),
        (Writer, "not allowed"),
        (Reader, "not allowed"),
        (NoAccess, "not allowed"),
    ] {
        assert_eq!(define(&caller(who), "ops", (false, 0)), answers, "{who:?}");
    }
    assert_eq!(define(&narrow(), "ops", (false, 0)), "rights above");
    assert_eq!(define(&caller(Admin), "ops", (true, 0)), "key taken");
    assert_eq!(define(&caller(Admin), "ops", (false, 10_000)), "account full");
    for key in ["", "a b", "a/b", "ä", "0123456789abcdef01234567"] {
        assert_eq!(define(&caller(Admin), key, (false, 0)), "bad key", "{key:?}");
    }
}

#[test]
fn a_role_that_is_renamed_needs_no_strength_and_one_that_is_widened_does() {
    let mut cast = Cast::default();
    cast.define(member(Admin).account, "ops", policy());
    let role = cast.roles[0].as_ref().clone();
    let change = |caller: &Caller, command: &ChangeRole| {
        answer(&rule::change_role(caller, &role, command, &cast.limits, NOW))
    };
    let rename = ChangeRole { name: Some("Ops".to_owned()), ..ChangeRole::default() };
    let widen = ChangeRole { base_permissions: Some(BasePermissions::Reader), ..ChangeRole::default() };
    for (who, to_rename, to_widen) in [
        (caller(Admin), "yes", "yes"),
        (narrow(), "yes", "rights above"),
        (caller(Writer), "not allowed", "not allowed"),
    ] {
        assert_eq!((change(&who, &rename), change(&who, &widen)), (to_rename, to_widen));
    }
    assert_eq!(answer(&rule::remove_role(&narrow(), &role, NOW)), "yes");
    assert_eq!(answer(&rule::remove_role(&caller(Writer), &role, NOW)), "not allowed");
}
