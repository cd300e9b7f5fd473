"""Whatever is sent, and wherever the writer dies: the store holds what the log holds, once.

A story is told to a real broker and a real engine. A death is an error at any call of the writer or
the rollup to stream, store, engine or ledger, before that call is carried out or after it; who
comes next knows nothing but what those keep. HEADRACE_TEST_CASES tells more stories.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from inspect import iscoroutinefunction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from service.migrate import migrate
from service.rollup import Rollup
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import EventStore
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.nats_child import NatsChild
from service.writer import Writer
from tests.building import an_event, quick_settings
from tests.flows.test_writer import Road
from tests.stores import RememberedLedger

STORIES = int(os.environ.get("HEADRACE_TEST_CASES", "40"))
HOURS = (0, 0, 0, 1, 30, 800)
"""How late events are: one group stores those of several months apart from the others."""
IDS = "SELECT event_id FROM events WHERE tenant = '{}' ORDER BY position, ordinal"
numbers = st.lists(st.integers(0, 15), min_size=1, max_size=6)
calls = st.integers(0, 60)


class Died(Exception):
    """The process is gone."""


@dataclass
class Fate:
    """How many calls are left; each counts twice, before and after it is carried out."""

    left: int | None = None

    def tick(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Died


class Mortal:
    """A part, called by somebody who may die at any call."""

    def __init__(self, part: Any, fate: Fate) -> None:
        self._part, self._fate = part, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._calling(found) if iscoroutinefunction(found) else found

    def _calling(self, found: Callable) -> Callable:
        async def call(*values: Any, **named: Any) -> Any:
            self._fate.tick()
            answer = await found(*values, **named)
            self._fate.tick()
            return answer

        return call


@dataclass
class Lasting:
    """What outlives every writer."""

    runner: asyncio.Runner
    stream: JetStream
    ask: Callable[[str], list[str]]
    """The first column of what a text asks for."""
    store_for: Callable[[Fate], EventStore]
    writer: type[Writer] = Writer
    tenants: Iterator[int] = field(default_factory=count)
    told: int = 0
    """The last dead letter that was looked at."""


class Story(RuleBasedStateMachine):
    """What one tenant sends, and what becomes of it."""

    def __init__(self, lasting: Lasting) -> None:
        super().__init__()
        self.lasting, self.run = lasting, lasting.runner.run
        self.tenant = f"env_{next(lasting.tenants)}"
        self.log: list[str] = []
        self.poison = 0
        self.fate = Fate()
        self.begin()

    def begin(self) -> None:
        """Somebody new, who knows nothing."""
        self.fate.left = None
        stream, self.store = self.lasting.stream, self.lasting.store_for(self.fate)
        often = quick_settings(dedupe_ids=6, stream_keep_seconds=0, group_seconds=0.0)
        self.road = Road(self.store, stream, self.store, often)
        mortal = Mortal(stream, self.fate)
        self.road.writer = self.lasting.writer(mortal, self.store, self.road.mark, often)
        self.rollup = Rollup(self.store)

    @rule(batch=numbers)
    def send(self, batch: list[int]) -> None:
        events = [an_event(f"e{n}", after=-3600 * HOURS[n % len(HOURS)]) for n in batch]
        self.run(self.road.send(*events, tenant=self.tenant))
        self.log += [event.event_id for event in events]

    @rule()
    @precondition(lambda self: self.poison < 3)
    def send_rubbish(self) -> None:
        self.poison += 1
        name = f"{self.tenant}-{self.poison}"
        self.run(self.lasting.stream.publish(self.tenant, name, b"rubbish", 30))

    @rule(calls=calls)
    def die_while_storing(self, calls: int) -> None:
        self.die_in(self.road.writer.drain, calls)

    @rule(calls=calls)
    def die_while_rolling(self, calls: int) -> None:
        self.die_in(self.rollup.roll, calls)

    def die_in(self, doing: Callable, calls: int) -> None:
        self.fate.left = calls
        try:
            self.run(doing())
        except Died:
            self.begin()
        self.fate.left = None

    @rule()
    def store_all(self) -> None:
        self.run(self.road.writer.drain())
        assert self.lasting.ask(IDS.format(self.tenant)) == list(dict.fromkeys(self.log))

    def teardown(self) -> None:
        self.store_all()
        letters = self.run(self.lasting.stream.dead_letters(self.lasting.told, 100))
        assert [letter.tenant for letter in letters] == [self.tenant] * self.poison
        self.lasting.told = letters[-1].sequence if letters else self.lasting.told
        self.run(self.rollup.roll())
        assert all(finding.ok for finding in self.run(self.rollup.verify()))


async def open_lasting(parts: AsyncExitStack, folder: Path, engine: str, runner) -> Lasting:
    broker = NatsChild(folder / "stream")
    await broker.start()
    parts.push_async_callback(broker.stop)
    stream = await open_jetstream(broker.url, 2**30, 120)
    parts.push_async_callback(stream.close)
    if engine == "duckdb":
        return await on_duckdb(parts, folder, stream, runner)
    return await on_clickhouse(parts, folder, stream, runner)


async def on_duckdb(parts: AsyncExitStack, folder: Path, stream, runner) -> Lasting:
    store = DuckDBStore.open(folder / "events.duckdb")
    parts.push_async_callback(store.close)
    await migrate(store)

    def ask(text: str) -> list[str]:
        return [row[0] for row in store._database.cursor().execute(text).fetchall()]

    return Lasting(runner, stream, ask, lambda fate: Mortal(store, fate))


async def on_clickhouse(parts: AsyncExitStack, folder: Path, stream, runner) -> Lasting:
    engine, ledger = await InProcess.open(folder / "chdb"), RememberedLedger()
    parts.push_async_callback(engine.close)
    await migrate(ClickHouseStore(engine, ledger, shared=False))

    def ask(text: str) -> list[str]:
        return runner.run(engine.ask(text, {}, None, {}))["event_id"].to_pylist()

    def store_for(fate: Fate) -> EventStore:
        return ClickHouseStore(Mortal(engine, fate), Mortal(ledger, fate), shared=False)

    return Lasting(runner, stream, ask, store_for)


@pytest.fixture(params=["duckdb", "clickhouse"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lasting]:
    with asyncio.Runner() as runner:
        parts = AsyncExitStack()
        yield runner.run(open_lasting(parts, tmp_path, request.param, runner))
        runner.run(parts.aclose())


def tell(lasting: Lasting, stories: int = STORIES) -> None:
    told = settings(max_examples=stories, stateful_step_count=12, phases=[Phase.generate])
    run_state_machine_as_test(lambda: Story(lasting), settings=told)


@pytest.mark.timeout(3600)
def test_every_story_ends_with_each_event_stored_once(lasting):
    tell(lasting)


class Forgetful(Writer):
    """Asks nobody whether an event is stored already."""

    async def _recognise(self, incoming):
        return np.empty(0, np.uint32)


class Hurried(Writer):
    """Believes that what the stream held when it began is stored."""

    async def begin(self):
        await super().begin()
        state = await self._stream.state()
        self._stored = replace(self._stored, sequence=state.last_sequence)


@pytest.mark.parametrize("broken", [Forgetful, Hurried])
def test_a_writer_that_doubles_or_loses_is_found_out(lasting, broken):
    lasting.writer = broken
    with pytest.raises(AssertionError):
        tell(lasting, 60)
