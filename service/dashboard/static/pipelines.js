// The environment's pipelines: how they do, started and paused, and what they say.

import { go, view, zone } from "./address.js";
import { pause } from "./feed.js";
import { followLog } from "./logs.js";
import { clearMaking, offerNew } from "./making.js";
import { attempt, done, refused, sure, tell } from "./notices.js";
import { listRefused } from "./refused.js";
import { action, badge, rows } from "./rows.js";
import { ask, isUser, signedIn } from "./service.js";
import { element, figure, moment, part } from "./words.js";

const PATH = "/api/pipelines";
const HEAD = ["Name", "State", "From", "To", "Waiting", "Records", "A second", "Refused", "Changed"];
const EVERY = 2000;
const MOODS = { live: "good", error: "bad" };
const STARTS = ["draft", "paused", "error"];

/** Show all pipelines and how they do, and the log of the one in the address, until `signal`. */
export async function look(asked, signal) {
  clear();
  if (signedIn() && !isUser()) return void tell("Pipelines belong to teams: sign in as a user, with a password or a code.");
  const all = await list(signal);
  keepUp(signal);
  offerNew(signal).catch(refused);
  if (!asked.pipeline || signal.aborted) return;
  const one = all.find(({ id }) => id === asked.pipeline);
  if (!one) return void tell("There is no such pipeline in this environment.");
  part("pipeline-log").hidden = false;
  part("title-log").textContent = `What ${one.name} says`;
  followLog(part("log-lines"), part("log-state"), `${PATH}/${one.id}/logs`, signal);
  part("pipeline-letters").hidden = false;
  listRefused(part("refused-list"), one, signal).catch(refused);
}

export function clear() {
  part("pipeline-list").replaceChildren();
  part("log-lines").replaceChildren();
  part("refused-list").replaceChildren();
  part("pipeline-log").hidden = part("pipeline-letters").hidden = true;
  clearMaking();
}

async function keepUp(signal) {
  while (!signal.aborted) {
    await pause(EVERY, signal);
    if (!signal.aborted && !document.activeElement?.closest("#pipeline-list")) await list(signal).catch(() => {});
  }
}

async function list(signal) {
  const { items } = await ask(`${PATH}?size=100`, { signal });
  const figures = await Promise.all(items.map((one) => figuresOf(one, signal)));
  if (!signal?.aborted)
    rows(part("pipeline-list"), HEAD, items.map((one, at) => line(one, figures[at])), "There are no pipelines yet. Make one below, or over the API.");
  return items;
}

/** How the subscriptions of a pipeline do, together; null before it has run. */
async function figuresOf({ id, state }, signal) {
  if (state === "draft") return null;
  const { subscriptions } = await ask(`${PATH}/${id}/latency-informations`, { signal }).catch(() => ({ subscriptions: {} }));
  const parts = Object.values(subscriptions);
  const sum = (name) => parts.reduce((all, one) => all + one[name], 0);
  return parts.length ? { lag: sum("lag"), records: sum("records"), rate: sum("records_per_second"), refused: sum("refused") } : null;
}

function line(one, figures) {
  const { id, name, state, reason } = one;
  const shown = badge(state, MOODS[state] ?? "");
  if (reason) shown.title = reason;
  const starts = STARTS.includes(state);
  return {
    cells: [
      action({ name, work: () => go({ pipeline: id }), kind: "link" }), reason ? said(shown, reason) : shown,
      end(one.source_name, one.source_type), one.target_name ? end(one.target_name, one.target_type) : "–",
      ...["lag", "records", "rate", "refused"].map((about) => (figures ? figure(figures[about]) : "–")),
      moment(one.updated_at, zone(), false),
    ],
    actions: [
      { name: starts ? "Start" : "Pause", about: name, work: () => change(one, starts ? "start" : "pause") },
      ...(state === "draft" ? [] : [{ name: "Restart", about: name, work: () => change(one, "restart") }]),
      { name: "Log", about: `of ${name}`, work: () => go({ pipeline: id }) },
      { name: "Delete", about: name, kind: "danger", work: () => remove(one) },
    ],
  };
}

function end(name, type) {
  const both = element("span", `${name} `);
  both.append(element("small", type.toLowerCase().replaceAll("_", " ")));
  return both;
}

function said(shown, reason) {
  const both = document.createElement("span");
  both.append(shown, ` ${reason}`);
  return both;
}

function change({ id, name }, verb) {
  return attempt(async () => {
    const state = await ask(`${PATH}/${id}/${verb}`, { method: "POST" });
    done(`${name}: ${String(state).toLowerCase()}.`);
    go({ pipeline: view().pipeline });
  });
}

async function remove({ id, name }) {
  if (!(await sure(`Delete “${name}”?`, "What waits for its targets, and what they refused, is lost. Its connectors stay.", "Delete"))) return;
  await attempt(async () => {
    await ask(`${PATH}/${id}`, { method: "DELETE" });
    done("It is deleted.");
    go({ pipeline: "" });
  });
}
