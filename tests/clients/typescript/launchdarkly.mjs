// The official LaunchDarkly client for TypeScript, unmodified, does its whole work on tokens, members and roles against
// jeton.
//
// Usage: node launchdarkly.mjs NODE_MODULES BASE_URL SECRET
//
// NODE_MODULES is the folder that `npm ci` made from package-lock.json beside this file. Prints a line for each step and
// ends with the number of steps; any surprise is an exception.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";

const [modules, basePath, secret] = process.argv.slice(2);
const require = createRequire(resolve(modules, "..", "package.json"));
const { AccessTokensApi, AccountMembersApi, Configuration, CustomRolesApi, OtherApi } = require(
  "launchdarkly-api-typescript",
);

let steps = 0;

/** Counts a step, and fails with its name if it does not hold. */
function step(what, holds) {
  assert.ok(holds, what);
  steps += 1;
  console.log(`ok ${steps} ${what}`);
}

/** An API as a user of the client makes it: a base path and a key. */
function client(apiKey, Api = AccessTokensApi) {
  return new Api(new Configuration({ basePath, apiKey }));
}

/** How a refused call was answered: the status and the code in the body. */
async function refusal(call) {
  try {
    await call;
  } catch (error) {
    if (!error.response) throw error;
    return [error.response.status, error.response.data.code];
  }
  return [];
}

/** Whether a call was refused so. */
async function refused(call, status, code) {
  return isDeepStrictEqual(await refusal(call), [status, code]);
}

async function accepted(key) {
  return (await refusal(client(key).getTokens())).length === 0;
}

const ids = (items) => items.map((item) => item._id);
const same = isDeepStrictEqual;

const tokens = client(secret);

// Create, in every form.
const policy = [
  { effect: "allow", actions: ["*"], resources: ["proj/*:env/*:flag/*"] },
  { effect: "deny", notActions: ["view*"], notResources: ["proj/private:env/*:flag/*"] },
];
let reply = await tokens.postToken({ name: "reader", description: "made by a client", role: "reader" });
const made = reply.data;
step("create answers 201 and JSON", reply.status === 201 && reply.headers["content-type"] === "application/json");
step("with the whole secret", made.token.length === 54 && made.token.startsWith("jtn_pat_"));
step("the secret works at once", await accepted(made.token));
step("what was given comes back", made.name === "reader" && made.description === "made by a client" && made.role === "reader");
step("dates are integers", [made.creationDate, made.lastModified, made.lastUsed].every(Number.isInteger));
const service = (await tokens.postToken({ name: "service", role: "writer", serviceToken: true, defaultApiVersion: 20191212 })).data;
step("a service token is one", service.serviceToken === true && service.defaultApiVersion === 20191212);
const inline = (await tokens.postToken({ name: "inline", inlineRole: policy })).data;
step("a policy comes back verbatim", same(inline.inlineRole, policy) && !("role" in inline));
step("two scopes are one too many", await refused(tokens.postToken({ role: "reader", inlineRole: policy }), 400, "invalid_request"));

// List and get.
for (let number = 0; number < 30; number += 1) await tokens.postToken({ name: `page ${number}`, role: "reader" });
const first = (await tokens.getTokens()).data;
step("a page has 25 by default", first.items.length === 25 && first.totalCount === 34);
const seen = [];
while (seen.length < first.totalCount) seen.push(...(await tokens.getTokens(true, 10, seen.length)).data.items);
step("pages hold every token once", seen.length === 34 && new Set(ids(seen)).size === 34);
step("a list shows the last four characters", first.items.every((token) => token.token.length === 4));
step("the next page is linked", first._links.next.href.includes("offset=25"));
step("get shows the token", (await tokens.getToken(made._id)).data.token === made.token.slice(-4));
step("an unknown token is 404", await refused(tokens.getToken("0".repeat(24)), 404, "not_found"));
step("so is one with strange letters", await refused(tokens.getToken("a/b c"), 404, "not_found"));

// Patch.
const patched = async (...patch) => (await tokens.patchToken(made._id, patch)).data;
step("patch the name", (await patched({ op: "replace", path: "/name", value: "renamed" })).name === "renamed");
step("patch the role", (await patched({ op: "replace", path: "/role", value: "writer" })).role === "writer");
const swapped = await patched({ op: "remove", path: "/role" }, { op: "replace", path: "/inlineRole", value: policy });
step("a role makes way for a policy", !("role" in swapped) && same(swapped.inlineRole, policy));
const back = await patched({ op: "remove", path: "/inlineRole" }, { op: "add", path: "/role", value: "reader" });
step("and the other way round", back.role === "reader" && !("inlineRole" in back));
const absent = tokens.patchToken(made._id, [{ op: "remove", path: "/inlineRole" }]);
step("what is not there can't be removed", await refused(absent, 422, "patch_failed"));
const fixed = tokens.patchToken(service._id, [{ op: "replace", path: "/role", value: "reader" }]);
step("a service token's role is fixed", await refused(fixed, 400, "invalid_request"));

// Reset: this client sends a form's content type and no body.
const reset = (await tokens.resetToken(made._id)).data;
step("reset answers the new secret", reset.token.length === 54 && reset.token !== made.token);
step("without grace the old one is dead at once", (await accepted(reset.token)) && !(await accepted(made.token)));
const again = (await tokens.resetToken(made._id, Date.now() + 3_600_000)).data;
step("with grace both work", (await accepted(again.token)) && (await accepted(reset.token)));
step("a reader makes no tokens", await refused(client(again.token).postToken({ role: "reader" }), 403, "forbidden"));

// Custom roles, and a token that has one.
const roles = client(secret, CustomRolesApi);
const services = { effect: "allow", actions: ["createAccessToken"], resources: ["service-token/*"] };
reply = await roles.postCustomRole({ name: "Operators", key: "ops", description: "who runs it", policy: [services] });
const role = reply.data;
step("a role is defined", reply.status === 201 && role.key === "ops" && same(role.policy, [services]));
step("a key is there once", await refused(roles.postCustomRole({ name: "A", key: "ops", policy: [] }), 409, "conflict"));
step("a role is got by key", (await roles.getCustomRole("ops")).data._id === role._id);
step("and by id", (await roles.getCustomRole(role._id)).data.key === "ops");
step("an unknown role is 404", await refused(roles.getCustomRole("nothing"), 404, "not_found"));
const listedRoles = (await roles.getCustomRoles(20, 0)).data;
step("roles are listed", listedRoles.totalCount === 1 && same(ids(listedRoles.items), [role._id]));
const byRole = (await tokens.postToken({ name: "by role", customRoleIds: ["ops"] })).data;
step("roles are given by key and shown by id", same(byRole.customRoleIds, [role._id]) && !("role" in byRole));
const narrow = client(byRole.token);
step("what the role does not say is refused", await refused(narrow.postToken({ role: "reader" }), 403, "forbidden"));
const minted = (await narrow.postToken({ role: "reader", serviceToken: true })).data;
step("what it says works", await refused(narrow.deleteToken(minted._id), 403, "forbidden"));
const wider = [{ op: "add", path: "/policy/0/actions/-", value: "deleteAccessToken" }];
const changed = (await roles.patchCustomRole("ops", { patch: wider, comment: "they clean up as well" })).data;
step("a role is changed with a comment", same(changed.policy[0].actions, ["createAccessToken", "deleteAccessToken"]));
reply = await narrow.deleteToken(minted._id);
step("and its tokens with it", reply.status === 204);
const renaming = { patch: [{ op: "replace", path: "/name", value: "Operations" }, { op: "remove", path: "/description" }] };
const renamed = (await roles.patchCustomRole(role._id, renaming)).data;
step("and without one, by id", renamed.name === "Operations" && !("description" in renamed));

// Members.
const members = client(secret, AccountMembersApi);
const owner = (await members.getMember("me")).data;
step("me is whoever asks", owner.role === "owner" && owner.email === "owner@localhost");
const forms = [
  { email: "ada@example.com", firstName: "Ada", lastName: "Lovelace", role: "writer" },
  { email: "bob@example.com", customRoles: ["ops"] },
];
reply = await members.postMembers(forms);
const [ada, bob] = reply.data.items;
step("members are added together", reply.status === 201 && ada.role === "writer" && same(bob.customRoles, [role._id]));
step("a member is got", same((await members.getMember(ada._id)).data, ada));
const found = async (...rest) => ids((await members.getMembers(...rest)).data.items);
step("members are listed", same(await found(), ids([owner, ada, bob])));
step("found by name", same(await found(20, 0, "query:love"), [ada._id]));
step("found by role", same(await found(20, 0, "role:admin|ops"), ids([owner, bob])));
step("sorted and paged", same(await found(1, 1, undefined, undefined, "-displayName"), [bob._id]));
step("an address is there once", await refused(members.postMembers([forms[0]]), 400, "email_already_exists_in_account"));
const changedMember = async (...patch) => (await members.patchMember(ada._id, patch)).data;
step("a member's role is changed", (await changedMember({ op: "replace", path: "/role", value: "reader" })).role === "reader");
const given = await changedMember({ op: "add", path: "/customRoles/0", value: role._id });
step("a custom role is given", same(given.customRoles, [role._id]));
step("and taken away", same((await changedMember({ op: "replace", path: "/customRoles", value: [] })).customRoles, []));
const demoted = members.patchMember(owner._id, [{ op: "replace", path: "/role", value: "reader" }]);
step("the owner stays", await refused(demoted, 403, "forbidden"));
step("delete answers 204", (await members.deleteMember(ada._id)).status === 204);
step("a deleted member is gone", await refused(members.getMember(ada._id), 404, "not_found"));

// Who is asking, and in which version: this client names none, so the token's own counts.
const identity = (await client(service.token, OtherApi).getCallerIdentity()).data;
step("a caller is told who it is", identity.tokenId === service._id && identity.memberId === owner._id);
step("and of which kind", identity.tokenKind === "service" && identity.serviceToken === true);
const versions = (await client(service.token, OtherApi).getVersions()).data;
step("the token's own version counts", versions.currentVersion === 20191212 && versions.latestVersion === 20240415);
const old = (await tokens.postToken({ name: "old", role: "reader", defaultApiVersion: 20191212 })).data;
const whole = (await client(old.token).getTokens()).data;
step("an older version lists all in one page", whole.items.length === 36 && whole.totalCount === 36);
step("there is a root", "tokens" in (await client(secret, OtherApi).getRoot()).data.links);

// Delete.
step("a role is deleted", (await roles.deleteCustomRole("ops")).status === 204);
const orphan = narrow.postToken({ role: "reader", serviceToken: true });
step("its tokens can't do it any more", await refused(orphan, 403, "forbidden"));
reply = await tokens.deleteToken(made._id);
step("delete answers 204 and nothing", reply.status === 204 && reply.data === "");
step("the secret is dead when delete has answered", !(await accepted(again.token)));
step("a deleted token is gone", await refused(tokens.getToken(made._id), 404, "not_found"));
step("nonsense is 401", await refused(client("jtn_pat_nonsense").getTokens(), 401, "unauthorized"));

console.log(`${steps} steps`);
