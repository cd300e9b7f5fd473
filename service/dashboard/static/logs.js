// A log as it is written: over a WebSocket, or asked for again and again where that does not open.

import { zone } from "./address.js";
import { pause } from "./feed.js";
import { ask, secret } from "./service.js";
import { element, moment } from "./words.js";

const MOST = 500;
const EVERY = 2000;

/** Show the lines of the log at `path` in `place`, and in `state` how they come, until `signal`. */
export async function followLog(place, state, path, signal) {
  while (!signal.aborted) {
    await socket(path, signal, place, state).catch(() => {});
    if (signal.aborted) return;
    state.textContent = "asked every two seconds";
    const found = await ask(`${path}?limit=200`, { signal }).catch((problem) => problem);
    if (signal.aborted) return;
    if (!Array.isArray(found)) return void (state.textContent = found.message);
    place.replaceChildren();
    put(place, found);
    await pause(EVERY, signal);
  }
}

/** Lines as they come, until the connection ends. */
function socket(path, signal, place, state) {
  const ear = new WebSocket(`${location.origin.replace("http", "ws")}${path}`, ["headrace", ...(secret() ? [secret()] : [])]);
  let first = true;
  return new Promise((ended) => {
    signal.addEventListener("abort", () => ear.close());
    ear.onclose = ended;
    ear.onmessage = ({ data }) => {
      if (signal.aborted) return;
      if (first) place.replaceChildren();
      first = false;
      state.textContent = "live";
      put(place, [JSON.parse(data)].flat());
    };
  });
}

function put(place, lines) {
  const follows = place.scrollTop + place.clientHeight >= place.scrollHeight - 4;
  place.append(...lines.map(line));
  while (place.children.length > MOST) place.firstElementChild.remove();
  if (follows) place.scrollTop = place.scrollHeight;
}

function line({ time, level, message }) {
  const made = element("li", "", level === "error" ? "bad" : "");
  made.append(element("time", moment(time, zone())), element("span", level, "level"), element("span", message));
  return made;
}
