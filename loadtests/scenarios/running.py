"""A run from its beginning to its verdict: the process that sends, and the watch over it."""

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loadtests.processes import ROOT
from loadtests.scenarios.reckoning import Verdict, reckon
from loadtests.scenarios.told import Order, Outcome, Second
from loadtests.scenarios.watching import Shown
from loadtests.scenarios.written import Scenario, parsed, shortened
from service.client import Client, ClientOptions
from service.errors import HeadraceError

_LAG_PAUSE = 0.05
_FIRST_PATIENCE = 3.0
"""Seconds in which a service has to answer before anything is sent."""


class DidNotRun(Exception):
    """A run that could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where events are sent, and the key of each tenant."""

    url: str
    keys: Sequence[str]


class Run(msgspec.Struct, kw_only=True, frozen=True):
    """All that is known of a run."""

    name: str
    about: str
    text: str
    """The scenario, as it is written."""
    url: str
    run: str
    """What the ids of its events begin with."""
    seconds: list[Second]
    lags: list[tuple[float, float]]
    """(seconds after the beginning, ms from an acknowledgement until it was counted)."""
    outcome: Outcome
    verdict: Verdict


@dataclass(slots=True)
class Watch:
    """What was heard so far."""

    seconds: list[Second] = field(default_factory=list)
    lags: list[tuple[float, float]] = field(default_factory=list)
    outcome: Outcome | None = None
    newest: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lag(self) -> float | None:
        return self.lags[-1][1] if self.lags else None


def read(path: Path, duration: float | None = None, rate: float | None = None) -> Scenario:
    """The scenario of a file. Raises WrongScenario."""
    return shortened(parsed(path.read_text("utf-8"), str(path)), duration, rate)


async def carry_out(
    path: Path,
    target: Target,
    shown: Shown,
    duration: float | None = None,
    rate: float | None = None,
) -> Run:
    """Run a scenario against a service and compare. Raises WrongScenario, DidNotRun, and as the
    service answers."""
    scenario = read(path, duration, rate)
    order = _order(path, target.url, target.keys[: scenario.tenants.count], duration, rate)
    async with _clients(order, ClientOptions(patience=_FIRST_PATIENCE)) as clients:
        await asyncio.gather(*(client.stats() for client in clients))
    async with _clients(order, ClientOptions()) as clients:
        watch = await _watched(order, clients[0], shown)
        assert watch.outcome
        verdict = await reckon(clients, scenario, order.run, watch.outcome)
    return Run(
        name=path.stem,
        about=scenario.about,
        text=order.text,
        url=order.url,
        run=order.run,
        seconds=watch.seconds,
        lags=watch.lags,
        outcome=watch.outcome,
        verdict=verdict,
    )


def _order(
    path: Path, url: str, keys: Sequence[str], duration: float | None, rate: float | None
) -> Order:
    return Order(
        text=path.read_text("utf-8"),
        folder=str(path.parent.resolve()),
        url=url.rstrip("/"),
        keys=keys,
        run=f"lt{secrets.token_hex(4)}",
        duration=duration,
        rate=rate,
    )


@asynccontextmanager
async def _clients(order: Order, options: ClientOptions) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        made = [Client(order.url, key, options) for key in order.keys]
        yield [await stack.enter_async_context(client) for client in made]


async def _watched(order: Order, client: Client, shown: Shown) -> Watch:
    """Let the order be carried out, listening to what is told of it."""
    watch, began = Watch(), time.monotonic()
    lagging = asyncio.create_task(_look_for_lag(watch, client, began))
    try:
        with shown:
            async for told in _told(order):
                if isinstance(told, Outcome):
                    watch.outcome = told
                else:
                    watch.seconds.append(told)
                    watch.newest.set()
                    shown.show(told, watch.lag)
    finally:
        lagging.cancel()
        await asyncio.gather(lagging, return_exceptions=True)
    return watch


async def _told(order: Order) -> AsyncIterator[Second | Outcome]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.scenarios.drive"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
        async for line in process.stdout:
            yield msgspec.json.decode(line, type=Second | Outcome)
        words = (await process.stderr.read()).decode(errors="replace").strip()
        if await process.wait():
            raise DidNotRun(f"the generator ended: {words.splitlines()[-1] if words else ''}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _look_for_lag(watch: Watch, client: Client, began: float) -> None:
    """How old the newest receipt is when its events are counted, again and again."""
    while True:
        await watch.newest.wait()
        watch.newest.clear()
        last = watch.seconds[-1]
        with suppress(HeadraceError):
            if last.receipt:
                now = await _when_queryable(client, last.receipt)
                watch.lags.append((now - began, (now - last.received) * 1000))


async def _when_queryable(client: Client, receipt: str) -> float:
    while True:
        if (await client.receipt(receipt)).state == "queryable":
            return time.monotonic()
        await asyncio.sleep(_LAG_PAUSE)
