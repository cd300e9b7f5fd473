// A table of things that something can be done with.

import { element } from "./words.js";

/**
 * Show rows in `place`: each is {cells, actions}, a cell a text or an element, an action
 * {name, about, work}. With none, `nothing` is said.
 */
export function rows(place, head, lines, nothing) {
  if (!lines.length) return void place.replaceChildren(element("p", nothing, "empty"));
  const table = element("table");
  const top = table.createTHead().insertRow();
  const acts = lines.some((line) => line.actions?.length);
  for (const name of head) top.append(Object.assign(element("th", name), { scope: "col" }));
  if (acts) top.append(element("td"));
  const body = table.createTBody();
  for (const line of lines) body.append(row(line, head, acts));
  place.replaceChildren(table);
}

/** A button that does something. `about` says to what, for those who only hear it. */
export function action({ name, about, work, kind = "" }) {
  const made = element("button", name, kind);
  made.type = "button";
  if (about) made.setAttribute("aria-label", `${name} ${about}`);
  made.addEventListener("click", work);
  return made;
}

/** A word about a state, in the colour of how good that is: "good", "bad" or "". */
export const badge = (word, mood) => element("span", word, `badge ${mood}`);

function row({ cells, actions }, head, acts) {
  const made = element("tr");
  cells.forEach((cell, at) => {
    const place = element("td");
    place.dataset.head = head[at];
    place.append(cell ?? "–");
    made.append(place);
  });
  if (acts) {
    const place = made.insertCell();
    place.className = "actions";
    place.append(...(actions ?? []).map(action));
  }
  return made;
}
