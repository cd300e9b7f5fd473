// Messages of the environment that could not be stored: mended, sent again, or let go.

import { zone } from "./address.js";
import { answered, attempt, done, refused, sure } from "./notices.js";
import { rows } from "./rows.js";
import { ask } from "./service.js";
import { element, figure, moment, part } from "./words.js";

const PATH = "/api/v1/dead-letters";
const HEAD = ["Number", "Put aside", "Why", "Holds", "Says"];
const NEW_EVENT = { eventType: "", userId: "", sessionId: "", timestamp: "" };

/** Show the oldest letters. */
export async function look(asked, signal) {
  clear();
  await list(signal);
}

export function clear() {
  part("letter-list").replaceChildren();
}

async function list(signal) {
  const { deadLetters, next } = await ask(PATH, { signal });
  if (signal?.aborted) return;
  rows(part("letter-list"), HEAD, deadLetters.map(line), "There are none: everything that came in is stored.");
  if (next !== null) part("letter-list").append(element("p", "There are more; these are the oldest.", "hint"));
}

function line(letter) {
  const { number, time, reason, bytes, events, text } = letter;
  const holds = events ? `${figure(events)} events, ${figure(bytes)} bytes` : `${figure(bytes)} bytes`;
  return {
    cells: [String(number), moment(time, zone()), reason, holds, text === null ? "no text" : element("code", text.slice(0, 200))],
    actions: [
      { name: "Mend…", about: `letter ${number}`, work: () => mend(letter) },
      { name: "Send again", about: `letter ${number}`, work: () => sendAgain(number) },
      { name: "Discard", about: `letter ${number}`, kind: "danger", work: () => discard(number) },
    ],
  };
}

/** Ask for events in the letter's place until they are taken, or nothing is to be sent. */
async function mend(letter, value = suggested(letter), about = letter.reason) {
  const field = { name: "events", label: "Events in its place, as a batch has them (JSON)", value, rows: 14, required: true };
  const given = await answered(`Mend letter ${letter.number}`, about, "Send in its place", [field]);
  if (!given) return;
  try {
    const sent = await ask(`${PATH}/${letter.number}/replay`, { method: "POST", body: JSON.parse(given.events) });
    done(`${figure(sent.accepted)} events were sent in its place.`);
    await list();
  } catch (problem) {
    if (problem.status === 401) refused(problem);
    else await mend(letter, given.events, problem.message);
  }
}

/** What stands in a letter, as a batch where it can be read as one, else an event to be filled in. */
function suggested({ text }) {
  const found = read(text);
  const events = Array.isArray(found) ? found : found?.events ?? (found ? [found] : [NEW_EVENT]);
  return JSON.stringify({ events }, null, 2);
}

function read(text) {
  try {
    const found = JSON.parse(text);
    return typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

function sendAgain(number) {
  return attempt(async () => {
    await ask(`${PATH}/${number}/replay`, { method: "POST" });
    done("It is on the stream again; if it still cannot be read it comes back under another number.");
    await list();
  });
}

async function discard(number) {
  if (!(await sure(`Discard letter ${number}?`, "What stands in it is lost for good.", "Discard"))) return;
  await attempt(async () => {
    await ask(`${PATH}/${number}`, { method: "DELETE" });
    done("It is gone.");
    await list();
  });
}
