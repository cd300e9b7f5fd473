// How many users take one step after the other.

import { bounds, go, question } from "./address.js";
import { bars, panel, picture } from "./panels.js";
import { ask } from "./service.js";
import { element, figure, part } from "./words.js";

const FEWEST = 2;
const MOST = 10;
let turn = 0;
let shown = [];

const results = panel("funnel", [
  { name: "group" }, { name: "step" }, { name: "users", number: true },
  { name: "percent of the first", number: true }, { name: "percent of the one before", number: true },
  { name: "median seconds from the first", number: true },
], () => picture(shown));

/** Show the steps of the address, and count them when all are named. */
export async function look(asked, { tell, refused }) {
  const mine = ++turn;
  const steps = named(asked.steps);
  showSteps(steps);
  part("window").value = asked.window || "24h";
  part("by").value = asked.by;
  show([]);
  offerTypes(asked);
  if (steps.filter(Boolean).length < FEWEST) return;
  const body = { ...bounds(asked), steps: steps.filter(Boolean).map((event) => ({ event })), window: asked.window || "24h", percentiles: [50], limit: 10 };
  if (asked.by) Object.assign(body, { dimensions: [asked.by], totals: true });
  try {
    const found = await ask("/api/v1/analytics/funnel", { method: "POST", body });
    if (mine !== turn) return;
    tell("");
    show([...(found.totals ? [{ ...found.totals, dimensions: {} }] : []), ...found.rows]);
  } catch (problem) {
    if (mine === turn) refused(problem);
  }
}

export function stop() {
  turn += 1;
}

export function clear() {
  show([]);
}

function show(rows) {
  shown = rows.flatMap((row) => row.steps.map((step, at) => entry(group(row), step, at)));
  const lines = rows.flatMap((row) => row.steps.map((step) => [
    group(row), step.name, step.users, percent(step.share), percent(step.shareOfPrevious), step.secondsFromFirst?.p50 ?? null,
  ]));
  results.show(lines, (place) => bars(place, shown, "Name two steps or more, and count."));
}

function entry(of, step, at) {
  const seconds = step.secondsFromFirst?.p50;
  const time = seconds === undefined || seconds === null ? "" : ` · half of them within ${figure(seconds)} s`;
  const about = at ? `${figure(percent(step.share))} % of the first, ${figure(percent(step.shareOfPrevious))} % of the step before${time}` : of;
  return { name: `${at + 1}. ${step.name}`, count: step.users, about, hint: step.name, click: () => {} };
}

const group = (row) => Object.values(row.dimensions).map((value) => String(value ?? "nothing")).join(", ") || "all";
const percent = (share) => Math.round(1000 * (share ?? 0)) / 10;

function named(text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found.map(String).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

function showSteps(steps) {
  const wanted = [...steps];
  while (wanted.length < FEWEST) wanted.push("");
  part("step-list").replaceChildren(...wanted.map(stepLine));
}

function stepLine(value, at) {
  const [line, input, remove] = [element("li"), element("input"), element("button", "×")];
  input.value = value;
  input.setAttribute("list", "event-types");
  input.setAttribute("aria-label", `Event type of step ${at + 1}`);
  remove.type = "button";
  remove.setAttribute("aria-label", `Take step ${at + 1} away`);
  remove.addEventListener("click", () => {
    line.remove();
    count();
  });
  line.append(input, " ", remove);
  return line;
}

async function offerTypes(asked) {
  const parameters = question({ ...asked, eventType: "", userId: "" });
  const found = await ask(`/api/v1/analytics/metrics?${parameters}`).catch(() => null);
  const types = found?.eventsByType ?? [];
  part("event-types").replaceChildren(...types.map((type) => Object.assign(element("option"), { value: type.eventType })));
}

function count(event) {
  event?.preventDefault();
  const steps = [...part("step-list").querySelectorAll("input")].map((input) => input.value.trim());
  go({ steps: JSON.stringify(steps), window: part("window").value, by: part("by").value.trim() });
}

part("steps").addEventListener("submit", count);
part("step-add").addEventListener("click", () => {
  const list = part("step-list");
  if (list.children.length < MOST) list.append(stepLine("", list.children.length));
  list.lastElementChild.querySelector("input").focus();
});
