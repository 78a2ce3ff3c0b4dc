"""An older official LaunchDarkly client for Python, unmodified, does its token work against jeton.

It was made by another generator than today's, and is the strictest of all: it fails on a null, on a date that is no
integer, and on a member that is missing.

Usage: launchdarkly_python_strict.py BASE_URL SECRET

Prints a line for each step and ends with the number of steps; any surprise is an exception.
"""

import sys

import launchdarkly_api
from launchdarkly_api.api.access_tokens_api import AccessTokensApi
from launchdarkly_api.api.account_members_api import AccountMembersApi
from launchdarkly_api.api.custom_roles_api import CustomRolesApi
from launchdarkly_api.model.access_token_post import AccessTokenPost
from launchdarkly_api.model.custom_role_post import CustomRolePost
from launchdarkly_api.model.json_patch import JSONPatch
from launchdarkly_api.model.new_member_form import NewMemberForm
from launchdarkly_api.model.new_member_form_list_post import NewMemberFormListPost
from launchdarkly_api.model.patch_operation import PatchOperation
from launchdarkly_api.model.patch_with_comment import PatchWithComment
from launchdarkly_api.model.statement_post import StatementPost
from launchdarkly_api.model.statement_post_list import StatementPostList

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
        return error.status
    return None


def patch(*operations):
    return JSONPatch([PatchOperation(op=op, path=path, value=value) for op, path, value in operations])


admin = client(sys.argv[2])
made = admin.post_token(AccessTokenPost(name="old", role="reader", service_token=False))
step("create answers the whole secret", len(made.token) == 54 and made.role == "reader")
step("the secret works at once", client(made.token).get_tokens().total_count == 2)
inline = admin.post_token(
    AccessTokenPost(
        name="inline",
        inline_role=[StatementPost(effect="allow", actions=["*"], resources=["proj/*:env/*:flag/*"])],
        default_api_version=20191212,
    )
)
step("a policy comes back", inline.inline_role[0].actions == ["*"] and inline.default_api_version == 20191212)
got = admin.get_token(made["id"])
step("get shows four characters", got.token == made.token[-4:])
listed = admin.get_tokens(show_all=True, limit=2, offset=1)
step("a page of the list", len(listed["items"]) == 2 and listed.total_count == 3)
renamed = admin.patch_token(made["id"], patch(("replace", "/name", "new"), ("replace", "/description", "told")))
step("patch", (renamed.name, renamed.description) == ("new", "told"))
reset = admin.reset_token(made["id"])
step("reset answers another secret", len(reset.token) == 54 and reset.token != made.token)
step("the old one is dead at once", status(client(made.token).get_tokens) == 401)
step("a reader makes no tokens", status(lambda: client(reset.token).post_token(AccessTokenPost(role="reader"))) == 403)

roles = client(sys.argv[2], CustomRolesApi)
policy = StatementPostList([StatementPost(effect="allow", actions=["*"], resources=["service-token/*"])])
role = roles.post_custom_role(CustomRolePost(name="Operators", key="ops", policy=policy))
step("a role is defined", role.key == "ops" and roles.get_custom_role("ops")["id"] == role["id"])
changed = roles.patch_custom_role("ops", PatchWithComment(patch=patch(("replace", "/name", "Operations"))))
step("and changed", changed.name == "Operations")
by_role = admin.post_token(AccessTokenPost(name="by role", custom_role_ids=["ops"]))
step("a token holds it", by_role.custom_role_ids == [role["id"]])

members = client(sys.argv[2], AccountMembersApi)
form = NewMemberFormListPost([NewMemberForm(email="ada@example.com", role="writer")])
ada = members.post_members(form)["items"][0]
step("a member is added", ada.role == "writer" and members.get_members()["total_count"] == 2)
changed = members.patch_member(ada["id"], patch(("add", "/customRoles/0", role["id"])))
step("and given a role", changed.custom_roles == [role["id"]])
step("and deleted", members.delete_member(ada["id"]) is None)
step("delete answers nothing", roles.delete_custom_role("ops") is None and admin.delete_token(made["id"]) is None)
step("a deleted token is gone", status(lambda: admin.get_token(made["id"])) == 404)

print(f"{steps} steps")
