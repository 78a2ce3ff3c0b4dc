// Follows /changes with an EventSource, which connects again by itself and says what it has seen already.
//
// Usage: node changes_eventsource.mjs NODE_MODULES URL SECRET
//
// NODE_MODULES is the folder that `npm ci` made from package-lock.json beside this file. Prints `open` whenever a connection
// is open, and the id and kind of each change; signs of life only move the place where it goes on.

import { createRequire } from "node:module";
import { resolve } from "node:path";

const [modules, url, secret] = process.argv.slice(2);
const require = createRequire(resolve(modules, "..", "package.json"));
const { EventSource } = require("eventsource");

const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: secret } }),
});
source.onopen = () => console.log("open");
source.onerror = (error) => {
  if (source.readyState === source.CLOSED) throw new Error(`${error.code} ${error.message}`);
};
for (const noun of ["account.founded", "member.added", "token.issued", "token.changed", "token.revoked"]) {
  source.addEventListener(noun, (event) => {
    const change = JSON.parse(event.data);
    if (String(change.revision) !== event.lastEventId) throw new Error(`${event.lastEventId} ${event.data}`);
    console.log(`${event.lastEventId} ${change.kind}`);
  });
}
