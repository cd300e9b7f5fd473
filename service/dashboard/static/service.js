// Asks the service, as whoever is signed in. Everything here is the public API.

const KEPT = "headrace.credential";
let credential = JSON.parse(sessionStorage.getItem(KEPT) || "null");
let environment = "";

/** What the service refused, in its own words. `status` is 0 when it was not reached. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const signedIn = () => credential !== null;
export const isUser = () => credential?.kind === "user";

/** Be this one from now on: {kind: "key" | "user", value}, or null for nobody. */
export function become(somebody) {
  credential = somebody;
  if (somebody) sessionStorage.setItem(KEPT, JSON.stringify(somebody));
  else sessionStorage.removeItem(KEPT);
}

/** Ask of this environment from now on; without a name of the one that is active. */
export function enter(name) {
  environment = name;
}

/** The environment that is asked; "" where that is the only one, or the active one. */
export const environmentNow = () => environment;

/** What a WebSocket says of who is signed in; "" for nobody. */
export const secret = () => credential?.value ?? "";

/** The document that the service answers with. `form` are fields, or a FormData. Raises Problem. */
export async function ask(path, { method = "GET", body, form, signal } = {}) {
  const answer = await sent(path, { method, signal, ...content(body, form) });
  const document = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, reason(document) || `The service answers ${answer.status}.`);
  return document && document.success === true ? document.data : document;
}

/** A file that the service answers with. Raises Problem. */
export async function fetchFile(path) {
  const answer = await sent(path, { method: "GET" });
  if (!answer.ok) throw new Problem(answer.status, reason(await answer.json().catch(() => null)) || `The service answers ${answer.status}.`);
  return answer.blob();
}

/** Send a form, and tell `progress(done, all)` of its bytes on the way. The answer, as of `ask`. */
export function send(path, form, progress) {
  return new Promise((answered, refused) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(credentials())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress(loaded, total);
    request.onerror = () => refused(new Problem(0, "The service does not answer."));
    request.onload = () => {
      const { status, response } = request;
      if (status < 300) answered(response?.success === true ? response.data : response);
      else refused(new Problem(status, reason(response) || `The service answers ${status}.`));
    };
    request.send(form);
  });
}

async function sent(path, { headers = {}, ...asked }) {
  try {
    return await fetch(path, { ...asked, headers: { ...credentials(), ...headers }, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer.");
  }
}

function content(body, form) {
  if (form) return { body: form instanceof FormData ? form : new URLSearchParams(form) };
  if (body === undefined) return {};
  return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

function credentials() {
  if (!credential) return {};
  if (credential.kind === "key") return { "x-api-key": credential.value };
  const headers = { authorization: `Bearer ${credential.value}` };
  if (environment) headers["x-env-id"] = environment;
  return headers;
}

function reason(document) {
  const detail = document?.error?.message ?? document?.detail ?? document?.message;
  if (Array.isArray(detail)) return detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
  return typeof detail === "string" ? detail : "";
}
