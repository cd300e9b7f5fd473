// One question that goes on being answered: pushed over SSE where that works, polled where not.

import { ask, Problem, signedIn } from "./service.js";

const POLL = 2000;
const TRY_LIVE_AGAIN = 15000;

/**
 * Follow the question that is asked at `path`, and listened to with `listening` (null: asked once),
 * until `signal`. `show(document)` gets each answer, `told(state)` where they come from ("live",
 * "polling", "once") and `failed(problem)` what went wrong; it goes on trying.
 */
export function follow(path, listening, signal, { show, told, failed }) {
  let seen = "";

  async function once() {
    try {
      const found = await ask(path, { signal });
      if (!signal.aborted) show(found);
      return true;
    } catch (problem) {
      if (!signal.aborted) failed(problem);
      return problem instanceof Problem && (problem.status === 0 || problem.status >= 429);
    }
  }

  async function poll(until) {
    told("polling");
    while (!signal.aborted && Date.now() < until) {
      await pause(POLL, signal);
      if (signal.aborted || !(await once())) return false;
    }
    return true;
  }

  async function listen() {
    const asked = new URLSearchParams(listening);
    if (signedIn()) {
      const { ticket } = await ask("/api/v1/analytics/live/ticket", { method: "POST", signal });
      asked.set("ticket", ticket);
    }
    if (seen) asked.set("lastEventId", seen);
    if (!signal.aborted) await pushed(asked);
  }

  function pushed(asked) {
    const source = new EventSource(`/api/v1/analytics/live?${asked}`);
    return new Promise((ended) => {
      signal.addEventListener("abort", ended);
      source.onerror = ended;
      source.onmessage = (event) => {
        if (signal.aborted) return;
        seen = event.lastEventId;
        told("live");
        show(JSON.parse(event.data).data);
      };
    }).finally(() => source.close());
  }

  async function run() {
    told("once");
    let goes = await once();
    while (listening && goes && !signal.aborted) {
      await listen().catch(() => {});
      if (!signal.aborted) goes = await poll(Date.now() + TRY_LIVE_AGAIN);
    }
  }

  run();
}

/** Wait so many ms, or until `signal`. */
export function pause(ms, signal) {
  return new Promise((done) => {
    const waiting = setTimeout(done, ms);
    signal.addEventListener("abort", () => [clearTimeout(waiting), done()], { once: true });
  });
}
