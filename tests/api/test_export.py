"""`/api/v1/analytics/events/export` at the edge: its forms, its ends, and who reads it."""

import asyncio
import io
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest
from pyarrow import parquet

from service.api.wire import HeadraceProtocol
from service.errors import AnalyticsUnavailable, RateLimited
from service.migrate import migrate
from service.query.exports import SCHEMA
from service.query.exports import Exports as RealExports
from service.storage.mark import Mark
from tests.api.edge import KEY, TENANT, Edge, Exports, running
from tests.building import an_event
from tests.house.tables import ROOT
from tests.stores import open_duckdb
from tests.storing import put

EXPORT = "/api/v1/analytics/events/export"
PAGE = (ROOT / "docs" / "api-export.md").read_text("utf-8")


def a_table(count: int = 2, text: str = "=1") -> pa.Table:
    told = {name: "{}" if name in {"metadata", "payload"} else text for name in SCHEMA.names}
    told |= {"timestamp": 0, "receivedAt": 0, "priority": 1}
    columns = [pa.array([told[f.name]] * count, _plain(f.type)).cast(f.type) for f in SCHEMA]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _plain(kind: pa.DataType) -> pa.DataType:
    return getattr(kind, "storage_type", kind)


@pytest.fixture
async def full() -> AsyncIterator[Edge]:
    async with running(exports=Exports([a_table(), a_table(1)])) as edge:
        yield edge


READ = {
    "ndjson": lambda content: len(content.splitlines()),
    "csv": lambda content: len(content.splitlines()) - 1,
    "parquet": lambda content: parquet.read_table(io.BytesIO(content)).num_rows,
    "arrow": lambda content: pa.ipc.open_stream(content).read_all().num_rows,
}


@pytest.mark.parametrize("form", READ)
async def test_all_events_come_in_the_form_that_is_asked_for(full: Edge, form: str):
    answer = await full.client.get(f"{EXPORT}?format={form}", headers=KEY)
    assert (answer.status_code, READ[form](answer.content)) == (200, 3)
    assert f'filename="events.{form}' in answer.headers["content-disposition"]
    assert answer.headers["x-as-of"] == "2023-11-14T22:13:20.000Z"
    assert answer.headers["cache-control"] == "no-store"
    assert full.parts.exports.running == 0


async def test_accept_chooses_the_form_too_and_a_document_asks_the_same(full: Edge):
    headers = {**KEY, "accept": "text/csv"}
    got = await full.client.get(EXPORT, headers=headers)
    posted = await full.client.post(EXPORT, json={"range": "7d"}, headers=headers)
    assert got.content == posted.content
    assert (
        got.headers["content-type"] == posted.headers["content-type"] == "text/csv; charset=utf-8"
    )
    assert b'"\'=1"' in got.content


async def test_head_gives_the_headers_alone(full: Edge):
    answer = await full.client.head(EXPORT, headers=KEY)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert full.parts.exports.tenants == set()


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("format=json", 406, "format"),
        ("range=1y", 400, "range"),
        ("cursor=x", 400, "cursor"),
        ("nonsense=1", 400, "nonsense"),
        ("after=x", 404, None),
    ],
)
async def test_what_is_wrong_is_told_before_anything_is_sent(edge, query, status, field):
    answer = await edge.client.get(f"{EXPORT}?{query}", headers=KEY)
    assert answer.status_code == status
    assert answer.json()["error"]["details"].get("field") == field


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"x-api-key": "evp_in"}, 403)])
async def test_who_may_not_read_gets_no_events(edge: Edge, headers, status):
    for way in (
        edge.client.get(EXPORT, headers=headers),
        edge.client.post(EXPORT, headers=headers),
    ):
        assert (await way).status_code == status
    assert edge.parts.exports.tenants == set()


@pytest.mark.parametrize(
    ("error", "status"), [(AnalyticsUnavailable("away"), 503), (RateLimited("enough"), 429)]
)
async def test_a_failure_before_the_first_page_is_an_answer(error: Exception, status: int):
    async with running(exports=Exports([], error)) as edge:
        answer = await edge.client.get(EXPORT, headers=KEY)
        assert (answer.status_code, "retry-after" in answer.headers) == (status, True)


async def test_a_failure_after_it_is_no_whole_file():
    async with running(exports=Exports([a_table()], AnalyticsUnavailable("away"))) as edge:
        with pytest.raises(httpx2.TransportError):
            await edge.client.get(EXPORT, headers=KEY)
        assert edge.parts.exports.running == 0


class Endless(Exports):
    """Gives pages until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def pages(self, tenant: str, wanted: Any) -> Any:
        self.running += 1
        self.begun.set()
        try:
            while True:
                yield a_table(1000, "x" * 100)
        finally:
            self.running -= 1


class Hasty(HeadraceProtocol):
    read_seconds = 0.2


async def ended(edge: Edge) -> None:
    async with asyncio.timeout(20):
        while edge.parts.exports.running:
            await asyncio.sleep(0.01)


async def test_a_client_that_hangs_up_ends_its_export():
    async with running(exports=Endless()) as edge:
        async with edge.client.stream("GET", EXPORT, headers=KEY) as answer:
            await anext(answer.aiter_bytes())
            assert edge.parts.exports.running == 1
        await ended(edge)


async def test_a_client_that_reads_nothing_is_cut_off():
    async with running(Hasty, exports=Endless()) as edge:
        with closing(socket.socket()) as client:
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", edge.port))
            client.send(
                f"GET {EXPORT} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: evp_all\r\n\r\n".encode()
            )
            await edge.parts.exports.begun.wait()
            await ended(edge)


async def test_a_server_that_ends_does_not_wait_for_who_still_reads():
    async with running(exports=Endless()) as edge:
        async with edge.client.stream("GET", EXPORT, headers=KEY) as answer:
            parts = answer.aiter_bytes()
            await anext(parts)
            edge.server.should_exit = True
            with pytest.raises(httpx2.TransportError):
                async for _ in parts:
                    pass
        await ended(edge)


class Stuck:
    """A store that answers when it is too late."""

    def __init__(self) -> None:
        self.asked, self.stopped = asyncio.Event(), asyncio.Event()

    async def fetch(self, *_: Any, **how: Any) -> Any:
        self.asked.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            self.stopped.set()


async def test_a_client_that_hangs_up_ends_the_question_in_the_store():
    store = Stuck()
    async with running(exports=RealExports(store, Mark(), 10)) as edge:
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        head = f"GET {EXPORT} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: evp_all\r\n\r\n"
        writer.write(head.encode())
        await store.asked.wait()
        writer.close()
        await store.stopped.wait()
        await ended(edge)


class Failing:
    """A store that does not answer every twentieth time."""

    def __init__(self, store: Any) -> None:
        self._store, self._asked = store, 0

    async def fetch(self, *asked: Any, **how: Any) -> Any:
        self._asked += 1
        if self._asked % 20 == 0:
            raise AnalyticsUnavailable("away")
        return await self._store.fetch(*asked, **how)


async def test_the_pages_code_gets_each_event_once_however_often_it_breaks_off(tmp_path: Path):
    names: dict[str, Any] = {"__name__": "page"}
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(code.replace("time.sleep(1)", "time.sleep(0)"), names)
    sent = [an_event(f"e{n}", after=60 * n) for n in range(1200)]
    async with open_duckdb(tmp_path) as store:
        await migrate(store)
        exports = RealExports(Failing(store), Mark(await put(store, sent, tenant=TENANT)), 10)
        async with running(exports=exports) as edge:
            asked = {"start": "2026-01-01", "end": "2027-01-01"}
            take = names["events"](f"http://127.0.0.1:{edge.port}", KEY["x-api-key"], **asked)
            found = await asyncio.to_thread(lambda: [event["eventId"] for event in take])
    assert found == [event.event_id for event in sent]


def test_the_document_of_the_page_is_one():
    [document, event] = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    assert set(json.loads(document)) <= {"filters", "range", "limit", "cursor"}
    assert list(json.loads(event)) == SCHEMA.names
