// The page: who looks, at what, and which view shows it.

import { go, view } from "./address.js";
import { showControls } from "./controls.js";
import { entrance } from "./entrance.js";
import * as funnel from "./funnel.js";
import * as keys from "./keys.js";
import * as letters from "./letters.js";
import { refused, tell } from "./notices.js";
import * as overview from "./overview.js";
import * as pipelines from "./pipelines.js";
import * as retention from "./retention.js";
import * as saved from "./saved.js";
import { signedIn } from "./service.js";
import * as uploads from "./uploads.js";
import { part } from "./words.js";

/** A view is shown by `look(address, signal)` until `signal`, and forgets everything by `clear()`. */
const VIEWS = { "": overview, funnel, retention, saved, pipelines, uploads, letters, keys };
const door = entrance({ forget, look });
let ending = new AbortController();

/** Show what the address says, and nothing of what was looked at before. */
async function look() {
  ending.abort();
  ending = new AbortController();
  const { signal } = ending;
  const asked = view();
  tell("");
  showControls(asked);
  const place = turnTo(asked.view);
  place.setAttribute("aria-busy", "true");
  try {
    await VIEWS[asked.view].look(asked, signal);
  } catch (problem) {
    if (!signal.aborted) refused(problem);
  }
  if (!signal.aborted) place.setAttribute("aria-busy", "false");
}

function forget() {
  ending.abort();
  for (const one of Object.values(VIEWS)) one.clear();
}

function turnTo(name) {
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  for (const place of document.querySelectorAll("main > div")) place.hidden = place.id !== (name || "overview");
  return part(name || "overview");
}

for (const link of document.querySelectorAll("[data-view]"))
  link.addEventListener("click", () => go({ view: link.dataset.view }));
part("save").addEventListener("click", saved.save);
window.addEventListener("view", look);
window.addEventListener("popstate", look);
window.addEventListener("refused", ({ detail: problem }) => {
  if (problem.status !== 401) return tell(problem.message);
  forget();
  door.open(signedIn() ? problem.message : "");
});
door.arrived().catch(refused);
