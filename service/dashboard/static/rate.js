// How much happens just now: the last minute, looked at every few seconds.

import { question } from "./address.js";
import { pause } from "./feed.js";
import { ask, signedIn } from "./service.js";
import { figure, part } from "./words.js";

const EVERY = 5000;
const MINUTE = 60000;

/** Show the last minute of the view's filters, and how fast events come in, until `signal`. */
export async function showRate(asked, signal) {
  part("rate").textContent = part("rate-about").textContent = "–";
  while (!signal.aborted) {
    const found = await Promise.all([lastMinute(asked, signal), arriving(signal)]).catch((problem) => problem);
    if (signal.aborted || found.status === 401) return;
    if (Array.isArray(found)) show(...found);
    await pause(EVERY, signal);
  }
}

function show(now, stats) {
  const rate = stats ? `, ${figure(stats.ingestionRate)} a second arriving` : "";
  part("rate").textContent = figure(now.totalEvents);
  part("rate-about").textContent = `${figure(now.uniqueUsers)} ${now.uniqueUsers === 1 ? "user" : "users"}${rate}`;
}

/** Whole steps of the clock, so that all who look at a view ask the same question. */
function lastMinute(asked, signal) {
  const end = Math.ceil(Date.now() / EVERY) * EVERY;
  const [from, to] = [end - MINUTE, end].map((ms) => new Date(ms).toISOString());
  const parameters = question({ ...asked, timeRange: "", start: from, end: to, interval: "" });
  return ask(`/api/v1/analytics/metrics?${parameters}`, { signal });
}

const arriving = (signal) => (signedIn() ? ask("/api/v1/events/stats", { signal }) : null);
