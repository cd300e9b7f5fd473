// What the page tells whoever looks: what went wrong, and questions before something is done.

import { element, part } from "./words.js";

/** Say that something went wrong; nothing with no words. */
export function tell(problem) {
  part("problem").textContent = problem;
  part("problem").hidden = !problem;
}

/** Say in passing that something was done. */
export function done(words) {
  const said = part("done");
  said.textContent = words;
  clearTimeout(done.leaving);
  done.leaving = setTimeout(() => (said.textContent = ""), 4000);
}

/** Whoever listens for "refused" is told of a problem, unless it is that nobody waits any more. */
export function refused(problem) {
  if (problem.name !== "AbortError") window.dispatchEvent(new CustomEvent("refused", { detail: problem }));
}

/** Do something that a click asked for; whether it was done. */
export async function attempt(work) {
  tell("");
  try {
    await work();
    return true;
  } catch (problem) {
    refused(problem);
    return false;
  }
}

/** Ask before something that cannot be undone; whether to do it. */
export const sure = (title, about, verb) => answered(title, about, verb, []).then(Boolean);

/**
 * Ask for a few words: fields are [{name, label, value, required, pattern, hint, rows}]. What was
 * written, by name; null if it was not to be.
 */
export function answered(title, about, verb, fields) {
  const dialog = part("question");
  const form = element("form");
  part("question-title").textContent = title;
  form.append(...(about ? [element("p", about)] : []), ...fields.map(input), act(verb, dialog));
  part("question-form").replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((given) => {
    let written = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      written = Object.fromEntries(new FormData(form));
      dialog.close();
    });
    dialog.addEventListener("close", () => given(written), { once: true });
  });
}

function input({ name, label, hint, rows, ...more }) {
  const [line, field] = [element("label", label), element(rows ? "textarea" : "input")];
  Object.assign(field, { name, autocomplete: "off", spellcheck: false, ...more, ...(rows ? { rows } : {}) });
  line.append(field);
  if (hint) line.append(element("small", hint));
  return line;
}

function act(verb, dialog) {
  const [row, yes, no] = [element("div", "", "row end"), element("button", verb, "primary"), element("button", "Cancel")];
  no.type = "button";
  no.addEventListener("click", () => dialog.close());
  row.append(no, yes);
  return row;
}
