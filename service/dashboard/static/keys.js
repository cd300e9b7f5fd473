// The API keys of the environment: made, seen, ended.

import { here, view } from "./address.js";
import { ask } from "./service.js";
import { element, moment, part } from "./words.js";

const PATH = "/api/auth/api-key";
const HEAD = ["name", "begins with", "scopes", "tier", "made", "last used", "ends", ""];
let turn = 0;
let refuse = () => {};

/** Show the keys. */
export async function look(asked, { refused }) {
  const mine = ++turn;
  refuse = refused;
  part("made-key").textContent = "";
  try {
    const found = await ask(PATH);
    if (mine === turn) show(found.keys ?? found.data?.keys ?? []);
  } catch (problem) {
    if (mine === turn) refused(problem);
  }
}

export function stop() {
  turn += 1;
}

export function clear() {
  part("key-list").replaceChildren();
  part("made-key").textContent = "";
}

function show(keys) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const name of HEAD) head.append(Object.assign(element("th", name), { scope: "col" }));
  const body = table.createTBody();
  for (const key of keys.filter((one) => !one.revokedAt)) body.append(line(key));
  if (!body.rows.length) body.insertRow().append(Object.assign(element("td", "There are no keys.", "empty"), { colSpan: HEAD.length }));
  part("key-list").replaceChildren(table);
}

function line(key) {
  const row = element("tr");
  const at = (time, none) => (time ? moment(time, view().tz || here, false) : none);
  const cells = [key.name, `${key.prefix}…`, key.scopes.join(", "), key.tier, at(key.createdAt, "–"), at(key.lastUsedAt, "never"), at(key.expiresAt, "never")];
  row.append(...cells.map((text) => element("td", text)));
  const button = element("button", "Revoke");
  button.type = "button";
  button.setAttribute("aria-label", `Revoke the key ${key.name}`);
  button.addEventListener("click", () => revoke(key));
  row.insertCell().append(button);
  return row;
}

async function revoke(key) {
  if (!confirm(`Revoke “${key.name}”? Whoever uses it is refused within a second, for good.`)) return;
  try {
    await ask(`${PATH}/${encodeURIComponent(key.keyId)}`, { method: "DELETE" });
    await look(view(), { refused: refuse });
  } catch (problem) {
    refuse(problem);
  }
}

part("new-key").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  const scopes = ["ingest", "read", "admin"].filter((name) => given.has(name));
  try {
    const made = await ask(PATH, { method: "POST", body: { name: given.get("name"), scopes } });
    event.target.reset();
    await look(view(), { refused: refuse });
    part("made-key").replaceChildren("Copy it now, it is shown this once: ", element("code", made.apiKey));
  } catch (problem) {
    refuse(problem);
  }
});
