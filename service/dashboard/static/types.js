// The event types of a range, offered where one is to be named.

import { question } from "./address.js";
import { ask } from "./service.js";
import { element, part } from "./words.js";

/** Offer the types that there are, those with the most events first; their names. */
export async function offerTypes(asked, signal) {
  const parameters = new URLSearchParams({ tz: question(asked).get("tz"), ...range(asked) });
  const found = await ask(`/api/v1/analytics/metrics?${parameters}`, { signal });
  const names = found.eventsByType.map((type) => type.eventType);
  part("event-types").replaceChildren(...names.map((value) => Object.assign(element("option"), { value })));
  return names;
}

const WEEK = 6048e5;
const WEEKS = { "4w": 4, "12w": 12 };

/** The range of a journey as the metrics have it, which know no range of weeks. */
function range({ timeRange, start, end }) {
  if (!WEEKS[timeRange]) return timeRange ? { timeRange } : { start, end };
  const now = Math.ceil(Date.now() / 36e5) * 36e5;
  return { start: new Date(now - WEEKS[timeRange] * WEEK).toISOString(), end: new Date(now).toISOString(), interval: "1d" };
}
