// What a view shows, as a document of the query language; and the view that shows such a document.

import { here } from "./address.js";

const MOST_STEPS = 10;
const FILTERS = { eventType: ["is", "eventType"], userId: ["contains", "userId"] };

/** The kind of question that a view asks, and the question. Null where it lacks what it needs. */
export function asQuestion(shown) {
  if (shown.view === "funnel") return kind("funnel", funnel(shown));
  if (shown.view === "retention") return kind("retention", retention(shown));
  return kind("query", figures(shown));
}

/** What to look at to see a question of this kind; null when no view shows all of it. */
export function asView(kindName, asked) {
  const found = { funnel: ofFunnel, retention: ofRetention, query: ofFigures }[kindName]?.(asked);
  const back = found && asQuestion({ ...blank, ...found });
  return back && same(back.question, asked) ? found : null;
}

/** The names of a funnel's steps, as the address has them. */
export function steps(text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found.map(String).slice(0, MOST_STEPS) : [];
  } catch {
    return [];
  }
}

const kind = (name, question) => question && { kind: name, question };
const blank = { view: "", timeRange: "", start: "", end: "", interval: "", tz: "", eventType: "", userId: "", steps: "", window: "", by: "", begin: "", back: "", period: "", kind: "" };

function bounds(shown) {
  const filters = Object.entries(FILTERS)
    .filter(([name]) => shown[name])
    .map(([name, [op, field]]) => ({ op, field, value: shown[name] }));
  return { range: shown.timeRange || { start: shown.start, end: shown.end }, filters, tz: shown.tz || here };
}

function figures(shown) {
  const interval = shown.interval ? { interval: shown.interval } : {};
  return { ...bounds(shown), ...interval, metrics: ["events", "users", "sessions"], dimensions: ["time"] };
}

function funnel(shown) {
  const named = steps(shown.steps).filter(Boolean);
  if (named.length < 2) return null;
  const asked = { ...bounds(shown), steps: named.map((event) => ({ event })), window: shown.window || "24h", percentiles: [50], limit: 10 };
  return shown.by ? { ...asked, dimensions: [shown.by], totals: true } : asked;
}

function retention(shown) {
  if (!shown.begin) return null;
  const asked = { ...bounds(shown), start: { event: shown.begin }, period: shown.period || "week", kind: shown.kind || "recurring" };
  return shown.back ? { ...asked, return: { event: shown.back } } : asked;
}

function ofBounds(asked) {
  const found = { tz: asked.tz ?? "UTC" };
  if (typeof asked.range === "string") found.timeRange = asked.range;
  else Object.assign(found, asked.range);
  for (const filter of asked.filters ?? []) if (filter.field in FILTERS) found[filter.field] = filter.value;
  return found;
}

const ofFigures = (asked) => ({ ...ofBounds(asked), view: "", interval: asked.interval ?? "" });

function ofFunnel(asked) {
  const named = (asked.steps ?? []).map((step) => step.event ?? "");
  return { ...ofBounds(asked), view: "funnel", steps: JSON.stringify(named), window: asked.window ?? "", by: asked.dimensions?.[0] ?? "" };
}

function ofRetention(asked) {
  const { start, return: back, period, kind: which } = asked;
  return { ...ofBounds(asked), view: "retention", begin: start?.event ?? "", back: back?.event ?? "", period: period ?? "", kind: which ?? "" };
}

/** Whether two documents say the same, whatever the order of their names. */
function same(one, other) {
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return one === other;
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Array.isArray(one) === Array.isArray(other) && names.every((name) => same(one[name], other[name]));
}
