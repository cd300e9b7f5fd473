// What there is: how many events over time, of which types, by which users, now and before.

import { go, question, view, zone } from "./address.js";
import { timeChart } from "./chart.js";
import { follow } from "./feed.js";
import { refused, tell } from "./notices.js";
import { bars, panel } from "./panels.js";
import { picture } from "./pictures.js";
import { ask } from "./service.js";
import { showRate } from "./rate.js";
import { brief, change, figure, moment, part } from "./words.js";

const NOTHING = { totalEvents: null, uniqueUsers: null, uniqueSessions: null, avgEventsPerUser: null, eventsByType: [], topUsers: [], eventsOverTime: [] };
const shown = { document: null, before: null, live: "once" };

const chart = timeChart(part("chart"), part("chart-readout"), {
  zoom: (start, end) => go({ start: iso(start), end: iso(end) }),
  back: () => view().start && history.back(),
});
const panels = {
  time: panel("time", chart.canvas),
  types: panel("types", () => picture(typeEntries())),
  users: panel("users", () => picture(userEntries())),
};
const iso = (ms) => new Date(ms).toISOString();

/** Show what the address asks for until `signal`; done when something is seen. */
export function look(asked, signal) {
  Object.assign(shown, { document: null, before: null });
  for (const one of Object.values(panels)) one.turn(Boolean(asked.tables));
  const parameters = question(asked);
  const listens = asked.live !== "off" && asked.timeRange;
  showRate(asked, signal);
  return new Promise((seen) => {
    follow(`/api/v1/analytics/metrics?${parameters}`, listens ? parameters : null, signal, {
      show: (document) => [arrived(document, asked, signal), seen()],
      told: (state) => [(shown.live = state), freshness()],
      failed: (problem) => [refused(problem), seen()],
    });
  });
}

function arrived(document, asked, signal) {
  const first = shown.document === null;
  shown.document = document;
  tell("");
  show();
  if (first && asked.compare) compare(document, asked, signal).catch(refused);
}

async function compare(document, asked, signal) {
  const [start, end] = [document.timeRange.start, document.timeRange.end].map(Date.parse);
  const buckets = document.eventsOverTime.map((b) => Date.parse(b.timestamp));
  const width = buckets.length > 2 ? buckets[2] - buckets[1] : 0;
  const parameters = question({ ...asked, timeRange: "", start: iso(2 * start - end), end: iso(start), interval: asked.interval || named(width) });
  shown.before = await ask(`/api/v1/analytics/metrics?${parameters}`, { signal });
  if (!signal.aborted) show();
}

const WIDTHS = { "10s": 1e4, "1m": 6e4, "5m": 3e5, "15m": 9e5, "1h": 36e5, "2h": 72e5, "6h": 216e5, "1d": 864e5, "1w": 6048e5 };
const named = (ms) => Object.keys(WIDTHS).find((name) => WIDTHS[name] === ms) || "";

/** Nothing of anybody's stays on the page. */
export function clear() {
  Object.assign(shown, { document: NOTHING, before: null });
  show();
  shown.document = null;
  part("rate").textContent = part("rate-about").textContent = "–";
}

function show() {
  const { document: now, before } = shown;
  total("events", now.totalEvents, before?.totalEvents);
  total("users", now.uniqueUsers, before?.uniqueUsers);
  total("sessions", now.uniqueSessions, before?.uniqueSessions);
  total("each", now.avgEventsPerUser, before?.avgEventsPerUser);
  part("nothing").hidden = now.totalEvents !== 0;
  overTime(now.eventsOverTime, before?.eventsOverTime);
  panels.types.show([{ name: "type" }, { name: "events", number: true }, { name: "percent", number: true }],
    now.eventsByType.map((t) => [t.eventType, t.count, t.percentage]),
    (place) => bars(place, typeEntries(), now === NOTHING ? "–" : "No events in this range."));
  panels.users.show([{ name: "user" }, { name: "events", number: true }, { name: "last event" }, { name: "types" }],
    now.topUsers.map((u) => [u.userId, u.eventCount, moment(u.lastEventAt, zone()), u.eventTypes.join(", ")]),
    (place) => bars(place, userEntries(), now === NOTHING ? "–" : "Nobody in this range."));
  freshness();
}

function overTime(buckets, before) {
  const lines = [{ label: "events", values: buckets.map((b) => b.count) }];
  if (before) lines.push({ label: "the period before", dashed: true, values: buckets.map((_, at) => before[at]?.count ?? null) });
  panels.time.show([{ name: "from" }, ...(before ? ["events", "before"] : ["events"]).map((name) => ({ name, number: true }))],
    buckets.map((b, at) => [moment(b.timestamp, zone()), b.count, before?.[at]?.count ?? null]),
    () => chart.show(buckets.map((b) => Date.parse(b.timestamp)), lines, zone()));
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
    about: `last ${moment(user.lastEventAt, zone(), false)}`,
    hint: `Only users whose id contains ${user.userId}; ${user.eventTypes.join(", ")}`, click: () => go({ userId: user.userId }),
  }));
}

function total(name, now, before) {
  const known = now !== null;
  part(`total-${name}`).textContent = known ? (now >= 1e7 ? brief(now) : figure(now)) : "–";
  part(`total-${name}`).title = known ? figure(now) : "";
  const [words, direction] = change(now, before);
  const told = part(`total-${name}-change`);
  told.textContent = words;
  told.className = `change ${direction}`;
}

const WAYS = { live: "live", polling: "polling", once: "asked once" };

function freshness() {
  const { document: now, live } = shown;
  part("freshness").className = now?.asOf ? live : "";
  if (!now?.asOf) return void (part("freshness").textContent = "–");
  const age = now.cached ? `${figure(Math.round(now.ageMs / 100) / 10)} s old` : "just computed";
  part("freshness").textContent = `${WAYS[live]} · counted up to ${moment(now.asOf, zone())} · ${age} · ${zone()}`;
}
