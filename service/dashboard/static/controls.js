// What is counted: the range, the clock, the filters, by fields and by keys.

import { go, here, ranges, view, zone } from "./address.js";
import { action } from "./rows.js";
import { element, field, moment, part, unfield } from "./words.js";

const NAMES = { "15m": "15 min", "1h": "1 h", "24h": "24 h", "7d": "7 days", "4w": "4 weeks", "12w": "12 weeks" };
const FILTERS = [["eventType", "type is"], ["userId", "user contains"]];
const TIMELESS = (asked) => !ranges(asked.view).length;

/** Show in the controls what the address says. */
export function showControls(asked) {
  part("ranges").replaceChildren(element("legend", "Range"), ...ranges(asked.view).map((range) => rangeButton(range, asked)));
  part("zone").value = asked.tz || here;
  part("user").value = asked.userId;
  part("interval").value = asked.interval;
  part("interval").disabled = !asked.start;
  part("start").value = field(asked.start, zone());
  part("end").value = field(asked.end, zone());
  part("compare").checked = Boolean(asked.compare);
  part("live").checked = asked.live !== "off";
  part("controls").hidden = part("filters").hidden = TIMELESS(asked);
  for (const own of document.querySelectorAll(".of-overview")) own.hidden = asked.view !== "";
  part("filters").replaceChildren(...chips(asked));
}

function rangeButton(range, asked) {
  const made = action({ name: NAMES[range], work: () => go({ timeRange: range }) });
  made.dataset.range = range;
  made.setAttribute("aria-pressed", String(range === asked.timeRange));
  return made;
}

function chips(asked) {
  const found = FILTERS.filter(([name]) => asked[name])
    .map(([name, words]) => chip(`${words} ${asked[name]}`, { [name]: "" }));
  if (asked.start) found.push(chip(`${moment(asked.start, zone())} – ${moment(asked.end, zone())}`, { start: "", end: "" }));
  return found;
}

function chip(words, without) {
  const made = action({ name: `${words} ×`, work: () => go(without), kind: "chip" });
  made.title = "Take this away";
  return made;
}

function between() {
  const [start, end] = [part("start").value, part("end").value];
  if (start && end) go({ start: unfield(start, zone()), end: unfield(end, zone()) });
}

for (const [name, change] of [
  ["start", between],
  ["end", between],
  ["interval", (event) => go({ interval: event.target.value })],
  ["zone", (event) => go({ tz: event.target.value })],
  ["user", (event) => go({ userId: event.target.value })],
  ["compare", (event) => go({ compare: event.target.checked ? "previous" : "" })],
  ["live", (event) => go({ live: event.target.checked ? "" : "off" })],
]) part(name).addEventListener("change", change);

part("more").addEventListener("click", () => {
  const open = part("more").getAttribute("aria-expanded") !== "true";
  part("more").setAttribute("aria-expanded", String(open));
});
part("help-open").addEventListener("click", () => part("help").showModal());
part("zones").append(...["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])].map((name) => Object.assign(element("option"), { value: name })));

const nth = (number) => () => part("ranges").querySelectorAll("button")[number - 1]?.click();
const KEYS = {
  1: nth(1), 2: nth(2), 3: nth(3), 4: nth(4), 5: nth(5),
  p: () => part("compare").click(),
  l: () => part("live").click(),
  t: () => go({ tables: view().tables ? "" : "1" }),
  x: () => go({ eventType: "", userId: "" }),
  "/": () => part("user").focus(),
  "?": () => part("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea") || document.querySelector("dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
