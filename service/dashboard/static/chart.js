// Figures over time, drawn by uPlot; dragging over it chooses a stretch of time.

import { brief, element, figure, marks, moment } from "./words.js";

const HEIGHT = 280;
const COLOURS = ["--accent", "--before", "--line-3", "--line-4", "--line-5", "--line-6"];
const DASH = [6, 4];
export const MOST_LINES = COLOURS.length;

/**
 * A chart in `place`, whose figures under the pointer stand in `readout` instead of its words.
 * `zoom(start, end)` is called in ms, `back()` on a double-click; without them it only shows.
 */
export function timeChart(place, readout, { zoom, back } = {}) {
  const words = readout.textContent;
  let plot = null;
  let zone = "";
  let lines = [];

  function draw(data) {
    plot?.destroy();
    plot = new uPlot(options(), data, place);
    if (back) plot.over.addEventListener("dblclick", back);
    place.append(...(lines.length > 1 ? [legend(lines)] : []));
  }

  function options() {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    return {
      width: place.clientWidth || 600,
      height: HEIGHT,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { y: { range: (_, low, high) => [Math.min(0, low), Math.max(1, high) * 1.08] } },
      axes: [
        { ...axis, values: (_, seconds) => marks(seconds, zone) },
        { ...axis, size: 56, values: (_, numbers) => numbers.map(brief) },
      ],
      series: [{}, ...lines.map(series)],
      cursor: { y: false, drag: { x: Boolean(zoom), y: false, setScale: false } },
      hooks: { setSelect: [chosen], setCursor: [pointed] },
    };
  }

  function series({ dashed }, at) {
    const fill = at || lines.length > 2 ? {} : { fill: shade };
    const dots = { show: (drawn) => drawn.data[0].length < 3 };
    return { stroke: colour(COLOURS[at]), width: 2, points: dots, ...(dashed ? { dash: DASH } : {}), ...fill };
  }

  function pointed(drawn) {
    const at = drawn.cursor.idx;
    if (at === null || at === undefined) return void (readout.textContent = words);
    const figures = lines.map((line, number) => `${line.label} ${shown(drawn.data[number + 1][at])}`);
    readout.textContent = `${moment(drawn.data[0][at] * 1000, zone)} · ${figures.join(" · ")}`;
  }

  function chosen(drawn) {
    if (!zoom || drawn.select.width < 4) return;
    const [start, end] = [drawn.select.left, drawn.select.left + drawn.select.width]
      .map((x) => Math.round(drawn.posToVal(x, "x") * 1000));
    drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoom(start, end);
  }

  new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot && draw(plot.data));

  return {
    /** Show lines [{label, values, dashed}] over moments in ms, at most MOST_LINES. */
    show(moments, given, inZone) {
      const data = [moments.map((ms) => ms / 1000), ...given.map((line) => line.values)];
      const names = (of) => of.map((line) => line.label).join("\n");
      const redraws = !plot || zone !== inZone || names(lines) !== names(given);
      [zone, lines] = [inZone, given];
      if (redraws) draw(data);
      else plot.setData(data);
    },
    /** The picture, as it is seen. */
    canvas: () => plot?.ctx.canvas,
  };
}

const shown = (number) => (number === null || number === undefined ? "–" : figure(number));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The colour under the first line, which fades towards the axis. */
function shade(drawn) {
  const { top, height } = drawn.bbox;
  const fading = drawn.ctx.createLinearGradient(0, top, 0, top + height);
  fading.addColorStop(0, `${colour("--accent")}55`);
  fading.addColorStop(1, `${colour("--accent")}08`);
  return fading;
}

function legend(lines) {
  const list = element("ul", "", "legend");
  list.append(...lines.map(({ label, dashed }, at) => {
    const [line, mark] = [element("li"), element("i", "", dashed ? "dashed" : "")];
    mark.style.borderColor = `var(${COLOURS[at]})`;
    line.append(mark, label);
    return line;
  }));
  return list;
}
