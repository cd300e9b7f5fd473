"""The load generator: a process of its own that sends prepared requests and times the answers.

Closed loop: every connection sends its next request when the last one is answered. Open loop
(`rate`): requests are due at fixed moments whatever the answers do, and a request's latency counts
from the moment it was due, so that a stalled service is not measured by the requests it held up
(coordinated omission).

    python -m loadtests.generator < load.json > sent.json
"""

import asyncio
import itertools
import re
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import uvloop

from loadtests.bodies import Events, Question
from loadtests.lines import Line
from loadtests.open_loop import OpenLoop
from loadtests.signed_bodies import SignedEvents

SAMPLE_SECONDS = 0.5
_Requests = Question | Events | SignedEvents
_COME_AGAIN = {"429", "503"}
"""Refusals that have to say when to come again."""
_AT_STORE = re.compile(rb"server-timing: store;dur=([\d.]+)")


class Load(msgspec.Struct, kw_only=True, frozen=True):
    """What to send, and how."""

    port: int
    paths: Sequence[str]
    """Questions are asked in turn by each connection; events all go to the first."""
    what: Literal["question", "event", "batch", "signed"]
    headers: Mapping[str, str] = {}
    connections: int
    seconds: float
    rate: float | None = None
    """Requests a second; None sends as fast as answers come."""
    batch: int = 500
    status: int = 202
    """The status of a good answer; every other one is an error."""
    most: int | None = None
    """Requests after which it ends, whatever the time."""
    mark: str = ""
    """A text to look for in good answers."""


class Sent(msgspec.Struct, kw_only=True):
    """What was sent and what came back. Latencies are milliseconds."""

    answered: int
    """Requests answered well."""
    marked: int
    """Good answers with the text that was looked for."""
    errors: dict[str, int]
    began: float
    """When it began, by the clock `time.monotonic`."""
    seconds: float
    """From the first request to the last answer."""
    p50: float
    p95: float
    p99: float
    worst: float
    store_p50: float | None
    """What the service said that its store took (`Server-Timing`), at the median."""
    cpu_seconds: float
    """What the generator itself took."""
    server_seconds: float = 0.0
    """Processor time of the server meanwhile, told by whoever watches it."""
    samples: list[tuple[float, int]]
    """(`time.monotonic`, requests answered well by then), every half second."""
    last: str
    """The body of the last good answer, as far as it is text."""

    @property
    def rate(self) -> float:
        """Requests answered well, a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def cost(self) -> float:
        """Processor time of the server for a request, in microseconds."""
        return self.server_seconds / self.answered * 1e6 if self.answered else 0.0


class _Connection(Line):
    """A connection, and the requests that are its own."""

    def __init__(self, run: "_Run", requests: _Requests) -> None:
        super().__init__()
        self._run = run
        self._requests = requests
        self._due = 0.0

    def send(self, due: float) -> None:
        self._due = due
        self.write(self._requests.next())

    def answered(self, answer: bytes, end: int) -> None:
        self._run.answered(self, self._due, answer, end)

    def lost(self) -> None:
        self._run.lost()


class _Run:
    """One load under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._good = b"%d" % load.status
        self._mark = load.mark.encode()
        self._marked = 0
        self._open_loop: OpenLoop[_Connection, float] = OpenLoop(self._send)
        self._under_way = 0
        self._started = 0
        self._latencies: list[float] = []
        self._at_store: list[float] = []
        self._errors: Counter[str] = Counter()
        self._last = b""
        self._ended = asyncio.Event()

    async def carry_out(self) -> Sent:
        connections = [await self._connect(requests) for requests in _requests(self._load)]
        self._began = time.monotonic()
        self._until = self._began + self._load.seconds
        sampling = asyncio.create_task(self._sample())
        if self._load.rate:
            for connection in connections:
                self._open_loop.freed(connection)
            await self._open_loop.keep_time(self._timetable(self._load.rate))
        else:
            for connection in connections:
                self._send_next(connection)
        await self._end()
        ended = time.monotonic()
        sampling.cancel()
        for connection in connections:
            connection.close()
        return self._sent(ended)

    def answered(self, connection: _Connection, due: float, answer: bytes, end: int) -> None:
        """Take the answer to the request that was due at `due`, and go on."""
        now = time.monotonic()
        self._under_way -= 1
        if answer[9:12] == self._good:
            self._latencies.append(now - due)
            self._last = answer
            if told := _AT_STORE.search(answer, 0, end):
                self._at_store.append(float(told[1]))
            if self._mark and self._mark in answer:
                self._marked += 1
        else:
            status = answer[9:12].decode("latin-1")
            again = status not in _COME_AGAIN or answer.find(b"\r\nretry-after: ", 0, end) >= 0
            self._errors[status if again else f"{status} without Retry-After"] += 1
        if self._load.rate is None:
            self._send_next(connection)
        else:
            self._open_loop.freed(connection)
        if not self._under_way:
            self._ended.set()

    def lost(self) -> None:
        """Note a connection that the service closed."""
        if not self._ended.is_set():
            self._errors["connection lost"] += 1
            self._under_way -= 1

    def _send_next(self, connection: _Connection) -> None:
        now = time.monotonic()
        if now < self._until and self._started != self._load.most:
            self._send(connection, now)

    def _send(self, connection: _Connection, due: float) -> None:
        self._started += 1
        self._under_way += 1
        connection.send(due)

    def _timetable(self, rate: float) -> Iterator[tuple[float, float]]:
        """When each request is due, twice: as its moment and as what is told to the connection."""
        for number in itertools.count():
            due = self._began + number / rate
            if due >= self._until:
                return
            yield due, due

    async def _end(self) -> None:
        """Wait for what is under way, but not for ever."""
        patience = max(0.0, self._until - time.monotonic()) + 10
        while self._under_way and patience > 0:
            self._ended.clear()
            before = time.monotonic()
            try:
                await asyncio.wait_for(self._ended.wait(), patience)
            except TimeoutError:
                self._errors["no answer"] += self._under_way
                break
            patience -= time.monotonic() - before
        self._ended.set()

    async def _connect(self, requests: _Requests) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self, requests), "127.0.0.1", self._load.port
        )
        return connection

    async def _sample(self) -> None:
        self._samples = [(self._began, 0)]
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            self._samples.append((time.monotonic(), len(self._latencies)))

    def _sent(self, ended: float) -> Sent:
        latencies = np.array(self._latencies or [float("nan")]) * 1000
        p50, p95, p99 = (float(p) for p in np.percentile(latencies, (50, 95, 99)))
        return Sent(
            answered=len(self._latencies),
            marked=self._marked,
            errors=dict(self._errors),
            began=self._began,
            seconds=ended - self._began,
            p50=p50,
            p95=p95,
            p99=p99,
            worst=float(latencies.max()),
            store_p50=float(np.median(self._at_store)) if self._at_store else None,
            cpu_seconds=time.process_time(),
            samples=self._samples,
            last=self._last.partition(b"\r\n\r\n")[2].decode(errors="replace"),
        )


def _requests(load: Load) -> list[_Requests]:
    """The requests of each connection."""
    if load.what == "question":
        return [Question(load.paths, load.headers) for _ in range(load.connections)]
    size = 0 if load.what == "event" else load.batch
    run, numbers = secrets.token_hex(4), itertools.count()
    path, kind = load.paths[0], SignedEvents if load.what == "signed" else Events
    return [kind(path, load.headers, size, run, numbers) for _ in range(load.connections)]


async def _carry_out(load: Load) -> Sent:
    return await _Run(load).carry_out()


if __name__ == "__main__":
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_carry_out(order))))
