// How many users take one step after the other.

import { go } from "./address.js";
import { bars, panel } from "./panels.js";
import { picture } from "./pictures.js";
import { asQuestion, steps } from "./questions.js";
import { action } from "./rows.js";
import { ask } from "./service.js";
import { offerTypes } from "./types.js";
import { element, figure, part } from "./words.js";

const FEWEST = 2;
const MOST = 10;
const COLUMNS = [
  { name: "group" }, { name: "step" }, { name: "users", number: true },
  { name: "percent of the first", number: true }, { name: "percent of the one before", number: true },
  { name: "median seconds from the first", number: true },
];
let shown = [];
const results = panel("funnel", () => picture(shown));

/** Show the steps of the address, and count them when all are named. */
export async function look(asked, signal) {
  showSteps(steps(asked.steps));
  part("window").value = asked.window || "24h";
  part("by").value = asked.by;
  results.turn(Boolean(asked.tables));
  clear();
  const [found] = await Promise.all([count(asked, signal), offerTypes(asked, signal)]);
  if (found && !signal.aborted) show(found);
}

export function clear() {
  show({ rows: [] });
}

async function count(asked, signal) {
  const wanted = asQuestion(asked);
  return wanted && ask("/api/v1/analytics/funnel", { method: "POST", body: wanted.question, signal });
}

function show(found) {
  const groups = groupsOf(found);
  shown = funnelBars(groups);
  results.show(COLUMNS, funnelRows(groups), (place) => bars(place, shown, "Name two steps or more, and count."));
}

/** What a funnel's answer says of each group, that of all users first. */
export const groupsOf = (found) => [...(found.totals ? [{ ...found.totals, dimensions: {} }] : []), ...found.rows];

/** A table of a funnel's groups, and what its columns are. */
export const funnelRows = (groups) => groups.flatMap((row) => row.steps.map((step) => [
  group(row), step.name, step.users, percent(step.share), percent(step.shareOfPrevious), step.secondsFromFirst?.p50 ?? null,
]));
export const funnelColumns = COLUMNS;

/** The bars of a funnel's groups. */
export const funnelBars = (groups) =>
  groups.flatMap((row) => row.steps.map((step, at) => ({ name: `${at + 1}. ${step.name}`, count: step.users, about: about(row, step, at) })));

function about(row, step, at) {
  if (!at) return group(row);
  const seconds = step.secondsFromFirst?.p50;
  const time = seconds === undefined || seconds === null ? "" : ` · half within ${span(seconds)}`;
  return `${figure(percent(step.share))} % of the first, ${figure(percent(step.shareOfPrevious))} % of the one before${time}`;
}

const span = (seconds) => {
  const [of, unit] = [[86400, "days"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${figure(Math.round((10 * seconds) / of) / 10)} ${unit}`;
};
const group = (row) => Object.values(row.dimensions).map((value) => String(value ?? "nothing")).join(", ") || "all";
const percent = (share) => Math.round(1000 * (share ?? 0)) / 10;

function showSteps(named) {
  const wanted = [...named];
  while (wanted.length < FEWEST) wanted.push("");
  part("step-list").replaceChildren(...wanted.map(stepLine));
}

function stepLine(value, at) {
  const [line, input] = [element("li"), element("input")];
  input.value = value;
  input.setAttribute("list", "event-types");
  input.setAttribute("aria-label", `Event type of step ${at + 1}`);
  const away = action({ name: "×", work: () => [line.remove(), submit()] });
  away.setAttribute("aria-label", `Take step ${at + 1} away`);
  line.append(input, " ", away);
  return line;
}

function submit(event) {
  event?.preventDefault();
  const named = [...part("step-list").querySelectorAll("input")].map((input) => input.value.trim());
  go({ steps: JSON.stringify(named), window: part("window").value, by: part("by").value.trim() });
}

part("steps").addEventListener("submit", submit);
part("step-add").addEventListener("click", () => {
  const list = part("step-list");
  if (list.children.length < MOST) list.append(stepLine("", list.children.length));
  list.lastElementChild.querySelector("input").focus();
});
