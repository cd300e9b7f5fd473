// The page: who looks, at what, and which view shows it.

import { go, here, view } from "./address.js";
import { entrance } from "./entrance.js";
import * as funnel from "./funnel.js";
import * as keys from "./keys.js";
import * as overview from "./overview.js";
import { signedIn } from "./service.js";
import { element, field, part, unfield } from "./words.js";

const VIEWS = { "": overview, funnel, keys };
const door = entrance(look);
const zone = () => view().tz || here;

/** Show what the address says, and nothing of what was looked at before. */
function look() {
  const asked = view();
  for (const one of Object.values(VIEWS)) one.stop();
  tell("");
  showControls(asked);
  VIEWS[asked.view].look(asked, { tell, refused });
}

function refused(problem) {
  if (problem.status === 401) {
    for (const one of Object.values(VIEWS)) one.clear();
    door.open(signedIn() ? problem.message : "");
  } else {
    tell(problem.message);
  }
}

function tell(problem) {
  part("problem").textContent = problem;
  part("problem").hidden = !problem;
}

function showControls(asked) {
  for (const button of document.querySelectorAll("[data-range]"))
    button.setAttribute("aria-pressed", String(button.dataset.range === asked.timeRange));
  part("zone").value = asked.tz || here;
  part("user").value = asked.userId;
  part("interval").value = asked.interval;
  part("interval").disabled = !asked.start;
  part("start").value = field(asked.start, zone());
  part("end").value = field(asked.end, zone());
  part("compare").checked = Boolean(asked.compare);
  part("live").checked = asked.live !== "off";
  for (const link of document.querySelectorAll("[data-view]")) {
    if (link.dataset.view === asked.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const place of document.querySelectorAll("main > div")) place.hidden = place.id !== (asked.view || "overview");
  part("controls").hidden = part("filters").hidden = asked.view === "keys";
  for (const own of document.querySelectorAll(".of-overview")) own.hidden = asked.view !== "";
  part("filters").replaceChildren(...filters(asked));
}

function filters(asked) {
  const chosen = [["eventType", "type is"], ["userId", "user contains"]].filter(([name]) => asked[name]);
  return chosen.map(([name, words]) => {
    const chip = element("button", `${words} ${asked[name]} ×`);
    chip.type = "button";
    chip.title = "Take this filter away";
    chip.addEventListener("click", () => go({ [name]: "" }));
    return chip;
  });
}

function between() {
  const [start, end] = [part("start").value, part("end").value];
  if (start && end) go({ start: unfield(start, zone()), end: unfield(end, zone()) });
}

for (const link of document.querySelectorAll("[data-view]"))
  link.addEventListener("click", () => go({ view: link.dataset.view }));
for (const button of document.querySelectorAll("[data-range]"))
  button.addEventListener("click", () => go({ timeRange: button.dataset.range }));
part("start").addEventListener("change", between);
part("end").addEventListener("change", between);
part("interval").addEventListener("change", (event) => go({ interval: event.target.value }));
part("zone").addEventListener("change", (event) => go({ tz: event.target.value }));
part("user").addEventListener("change", (event) => go({ userId: event.target.value }));
part("compare").addEventListener("change", (event) => go({ compare: event.target.checked ? "previous" : "" }));
part("live").addEventListener("change", (event) => go({ live: event.target.checked ? "" : "off" }));
part("help-open").addEventListener("click", () => part("help").showModal());
part("zones").append(...["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])].map((name) => Object.assign(element("option"), { value: name })));

const KEYS = {
  1: () => go({ timeRange: "15m" }),
  2: () => go({ timeRange: "1h" }),
  3: () => go({ timeRange: "24h" }),
  4: () => go({ timeRange: "7d" }),
  p: () => part("compare").click(),
  l: () => part("live").click(),
  t: () => go({ tables: view().tables ? "" : "1" }),
  x: () => go({ eventType: "", userId: "" }),
  "/": () => part("user").focus(),
  "?": () => part("help").showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select, textarea") || document.querySelector("dialog[open]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
window.addEventListener("view", look);
window.addEventListener("popstate", look);
door.arrived().catch(refused);
