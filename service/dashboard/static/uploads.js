// Files whose rows are delivered to an HTTP API: sent, followed, their reports taken away.

import { zone } from "./address.js";
import { pause } from "./feed.js";
import { offer } from "./files.js";
import { attempt, done, refused, sure } from "./notices.js";
import { badge, rows } from "./rows.js";
import { ask, fetchFile, send } from "./service.js";
import { brief, element, figure, moment, part } from "./words.js";

const PATH = "/api/v1/uploads";
const HEAD = ["File", "State", "Sent", "Created", "Duplicates", "Rejected", "Failed", "Since"];
const OUTCOMES = ["created", "duplicate", "rejected", "failed"];
const MOODS = { done: "good", stopped: "bad" };
const EVERY = 1000;

/** Show the uploads and how far they are, until `signal`. */
export async function look(asked, signal) {
  clear();
  let running = await list(signal);
  (async () => {
    while (!signal.aborted) {
      await pause(running ? EVERY : 5 * EVERY, signal);
      if (!signal.aborted) running = await list(signal).catch(() => true);
    }
  })();
}

export function clear() {
  part("upload-list").replaceChildren();
}

/** Show them; whether one goes on. What has not changed is left alone, and so keeps the focus. */
async function list(signal) {
  const { uploads } = await ask(PATH, { signal });
  const said = JSON.stringify(uploads);
  if (!signal?.aborted && (said !== list.said || !part("upload-list").children.length))
    rows(part("upload-list"), HEAD, uploads.map(line), "No file has been sent to this service.");
  list.said = said;
  return uploads.some(goesOn);
}

const goesOn = ({ state }) => state === "waiting" || state === "sending";

function line(upload) {
  const { id, name, state, reason, bytes, bytesDone, outcomes, askedAt } = upload;
  const [stands, sent] = [element("span"), element("progress")];
  const mood = state === "done" && outcomes.failed ? "bad" : MOODS[state] ?? "";
  stands.append(badge(state, mood), reason ? ` ${reason}` : "");
  Object.assign(sent, { max: Math.max(1, bytes), value: bytes ? bytesDone : 1 });
  sent.setAttribute("aria-label", `How much of ${name} is sent`);
  const ended = [
    { name: "CSV", about: `report of ${name}`, work: () => take(id, "csv") },
    { name: "JSON", about: `report of ${name}`, work: () => take(id, "json") },
    { name: "Resume", about: name, work: () => act(`${id}/resume`, "POST", "It goes on.") },
  ];
  return {
    cells: [name, stands, sent, ...OUTCOMES.map((outcome) => figure(outcomes[outcome] ?? 0)), moment(askedAt, zone(), false)],
    actions: [...(goesOn(upload) ? [] : ended), { name: "Delete", about: name, kind: "danger", work: () => remove(upload) }],
  };
}

const take = (id, form) => attempt(async () => offer(`${id}.${form}`, await fetchFile(`${PATH}/${id}/report?format=${form}`)));

const act = (path, method, words) => attempt(async () => {
  await ask(`${PATH}/${path}`, { method });
  done(words);
  await list();
});

async function remove({ id, name }) {
  if (await sure(`Delete “${name}”?`, "It ends, and its file and reports are deleted. Rows that were created stay created.", "Delete"))
    await act(id, "DELETE", "It is deleted.");
}

part("new-upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const given = new FormData(form);
  for (const name of ["api", "mapping"]) if (!given.get(name)) given.delete(name);
  part("upload-send").disabled = true;
  showProgress(0, form.elements.file.files[0].size);
  try {
    await send(PATH, given, showProgress);
    form.reset();
    done("The file is there and is being delivered.");
    await list();
  } catch (problem) {
    refused(problem);
  }
  part("upload-send").disabled = false;
  part("upload-progress").hidden = true;
});

/** How much of a file has come to the service, in bytes. */
function showProgress(sent, all) {
  part("upload-progress").hidden = false;
  Object.assign(part("upload-sent"), { max: Math.max(1, all), value: sent });
  part("upload-sent-about").textContent = sent < all ? `${brief(sent)} of ${brief(all)} bytes sent` : "All of it is sent; the service looks at it.";
}
