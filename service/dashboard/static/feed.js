// One question that goes on being answered: pushed over SSE where that works, polled where not.

import { ask, Problem, signedIn } from "./service.js";

const POLL = 2000;
const TRY_LIVE_AGAIN = 15000;

/**
 * Follow a question until `stop()`. `show(document)` gets each answer, `told(state)` where they come
 * from ("live", "polling", "once") and `failed(problem)` what went wrong; it goes on trying.
 */
export function follow(parameters, live, { show, told, failed }) {
  const ending = new AbortController();
  let source = null;
  let seen = "";

  async function once() {
    try {
      show(await ask(`/api/v1/analytics/metrics?${parameters}`, { signal: ending.signal }));
      return true;
    } catch (error) {
      if (error.name !== "AbortError") failed(error);
      return error instanceof Problem && (error.status === 0 || error.status >= 429);
    }
  }

  async function poll(until) {
    told("polling");
    while (!ending.signal.aborted && Date.now() < until) {
      if (!(await once())) return false;
      await new Promise((done) => setTimeout(done, POLL));
    }
    return true;
  }

  async function listen() {
    const asked = new URLSearchParams(parameters);
    if (signedIn()) {
      const ticket = await ask("/api/v1/analytics/live/ticket", { method: "POST", signal: ending.signal });
      asked.set("ticket", ticket.ticket);
    }
    if (seen) asked.set("lastEventId", seen);
    await new Promise((ended) => {
      source = new EventSource(`/api/v1/analytics/live?${asked}`);
      ending.signal.addEventListener("abort", ended);
      source.onmessage = (event) => {
        seen = event.lastEventId;
        told("live");
        show(JSON.parse(event.data).data);
      };
      source.onerror = ended;
    });
    source.close();
  }

  async function run() {
    if (!live) {
      told("once");
      await once();
      return;
    }
    let goes = await once();
    while (goes && !ending.signal.aborted) {
      await listen().catch(() => {});
      goes = await poll(Date.now() + TRY_LIVE_AGAIN);
    }
  }

  run();
  return {
    stop() {
      ending.abort();
      source?.close();
    },
  };
}
