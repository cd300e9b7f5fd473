// Events over time, drawn by uPlot; dragging over it chooses a stretch of time.

import { brief, figure, marks, moment } from "./words.js";

const HEIGHT = 280;

/** A chart in `place`. `zoom(start, end)` is called in ms, `back()` on a double-click. */
export function timeChart(place, { zoom, back }) {
  let plot = null;
  let zone = "";
  let compared = false;

  function draw(data) {
    plot?.destroy();
    plot = new uPlot(options(), data, place);
    plot.over.addEventListener("dblclick", back);
  }

  function options() {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const value = (_, number) => (number === null || number === undefined ? "–" : figure(number));
    const series = [
      { label: "from", value: (_, at) => (at ? moment(at * 1000, zone) : "–") },
      { label: "events", stroke: colour("--accent"), fill: colour("--fill"), width: 2, value },
    ];
    if (compared) series.push({ label: "before", stroke: colour("--before"), dash: [6, 4], width: 2, value });
    return {
      width: place.clientWidth || 600,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { y: { range: (_, low, high) => [0, Math.max(1, high) * 1.08] } },
      axes: [{ ...axis, values: (_, seconds) => marks(seconds, zone) }, { ...axis, size: 60, values: (_, numbers) => numbers.map(brief) }],
      series,
      cursor: { drag: { x: true, y: false, setScale: false } },
      hooks: { setSelect: [chosen] },
    };
  }

  function chosen(drawn) {
    if (drawn.select.width < 4) return;
    const [start, end] = [drawn.select.left, drawn.select.left + drawn.select.width]
      .map((x) => Math.round(drawn.posToVal(x, "x") * 1000));
    drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoom(start, end);
  }

  new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot && draw(plot.data));

  return {
    /** Show buckets [{timestamp, count}], and those of the period before, by their number. */
    show(buckets, before, inZone) {
      const data = [buckets.map((b) => Date.parse(b.timestamp) / 1000), buckets.map((b) => b.count)];
      if (before) data.push(buckets.map((_, number) => before[number]?.count ?? null));
      if (!plot || zone !== inZone || compared !== Boolean(before)) {
        [zone, compared] = [inZone, Boolean(before)];
        draw(data);
      } else {
        plot.setData(data);
      }
    },
    /** The picture, as it is seen. */
    canvas: () => plot?.ctx.canvas,
  };
}
