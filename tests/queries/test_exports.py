"""Events as they are, from real stores: each once, in order, in parts that make the whole."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from service.errors import InvalidInput, Overloaded, QuestionTooBig, RateLimited
from service.events import Event
from service.formats.choice import CSV, NDJSON
from service.formats.encoders import encoded
from service.query.catalog import MINUTE
from service.query.exports import MOST, MOST_OF_ONE, SCHEMA, Exports
from service.query.language.exporting import Wanted, parse_export, read_export
from service.storage.mark import Mark
from service.storage.protocol import Statement
from tests.building import NOON, TENANT, an_event
from tests.queries.naive_query import holds
from tests.queries.test_query_injection import PAYLOADS
from tests.storing import put

RANGE = {"start": "2025-12-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
ANY = json.dumps({"range": RANGE})


def history(count: int = 1500, seed: int = 1) -> list[Event]:
    """Events at one moment, near each other and far apart, late ones among them."""
    rolled = random.Random(seed)
    return [
        an_event(
            f"e{n}",
            after=rolled.choice([0, 0.001 * n, n, 3600 * (n % 97), 86_400 * (n % 200)]),
            user_id=rolled.choice(["ada", "bob", ""]),
            event_type=rolled.choice(["click", "view"]),
            payload={"n": n, "text": rolled.choice(["=1", "x\n", ""])},
            metadata={"source": rolled.choice(["web", "app"])},
        )
        for n in range(count)
    ]


def in_order(events: Sequence[Event]) -> list[str]:
    return [e.event_id or "" for e in sorted(events, key=lambda e: e.timestamp)]


async def filled(store: Any, events: Sequence[Event], **tenant: str) -> Mark:
    """How far the store is, with the events in messages of a hundred."""
    return Mark(
        await put(store, *(events[n : n + 100] for n in range(0, len(events), 100)), **tenant)
    )


async def taken(exports: Exports, wanted: Wanted, tenant: str = TENANT) -> pa.Table:
    return pa.concat_tables([page async for page in exports.pages(tenant, wanted)])


async def ids(exports: Exports, document: str, tenant: str = TENANT) -> list[str]:
    return (await taken(exports, read_export(document.encode(), 0), tenant))["eventId"].to_pylist()


async def test_every_event_comes_once_in_the_order_of_its_time(store):
    events = history()
    exports = Exports(store, await filled(store, events), 10)
    assert await ids(exports, ANY) == in_order(events)


async def test_what_follows_a_cursor_is_the_rest_whoever_is_asked(store):
    mark = await filled(store, history())
    whole = await taken(Exports(store, mark, 10), read_export(ANY.encode(), 0))
    every = whole["eventId"].to_pylist()
    for number in (0, 1, 499, 500, 501, len(every) - 2, len(every) - 1):
        asked = json.dumps({"range": RANGE, "cursor": whole["cursor"][number].as_py()})
        assert await ids(Exports(store, mark, 10), asked) == every[number + 1 :]


async def test_parts_of_a_limited_size_make_the_whole(store):
    events, parts, cursor = history(), [], None
    mark = await filled(store, events)
    while True:
        raw = {**RANGE, "limit": "333", **({"cursor": cursor} if cursor else {})}
        part = await taken(Exports(store, mark, 10), parse_export(raw, 0))
        parts += part["eventId"].to_pylist()
        if part.num_rows < 333:
            break
        cursor = part["cursor"][-1].as_py()
    assert parts == in_order(events)


async def test_what_is_stored_after_the_beginning_is_in_no_part(store):
    events = history(300)
    exports = Exports(store, await filled(store, events), 10)
    pages = exports.pages(TENANT, read_export(ANY.encode(), 0))
    first = await anext(pages)
    later = await put(store, [an_event("late", after=n) for n in range(3)])
    rest = [page async for page in pages]
    whole = pa.concat_tables([first, *rest])
    assert whole["eventId"].to_pylist() == in_order(events)
    asked = json.dumps({"range": RANGE, "cursor": whole["cursor"][0].as_py()})
    assert await ids(Exports(store, Mark(later), 10), asked) == in_order(events)[1:]


FILTERS: list[Any] = [
    [],
    [{"op": "is", "field": "eventType", "value": "click"}],
    [{"op": "exists", "field": "userId"}, {"op": "lt", "field": "payload.n", "value": 700}],
    [{"op": "not", "filter": {"op": "is", "field": "payload.text", "value": "=1"}}],
    [{"op": "or", "filters": [{"op": "is", "field": "metadata.source", "value": "web"}]}],
    [{"op": "is", "field": "payload.n", "value": 5}],
]


@pytest.mark.parametrize("filters", FILTERS)
async def test_filters_are_those_of_the_query_language(store, filters: list[Any]):
    events = history(400)
    exports = Exports(store, await filled(store, events), 10)
    meant = [e for e in events if all(holds(e, one) for one in filters)]
    assert await ids(exports, json.dumps({"range": RANGE, "filters": filters})) == in_order(meant)


async def test_parameters_say_what_a_document_says(store):
    events = history(400)
    exports = Exports(store, await filled(store, events), 10)
    raw = {**RANGE, "eventType": "click", "userId": "d", "source": "web"}
    found = (await taken(exports, parse_export(raw, 0)))["eventId"].to_pylist()
    meant = [e for e in events if e.event_type == "click" and "d" in e.user_id]
    assert found == in_order([e for e in meant if e.metadata == {"source": "web"}])


async def test_the_range_has_its_start_and_not_its_end(store):
    events = [an_event(f"e{n}", after=n) for n in range(3)]
    exports = Exports(store, await filled(store, events), 10)
    raw = {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T12:00:02Z"}
    assert (await taken(exports, parse_export(raw, 0))).num_rows == 2
    now = int(NOON.timestamp() * 1000) + 2001
    assert (await taken(exports, parse_export({"range": "1s"}, now))).num_rows == 1


async def test_nobody_gets_the_events_of_another(store):
    exports = Exports(store, await filled(store, history(50)), 10)
    mine = (await taken(exports, read_export(ANY.encode(), 0)))["cursor"][0].as_py()
    asked = json.dumps({"range": RANGE, "cursor": mine})
    assert await ids(exports, ANY, "env_other") == []
    assert await ids(exports, asked, "env_other") == []


async def test_whatever_is_filtered_for_is_a_value(store):
    events = [an_event(f"e{n}", payload={"a": text}) for n, text in enumerate(PAYLOADS)]
    exports = Exports(store, await filled(store, events), 10)
    texts = [text for text in PAYLOADS if text]
    for text in texts[:: len(texts) // 40]:
        filters = [{"op": "is", "field": "payload.a", "value": text}]
        asked = json.dumps({"range": RANGE, "filters": filters})
        assert await ids(exports, asked) == [f"e{PAYLOADS.index(text)}"]


async def test_an_event_is_told_whole(store):
    sent = an_event("e1", user_id="=cmd", session_id="", payload={"a": [1, "ä"]}, priority=7)
    exports = Exports(store, await filled(store, [sent]), 10)
    table = await taken(exports, read_export(ANY.encode(), 0))
    [line] = encoded(NDJSON, table).splitlines()
    told = json.loads(line)
    assert table.schema == SCHEMA
    assert told.pop("cursor")
    assert told == {
        "eventId": "e1",
        "eventType": "click",
        "userId": "=cmd",
        "sessionId": None,
        "source": None,
        "timestamp": "2026-01-02T12:00:00.000Z",
        "receivedAt": "1970-01-01T00:00:00.001Z",
        "priority": 7,
        "metadata": {},
        "payload": {"a": [1, "ä"]},
    }
    assert b'"\'=cmd"' in encoded(CSV, table)


class Impatient:
    """A store that takes too long for more than a minute of events."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def fetch(self, asked: Statement, timeout: float | None = None) -> Any:
        [facts] = asked.parts["facts"]
        if facts.values["end"] - facts.values["start"] > 2 * MINUTE:
            raise QuestionTooBig("too much")
        return await self._store.fetch(asked, timeout=timeout)


async def test_a_stretch_that_takes_too_long_is_read_in_shorter_ones(store):
    events = [an_event(f"e{n}", after=60 * n) for n in range(100)]
    mark = await filled(store, events)
    raw = {"start": "2026-01-02T11:00:00Z", "end": "2026-01-02T15:00:00Z"}
    found = await taken(Exports(Impatient(store), mark, 10), parse_export(raw, 0))
    assert found["eventId"].to_pylist() == in_order(events)


class Refusing:
    """A store to which everything is too much."""

    async def fetch(self, *_: Statement, timeout: float | None = None) -> Any:
        raise QuestionTooBig("too much")


async def test_a_second_that_takes_too_long_is_told():
    with pytest.raises(QuestionTooBig):
        await taken(Exports(Refusing(), Mark(), 10), parse_export(RANGE, 0))


class Nothing:
    """A store without events."""

    async def fetch(self, *_: Statement, timeout: float | None = None) -> Any:
        return [pa.table({"timestamp": []})]


async def begun(exports: Exports, tenant: str) -> AsyncIterator[pa.Table]:
    pages = exports.pages(tenant, parse_export(RANGE, 0))
    await anext(pages)
    return pages


async def test_one_too_many_is_refused_until_another_ends():
    exports = Exports(Nothing(), Mark(), 10)
    going = [await begun(exports, TENANT) for _ in range(MOST_OF_ONE)]
    with pytest.raises(RateLimited):
        await begun(exports, TENANT)
    await going.pop().aclose()
    going += [await begun(exports, TENANT)]
    going += [await begun(exports, f"env_{n}") for n in range(MOST - MOST_OF_ONE)]
    with pytest.raises(Overloaded):
        await begun(exports, "env_more")
    for pages in going:
        await pages.aclose()
    assert exports.running == 0


GOOD = parse_export(RANGE, 0).cursors(5) + ".1767355200000.3.0"
HEAD, *PLACE = GOOD.split(".")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        HEAD,
        f"{HEAD}.1767355200000.3",
        f"{HEAD}.1767355200000.3.x",
        f"{HEAD}.1767355200000.3.-1",
        f"{HEAD}.1767355200000.6.0",
        f"{HEAD}.0.3.0",
        f"x{HEAD}.1767355200000.3.0",
        f"{HEAD}.{'9' * 5000}.3.0",
        GOOD.replace(HEAD, HEAD[:-4]),
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str):
    assert parse_export({**RANGE, "cursor": GOOD}, 0).until == 5
    with pytest.raises(InvalidInput) as refused:
        parse_export({**RANGE, "cursor": cursor}, 0)
    assert refused.value.field == "cursor"


def test_a_cursor_goes_on_with_what_it_was_given_for_alone():
    with pytest.raises(InvalidInput, match="another export"):
        parse_export({**RANGE, "userId": "ada", "cursor": GOOD}, 0)


def test_a_range_up_to_now_stays_that_of_the_first_part():
    first = parse_export({"range": "24h"}, 1_767_355_200_000)
    cursor = first.cursors(5) + ".1767355100000.3.0"
    later = parse_export({"range": "24h", "cursor": cursor}, 1_777_777_777_777)
    assert later.range.start == first.range.start
    assert (
        later.range.end
        == first.range.end
        == int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1000)
    )


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"nonsense": "1"}, "nonsense"),
        ({"start": "2026-01-01"}, "end"),
        ({**RANGE, "range": "24h"}, "range"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "start"),
        ({"range": "1y"}, "range"),
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"userId": ""}, "userId"),
        ({"source": "x" * 1001}, "source"),
    ],
)
def test_a_wrong_parameter_is_named(raw: dict[str, str], field: str):
    with pytest.raises(InvalidInput) as refused:
        parse_export(raw, 0)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ('{"metrics": ["events"]}', "metrics"),
        ('{"limit": 0}', "limit"),
        ('{"filters": [{"op": "is", "field": "x", "value": 1}]}', "filters[0].field"),
        ('{"range": {"start": "x", "end": "y"}}', "range.start"),
    ],
)
def test_a_wrong_document_is_told_by_its_place(document: str, field: str):
    with pytest.raises(InvalidInput) as refused:
        read_export(document.encode(), 0)
    assert refused.value.field == field
