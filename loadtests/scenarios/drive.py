"""The process that sends: open loop over connections of its own, telling how it goes.

What is refused (408, 429, 503) or lost is sent again with the same bytes, until the scenario's
patience ends; its latency counts from when it was due at first.

    python -m loadtests.scenarios.drive < order.json > told.ndjson
"""

import asyncio
import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import uvloop

from loadtests.bodies import head
from loadtests.lines import body
from loadtests.scenarios.lanes import Lane, Request
from loadtests.scenarios.ledger import AGAIN, GOOD, NO_ANSWER, Ledger
from loadtests.scenarios.told import Order, Outcome, Second
from loadtests.scenarios.traffic import Ask, Batch, asks, batches, source
from loadtests.scenarios.written import Scenario, parsed, shortened
from service.client.connection import backoff

PATH = "/api/v1/events/batch"
_LOOK_SECONDS = 1.0
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.I)


class Drive:
    """One run of a scenario."""

    def __init__(self, order: Order, scenario: Scenario) -> None:
        self._order = order
        self._scenario = scenario
        self._place = urlsplit(order.url)
        self._ledger = Ledger(len(order.keys), [read.path for read in scenario.reads])
        self._batches = Lane(self._place, self._batch_heard)
        self._asks = Lane(self._place, self._ask_heard)
        self._settled = asyncio.Event()

    async def run(self) -> Outcome:
        """Send everything and wait for the answers. Raises OSError if nothing listens."""
        await self._batches.open(self._scenario.connections)
        if self._scenario.reads:
            await self._asks.open(self._scenario.connections)
        wall, self._began = time.time(), time.monotonic()
        self._last = self._began
        telling = asyncio.create_task(self._tell())
        await asyncio.gather(
            self._batches.loop.keep_time(self._due_batches(wall)),
            self._asks.loop.keep_time(self._due_asks()),
        )
        await self._settle()
        telling.cancel()
        _say(self._ledger.second(math.ceil(self._last - self._began)))
        self._batches.close()
        self._asks.close()
        return self._ledger.outcome(wall, self._last - self._began)

    def _due_batches(self, wall: float) -> Iterator[tuple[float, Request]]:
        recorded = source(self._scenario, Path(self._order.folder))
        for batch in batches(self._scenario, recorded, self._order.run, wall):
            key = self._order.keys[batch.tenant]
            request = Request(batch, self._head("POST", PATH, key, len(batch.body)) + batch.body)
            due = self._began + batch.due
            yield due, request
            self._ledger.due(batch, max(0.0, time.monotonic() - due))

    def _due_asks(self) -> Iterator[tuple[float, Request]]:
        for ask in asks(self._scenario):
            path = self._scenario.reads[ask.read].path
            yield self._began + ask.due, Request(ask, self._head("GET", path, self._order.keys[0]))

    def _head(self, method: str, path: str, key: str, length: int | None = None) -> bytes:
        place = self._place
        headers = {"x-api-key": key}
        return head(method, place.path.rstrip("/") + path, headers, length, place.netloc)

    def _batch_heard(self, request: Request, answer: bytes, end: int) -> None:
        batch = request.what
        assert isinstance(batch, Batch)
        self._last = now = time.monotonic()
        status = answer[9:12].decode("latin-1") or NO_ANSWER
        if status in GOOD:
            since = now - self._began - batch.due, now - request.written
            self._ledger.taken(batch, body(answer, end), now, since)
        else:
            self._ledger.not_taken(status, body(answer, end))
            if status in AGAIN or status == NO_ANSWER:
                loop = asyncio.get_running_loop()
                loop.call_later(_pause(request, answer, end), self._batches.loop.put, request)
                return
        self._ledger.waiting -= 1
        self._settled.set()

    def _ask_heard(self, request: Request, answer: bytes, end: int) -> None:
        ask = request.what
        assert isinstance(ask, Ask)
        status = answer[9:12].decode("latin-1") or NO_ANSWER
        if status in GOOD:
            self._ledger.read(ask.read, time.monotonic() - self._began - ask.due)
        else:
            self._ledger.not_taken(f"{status} to a question", body(answer, end))

    async def _tell(self) -> None:
        """A line a second."""
        for at in range(1, 1 << 40):
            await asyncio.sleep(max(0.0, self._began + at * _LOOK_SECONDS - time.monotonic()))
            self._batches.end_silent_ones()
            self._asks.end_silent_ones()
            _say(self._ledger.second(at))

    async def _settle(self) -> None:
        """Wait until all batches are answered for good, or patience has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._scenario.patience):
                while self._ledger.waiting:
                    self._settled.clear()
                    await self._settled.wait()


def _pause(request: Request, answer: bytes, end: int) -> float:
    """Seconds to wait before the same request is sent again."""
    asked = _RETRY_AFTER.search(answer, 0, end + 2)
    return backoff(request.tries, float(asked[1]) if asked else 0.0)


def _say(told: Second | Outcome) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    scenario = shortened(parsed(order.text, "scenario"), order.duration, order.rate)
    _say(uvloop.run(Drive(order, scenario).run()))


if __name__ == "__main__":
    main()
