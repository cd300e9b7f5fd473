// A panel is a chart that can be read as a table, and taken away as a file.

import { save, savePicture } from "./files.js";
import { element, figure } from "./words.js";

/**
 * The panel `id`. `picture()` gives a canvas of its chart, or nothing; `columns` are its table's:
 * [{name, number}]. `show(rows, draw)` shows rows, as a chart by `draw(place)` or as a table.
 */
export function panel(id, columns, picture) {
  const section = document.getElementById(`panel-${id}`);
  const chart = section.querySelector(".chart, .bars");
  const hint = section.querySelector(".hint");
  const bar = section.querySelector(".bar");
  const place = element("div", "", "scroll");
  const asTable = tool("Table", () => turn(asTable.getAttribute("aria-pressed") !== "true"));
  let rows = [];
  place.hidden = true;
  place.tabIndex = 0;
  section.append(place);
  asTable.setAttribute("aria-pressed", "false");
  tool("CSV", () => save(`${id}.csv`, columns.map((c) => c.name), rows));
  tool("PNG", () => savePicture(`${id}.png`, picture()));

  function tool(text, work) {
    const made = element("button", text);
    made.type = "button";
    made.addEventListener("click", work);
    bar.append(made);
    return made;
  }

  function turn(on) {
    asTable.setAttribute("aria-pressed", String(on));
    place.hidden = !on;
    chart.hidden = on;
    if (hint) hint.hidden = on;
    if (on) place.replaceChildren(table());
  }

  function table() {
    const made = element("table");
    const head = made.createTHead().insertRow();
    for (const column of columns) {
      const cell = element("th", column.name, column.number ? "number" : "");
      cell.scope = "col";
      head.append(cell);
    }
    const body = made.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      row.forEach((value, at) => {
        const text = value === null || value === undefined ? "–" : columns[at].number ? figure(value) : value;
        line.append(element("td", text, columns[at].number ? "number" : ""));
      });
    }
    return made;
  }

  return {
    turn,
    show(given, draw) {
      rows = given;
      if (draw) draw(chart);
      if (!place.hidden) place.replaceChildren(table());
    },
  };
}

/** Bars that can be clicked: [{name, count, about, click}], the longest first. */
export function bars(place, entries, nothing) {
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  place.replaceChildren(...entries.map((entry) => {
    const [line, button, fill] = [element("li"), element("button"), element("i")];
    button.type = "button";
    button.dataset.name = entry.name;
    button.title = entry.hint;
    fill.style.width = `${(100 * entry.count) / most}%`;
    button.append(fill, element("span", entry.name), element("span", figure(entry.count), "figure"));
    if (entry.about) button.append(element("span", entry.about, "about"));
    button.addEventListener("click", entry.click);
    line.append(button);
    return line;
  }));
  if (!entries.length) place.append(element("li", nothing, "empty"));
  if (focused !== null)
    [...place.querySelectorAll("button")].find((b) => b.dataset.name === focused)?.focus();
}

/** A picture of bars, for whoever wants them as a file. */
export function picture(entries) {
  const canvas = element("canvas");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  [canvas.width, canvas.height] = [900, 30 * Math.max(1, entries.length) + 20];
  const pen = canvas.getContext("2d");
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  pen.fillStyle = colour("--panel");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = "15px system-ui, sans-serif";
  entries.forEach((entry, at) => {
    const top = 10 + 30 * at;
    pen.fillStyle = colour("--fill");
    pen.fillRect(10, top, (880 * entry.count) / most, 26);
    pen.fillStyle = colour("--ink");
    pen.textAlign = "left";
    pen.fillText(entry.name, 18, top + 18, 700);
    pen.textAlign = "right";
    pen.fillText(figure(entry.count), 882, top + 18);
  });
  return canvas;
}
