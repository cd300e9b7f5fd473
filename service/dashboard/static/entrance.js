// Signing in and out, and the environment that is looked at.

import { go, settle, view } from "./address.js";
import { ask, become, enter, isUser, signedIn } from "./service.js";
import { element, part } from "./words.js";

/** What names a thing of the environment that is left. */
const OF_ONE_ENVIRONMENT = { saved: "", params: "", pipeline: "" };

/**
 * Set up the entrance. When somebody else looks, or at something else, `forget()` is called before
 * `look()`.
 */
export function entrance({ forget, look }) {
  const dialog = part("sign-in-dialog");
  const problem = part("sign-in-problem");

  async function attempt(event, work) {
    event.preventDefault();
    problem.textContent = "";
    try {
      const somebody = await work(Object.fromEntries(new FormData(event.target)));
      if (!somebody) return;
      become(somebody);
      await arrived();
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  async function arrived() {
    forget();
    part("sign-in").hidden = signedIn();
    part("sign-out").hidden = !signedIn();
    await listEnvironments();
    look();
  }

  part("with-key").addEventListener("submit", (event) =>
    attempt(event, ({ key }) => ({ kind: "key", value: key.trim() })));
  part("with-password").addEventListener("submit", (event) =>
    attempt(event, async ({ email, password }) => {
      const given = await ask("/api/auth/jwt/login", { method: "POST", form: { username: email, password } });
      return { kind: "user", value: given.access_token };
    }));
  part("with-code").addEventListener("submit", (event) =>
    attempt(event, ({ email, code }) => (part("code-field").hidden ? send(email) : verify(email, code))));
  part("sign-in").addEventListener("click", () => open());
  part("sign-out").addEventListener("click", async () => {
    if (isUser()) await ask("/api/auth/logout", { method: "POST" }).catch(() => {});
    become(null);
    settle({ env: "" });
    await arrived();
  });
  part("environment").addEventListener("change", (event) => {
    forget();
    enter(event.target.value);
    go({ ...OF_ONE_ENVIRONMENT, env: event.target.value });
  });

  async function send(email) {
    await ask("/api/auth/request-code", { method: "POST", body: { email } });
    part("code-field").hidden = false;
    part("with-code").querySelector("button").textContent = "Sign in with the code";
    part("code-field").querySelector("input").focus();
    return null;
  }

  async function verify(email, code) {
    const given = await ask("/api/auth/verify", { method: "POST", body: { email, code } });
    return { kind: "user", value: given.token };
  }

  function open(why = "") {
    problem.textContent = why;
    if (!dialog.open) dialog.showModal();
  }

  return { arrived, open };
}

/** Users choose among their environments, the active one first; a key has one. */
async function listEnvironments() {
  part("environments").hidden = true;
  enter("");
  if (!isUser()) return;
  const [found, me] = await Promise.all([ask("/api/envs?size=500"), ask("/api/users/me")]);
  const choice = part("environment");
  choice.replaceChildren(...found.items.map((one) => Object.assign(element("option", one.name), { value: one.id })));
  const wanted = [view().env, me.active_env_id].find((id) => found.items.some((one) => one.id === id));
  if (wanted) choice.value = wanted;
  enter(choice.value);
  part("environments").hidden = found.items.length < 2;
}
