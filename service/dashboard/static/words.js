// How figures and moments are written.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const fraction = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const figure = (number) => (Number.isInteger(number) ? whole.format(number) : fraction.format(number));
export const percent = (share) => (share === null ? "–" : `${figure(Math.round(1000 * share) / 10)} %`);
export const brief = (number) => short.format(number);

/** A moment on the clock of a zone. */
export function moment(iso, zone, seconds = true) {
  const shape = { dateStyle: "medium", timeStyle: seconds ? "medium" : "short", timeZone: zone };
  return new Intl.DateTimeFormat("en-GB", shape).format(new Date(iso));
}

/** The day of a moment on the clock of a zone. */
export const day = (iso, zone) => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: zone }).format(new Date(iso));

/** The clock of a zone at a moment in ms: [year, month, day, hour, minute, second]. */
export function clock(ms, zone) {
  const shape = { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en", shape).formatToParts(ms).map((p) => [p.type, Number(p.value)]));
  return [parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second];
}

const two = (number) => String(number).padStart(2, "0");

/** A moment as a field for times writes it, on the clock of a zone. */
export function field(iso, zone) {
  if (!iso) return "";
  const [year, month, day, hour, minute, second] = clock(Date.parse(iso), zone);
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
}

/** The moment at which the clock of a zone shows what stands in a field for times. */
export function unfield(text, zone) {
  const wanted = Date.parse(`${text}Z`);
  let at = wanted;
  for (let look = 0; look < 2; look += 1) {
    const [year, month, day, ...time] = clock(at, zone);
    at += wanted - Date.UTC(year, month - 1, day, ...time);
  }
  return new Date(at).toISOString();
}

/** Marks of an axis of time: the clock, and the day where a new one begins. */
export function marks(seconds, zone) {
  let last = "";
  return seconds.map((at) => {
    const [, month, day, hour, minute, second] = clock(at * 1000, zone);
    const time = `${two(hour)}:${two(minute)}${second ? `:${two(second)}` : ""}`;
    const date = `${day} ${MONTHS[month - 1]}`;
    const shown = date === last ? time : `${time}\n${date}`;
    last = date;
    return shown;
  });
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** How a figure moved: its words, and "up", "down" or "". */
export function change(now, before) {
  if (before === undefined) return ["", ""];
  if (before === now) return ["as before", ""];
  if (!before) return [`${figure(before)} before`, now > before ? "up" : "down"];
  const percent = (100 * (now - before)) / before;
  const sign = percent > 0 ? "▲" : "▼";
  return [`${sign} ${fraction.format(Math.abs(percent))} % of ${figure(before)}`, percent > 0 ? "up" : "down"];
}

/** The part of the page with this id. */
export const part = (id) => document.getElementById(id);

/** An element with text in it, and nothing but text. */
export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
