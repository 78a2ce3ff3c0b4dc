// A strict client of OAuth, unmodified: discovery (RFC 8414), introspection (RFC 7662) and revocation (RFC 7009).
//
// Usage: node oauth.mjs NODE_MODULES BASE_URL SECRET
//
// NODE_MODULES is the folder that `npm ci` made from package-lock.json beside this file. Prints a line for each step and
// ends with the number of steps; any surprise is an exception.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, base, secret] = process.argv.slice(2);
const oauth = await import(pathToFileURL(resolve(modules, "oauth4webapi", "build", "index.js")));

const options = { [oauth.allowInsecureRequests]: new URL(base).protocol === "http:" };
const UNKNOWN = "nothing-that-anybody-has-ever-issued";
let steps = 0;

/** Counts a step, and fails with its name if it does not hold. */
function step(what, holds) {
  assert.ok(holds, what);
  steps += 1;
  console.log(`ok ${steps} ${what}`);
}

/** A token that the owner makes, through jeton's own API. */
async function made(body) {
  const headers = { Authorization: secret, "Content-Type": "application/json" };
  const answer = await fetch(`${base}/api/v2/tokens`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 201);
  return await answer.json();
}

const issuer = new URL(base);
const found = await oauth.discoveryRequest(issuer, { ...options, algorithm: "oauth2" });
const server = await oauth.processDiscoveryResponse(issuer, found);
step("finds the endpoints", server.introspection_endpoint && server.revocation_endpoint);

const asker = await made({ name: "gateway", serviceToken: true, role: "reader" });
const client = { client_id: "any id: with/everything" };
const basic = oauth.ClientSecretBasic(asker.token);
const post = oauth.ClientSecretPost(asker.token);

async function introspected(token, as = basic, more = {}) {
  const answer = await oauth.introspectionRequest(server, client, as, token, { ...options, ...more });
  return await oauth.processIntrospectionResponse(server, client, answer);
}

async function revoked(token, as = basic) {
  const answer = await oauth.revocationRequest(server, client, as, token, options);
  return await oauth.processRevocationResponse(answer);
}

/** What a refusal says: its status and its error. */
async function refused(asking) {
  try {
    await asking;
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      return `${error.status} ${error.cause.map((it) => `${it.scheme} ${it.parameters.error ?? "-"}`)}`;
    }
    if (error instanceof oauth.ResponseBodyError) return `${error.status} ${error.error}`;
    throw error;
  }
  return assert.fail("it was not refused");
}

const person = await made({ role: "reader", expiry: Date.now() + 3_600_000 });
for (const [name, as] of [["client_secret_basic", basic], ["client_secret_post", post]]) {
  step(`${name} is offered`, server.introspection_endpoint_auth_methods_supported.includes(name));
  const told = await introspected(person.token, as);
  step(`introspects a good token with ${name}`, told.active && told.jti === person._id && told.scope === "reader");
  step(`reads when it ends with ${name}`, told.exp === Math.floor(person.expiry / 1000) && told.iat <= Date.now() / 1000);
  step(`learns nothing of an unknown one with ${name}`, Object.keys(await introspected(UNKNOWN, as)).length === 1);
}
const hinted = { additionalParameters: { token_type_hint: "refresh_token" } };
step("may give a wrong hint", (await introspected(person.token, basic, hinted)).active);
const asked = (action) => ({ additionalParameters: { action, resource: "proj/web" } });
step("asks for what it may", (await introspected(person.token, basic, asked("viewProject"))).active);
step("asks for what it may not", !(await introspected(person.token, basic, asked("updateProject"))).active);

const wrong = [oauth.ClientSecretBasic(UNKNOWN), oauth.ClientSecretPost(UNKNOWN)];
step("a wrong secret in the header", (await refused(introspected(person.token, wrong[0]))) === "401 basic -");
step("a wrong secret in the form", (await refused(introspected(person.token, wrong[1]))) === "401 bearer -");
const narrow = oauth.ClientSecretBasic(person.token);
step("who may not ask", (await refused(introspected(asker.token, narrow))) === "403 insufficient_scope");
step("everybody may ask about themselves", (await introspected(person.token, narrow)).active);

step("a wrong secret revokes nothing", (await refused(revoked(person.token, wrong[0]))) === "401 basic -");
step("and it lives", (await introspected(person.token)).active);
step("revokes", (await revoked(person.token)) === undefined);
step("and it is dead", !(await introspected(person.token)).active);
step("revokes what is dead", (await revoked(person.token)) === undefined);
step("revokes what never was", (await revoked(UNKNOWN, post)) === undefined);
const other = await made({ role: "reader" });
step("revokes without saying who", (await revoked(other.token, oauth.None())) === undefined);
step("and that one is dead", !(await introspected(other.token, post)).active);

console.log(`${steps} steps`);
