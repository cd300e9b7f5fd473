// Questions that have a name: listed, asked, shared, changed.

import { address, go, view, zone } from "./address.js";
import { drawing } from "./answers.js";
import { timeChart } from "./chart.js";
import { follow } from "./feed.js";
import { answered, attempt, done, refused, sure, tell } from "./notices.js";
import { panel } from "./panels.js";
import { asQuestion, asView } from "./questions.js";
import { action, rows } from "./rows.js";
import { ask, environmentNow } from "./service.js";
import { element, moment, part } from "./words.js";

const PATH = "/api/v1/analytics/saved";
const NAMED = { name: "name", label: "Name", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]{0,99}", hint: "Letters, digits, _ and -; a link has it in its address." };
const PLACES = { lines: part("answer-lines"), bars: part("answer-bars"), field: part("answer-field") };
let picture = () => null;

const chart = timeChart(part("answer-lines"), part("answer-readout"));
const answer = panel("answer", () => picture());

/** Show all names, and the answer of the one in the address. */
export async function look(asked, signal) {
  clear();
  const { saved } = await ask(PATH, { signal });
  if (signal.aborted) return;
  rows(part("saved-list"), ["Name", "Kind", "About", "Changed"], saved.map(line),
    "No question has a name yet. Look at something in Overview, Funnel or Retention, and save it.");
  if (!asked.saved) return;
  const found = saved.find((one) => one.name === asked.saved);
  if (!found) return void tell(`There is no saved question “${asked.saved}”.`);
  await open(found, asked, signal);
}

export function clear() {
  part("saved-list").replaceChildren();
  part("answered").hidden = true;
  answer.show([], [], () => hideAnswer());
}

function line({ name, definition, updatedAt }) {
  const opens = action({ name, work: () => go({ saved: name, params: "" }), kind: "link" });
  return {
    cells: [opens, definition.kind ?? "query", definition.description || "–", moment(updatedAt, zone(), false)],
    actions: [
      { name: "Rename", about: name, work: () => rename(name, definition) },
      { name: "Edit", about: name, work: () => edit(name, definition) },
      { name: "Delete", about: name, kind: "danger", work: () => remove(name) },
    ],
  };
}

function open({ name, definition }, asked, signal) {
  const given = parameters(asked.params);
  part("answered").hidden = false;
  part("title-answer").textContent = name;
  part("answer-about").textContent = definition.description ?? "";
  part("answer-definition").textContent = JSON.stringify(definition, null, 2);
  part("answer-acts").replaceChildren(...acts(name, definition));
  showParameters(definition.parameters ?? {}, given);
  answer.turn(Boolean(asked.tables));
  if (missing(definition, given)) return answer.show([], [], () => hideAnswer("Say what its parameters are, and ask."));
  const wanted = new URLSearchParams(given);
  const listening = new URLSearchParams({ ...given, saved: name });
  return new Promise((seen) => {
    follow(`${PATH}/${encodeURIComponent(name)}?${wanted}`, listening, signal, {
      show: (document) => [show(definition, document), tell(""), seen()],
      told: (state) => (part("answer-state").textContent = state === "once" ? "" : state),
      failed: (problem) => [refused(problem), seen()],
    });
  });
}

function show(definition, document) {
  const drawn = drawing(definition.kind ?? "query", definition.question, document, { chart, zone: zone() });
  picture = drawn.picture;
  answer.show(drawn.columns, drawn.rows, () => drawn.draw(PLACES));
  part("answer-readout").hidden = !drawn.isTime;
}

function hideAnswer(words = "") {
  PLACES.lines.hidden = PLACES.field.hidden = part("answer-readout").hidden = true;
  PLACES.bars.hidden = false;
  PLACES.bars.replaceChildren(...(words ? [element("li", words, "empty")] : []));
  PLACES.field.replaceChildren();
}

function acts(name, definition) {
  const shows = asView(definition.kind ?? "query", definition.question);
  const opens = shows && action({ name: "Open in its view", work: () => go({ ...shows, saved: "", params: "" }) });
  return [...(opens ? [opens] : []), action({ name: "Copy link", work: () => share(name) })];
}

async function share(name) {
  const { params, tz } = view();
  const link = location.origin + address({ view: "saved", saved: name, params, tz, env: environmentNow() });
  try {
    await navigator.clipboard.writeText(link);
    done("The link is copied.");
  } catch {
    await answered("A link to this question", "", "Done", [{ name: "link", label: "Link", value: link, readOnly: true }]);
  }
}

function showParameters(declared, given) {
  const names = Object.keys(declared);
  part("answer-parameters").hidden = !names.length;
  part("answer-fields").replaceChildren(...names.map((name) => parameterField(name, declared[name], given[name])));
}

function parameterField(name, { type, default: usual, allowed, description }, value) {
  const [label, field] = [element("label", `${name} `), element(allowed ? "select" : "input")];
  if (allowed) field.append(...allowed.map((one) => element("option", String(one))));
  Object.assign(field, { name, value: value ?? text(usual), title: description ?? type, required: usual === undefined || usual === null });
  label.append(field);
  return label;
}

const text = (value) => (Array.isArray(value) ? value.join(",") : String(value ?? ""));
const missing = ({ parameters: declared = {} }, given) =>
  Object.keys(declared).some((name) => given[name] === undefined && (declared[name].default ?? null) === null);

function parameters(said) {
  try {
    const found = JSON.parse(said || "{}");
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, String(value)]));
  } catch {
    return {};
  }
}

/** Give what is looked at a name. */
export async function save() {
  const wanted = asQuestion(view());
  if (!wanted) return void tell("There is nothing to save yet: name the steps first.");
  const given = await answered("Save this question", "It can be asked by its name then: here, by a link, from Grafana, a spreadsheet, the API.", "Save", [NAMED, { name: "description", label: "About (optional)" }]);
  if (!given) return;
  const about = given.description ? { description: given.description } : {};
  await attempt(async () => {
    if (!(await free(given.name, "Save"))) return;
    await put(given.name, { ...wanted, ...about });
    done(`Saved as ${given.name}.`);
    go({ view: "saved", saved: given.name, params: "" });
  });
}

async function rename(name, definition) {
  const given = await answered(`Rename “${name}”`, "Links to the old name end.", "Rename", [{ ...NAMED, value: name }]);
  if (!given || given.name === name) return;
  await attempt(async () => {
    if (!(await free(given.name, "Rename"))) return;
    await put(given.name, definition);
    await ask(`${PATH}/${encodeURIComponent(name)}`, { method: "DELETE" });
    done(`It is called ${given.name} now.`);
    go({ saved: view().saved === name ? given.name : view().saved });
  });
}

async function edit(name, definition) {
  const value = JSON.stringify(definition, null, 2);
  const given = await answered(`What “${name}” asks`, "", "Save", [{ name: "definition", label: "Definition (JSON)", value, rows: 16, required: true }]);
  if (!given) return;
  await attempt(async () => {
    await put(name, JSON.parse(given.definition));
    done("Saved.");
    go({});
  });
}

async function remove(name) {
  if (!(await sure(`Delete “${name}”?`, "Whoever asks by this name is told that there is none.", "Delete"))) return;
  await attempt(async () => {
    await ask(`${PATH}/${encodeURIComponent(name)}`, { method: "DELETE" });
    done("It is deleted.");
    go({ saved: view().saved === name ? "" : view().saved });
  });
}

/** Whether a name may be given: nobody has it, or who has it may lose it. */
async function free(name, verb) {
  const { saved } = await ask(PATH);
  const taken = saved.some((one) => one.name === name);
  return !taken || sure(`“${name}” asks something already`, "That question is replaced.", verb);
}

const put = (name, definition) => ask(`${PATH}/${encodeURIComponent(name)}`, { method: "PUT", body: definition });

part("answer-parameters").addEventListener("submit", (event) => {
  event.preventDefault();
  go({ params: JSON.stringify(Object.fromEntries(new FormData(event.target))) });
});
