"""The write road from the door to the store: a real broker and each engine, one process."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import AnalyticsUnavailable, StoreFenced
from service.events import pack
from service.hints import Hints
from service.ingest import Ingest
from service.migrate import migrate
from service.near_net import NearNet, remember_stored
from service.publisher import Publisher
from service.receipts import Receipts
from service.settings import Settings
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.duckdb import DuckDBStore
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, EventStore, Statement
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.ledger import BUCKET, NatsLedger
from service.stream.nats_child import NatsChild
from service.telemetry import far_lookups, stream_gaps
from service.writer import Writer
from tests.building import (
    TENANT,
    a_batch,
    an_event,
    quick_settings,
    with_one_digest,
)

STORED = "SELECT position, ordinal, tenant, event_id FROM events ORDER BY position, ordinal"


@dataclass
class Road:
    """Door, stream, writer and store of one service."""

    database: DuckDBStore | ClickHouseStore
    stream: JetStream
    store: EventStore
    settings: Settings
    mark: Mark = field(default_factory=Mark)

    def __post_init__(self):
        self.writer = Writer(self.stream, self.store, self.mark, self.settings)
        publisher = Publisher(self.stream, self.mark, Hints(self.writer.near_net), self.settings)
        self.ingest = Ingest(publisher, Receipts(b"secret"), self.settings)

    async def send(self, *events, tenant=TENANT):
        """Through the door, as one batch; a text is the event with that id."""
        records = [an_event(e) if isinstance(e, str) else e for e in events]
        return await self.ingest.accept(tenant, records)

    async def carry(self, *batches):
        """Batches through the door, each stored before the next comes."""
        for batch in batches:
            await self.send(*batch)
            await self.writer.drain()

    async def rows(self) -> list[tuple[int, int, str, str]]:
        """(position, ordinal, tenant, id) of all that is stored once the stream is read."""
        await self.writer.drain()
        if isinstance(self.database, DuckDBStore):
            return self.database._database.cursor().execute(STORED).fetchall()
        table = await self.database._engine.ask(STORED, {}, None, {})
        return [tuple(row.values()) for row in table.to_pylist()]

    async def ids(self) -> list[str]:
        return [row[3] for row in await self.rows()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The writer runs meanwhile."""
        running = asyncio.create_task(self.writer.run())
        yield
        self.writer.stop()
        await running

    async def counted(self, position: int) -> bool:
        return await self.mark.wait(position, timeout=30)


@dataclass
class Home:
    """Where a service keeps its data, and how it is opened there."""

    folder: Path
    engine: str = "duckdb"

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[NatsChild]:
        child = NatsChild(self.folder / "stream")
        await child.start()
        try:
            yield child
        finally:
            await child.stop()

    @asynccontextmanager
    async def road(self, wrap: Callable = lambda store: store, **changed) -> AsyncIterator[Road]:
        async with self.broker() as broker, self.road_on(broker, wrap, **changed) as road:
            yield road

    @asynccontextmanager
    async def road_on(
        self, broker: NatsChild, wrap: Callable = lambda store: store, **changed
    ) -> AsyncIterator[Road]:
        settings = quick_settings(**changed)
        async with AsyncExitStack() as parts:
            stream = await open_jetstream(broker.url, settings.stream_max_bytes, 120)
            parts.push_async_callback(stream.close)
            store = await self._open_store(stream)
            parts.push_async_callback(store.close)
            await migrate(store)
            road = Road(store, stream, wrap(store), settings)
            await road.writer.begin()
            yield road

    async def _open_store(self, stream: JetStream) -> DuckDBStore | ClickHouseStore:
        if self.engine == "duckdb":
            return DuckDBStore.open(self.folder / "events.duckdb")
        ledger = NatsLedger(await stream.bucket(BUCKET))
        return ClickHouseStore(await InProcess.open(self.folder / "chdb"), ledger, shared=False)


@pytest.fixture(params=["duckdb", "clickhouse"])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Home:
    return Home(tmp_path, request.param)


@pytest.fixture
async def road(home: Home) -> AsyncIterator[Road]:
    async with home.road() as opened:
        yield opened


# Counting once


async def test_what_went_through_the_door_is_stored_in_stream_order(road):
    verdicts = [await road.send("a", "b"), await road.send("c")]
    first, second = (v.position for v in verdicts)
    assert await road.rows() == [
        (first, 0, TENANT, "a"),
        (first, 1, TENANT, "b"),
        (second, 0, TENANT, "c"),
    ]
    assert road.mark.progress.position == second


async def test_repeats_are_stored_once_however_they_are_cut_and_ordered(road):
    await road.send("a", "b", "a", "c")
    await road.send("c", "b")
    await road.carry(["d"], ["b", "d", "e"], ["e", "c", "b", "a"], ["a"], ["f"])
    assert await road.ids() == ["a", "b", "c", "d", "e", "f"]


async def test_the_same_id_of_two_tenants_is_two_events(road):
    await road.send("a", tenant="env_x")
    await road.send("a", tenant="env_y")
    assert [(row[2], row[3]) for row in await road.rows()] == [("env_x", "a"), ("env_y", "a")]


async def test_repeats_are_recognised_after_a_restart(home):
    for batch in (["a", "b"], ["b", "c"], ["a", "d"]):
        async with home.road() as road:
            await road.carry(batch)
            stored = await road.ids()
    assert stored == ["a", "b", "c", "d"]


async def test_what_was_acknowledged_before_a_restart_is_stored_after_it(home):
    async with home.road() as road:
        await road.send("a", "b")
    async with home.road() as road:
        assert await road.ids() == ["a", "b"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_far_net_recognises_what_the_near_net_forgot(home, restarts):
    batches = [[an_event(f"{k}{n}", after=k) for n in range(20)] for k in range(5)]
    async with home.road(dedupe_ids=4) as road:
        await road.carry(*batches)
        looked_up = far_lookups._value.get()
        if not restarts:
            await road.carry(*batches)
            assert far_lookups._value.get() > looked_up
    async with home.road(dedupe_ids=4) as road:
        await road.carry(*batches)
        assert await road.ids() == [f"{k}{n}" for k in range(5) for n in range(20)]


async def test_two_ids_of_one_digest_are_two_events_and_their_repeats_none(road):
    for n, ids in enumerate((["a"], ["b"], ["b", "a"], ["c", "b"])):
        body = pack(with_one_digest(a_batch(*ids)))
        await road.stream.publish(TENANT, f"m{n}", body, 5)
        await road.writer.drain()
    assert await road.ids() == ["a", "b", "c"]


async def test_an_urgent_event_is_stored_at_once(home):
    async with home.road(group_seconds=3600.0) as road, road.running():
        urgent = await road.send("waits", an_event("urgent", priority=4))
        assert await road.counted(urgent.position)


async def test_a_group_that_is_large_enough_is_stored_at_once(home):
    async with home.road(group_seconds=3600.0, group_events=3) as road, road.running():
        await road.send("a")
        last = await road.send("b", "c")
        assert await road.counted(last.position)


# Poison


async def test_poison_goes_to_the_dead_letters_and_the_flow_goes_on(road):
    await road.send("a")
    await road.stream.publish(TENANT, "junk", b"junk", 5)
    await road.send("b")
    assert await road.ids() == ["a", "b"]
    [letter] = await road.stream.dead_letters(0, 10)
    assert (letter.origin, letter.body) == (1 << EPOCH_SHIFT | 2, b"junk")


async def test_poison_at_the_end_moves_the_mark_and_is_kept_once_over_restarts(home):
    async with home.road() as road:
        await road.stream.publish(TENANT, "junk", b"junk", 5)
        await road.writer.drain()
        assert road.mark.progress.sequence == 1
    async with home.road() as road:
        assert await road.ids() == []
        assert len(await road.stream.dead_letters(0, 10)) == 1


# The stream is another


async def test_a_stream_made_anew_begins_an_epoch_and_nothing_is_lost_or_doubled(home):
    async with home.road() as road:
        await road.carry(["a", "b"], ["c"])
    shutil.rmtree(home.folder / "stream" / "jetstream")
    async with home.road() as road:
        await road.send("c", "d")
        assert await road.ids() == ["a", "b", "c", "d"]
        assert road.mark.progress.epoch == 2


async def test_a_stream_made_anew_under_a_living_connection_is_noticed(road):
    await road.carry(["a"], ["b"], ["c"])
    await road.stream._api("STREAM.DELETE.HEADRACE_EVENTS")
    await road.stream.prepare(1 << 28, 120)
    await road.send("d")
    await road.writer.step(0)
    assert await road.ids() == ["a", "b", "c", "d"]
    assert road.mark.progress.epoch == 2


async def test_a_stream_made_anew_that_has_grown_longer_is_noticed(road):
    await road.carry(["a"])
    await road.stream._api("STREAM.DELETE.HEADRACE_EVENTS")
    await road.stream.prepare(1 << 28, 120)
    for event_id in "bcd":
        await road.send(event_id)
    await road.writer.step(0)
    assert await road.ids() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("new", [[], ["d"], ["d", "e", "f"]], ids=["shorter", "equal", "longer"])
async def test_a_stream_rolled_back_begins_an_epoch_and_nothing_is_lost_or_doubled(home, new):
    held, copy = home.folder / "stream" / "jetstream", home.folder / "copy"
    async with home.road() as road:
        await road.carry(["a"])
    shutil.copytree(held, copy)
    async with home.road() as road:
        await road.carry(["b"])
    shutil.rmtree(held)
    shutil.copytree(copy, held)
    async with home.broker() as broker:
        stream = await open_jetstream(broker.url, 1 << 28, 120)
        for event_id in new:
            await stream.publish(TENANT, event_id, pack(a_batch(event_id)), 5)
        await stream.close()
        async with home.road_on(broker) as road:
            assert await road.ids() == ["a", "b", *new]
            assert road.mark.progress.epoch == 2


async def test_a_new_epoch_is_begun_once(home):
    async with home.road() as road:
        await road.carry(["a"])
    shutil.rmtree(home.folder / "stream" / "jetstream")
    for event_id in ("b", "c"):
        async with home.road() as road:
            await road.carry([event_id])
    async with home.road() as road:
        assert road.mark.progress.epoch == 2
        assert await road.ids() == ["a", "b", "c"]


async def test_messages_lost_from_the_stream_are_noted(road):
    await road.carry(["a"])
    await road.send("b")
    await road.send("c")
    await road.stream._api("STREAM.MSG.DELETE.HEADRACE_EVENTS", {"seq": 2})
    before = stream_gaps._value.get()
    assert await road.ids() == ["a", "c"]
    assert stream_gaps._value.get() == before + 1


# Purging


async def test_purging_keeps_the_last_message_and_never_passes_the_mark(home):
    async with home.road(stream_keep_seconds=0) as road:
        await road.carry(["a"], ["b"])
        await road.send("c")
        await road.writer.step(0)
        await asyncio.sleep(0.01)
        await road.writer.step(0)
        state = await road.stream.state()
        assert (state.first_sequence, state.last_sequence) == (3, 3)
    async with home.road(stream_keep_seconds=0) as road:
        await road.carry(["a", "d"])
        assert road.mark.progress.epoch == 1
        assert await road.ids() == ["a", "b", "c", "d"]


async def test_messages_younger_than_the_margin_are_not_purged(road):
    await road.carry(["a"], ["b"], ["c"])
    await road.writer.step(0)
    assert (await road.stream.state()).first_sequence == 1


async def test_what_an_old_stream_may_forget_is_not_purged_from_a_new_one(home):
    async with home.road(stream_keep_seconds=1) as road:
        await road.carry(["a"], ["b"], ["c"])
        await asyncio.sleep(1.1)
        await road.stream._api("STREAM.DELETE.HEADRACE_EVENTS")
        await road.stream.prepare(1 << 28, 120)
        await road.send("d")
        assert await road.ids() == ["a", "b", "c", "d"]
        assert (await road.stream.state()).first_sequence == 1


# The store or the broker fails


class Failing:
    """A store that fails once when told to: before it does what was asked, or after."""

    def __init__(self, store):
        self._store, self.dialect, self.when = store, store.dialect, {}

    def __getattr__(self, name):
        async def call(*arguments, **options):
            when = self.when.pop(name, None)
            if when == "before":
                raise AnalyticsUnavailable("disk full")
            answer = await getattr(self._store, name)(*arguments, **options)
            if when == "after":
                raise AnalyticsUnavailable("disk full")
            return answer

        return call


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["append", "recognise"])
async def test_a_store_that_fails_once_neither_loses_nor_doubles(home, what, when):
    async with home.road(Failing) as road, road.running():
        first = await road.send("a", "b")
        assert await road.counted(first.position)
        road.store.when = {what: when}
        second = await road.send("b", "c")
        assert await road.counted(second.position)
        third = await road.send("c", "a", "d")
        assert await road.counted(third.position)
        assert not road.store.when
    async with home.road() as road:
        assert await road.ids() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("window", [1, 3, 1000])
@pytest.mark.parametrize("ids", [1, 4, 100])
@pytest.mark.parametrize("filled", [0, 1, 5, 9])
async def test_a_net_filled_from_the_store_knows_or_says_that_it_forgot(road, ids, window, filled):
    await road.carry(*([an_event(f"{k}{n}", after=-k) for n in range(2)] for k in range(9)))
    net, stored = NearNet(ids), road.mark.progress.position
    await remember_stored(net, road.store, first := stored - 9 + filled, window=window)
    await remember_stored(net, road.store, stored, first, window)
    [rows] = await road.store.fetch(Statement("ids_between", {"after": 0, "until": stored}))
    known = net.find(rows["event_key"].to_numpy()) == rows["position"].to_numpy()
    assert known[-ids:].all()
    assert known.all() or max(rows["timestamp"].to_numpy()[~known]) <= net.evicted_until


class Watched:
    """A store that notes from where on ids were read."""

    def __init__(self, store):
        self.store, self.read_after = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def fetch(self, *statements, **options):
        answers = await self.store.fetch(*statements, **options)
        self.read_after += [s.values["after"] for s in statements if s.name == "ids_between"]
        return answers


async def test_a_standby_kept_warm_reads_only_what_is_new_when_its_turn_comes(road):
    store, ours = Watched(road.store), asyncio.Event()
    standby = Writer(road.stream, store, Mark(), road.settings)
    await road.carry(["a"], ["b"])
    warming, known = asyncio.create_task(standby.keep_warm(ours)), road.mark.progress.position
    while not store.read_after:
        await asyncio.sleep(0.01)
    ours.set()
    await warming
    await road.carry(["c"])
    await road.send("a", "b", "c", "d")
    road.writer = standby
    await standby.begin()
    assert await road.ids() == ["a", "b", "c", "d"]
    assert store.read_after[1:] == [known]


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_near_net_is_full_again_before_it_is_trusted(home, restarts):
    async with home.road(Failing) as road:
        await road.carry(["a", "b"])
        await road.send("c")
        road.store.when = {"append": "after"}
        with pytest.raises(AnalyticsUnavailable):
            await road.writer.step(0)
        road.store.when = {"fetch": "before"}
        with pytest.raises(AnalyticsUnavailable):
            await road.writer.step(0)
        if not restarts:
            await road.carry(["a", "b", "c", "d"])
            assert await road.ids() == ["a", "b", "c", "d"]


async def test_two_writers_never_both_store(home):
    async with home.road() as road:
        other = Road(road.database, road.stream, road.store, road.settings)
        await other.writer.begin()
        await road.carry(["a"])
        with pytest.raises(StoreFenced):
            await other.writer.run()
        assert await road.ids() == ["a"]


async def test_the_writer_goes_on_when_the_broker_was_killed(home):
    async with home.broker() as broker, home.road_on(broker) as road, road.running():
        await road.send("a")
        broker._process.kill()
        last = await road.send("a", "b")
        assert await road.counted(last.position)
        assert await road.ids() == ["a", "b"]
        assert road.mark.progress.epoch == 1


async def test_the_writer_stores_what_is_left_when_it_is_told_to_stop(home):
    async with home.road(group_seconds=3600.0) as road:
        async with road.running():
            await road.send("a")
        assert await road.ids() == ["a"]


# Whatever the log, whatever the cutting

logs = st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=5), min_size=1, max_size=8)


@settings(max_examples=12)
@given(logs, st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)), st.integers(1, 12))
def test_the_store_holds_the_first_occurrences_whatever_the_cutting(
    tmp_path_factory, log, cuts, restarts, near
):
    events = [an_event(f"e{n}", after=(n * 7) % 5) for n in range(12)]

    async def stored() -> list[str]:
        home = Home(tmp_path_factory.mktemp("cutting"))
        for start, end in runs(len(log), restarts):
            async with home.road(dedupe_ids=near) as road:
                for place in range(start, end):
                    await road.send(*(events[n] for n in log[place]))
                    if place in cuts:
                        await road.writer.drain()
        async with home.road(dedupe_ids=near) as road:
            return await road.ids()

    first_occurrences = dict.fromkeys(f"e{n}" for batch in log for n in batch)
    assert asyncio.run(stored()) == list(first_occurrences)


def runs(length: int, restarts: set[int]) -> list[tuple[int, int]]:
    """The places of a log, cut after each restart."""
    edges = sorted({0, length, *(r for r in restarts if r < length)})
    return list(pairwise(edges))
