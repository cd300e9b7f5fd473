// The answer to a question of any kind: its table, and what it is drawn as.

import { MOST_LINES } from "./chart.js";
import { funnelBars, funnelColumns, funnelRows, groupsOf } from "./funnel.js";
import { bars } from "./panels.js";
import { picture } from "./pictures.js";
import { cohortColumns, cohortPicture, cohortRows, drawCohorts } from "./retention.js";
import { moment } from "./words.js";

const DRAWN = { funnel: ofFunnel, retention: ofRetention, paths: ofPaths, query: ofGroups, sessions: ofGroups };

/**
 * How to show an answer: {columns, rows, isTime, draw({lines, bars, field}), picture}. Lines are
 * drawn by `chart`, times stand on the clock of `zone`.
 */
export function drawing(kind, question, document, { chart, zone }) {
  return DRAWN[kind](document, { question, chart, zone });
}

/** Of these places show this one. */
function only(places, name) {
  for (const [one, place] of Object.entries(places)) place.hidden = one !== name;
  return places[name];
}

function asBars(columns, rows, entries) {
  const draw = (places) => bars(only(places, "bars"), entries, "Nothing in this range.");
  return { columns, rows, draw, picture: () => picture(entries), isTime: false };
}

function ofFunnel(document) {
  const groups = groupsOf(document);
  return asBars(funnelColumns, funnelRows(groups), funnelBars(groups));
}

function ofRetention(document, { question, zone }) {
  const period = question.period ?? "day";
  const draw = (places) => drawCohorts(only(places, "field"), document, period, zone);
  return { columns: cohortColumns(document), rows: cohortRows(document, zone), draw, picture: () => cohortPicture(document, period, zone), isTime: false };
}

function ofPaths({ paths }) {
  const columns = [{ name: "path" }, { name: "journeys", number: true }, { name: "users", number: true }];
  const rows = paths.map((path) => [path.steps.map(said).join(" → "), path.journeys, path.users]);
  return asBars(columns, rows, rows.map(([name, count, users]) => ({ name, count, about: `${users} users` })));
}

function ofGroups(document, { chart, zone }) {
  const [first] = document.rows;
  if (!first) return asBars([], [], []);
  const [dimensions, metrics] = [Object.keys(first.dimensions), numbers(first.metrics)];
  const columns = [...dimensions.map((name) => ({ name })), ...Object.keys(metrics).map((name) => ({ name, number: true }))];
  const cell = (name, value) => (name === "time" ? moment(value, zone) : said(value));
  const rows = document.rows.map((row) => [...dimensions.map((name) => cell(name, row.dimensions[name])), ...Object.values(numbers(row.metrics))]);
  if (dimensions.includes("time")) return { ...overTime(document.rows, Object.keys(metrics), chart, zone), columns, rows };
  return asBars(columns, rows, rows.map((row) => ({ name: row.slice(0, dimensions.length).join(", ") || "all", count: row[dimensions.length] ?? 0 })));
}

/** One group: a line for each metric. More of them: a line for each group, of the first metric. */
function overTime(rows, metrics, chart, zone) {
  const times = [...new Set(rows.map((row) => row.dimensions.time))].sort();
  const groups = Map.groupBy(rows, group);
  const lines = groups.size === 1
    ? metrics.map((label) => ({ label, values: valuesOf(rows, times, label) }))
    : [...groups].map(([label, own]) => ({ label, values: valuesOf(own, times, metrics[0]) }));
  const draw = (places) => only(places, "lines") && chart.show(times.map((time) => Date.parse(time)), lines.slice(0, MOST_LINES), zone);
  return { draw, picture: chart.canvas, isTime: true };
}

function valuesOf(rows, times, metric) {
  const found = new Map(rows.map((row) => [row.dimensions.time, numbers(row.metrics)[metric]]));
  return times.map((time) => found.get(time) ?? null);
}

const group = ({ dimensions }) => Object.entries(dimensions).filter(([name]) => name !== "time").map(([, value]) => said(value)).join(", ");
const said = (value) => (value === null || value === undefined ? "nothing" : String(value));

/** The figures of a group; those that stand within another one by both names. */
function numbers(metrics, before = "") {
  return Object.assign({}, ...Object.entries(metrics).map(([name, value]) =>
    value && typeof value === "object" ? numbers(value, `${before}${name}.`) : { [before + name]: value }));
}
