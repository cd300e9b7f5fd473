// What there is: how many events over time, of which types, by which users, now and before.

import { go, here, question, view } from "./address.js";
import { timeChart } from "./chart.js";
import { follow } from "./feed.js";
import { bars, panel, picture } from "./panels.js";
import { ask, signedIn } from "./service.js";
import { brief, change, figure, moment, part } from "./words.js";

const shown = { document: null, before: null, live: "once" };
let feed = null;
let turn = 0;
let tell = () => {};
let refused = () => {};

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
const iso = (ms) => new Date(ms).toISOString();
const zone = () => view().tz || here;

/** Show what the address asks for, until `stop`; `tell` and `refused` hear what goes wrong. */
export function look(asked, ears) {
  const mine = ++turn;
  ({ tell, refused } = ears);
  Object.assign(shown, { document: null, before: null });
  part("overview").setAttribute("aria-busy", "true");
  for (const name of Object.keys(panels)) panels[name].turn(Boolean(asked.tables));
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
  part("overview").setAttribute("aria-busy", "false");
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
  part("overview").setAttribute("aria-busy", "false");
  if (problem.status === 401) clear();
  refused(problem);
}

/** Nothing more is asked or shown of what was looked at. */
export function stop() {
  turn += 1;
  feed?.stop();
}

/** Nothing of anybody's stays on the page. */
export function clear() {
  const nothing = { totalEvents: 0, uniqueUsers: 0, uniqueSessions: 0, avgEventsPerUser: 0, eventsByType: [], topUsers: [], eventsOverTime: [] };
  Object.assign(shown, { document: nothing, before: null });
  show();
  shown.document = null;
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
