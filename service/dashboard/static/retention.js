// How many of those who began in one period come back in the periods after it.

import { go, settle, zone } from "./address.js";
import { panel } from "./panels.js";
import { fieldPicture } from "./pictures.js";
import { asQuestion } from "./questions.js";
import { ask } from "./service.js";
import { offerTypes } from "./types.js";
import { day, element, figure, part, percent } from "./words.js";

let picture = () => null;
const results = panel("retention", () => picture());
const FIELDS = ["begin", "back", "period", "kind"];
const USUAL = { period: "week", kind: "recurring" };

/** Show who came back; without a word of where to begin, after the most frequent event. */
export async function look(asked, signal) {
  for (const name of FIELDS) part(`retention-${name}`).value = asked[name] || USUAL[name] || "";
  results.turn(Boolean(asked.tables));
  clear();
  const types = offerTypes(asked, signal);
  const begin = asked.begin || (await types)[0];
  if (!begin || signal.aborted) return;
  part("retention-begin").value = begin;
  settle({ begin });
  const { question } = asQuestion({ ...asked, begin });
  const [found] = await Promise.all([ask("/api/v1/analytics/retention", { method: "POST", body: question, signal }), types]);
  if (signal.aborted) return;
  picture = () => cohortPicture(found, question.period, zone());
  results.show(cohortColumns(found), cohortRows(found, zone()), (place) => drawCohorts(place, found, question.period, zone()));
}

export function clear() {
  picture = () => null;
  results.show([], [], (place) => place.replaceChildren(element("p", NOBODY, "empty")));
}

const NOBODY = "Nobody did this in the range.";

/** The columns of a table of cohorts: when, how many, and how many came back in each period. */
export const cohortColumns = (found) => [
  { name: "began" }, { name: "users", number: true },
  ...found.totals.users.map((_, at) => ({ name: `back in ${at}`, number: true })),
];

/** A cohort a line, and all together in the last one. */
export const cohortRows = (found, inZone) => [
  ...found.cohorts.map((cohort) => [day(cohort.time, inZone), cohort.users, ...cohort.returned]),
  ["all", found.totals.users[0] ?? 0, ...found.totals.returned],
];

/** What is drawn of cohorts, from the first one with somebody in it on; null where nobody is. */
function fieldOf({ cohorts, totals }, period, inZone) {
  const seen = cohorts.slice(cohorts.findIndex((cohort) => cohort.users));
  if (!seen[0]?.users) return null;
  const head = ["Began", "Users", ...seen[0].shares.map((_, at) => (at ? `${period} ${at}` : `same ${period}`))];
  const all = { name: "All", users: totals.users[0], returned: totals.returned, shares: totals.shares.slice(0, seen[0].shares.length) };
  return { head, lines: [all, ...seen.map((cohort) => ({ ...cohort, name: day(cohort.time, inZone) }))] };
}

/** Draw cohorts as a field of shares: the darker the more. */
export function drawCohorts(place, found, period, inZone) {
  const field = fieldOf(found, period, inZone);
  if (!field) return void place.replaceChildren(element("p", NOBODY, "empty"));
  const table = element("table", "", "cohorts");
  const head = table.createTHead().insertRow();
  for (const name of field.head) head.append(Object.assign(element("th", name), { scope: "col" }));
  const body = table.createTBody();
  body.append(...field.lines.map(line));
  const scroll = element("div", "", "scroll");
  scroll.tabIndex = 0;
  scroll.append(table);
  place.replaceChildren(scroll);
}

/** The same for whoever wants it as a file; null where nobody is. */
export function cohortPicture(found, period, inZone) {
  const field = fieldOf(found, period, inZone);
  return field && fieldPicture(field.head, field.lines.map(({ name, users, shares }) => [name, figure(users), ...shares]));
}

function line({ name, users, returned, shares }) {
  const row = element("tr");
  row.append(Object.assign(element("th", name), { scope: "row" }), element("td", figure(users), "number"));
  row.append(...shares.map((share, at) => heat(share, returned[at])));
  return row;
}

function heat(share, users) {
  const cell = element("td", percent(share), "heat");
  cell.title = `${figure(users)} users`;
  cell.style.setProperty("--share", String(share ?? 0));
  return cell;
}

part("retention-form").addEventListener("submit", (event) => {
  event.preventDefault();
  go(Object.fromEntries(new FormData(event.target)));
});
