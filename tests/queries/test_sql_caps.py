"""A query that asks too much, or whose caller is gone, ends in the engine; all others go on."""

import asyncio
import json

import pytest

from service.errors import InvalidSql, QuestionTooBig
from service.migrate import migrate
from service.query.sql.reading import read_sql
from service.query.sql.writing import written
from service.storage.protocol import Statement
from service.storage.sandbox import Query
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import put

NOW = int(NOON.timestamp() * 1000)
ENDLESS = "SELECT count(DISTINCT a.event_id || c.event_id) FROM events a" + "".join(
    f" CROSS JOIN events {name}" for name in "bcdefgh"
)
MANY = 3
"""More than there are handles for users' queries."""


@pytest.fixture(params=list(STORES))
async def store(request, tmp_path):
    async with STORES[request.param](tmp_path) as opened:
        await migrate(opened)
        await put(opened, [an_event(f"e{n}", payload={"x": "y" * 10_000}) for n in range(200)])
        yield opened


def query(store, text: str, limit: int = 1000) -> Query:
    body = json.dumps({"query": text, "limit": limit}).encode()
    return written(read_sql(body, NOW), TENANT, store.dialect)


async def works(store) -> None:
    async with asyncio.timeout(30):
        one = await store.consult(query(store, "SELECT count(*) FROM events"), 20)
        assert one.column(0).to_pylist() == [200]
        assert (await put(store, ["one-more"])).sequence == 2


async def test_a_caller_that_gives_up_ends_his_query_in_the_engine(store):
    asked = [asyncio.create_task(store.consult(query(store, ENDLESS), 600)) for _ in range(MANY)]
    await asyncio.sleep(0.3)
    for task in asked:
        task.cancel()
    async with asyncio.timeout(30):
        ended = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    await nothing_runs(store)
    await works(store)


async def nothing_runs(store) -> None:
    """ClickHouse tells what it does; DuckDB's threads are waited for when a caller gives up."""
    if store.dialect == "clickhouse":
        running = Query("SELECT query FROM system.processes WHERE query LIKE '%CROSS JOIN%'", {})
        async with asyncio.timeout(30):
            while (await store.consult(running, 5)).num_rows > 1:  # one asks for itself
                await asyncio.sleep(0.1)


async def test_a_query_past_its_time_is_told_so(store):
    with pytest.raises(QuestionTooBig, match="longer"):
        await store.consult(query(store, ENDLESS), 0.5)
    await works(store)


async def test_a_query_that_needs_too_much_memory_is_told_so(store):
    text = (
        "SELECT a.payload || b.payload AS p, count(*) FROM events a CROSS JOIN events b"
        " CROSS JOIN events c GROUP BY p, a.event_id, b.event_id, c.event_id ORDER BY p"
    )
    with pytest.raises(QuestionTooBig):
        await store.consult(query(store, text), 10)
    await works(store)


async def test_an_answer_of_too_many_bytes_is_told_so(store):
    text = "SELECT a.payload AS p, b.payload AS q FROM events a CROSS JOIN events b"
    with pytest.raises(QuestionTooBig):
        await store.consult(query(store, text, 10_000), 20)
    await works(store)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO events SELECT * FROM events",
        "DELETE FROM events WHERE true",
        "DROP TABLE events",
        "CREATE TABLE mine (a INTEGER)",
    ],
)
async def test_the_handle_itself_cannot_write(store, text):
    """Should a text ever get past the checks."""
    with pytest.raises(Exception) as refused:
        await store.consult(Query(text, {}), 5)
    assert not isinstance(refused.value, QuestionTooBig)
    await works(store)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "COPY (SELECT 1) TO 'x.csv'",
        "SET threads = 1",
    ],
)
async def test_the_handle_itself_reaches_nothing_outside(store, text):
    with pytest.raises(Exception) as refused:
        await store.consult(Query(text, {}), 5)
    assert not isinstance(refused.value, QuestionTooBig)


async def test_what_a_handle_refuses_says_nothing_of_the_engine(store):
    with pytest.raises(InvalidSql) as error:
        await store.consult(Query("SELECT nothing_here", {}), 5)
    assert "\n" not in str(error.value)
    [answer] = await store.fetch(Statement("ping", {}))
    assert answer.num_rows == 1
