// Fields for what a JSON schema describes, and the document that is written in them.

import { element } from "./words.js";

/** Put a field for each property of `schema` into `place`; those in `secrets` are not shown as typed. */
export function offerFields(place, schema, secrets) {
  const known = schema.$defs ?? {};
  const { properties = {}, required = [] } = resolved(schema, known);
  place.replaceChildren(...Object.entries(properties).map(([name, described]) => {
    const label = element("label", name.replaceAll("_", " "));
    label.append(field(name, resolved(described, known), { secret: secrets.includes(name), required: required.includes(name) }));
    return label;
  }));
}

/** The document; what is left empty is left out. Raises SyntaxError for what should be JSON and is none. */
export function written(place) {
  const found = {};
  for (const one of place.querySelectorAll("[data-name]")) {
    const value = one.type === "checkbox" ? one.checked : one.value.trim();
    if (value === "") continue;
    found[one.dataset.name] = READ[one.dataset.kind]?.(value, one.dataset.name) ?? value;
  }
  return found;
}

const READ = { number: Number, document: parsed };

function parsed(text, name) {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError(`${name}: this is no JSON.`);
  }
}

/** What a property is, without what it may also be left as. */
function resolved(described, known) {
  if (described.$ref) return resolved({ ...known[described.$ref.split("/").at(-1)], ...without(described) }, known);
  const real = (described.anyOf ?? []).filter(({ type }) => type !== "null");
  return real.length === 1 ? resolved({ ...real[0], default: described.default }, known) : described;
}

const without = ({ $ref, ...rest }) => rest;

function field(name, described, { secret, required }) {
  const kind = kindOf(described);
  const made = kind === "choice" ? choice(described.enum, required) : element(kind === "document" ? "textarea" : "input");
  Object.assign(made, { required: required && kind !== "flag", autocomplete: "off" });
  Object.assign(made.dataset, { kind, name });
  if (kind === "flag") Object.assign(made, { type: "checkbox", checked: Boolean(described.default) });
  if (kind === "number") Object.assign(made, { type: "number", step: described.type === "integer" ? 1 : "any" });
  if (kind === "document") Object.assign(made, { rows: 2, spellcheck: false, placeholder: "{ }" });
  if (secret && kind === "text") made.type = "password";
  if (usual(described)) made.placeholder = String(described.default);
  return made;
}

const usual = ({ default: value }) => ["string", "number"].includes(typeof value) && value !== "";

function kindOf({ type, enum: choices, anyOf }) {
  if (choices) return "choice";
  if (type === "boolean") return "flag";
  if (type === "integer" || type === "number") return "number";
  const texts = anyOf?.every((one) => one.type === "string" || one.type === "integer");
  return type === "string" || texts ? "text" : "document";
}

function choice(choices, required) {
  const made = element("select");
  const empty = required ? [] : [Object.assign(element("option", "as usual"), { value: "" })];
  made.append(...empty, ...choices.filter((one) => one !== "").map((one) => Object.assign(element("option", String(one)), { value: one })));
  return made;
}
