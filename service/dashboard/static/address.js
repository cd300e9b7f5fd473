// What is looked at. The address of the page is the state: a link is a view.

const NAMES = [
  "view", "timeRange", "start", "end", "interval", "tz", "eventType", "userId", "compare", "live", "tables",
  "steps", "window", "by", "begin", "back", "period", "kind", "saved", "params", "pipeline", "env",
];
const FIGURES = ["15m", "1h", "24h", "7d"];
const JOURNEYS = ["24h", "7d", "4w", "12w"];

/** The ranges up to now that a view can show, the usual one first; none where time does not matter. */
const RANGES = {
  "": ["24h", ...FIGURES], funnel: ["7d", ...JOURNEYS], retention: ["4w", ...JOURNEYS],
  saved: [], pipelines: [], uploads: [], letters: [], keys: [],
};

export const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const ranges = (name) => RANGES[name].slice(1);

/** The view that the address names; what it does not name is as usual. */
export function view() {
  const given = new URLSearchParams(location.search);
  const found = {};
  for (const name of NAMES) found[name] = given.get(name) || "";
  if (!RANGES[found.view]) found.view = "";
  if (!found.start || !found.end) {
    found.start = found.end = found.interval = "";
    if (!ranges(found.view).includes(found.timeRange)) found.timeRange = RANGES[found.view][0] ?? "";
  } else {
    found.timeRange = "";
  }
  return found;
}

/** The clock that times are shown on. */
export const zone = () => view().tz || here;

/** The address of a view that shows this and no more. */
export function address(shown) {
  const named = new URLSearchParams();
  for (const name of NAMES) if (shown[name]) named.set(name, shown[name]);
  return `${location.pathname}?${named}`;
}

/** Go to the same view with these changes; the browser's back button undoes it. */
export function go(changes) {
  const wanted = { ...view(), ...changes };
  if (changes.timeRange) wanted.start = wanted.end = wanted.interval = "";
  if (changes.start) wanted.timeRange = "";
  const next = address(wanted);
  if (next !== location.pathname + location.search) history.pushState(null, "", next);
  window.dispatchEvent(new Event("view"));
}

/** Say these things in the address too, without going anywhere. */
export const settle = (changes) => history.replaceState(null, "", address({ ...view(), ...changes }));

/** The parameters of a metrics question for a view. */
export function question(shown) {
  const asked = new URLSearchParams({ tz: shown.tz || here });
  for (const name of ["timeRange", "start", "end", "interval", "eventType", "userId"])
    if (shown[name]) asked.set(name, shown[name]);
  return asked;
}
