// Records of a pipeline that a target refused or the mapper could not map: fixed, sent again, let go.

import { zone } from "./address.js";
import { answered, attempt, done, refused, sure } from "./notices.js";
import { rows } from "./rows.js";
import { ask } from "./service.js";
import { element, moment } from "./words.js";

const HEAD = ["Number", "Refused", "Why", "Record"];
const MOST = 100;

/** Show in `place` the oldest of all subscriptions of a pipeline. */
export async function listRefused(place, pipeline, signal) {
  const { items } = await ask(`/api/subscriptions?pipeline_id=${pipeline.id}&size=100`, { signal });
  const pages = await Promise.all(items.map(({ id }) => ask(`${lettersOf(id)}?limit=${MOST}`, { signal })));
  if (signal?.aborted) return;
  const again = () => listRefused(place, pipeline);
  const lines = pages.flatMap((page, at) => page.items.map((letter) => line(letter, lettersOf(items[at].id), again)));
  rows(place, HEAD, lines, "There are none: its targets took every record.");
  if (pages.some(({ next }) => next !== null)) place.append(element("p", "There may be more; these are the oldest.", "hint"));
}

const lettersOf = (subscription) => `/api/subscriptions/${subscription}/dead-letters`;

function line(letter, letters, again) {
  const { number, reason, refused_at: at, value } = letter;
  const [path, about] = [`${letters}/${number}`, `record ${number}`];
  const act = (method, words, body) => async () => {
    await ask(method === "POST" ? `${path}/replay` : path, { method, body });
    done(words);
    await again();
  };
  return {
    cells: [String(number), moment(at, zone()), reason, element("code", JSON.stringify(value).slice(0, 200))],
    actions: [
      { name: "Fix…", about, work: () => fix(letter, (fixed) => act("POST", "It is on its way again, as it was fixed.", { value: fixed })()) },
      { name: "Send again", about, work: () => attempt(act("POST", "It is on its way again; if it is refused it comes back.", {})) },
      { name: "Discard", about, kind: "danger", work: () => discard(number, act("DELETE", "It is gone.")) },
    ],
  };
}

/** Ask what the record should have been until it is taken, or nothing is to be sent. */
async function fix(letter, replay, value = JSON.stringify(letter.value, null, 2), about = letter.reason) {
  const field = { name: "value", label: "What the source should have given (JSON)", value, rows: 14, required: true };
  const given = await answered(`Fix record ${letter.number}`, about, "Send it again", [field]);
  if (!given) return;
  try {
    await replay(JSON.parse(given.value));
  } catch (problem) {
    if (problem.status === 401) refused(problem);
    else await fix(letter, replay, given.value, problem.message);
  }
}

async function discard(number, work) {
  if (await sure(`Discard record ${number}?`, "What stands in it is lost for good.", "Discard")) await attempt(work);
}
