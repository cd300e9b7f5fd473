"""Two writers at once on one ClickHouse, neither of which knows of a lease: the ledger decides."""

import asyncio

import pytest

from service.errors import HeadraceError, StoreFenced
from service.events import pack
from service.migrate import migrate
from service.rollup import Rollup
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_http import OverHttp
from service.storage.mark import Mark
from service.storage.protocol import Statement
from service.stream.jetstream import open_jetstream
from service.stream.ledger import BUCKET, NatsLedger
from service.stream.nats_child import NatsChild
from service.writer import Writer
from tests.building import TENANT, a_batch, an_event, quick_settings
from tests.chdb_server import chdb_server

MONTH = 30 * 24 * 3600
MESSAGES, EVENTS = 15, 20


@pytest.fixture
async def nats(tmp_path):
    child = NatsChild(tmp_path / "stream")
    await child.start()
    yield child.url
    await child.stop()


async def a_store(nats: str, clickhouse: str) -> tuple[ClickHouseStore, Writer]:
    stream = await open_jetstream(nats, 1 << 28, 120)
    ledger = NatsLedger(await stream.bucket(BUCKET))
    store = ClickHouseStore(await OverHttp.open(clickhouse), ledger, shared=True)
    await migrate(store)
    return store, Writer(stream, store, Mark(), quick_settings())


async def write_stubbornly(writer: Writer, sent: asyncio.Event) -> int:
    """Drain until all is sent and stored, begin anew when fenced; how often it was."""
    fenced = 0
    while True:
        done = sent.is_set()
        try:
            await writer.drain()
        except StoreFenced:
            fenced += 1
        except HeadraceError:
            pass  # what the other one moved in between: looked at anew
        else:
            if done:
                return fenced
        await asyncio.sleep(0.01)


async def test_two_writers_at_once_store_each_event_once_in_table_and_views(nats, tmp_path):
    async with chdb_server(tmp_path / "clickhouse") as url:
        (store, first), (other, second) = await a_store(nats, url), await a_store(nats, url)
        sent = asyncio.Event()
        writing = [asyncio.create_task(write_stubbornly(w, sent)) for w in (first, second)]
        for number in range(MESSAGES):
            events = [an_event(f"{number}-{n}", after=-n * MONTH) for n in range(EVENTS)]
            await first._stream.publish(TENANT, f"m{number}", pack(a_batch(*events)), 5)
            await asyncio.sleep(0.02)
        sent.set()
        fenced = await asyncio.gather(*writing)
        assert sum(fenced) > 0, "they never met"
        [counted] = await store.fetch(Statement("rows_between", {"after": 0, "until": 2**63 - 1}))
        assert counted["rows"].to_pylist() == [MESSAGES * EVENTS]
        assert [f for f in await Rollup(store).verify() if not f.ok] == []
        for part in (store, other, first._stream, second._stream):
            await part.close()
