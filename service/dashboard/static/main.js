// The page: what is looked at, asked, and shown.

import { go, here, question, view } from "./address.js";
import { timeChart } from "./chart.js";
import { entrance } from "./entrance.js";
import { follow } from "./feed.js";
import { bars, panel, picture } from "./panels.js";
import { ask, signedIn } from "./service.js";
import { brief, change, element, field, figure, moment, unfield } from "./words.js";

const part = (id) => document.getElementById(id);
const shown = { document: null, before: null, live: "once" };
let feed = null;
let turn = 0;

const chart = timeChart(part("chart"), {
  zoom: (start, end) => go({ start: iso(start), end: iso(end) }),
  back: () => view().start && history.back(),
});
const panels = {
  time: panel("time", [{ name: "from" }, { name: "events", number: true }, { name: "before", number: true }], chart.canvas),
  types: panel("types", [{ name: "type" }, { name: "events", number: true }, { name: "percent", number: true }],
    () => picture(typeEntries())),
  users: panel("users", [{ name: "user" }, { name: "events", number: true }, { name: "last event" }, { name: "types" }],
    () => picture(userEntries())),
};
const door = entrance(look);
const iso = (ms) => new Date(ms).toISOString();
const zone = () => view().tz || here;

/** Ask for what the address says, and show nothing of what was asked before. */
function look() {
  const [asked, mine] = [view(), ++turn];
  feed?.stop();
  Object.assign(shown, { document: null, before: null });
  part("content").setAttribute("aria-busy", "true");
  tell("");
  showControls(asked);
  feed = follow(question(asked), asked.live !== "off" && Boolean(asked.timeRange), {
    show: (document) => mine === turn && arrived(document, asked, mine),
    told: (state) => mine === turn && (shown.live = state),
    failed: (problem) => mine === turn && failed(problem),
  });
  rate(mine);
}

function arrived(document, asked, mine) {
  const first = shown.document === null;
  shown.document = document;
  part("content").setAttribute("aria-busy", "false");
  tell("");
  show();
  if (first && asked.compare) compare(document, asked, mine);
}

async function compare(document, asked, mine) {
  const [start, end] = [document.timeRange.start, document.timeRange.end].map(Date.parse);
  const buckets = document.eventsOverTime.map((b) => Date.parse(b.timestamp));
  const width = buckets.length > 2 ? buckets[2] - buckets[1] : 0;
  const parameters = question({ ...asked, timeRange: "", start: iso(2 * start - end), end: iso(start), interval: asked.interval || named(width) });
  try {
    const before = await ask(`/api/v1/analytics/metrics?${parameters}`);
    if (mine !== turn) return;
    shown.before = before;
    show();
  } catch (problem) {
    if (mine === turn) failed(problem);
  }
}

const WIDTHS = { "10s": 1e4, "1m": 6e4, "5m": 3e5, "15m": 9e5, "1h": 36e5, "2h": 72e5, "6h": 216e5, "1d": 864e5, "1w": 6048e5 };
const named = (ms) => Object.keys(WIDTHS).find((name) => WIDTHS[name] === ms) || "";

async function rate(mine) {
  part("rate-tile").hidden = true;
  while (signedIn() && mine === turn) {
    const found = await ask("/api/v1/events/stats").catch(() => null);
    if (!found || mine !== turn) return;
    part("rate-tile").hidden = false;
    part("rate").textContent = figure(found.ingestionRate);
    await new Promise((done) => setTimeout(done, 5000));
  }
}

function failed(problem) {
  part("content").setAttribute("aria-busy", "false");
  if (problem.status === 401) {
    clear();
    door.open(signedIn() ? problem.message : "");
  } else {
    tell(problem.message);
  }
}

/** Nothing of anybody's stays on the page. */
function clear() {
  const nothing = { totalEvents: 0, uniqueUsers: 0, uniqueSessions: 0, avgEventsPerUser: 0, eventsByType: [], topUsers: [], eventsOverTime: [] };
  Object.assign(shown, { document: nothing, before: null });
  show();
  shown.document = null;
}

function tell(problem) {
  part("problem").textContent = problem;
  part("problem").hidden = !problem;
}

function show() {
  const { document: now, before } = shown;
  total("events", now.totalEvents, before?.totalEvents);
  total("users", now.uniqueUsers, before?.uniqueUsers);
  total("sessions", now.uniqueSessions, before?.uniqueSessions);
  total("each", now.avgEventsPerUser, before?.avgEventsPerUser);
  const earlier = before?.eventsOverTime;
  panels.time.show(
    now.eventsOverTime.map((b, at) => [moment(b.timestamp, zone()), b.count, earlier?.[at]?.count ?? null]),
    () => chart.show(now.eventsOverTime, earlier, zone()),
  );
  panels.types.show(now.eventsByType.map((t) => [t.eventType, t.count, t.percentage]),
    (place) => bars(place, typeEntries(), "No events in this range."));
  panels.users.show(
    now.topUsers.map((u) => [u.userId, u.eventCount, moment(u.lastEventAt, zone()), u.eventTypes.join(", ")]),
    (place) => bars(place, userEntries(), "Nobody in this range."));
  freshness();
}

function typeEntries() {
  return (shown.document?.eventsByType ?? []).map((type) => ({
    name: type.eventType, count: type.count, about: `${figure(type.percentage)} %`,
    hint: `Only ${type.eventType}`, click: () => go({ eventType: type.eventType }),
  }));
}

function userEntries() {
  return (shown.document?.topUsers ?? []).map((user) => ({
    name: user.userId, count: user.eventCount,
    about: `last ${moment(user.lastEventAt, zone(), false)} · ${user.eventTypes.join(", ")}`,
    hint: `Only users whose id contains ${user.userId}`, click: () => go({ userId: user.userId }),
  }));
}

function total(name, now, before) {
  part(`total-${name}`).textContent = now >= 1e7 ? brief(now) : figure(now);
  part(`total-${name}`).title = figure(now);
  const [words, direction] = change(now, before);
  const told = part(`total-${name}-change`);
  told.textContent = words;
  told.className = `change ${direction}`;
}

function freshness() {
  const { document: now, live } = shown;
  if (!now?.asOf) return void (part("freshness").textContent = "–");
  const ways = { live: "live", polling: "polling", once: "asked once" };
  const age = now.cached ? `, computed ${figure(Math.round(now.ageMs / 100) / 10)} s before it was asked` : "";
  part("freshness").textContent = `All events up to ${moment(now.asOf, zone())}${age} · ${ways[live]} · ${zone()}`;
}

function showControls(asked) {
  for (const button of document.querySelectorAll("[data-range]"))
    button.setAttribute("aria-pressed", String(button.dataset.range === asked.timeRange));
  part("zone").value = asked.tz || here;
  part("user").value = asked.userId;
  part("interval").value = asked.interval;
  part("interval").disabled = !asked.start;
  part("start").value = field(asked.start, zone());
  part("end").value = field(asked.end, zone());
  part("compare").checked = Boolean(asked.compare);
  part("live").checked = asked.live !== "off";
  for (const name of Object.keys(panels)) panels[name].turn(Boolean(asked.tables));
  part("filters").replaceChildren(...filters(asked));
}

function filters(asked) {
  const chosen = [["eventType", "type is"], ["userId", "user contains"]].filter(([name]) => asked[name]);
  return chosen.map(([name, words]) => {
    const chip = element("button", `${words} ${asked[name]} ×`);
    chip.type = "button";
    chip.title = "Take this filter away";
    chip.addEventListener("click", () => go({ [name]: "" }));
    return chip;
  });
}

function between() {
  const [start, end] = [part("start").value, part("end").value];
  if (start && end) go({ start: unfield(start, zone()), end: unfield(end, zone()) });
}

for (const button of document.querySelectorAll("[data-range]"))
  button.addEventListener("click", () => go({ timeRange: button.dataset.range }));
part("start").addEventListener("change", between);
part("end").addEventListener("change", between);
part("interval").addEventListener("change", (event) => go({ interval: event.target.value }));
part("zone").addEventListener("change", (event) => go({ tz: event.target.value }));
part("user").addEventListener("change", (event) => go({ userId: event.target.value }));
part("compare").addEventListener("change", (event) => go({ compare: event.target.checked ? "previous" : "" }));
part("live").addEventListener("change", (event) => go({ live: event.target.checked ? "" : "off" }));
part("help-open").addEventListener("click", () => part("help").showModal());
part("zones").append(...["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])].map((name) => Object.assign(element("option"), { value: name })));

const KEYS = {
  1: () => go({ timeRange: "15m" }),
  2: () => go({ timeRange: "1h" }),
  3: () => go({ timeRange: "24h" }),
  4: () => go({ timeRange: "7d" }),
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
window.addEventListener("view", look);
window.addEventListener("popstate", look);
door.arrived();
