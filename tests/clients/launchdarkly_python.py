"""The official LaunchDarkly client for Python, unmodified, does its whole work on tokens, members and roles against jeton.

Usage: launchdarkly_python.py BASE_URL SECRET

Prints a line for each step and ends with the number of steps; any surprise is an exception.
"""

import sys
import time

import launchdarkly_api
from launchdarkly_api.api.access_tokens_api import AccessTokensApi
from launchdarkly_api.api.account_members_api import AccountMembersApi
from launchdarkly_api.api.custom_roles_api import CustomRolesApi
from launchdarkly_api.api.other_api import OtherApi
from launchdarkly_api.models.access_token_post import AccessTokenPost
from launchdarkly_api.models.custom_role_post import CustomRolePost
from launchdarkly_api.models.new_member_form import NewMemberForm
from launchdarkly_api.models.patch_operation import PatchOperation
from launchdarkly_api.models.patch_with_comment import PatchWithComment
from launchdarkly_api.models.statement_post import StatementPost

steps = 0


def step(what, holds):
    """Counts a step, and fails with its name if it does not hold."""
    global steps
    assert holds, what
    steps += 1
    print(f"ok {steps} {what}")


def client(secret, api=AccessTokensApi):
    """An API as a user of the client makes it: a host and a key."""
    configuration = launchdarkly_api.Configuration(host=sys.argv[1])
    configuration.api_key["ApiKey"] = secret
    return api(launchdarkly_api.ApiClient(configuration))


def status(call):
    """The status that a refused call was answered with."""
    try:
        call()
    except launchdarkly_api.ApiException as error:
        return error.status, error.data
    return None, None


def accepted(secret):
    """Whether the secret still works."""
    try:
        client(secret).get_tokens(limit=1)
    except launchdarkly_api.exceptions.UnauthorizedException:
        return False
    return True


def now():
    return int(time.time() * 1000)


def operation(op, path, value=None):
    return PatchOperation(op=op, path=path, value=value)


admin = client(sys.argv[2])

# Create, in every form that the model has.
policy = [
    StatementPost(effect="allow", actions=["*"], resources=["proj/*:env/*:flag/*"]),
    StatementPost(effect="deny", notActions=["view*"], notResources=["proj/private:env/*:flag/*"]),
]
made = admin.post_token(AccessTokenPost(name="reader", description="made by a client", role="reader"))
step("create with a role answers 201 and the whole secret", made.token.startswith("jtn_pat_") and len(made.token) == 54)
step("the secret works at once", accepted(made.token))
step("what was given comes back", (made.name, made.description, made.role) == ("reader", "made by a client", "reader"))
step("the newest version is the default", made.default_api_version == 20240415)
step("the member is shown", made.member is not None and made.member.email == "owner@localhost")
service = admin.post_token(AccessTokenPost(name="service", role="writer", serviceToken=True, defaultApiVersion=20220603))
step("a service token is one", service.service_token and service.default_api_version == 20220603)
inline = admin.post_token(AccessTokenPost(name="inline", inlineRole=policy, expiry=now() + 3_600_000))
step("an inline policy comes back in order", [s.effect for s in inline.inline_role] == ["allow", "deny"])
step("and verbatim", inline.inline_role[1].not_resources == ["proj/private:env/*:flag/*"])
step("no role beside it", inline.role is None and inline.expiry > now())

# List, with paging.
for number in range(30):
    admin.post_token(AccessTokenPost(name=f"page {number}", role="reader"))
first = admin.get_tokens()
step("a page has 25 by default", len(first.items) == 25 and first.total_count == 34)
seen, offset = [], 0
while offset < first.total_count:
    page = admin.get_tokens(limit=10, offset=offset, show_all=True)
    seen += [token.id for token in page.items]
    offset += len(page.items)
step("pages hold every token once", len(seen) == 34 and len(set(seen)) == 34)
step("the next page is linked", "offset=10" in admin.get_tokens(limit=10).links["next"].href)
step("a list shows the last four characters", {len(token.token) for token in first.items} == {4})

# Get.
got = admin.get_token(made.id)
step("get shows the token", got.id == made.id and got.token == made.token[-4:])
step("lastUsed is told", got.last_used > 0 and admin.get_token(service.id).last_used == 0)
code, body = status(lambda: admin.get_token("000000000000000000000000"))
step("an unknown token is 404", code == 404 and body.code == "not_found")

# Patch, every field.
for path, value, read in [
    ("/name", "renamed", lambda token: token.name),
    ("/description", "described", lambda token: token.description),
    ("/role", "writer", lambda token: token.role),
    ("/expiry", now() + 7_200_000, lambda token: token.expiry),
    ("/defaultApiVersion", 20191212, lambda token: token.default_api_version),
]:
    step(f"patch {path}", read(admin.patch_token(made.id, [operation("replace", path, value)])) == value)
patched = admin.patch_token(
    made.id,
    [operation("remove", "/role"), operation("replace", "/inlineRole", [s.to_dict() for s in policy])],
)
step("a role makes way for a policy in one patch", patched.role is None and len(patched.inline_role) == 2)
patched = admin.patch_token(made.id, [operation("add", "/inlineRole/-", policy[0].to_dict())])
step("a statement is appended", len(patched.inline_role) == 3)
patched = admin.patch_token(made.id, [operation("remove", "/inlineRole"), operation("add", "/role", "reader")])
step("and the other way round", patched.role == "reader" and not patched.inline_role)
step("an expiry is taken away", admin.patch_token(made.id, [operation("remove", "/expiry")]).expiry is None)
step("an empty patch changes nothing", admin.patch_token(made.id, []).name == "renamed")
code, body = status(lambda: admin.patch_token(made.id, [operation("remove", "/inlineRole")]))
step("what is not there can't be removed", code == 422 and body.code == "patch_failed")
code, body = status(lambda: admin.patch_token(made.id, [operation("replace", "/_id", "x")]))
step("an id can't be changed", code == 400 and body.code == "invalid_request")
code, body = status(lambda: admin.patch_token(service.id, [operation("replace", "/role", "reader")]))
step("a service token's role is fixed", code == 400)
step("a service token is renamed", admin.patch_token(service.id, [operation("replace", "/name", "s2")]).name == "s2")

# Reset, without and with grace.
reset = admin.reset_token(made.id)
step("reset answers the new secret", len(reset.token) == 54 and reset.token != made.token)
step("without grace the old secret is dead at once", accepted(reset.token) and not accepted(made.token))
again = admin.reset_token(made.id, expiry=now() + 3_600_000)
step("with grace both work", accepted(again.token) and accepted(reset.token))
last = admin.reset_token(made.id, expiry=-1)
step("an expiry in the past means now", accepted(last.token) and not accepted(again.token))

# What a narrow token may not.
narrow = client(last.token)
code, body = status(lambda: narrow.post_token(AccessTokenPost(name="no", role="reader")))
step("a reader makes no tokens", code == 403 and body.code == "forbidden")
code, body = status(lambda: client(service.token).post_token(AccessTokenPost(name="no", role="reader")))
step("a service token makes no personal ones", code == 403 and "Service tokens cannot" in body.message)
code, _ = status(lambda: narrow.delete_token(service.id))
step("a reader deletes nothing", code == 403)

# Delete.
step("delete answers nothing", admin.delete_token(made.id) is None)
step("the secret is dead when delete has answered", not accepted(last.token))
code, _ = status(lambda: admin.get_token(made.id))
step("a deleted token is gone", code == 404)
code, body = status(lambda: client("jtn_pat_nonsense").get_tokens())
step("nonsense is 401", code == 401 and body.code == "unauthorized")

# Custom roles.
roles = client(sys.argv[2], CustomRolesApi)
services = StatementPost(effect="allow", actions=["createAccessToken"], resources=["service-token/*"])
role = roles.post_custom_role(CustomRolePost(name="Operators", key="ops", description="who runs it", policy=[services]))
step("a role is defined", (role.key, role.name, role.description) == ("ops", "Operators", "who runs it"))
step("it stands on nothing", role.base_permissions == "no_access" and role.policy[0].actions == ["createAccessToken"])
other = roles.post_custom_role(CustomRolePost(name="Lookers", key="look", basePermissions="reader", policy=[]))
step("or on what a reader may", other.base_permissions == "reader" and other.policy == [])
code, body = status(lambda: roles.post_custom_role(CustomRolePost(name="Again", key="ops", policy=[services])))
step("a key is there once", code == 409 and body.code == "conflict")
bad = StatementPost(effect="allow", actions=["*"], resources=["proj/key:*"])
code, body = status(lambda: roles.post_custom_role(CustomRolePost(name="Bad", key="bad", policy=[bad])))
step("a policy has to make sense", code == 400 and body.code == "invalid_request")
step("a role is got by key", roles.get_custom_role("ops").id == role.id)
step("and by id", roles.get_custom_role(role.id).key == "ops")
code, body = status(lambda: roles.get_custom_role("nothing"))
step("an unknown role is 404", code == 404 and body.code == "not_found")
listed = roles.get_custom_roles()
step("roles are listed", {item.key for item in listed.items} == {"ops", "look"} and listed.total_count == 2)
paged = roles.get_custom_roles(limit=1, offset=1)
step("page by page", len(paged.items) == 1 and paged.total_count == 2 and "offset=0" in paged.links["first"].href)

# A token that may do what its roles say, now.
by_role = admin.post_token(AccessTokenPost(name="by role", customRoleIds=["ops"]))
step("roles are given by key and shown by id", by_role.custom_role_ids == [role.id])
step("no role beside them", by_role.role is None and not by_role.inline_role)
narrow = client(by_role.token)
code, body = status(lambda: narrow.post_token(AccessTokenPost(name="no", role="reader")))
step("what the role does not say is refused", code == 403 and body.code == "forbidden")
minted = narrow.post_token(AccessTokenPost(name="yes", role="reader", serviceToken=True))
code, _ = status(lambda: narrow.delete_token(minted.id))
step("what it says works", minted.service_token and code == 403)
change = operation("add", "/policy/0/actions/-", "deleteAccessToken")
changed = roles.patch_custom_role("ops", PatchWithComment(patch=[change], comment="they clean up as well"))
step("a role is changed with a comment", changed.policy[0].actions == ["createAccessToken", "deleteAccessToken"])
step("and its tokens with it", narrow.delete_token(minted.id) is None)
fields = [
    operation("replace", "/name", "Operations"),
    operation("remove", "/description"),
    operation("replace", "/basePermissions", "reader"),
]
changed = roles.patch_custom_role(role.id, PatchWithComment(patch=fields))
step("and without one, by id", (changed.name, changed.description, changed.base_permissions) == ("Operations", None, "reader"))
code, _ = status(lambda: roles.patch_custom_role("ops", PatchWithComment(patch=[operation("replace", "/key", "x")])))
step("a key stays", code == 400)
both = admin.patch_token(by_role.id, [operation("replace", "/customRoleIds", [role.id, other.id])])
step("a token is given another role by id", both.custom_role_ids == [role.id, other.id])

# Members.
members = client(sys.argv[2], AccountMembersApi)
owner = members.get_member("me")
step("me is whoever asks", (owner.email, owner.role) == ("owner@localhost", "owner"))
invited = members.post_members(
    [
        NewMemberForm(email="ada@example.com", firstName="Ada", lastName="Lovelace", role="writer"),
        NewMemberForm(email="bob@example.com", customRoles=["look"]),
    ]
)
ada, bob = invited.items
step("members are added together", invited.total_count == 2 and (ada.first_name, ada.role) == ("Ada", "writer"))
step("custom roles are shown by id", ada.custom_roles == [] and bob.custom_roles == [other.id])
step("they may begin at once", not ada.pending_invite and ada.verified and ada.mfa == "disabled" and ada.last_seen == 0)
step("a member is got", members.get_member(ada.id) == ada)
listed = members.get_members()
step("members are listed", [item.id for item in listed.items] == [owner.id, ada.id, bob.id])
for what, expected in [
    ("query:LOVE", [ada]),
    ("role:writer", [ada]),
    ("role:admin|look", [owner, bob]),
    (f"id:{ada.id}|{bob.id}", [ada, bob]),
    ("email:bob@example.com|nobody@example.com", [bob]),
    ("query:example.com,role:reader|writer", [ada]),
]:
    found = members.get_members(filter=what)
    step(f"found by {what.split(':')[0]}", [item.id for item in found.items] == [item.id for item in expected])
found = members.get_members(limit=1, offset=1, sort="-displayName")
step("sorted and paged", [item.id for item in found.items] == [bob.id] and found.total_count == 3)
code, _ = status(lambda: members.get_members(filter="shoe:44"))
step("an unknown filter is refused", code == 400)
again = [NewMemberForm(email="eve@example.com", role="reader"), NewMemberForm(email="ADA@example.com", role="reader")]
code, body = status(lambda: members.post_members(again))
step("an address is there once", code == 400 and body.code == "email_already_exists_in_account")
step("and nobody was added", members.get_members().total_count == 3)
changed = members.patch_member(ada.id, [operation("replace", "/role", "reader")])
step("a member's role is changed", changed.role == "reader")
changed = members.patch_member(ada.id, [operation("add", "/customRoles/0", role.id)])
step("a custom role is given", changed.custom_roles == [role.id])
changed = members.patch_member(ada.id, [operation("replace", "/customRoles", ["look"]), operation("replace", "/role", "writer")])
step("both at once", changed.custom_roles == [other.id] and changed.role == "writer")
changed = members.patch_member(ada.id, [operation("remove", "/customRoles/0")])
step("and taken away", changed.custom_roles == [])
code, _ = status(lambda: members.patch_member(ada.id, [operation("replace", "/email", "x@example.com")]))
step("an address stays", code == 400)
code, body = status(lambda: members.patch_member(owner.id, [operation("replace", "/role", "reader")]))
step("so does the owner", code == 403 and body.code == "forbidden")
step("delete answers nothing", members.delete_member(ada.id) is None)
code, body = status(lambda: members.get_member(ada.id))
step("a deleted member is gone", code == 404 and body.code == "not_found")

# Who is asking, and in which version.
identity = client(by_role.token, OtherApi).get_caller_identity()
step("a caller is told who it is", (identity.token_id, identity.token_name) == (by_role.id, "by role"))
step("and whose", (identity.member_id, identity.account_id) == (owner.id, by_role.owner_id))
step("and of which kind", (identity.auth_kind, identity.token_kind, identity.service_token) == ("token", "personal", False))
identity = client(service.token, OtherApi).get_caller_identity()
step("a service token as well", (identity.token_kind, identity.service_token) == ("service", True))
other_calls = client(sys.argv[2], OtherApi)
versions = other_calls.get_versions()
step("versions are told", versions.latest_version == versions.current_version == 20240415 and not versions.beta)
step("and what there is", "tokens" in other_calls.get_root().links)

# A role that is gone leaves its tokens without it.
step("a role is deleted", roles.delete_custom_role("ops") is None)
code, _ = status(lambda: roles.get_custom_role(role.id))
step("and gone", code == 404)
code, _ = status(lambda: narrow.post_token(AccessTokenPost(name="no", role="reader", serviceToken=True)))
step("its tokens can't do it any more", code == 403)

print(f"{steps} steps")
