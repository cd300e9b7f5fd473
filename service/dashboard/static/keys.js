// The API keys of the environment: made, seen, ended.

import { zone } from "./address.js";
import { attempt, done, sure } from "./notices.js";
import { rows } from "./rows.js";
import { ask } from "./service.js";
import { element, moment, part } from "./words.js";

const PATH = "/api/auth/api-key";
const HEAD = ["Name", "Begins with", "Scopes", "Tier", "Made", "Last used", "Ends"];
const SCOPES = ["ingest", "read", "admin", "sql"];

/** Show the keys. */
export async function look(asked, signal) {
  part("made-key").textContent = "";
  await list(signal);
}

export function clear() {
  part("key-list").replaceChildren();
  part("made-key").textContent = "";
}

async function list(signal) {
  const { keys } = await ask(PATH, { signal });
  const good = keys.filter((one) => !one.revokedAt);
  if (!signal?.aborted) rows(part("key-list"), HEAD, good.map(line), "There are no keys. Make one below, and send events with it.");
}

function line(key) {
  const at = (time, none) => (time ? moment(time, zone(), false) : none);
  return {
    cells: [key.name, element("code", `${key.prefix}…`), key.scopes.join(", "), key.tier, at(key.createdAt, "–"), at(key.lastUsedAt, "never"), at(key.expiresAt, "never")],
    actions: [{ name: "Revoke", about: `the key ${key.name}`, kind: "danger", work: () => revoke(key) }],
  };
}

async function revoke(key) {
  if (!(await sure(`Revoke “${key.name}”?`, "Whoever uses it is refused within a second, for good.", "Revoke"))) return;
  await attempt(async () => {
    await ask(`${PATH}/${encodeURIComponent(key.keyId)}`, { method: "DELETE" });
    await list();
    done("The key is revoked.");
  });
}

part("new-key").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  const body = { name: given.get("name"), scopes: SCOPES.filter((name) => given.has(name)) };
  attempt(async () => {
    const made = await ask(PATH, { method: "POST", body });
    event.target.reset();
    await list();
    part("made-key").replaceChildren("Copy it now, it is shown this once: ", element("code", made.apiKey));
  });
});
