// A new pipeline: what it takes from where, and what it makes of it.

import { go } from "./address.js";
import { attempt, done } from "./notices.js";
import { ask } from "./service.js";
import { offerFields, written } from "./settings.js";
import { element, part } from "./words.js";

const ENDS = ["source", "target"];
const form = part("new-pipeline");
let types = [];

/** Offer what there is to make one of, until `signal`. */
export async function offerNew(signal) {
  const [found, teams] = await Promise.all([ask("/api/connector-types", { signal }), ask("/api/teams?size=100", { signal })]);
  if (signal.aborted) return;
  types = found;
  const fresh = { id: "", name: "a new one" };
  form.elements.team_id.replaceChildren(...[...teams.items, fresh].map(({ id, name }) => option(id, name)));
  for (const end of ENDS) {
    const mine = types.filter(({ direction }) => direction === end);
    form.elements[`${end}_type`].replaceChildren(...mine.map(({ type }) => option(type, type)));
    describe(end);
  }
  part("panel-new-pipeline").hidden = false;
}

export function clearMaking() {
  form.reset();
  part("panel-new-pipeline").hidden = true;
}

const option = (value, name) => Object.assign(element("option", name), { value });
const typeOf = (end) => types.find(({ type }) => type === form.elements[`${end}_type`].value);

function describe(end) {
  const { about, config_schema: schema, secrets } = typeOf(end);
  part(`${end}-about`).textContent = about;
  offerFields(part(`${end}-settings`), schema, secrets);
}

/** Whether a connector would reach what it is to reach. */
const attemptEnd = (end) => attempt(async () => {
  const path = typeOf(end).type.toLowerCase().replaceAll("_", "-");
  const { valid, message } = await ask(`/api/connector-types/${path}/check-credentials`, { method: "POST", body: written(part(`${end}-settings`)) });
  done(valid ? message || "It connects." : `It does not connect: ${message}`);
});

const make = () => attempt(async () => {
  const { name, team_id: team, table, mapper, backfill } = form.elements;
  const body = {
    name: name.value,
    ...Object.assign({}, ...ENDS.map((end) => ofEnd(end, name.value))),
    subscription_backfill: backfill.checked,
    ...(table.value ? { subscription_target_table_name: table.value } : {}),
    ...(mapper.value.trim() ? { subscription_mapper_config: JSON.parse(mapper.value) } : {}),
  };
  body.team_id = team.value || (await ask("/api/teams", { method: "POST", body: { name: `${name.value} team` } })).id;
  const { id } = await ask("/api/pipelines", { method: "POST", body });
  done(`${name.value} is made. Start it when it is to run.`);
  go({ pipeline: id });
});

const ofEnd = (end, name) => ({
  [`${end}_name`]: `${name}-${end}`,
  [`${end}_type`]: typeOf(end).type,
  [`${end}_config`]: written(part(`${end}-settings`)),
});

for (const end of ENDS) {
  form.elements[`${end}_type`].addEventListener("change", () => describe(end));
  part(`${end}-try`).addEventListener("click", () => attemptEnd(end));
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  make();
});
