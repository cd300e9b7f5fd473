// What is looked at. The address of the page is the state: a link is a view.

const NAMES = ["view", "timeRange", "start", "end", "interval", "tz", "eventType", "userId", "compare", "live", "tables", "steps", "window", "by", "env"];
const VIEWS = ["", "funnel", "keys"];
const RANGES = ["15m", "1h", "24h", "7d"];

export const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The view that the address names; what it does not name is as usual. */
export function view() {
  const given = new URLSearchParams(location.search);
  const found = {};
  for (const name of NAMES) found[name] = given.get(name) || "";
  if (!VIEWS.includes(found.view)) found.view = "";
  if (!found.start || !found.end) {
    found.start = found.end = found.interval = "";
    if (!RANGES.includes(found.timeRange)) found.timeRange = "24h";
  } else {
    found.timeRange = "";
  }
  return found;
}

/** Go to the same view with these changes; the browser's back button undoes it. */
export function go(changes) {
  const wanted = { ...view(), ...changes };
  if (changes.timeRange) wanted.start = wanted.end = wanted.interval = "";
  if (changes.start) wanted.timeRange = "";
  const next = new URLSearchParams();
  for (const name of NAMES) if (wanted[name]) next.set(name, wanted[name]);
  const address = `${location.pathname}?${next}`;
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  window.dispatchEvent(new Event("view"));
}

/** The parameters of a metrics question for a view. */
export function question(shown) {
  const asked = new URLSearchParams({ tz: shown.tz || here });
  for (const name of ["timeRange", "start", "end", "interval", "eventType", "userId"])
    if (shown[name]) asked.set(name, shown[name]);
  return asked;
}

/** The range of a view as the documents of questions have it, and its filters. */
export function bounds(shown) {
  const filters = [];
  if (shown.eventType) filters.push({ op: "is", field: "eventType", value: shown.eventType });
  if (shown.userId) filters.push({ op: "contains", field: "userId", value: shown.userId });
  const range = shown.timeRange || { start: shown.start, end: shown.end };
  return { range, filters, tz: shown.tz || here };
}
