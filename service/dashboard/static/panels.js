// A panel is a chart that can be read as a table, and taken away as a file.

import { save, savePicture } from "./files.js";
import { action } from "./rows.js";
import { element, figure } from "./words.js";

/**
 * The panel `id`. `picture()` gives a canvas of its chart, or nothing. `show(columns, rows, draw)`
 * shows rows, as a chart by `draw(place)` or as a table; columns are [{name, number}].
 */
export function panel(id, picture) {
  const section = document.getElementById(`panel-${id}`);
  const chart = section.querySelector(".chart, .bars");
  const hint = section.querySelector(".hint");
  const place = element("div", "", "scroll");
  const asTable = action({ name: "Table", work: () => turn(asTable.getAttribute("aria-pressed") !== "true") });
  const own = { columns: [], rows: [] };
  place.hidden = true;
  place.tabIndex = 0;
  section.append(place);
  asTable.setAttribute("aria-pressed", "false");
  section.querySelector(".bar").append(
    asTable,
    action({ name: "CSV", work: () => save(`${id}.csv`, own.columns.map((c) => c.name), own.rows) }),
    ...(picture ? [action({ name: "PNG", work: () => savePicture(`${id}.png`, picture()) })] : []),
  );

  function turn(on) {
    asTable.setAttribute("aria-pressed", String(on));
    place.hidden = !on;
    chart.hidden = on;
    if (hint) hint.hidden = on;
    if (on) place.replaceChildren(table(own));
  }

  return {
    turn,
    show(columns, rows, draw) {
      Object.assign(own, { columns, rows });
      draw(chart);
      if (!place.hidden) place.replaceChildren(table(own));
    },
  };
}

function table({ columns, rows }) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  const kind = (column) => (column.number ? "number" : "");
  for (const column of columns) head.append(Object.assign(element("th", column.name, kind(column)), { scope: "col" }));
  const body = made.createTBody();
  for (const row of rows) body.insertRow().append(...columns.map((column, at) => element("td", text(row[at], column), kind(column))));
  return made;
}

function text(value, column) {
  if (value === null || value === undefined) return "–";
  return column.number ? figure(value) : value;
}

/** Bars, those with `click` as buttons: [{name, count, about, hint, click}]. */
export function bars(place, entries, nothing) {
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  place.replaceChildren(...entries.map((entry) => {
    const line = element("li");
    line.append(bar(entry, (100 * entry.count) / most));
    return line;
  }));
  if (!entries.length) place.append(element("li", nothing, "empty"));
  if (focused !== null) [...place.querySelectorAll("button")].find((b) => b.dataset.name === focused)?.focus();
}

function bar(entry, percent) {
  const made = entry.click ? action({ name: "", work: entry.click }) : element("div");
  const fill = element("i");
  fill.style.width = `${percent}%`;
  made.classList.add("of-bar");
  made.dataset.name = entry.name;
  if (entry.hint) made.title = entry.hint;
  made.append(fill, element("span", entry.name, "name"), element("span", entry.about ?? "", "about"), element("span", figure(entry.count), "figure"));
  return made;
}
