"""The official LaunchDarkly client for Python, unmodified, does its whole token work against jeton.

Usage: launchdarkly_python.py BASE_URL SECRET

Prints a line for each step and ends with the number of steps; any surprise is an exception.
"""

import sys
import time

import launchdarkly_api
from launchdarkly_api.api.access_tokens_api import AccessTokensApi
from launchdarkly_api.models.access_token_post import AccessTokenPost
from launchdarkly_api.models.patch_operation import PatchOperation
from launchdarkly_api.models.statement_post import StatementPost

steps = 0


def step(what, holds):
    """Counts a step, and fails with its name if it does not hold."""
    global steps
    assert holds, what
    steps += 1
    print(f"ok {steps} {what}")


def client(secret):
    """The tokens API as a user of the client makes it: a host and a key."""
    configuration = launchdarkly_api.Configuration(host=sys.argv[1])
    configuration.api_key["ApiKey"] = secret
    return AccessTokensApi(launchdarkly_api.ApiClient(configuration))


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

print(f"{steps} steps")
