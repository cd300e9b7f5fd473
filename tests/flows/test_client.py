"""The Python client and the whole service, with nothing between them but HTTP."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace import (
    BlockingClient,
    Client,
    Event,
    Exists,
    Group,
    In,
    Is,
    Not,
    Partner,
    PartnerOptions,
    Producer,
    ProducerOptions,
    Query,
    Question,
    SigningKey,
    Span,
)
from service.accounts.signing_tokens import Wanted
from tests.whole import Whole, the_whole_service

KEY = "evp_a-fixed-key-for-tests-0123456789abcdef"
DAY = Span("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
DEPOSIT = {
    "user_id": "ada",
    "event_category": "Deposit",
    "event_name": "Successful Deposit",
    "event_time": "2026-01-02T14:45:00Z",
    "amount": 500.0,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with the_whole_service(
        tmp_path_factory.mktemp("whole") / "data", bootstrap_api_key=KEY
    ) as whole:
        yield whole


def an_event(kind: str, user: str = "ada", **payload: Any) -> Event:
    return Event(
        event_type=kind,
        user_id=user,
        session_id="s1",
        timestamp="2026-01-02T12:00:00Z",
        payload=payload,
    )


async def put_and_counted(client: Client, events: list[Event], **options: Any) -> headrace.Tally:
    async with Producer(client, ProducerOptions(**options)) as producer:
        for event in events:
            await producer.put(event)
        tally = await producer.flush()
    await client.counted(tally.receipts)
    return tally


async def total(client: Client, kind: str) -> int:
    question = Question(start=DAY.start, end=DAY.end, event_type=kind)
    return (await client.metrics(question)).total_events


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
async def test_what_is_put_is_counted(whole: Whole, encoding: Any):
    options = headrace.ClientOptions(encoding=encoding)
    async with Client(whole.url, KEY, options) as client:
        tally = await put_and_counted(client, [an_event(encoding) for _ in range(1234)], batch=100)
        assert await total(client, encoding) == tally.accepted == 1234


async def test_a_script_that_makes_its_events_anew_counts_once_under_one_key(whole: Whole):
    async with Client(whole.url, KEY, headrace.ClientOptions(batch=3)) as client:
        for _ in range(2):
            sent = await client.send([an_event("import") for _ in range(10)], "import-1")
        await client.counted(sent.receipts)
        assert (sent.accepted, sent.duplicates) == (0, 10)
        assert await total(client, "import") == 10


async def test_a_query_is_asked_and_answered_typed_page_by_page(whole: Whole):
    events = [an_event("sold", user, price=n) for n, user in enumerate(["ada", "bob", "cyd"])]
    filters = [
        Is("eventType", "sold"),
        Exists("payload.price"),
        Group([In("userId", ["ada", "bob"]), Is("userId", "cy", "starts_with")]),
        Not(Is("payload.price", 0)),
    ]
    query = Query(
        metrics=["events", "sum(payload.price)"],
        dimensions=["userId"],
        filters=filters,
        range=DAY,
        order=["userId"],
        limit=1,
        totals=True,
    )
    async with Client(whole.url, KEY) as client:
        await client.counted((await client.send(events)).receipts)
        pages = [page async for page in client.pages(query)]
    assert [row.dimensions["userId"] for page in pages for row in page.rows] == ["bob", "cyd"]
    assert next(page.totals.metrics for page in pages if page.totals) == {
        "events": 2,
        "sum(payload.price)": 3,
    }


async def test_a_mistake_in_a_query_is_told_with_its_place(whole: Whole):
    async with Client(whole.url, KEY) as client:
        with pytest.raises(headrace.errors.InvalidInput, match="did you mean `events`") as raised:
            await client.query(Query(metrics=["event"]))
    assert raised.value.field == "metrics[0]"


async def test_customers_are_found_by_id_and_by_what_is_known_of_them(whole: Whole):
    told = [an_event("customer.profile", f"c/{n}", plan="gold") for n in range(2)]
    async with Client(whole.url, KEY) as client:
        await client.counted((await client.send(told)).receipts)
        found = [c.user_id async for c in client.customers({"plan": "gold"})]
        with pytest.raises(headrace.errors.NotFound):
            await client.customer("nobody")
    assert found == ["c/0", "c/1"]


async def test_a_customers_history_is_kept_until_he_is_erased(whole: Whole):
    key = await asyncio.to_thread(
        whole.run, whole.parts.keys.create("all", ["ingest", "read", "admin"])
    )
    async with Client(whole.url, key.text) as client:
        for plan in ("free", "gold"):
            sent = await client.send([an_event("customer.profile", "eve", plan=plan)])
        await client.counted(sent.receipts)
        history = await client.history("eve")
        erasure = await client.erase("eve")
        while (await client.erasure(erasure.id)).state != "erased":
            await asyncio.sleep(0.05)
        with pytest.raises(headrace.errors.NotFound):
            await client.customer("eve")
    assert [version.document["plan"] for version in history] == ["gold", "free"]


async def test_a_select_a_funnel_and_the_last_minutes_are_asked_for(whole: Whole):
    key = await asyncio.to_thread(
        whole.run, whole.parts.keys.create("sql", ["ingest", "read", "sql"])
    )
    now = {"eventType": "now", "userId": "ada", "sessionId": "s", "timestamp": datetime.now(UTC)}
    async with Client(whole.url, key.text) as client:
        await client.counted((await client.send([now])).receipts)
        table = await client.sql(
            "SELECT user_id, count(*) AS n FROM events WHERE event_type = $kind GROUP BY ALL",
            {"kind": "now"},
        )
        steps = {"steps": [{"event": "now"}, {"event": "never"}], "range": "1h"}
        funnel = await client.analyse("funnel", steps)
        realtime = await client.realtime("now", "events_per_second", window="1h")
        with pytest.raises(headrace.errors.InvalidInput, match="window") as raised:
            await client.realtime(window="9x")
    assert ([column.name for column in table.columns], table.rows) == (
        ["user_id", "n"],
        [["ada", 1]],
    )
    assert [step["users"] for step in funnel["rows"][0]["steps"]] == [1, 0]
    assert (realtime.data["now"], raised.value.field) == (1, "window")


async def test_who_listens_hears_of_what_is_sent(whole: Whole):
    question = Question(start=DAY.start, end=DAY.end, event_type="heard")
    async with Client(whole.url, KEY) as client, aclosing(client.live(question)) as documents:
        totals = [(await anext(documents)).total_events]
        await client.send([an_event("heard")])
        totals.append((await anext(documents)).total_events)
    assert totals == [0, 1]


async def test_who_listens_hears_of_numbers_too(whole: Whole):
    question = Question(start=DAY.start, end=DAY.end, event_type="weighed")
    client = Client(whole.url, KEY)
    async with client, aclosing(client.live_numbers("kg", question)) as documents:
        await anext(documents)
        await client.send([an_event("weighed", kg=2.5)])
        assert (await anext(documents)).rows[0].sum == 2.5


async def test_who_may_not_listen_is_told_at_once(whole: Whole):
    async with Client(whole.url, "evp_wrong") as client:
        with pytest.raises(headrace.errors.InvalidKey):
            await anext(client.live(Question()))


async def test_a_key_that_signs_sends_and_asks(whole: Whole):
    made = await asyncio.to_thread(
        whole.run, whole.parts.keys.create("signs", ["ingest", "read"], signs=True)
    )
    credential = SigningKey(made.key.id, made.signing_secret or "")
    async with Client(whole.url, credential, headrace.ClientOptions(encoding="zstd")) as client:
        await put_and_counted(client, [an_event("sign ed"), an_event("sign ed")])
        assert await total(client, "sign ed") == 2


@pytest.mark.parametrize("scheme", ["hkdf", "hkdf-swapped", "shell"])
@pytest.mark.parametrize("nonce", [True, False])
async def test_a_partner_sends_signed_records_by_each_derivation(
    whole: Whole, scheme: Any, nonce: bool
):
    token = await partners_token(whole)
    deposits = [{**DEPOSIT, "event_id": f"{scheme}-{n}"} for n in range(501)]
    how = PartnerOptions(scheme=scheme, nonce=nonce)
    async with Partner(whole.url, token, "acc1", "ws1", how) as partner:
        first = await partner.send("events/deposit", deposits)
        second = await partner.send("events/deposit", deposits)
    assert (first.count, first.record_ids) == (501, second.record_ids)


async def test_a_partner_is_told_what_is_wrong_and_where(whole: Whole):
    async with Partner(whole.url, await partners_token(whole), "acc1", "ws1") as partner:
        with pytest.raises(headrace.errors.InvalidInput, match="amount") as raised:
            await partner.send("events/deposit", [{**DEPOSIT, "event_id": "d", "amount": "much"}])
    assert raised.value.field == "amount"
    async with Partner(whole.url, "wrong", "acc1", "ws1") as partner:
        with pytest.raises(headrace.errors.Unauthenticated):
            await partner.send("events/deposit", [{**DEPOSIT, "event_id": "d"}])


async def partners_token(whole: Whole) -> str:
    making = whole.accounts.signing_tokens.create(Wanted("acc1", "ws1", "test"), "env_default")
    return (await asyncio.to_thread(whole.run, making)).text


def test_a_script_puts_sends_and_asks(whole: Whole, tmp_path: Path):
    with BlockingClient(whole.url, KEY, producer=ProducerOptions(spool=tmp_path)) as client:
        assert client.put(an_event("script"), an_event("script")) == 2
        client.send([an_event("script")])
        client.ask(lambda c: c.counted(client.flush().receipts))
        assert client.ask(lambda c: total(c, "script")) == 3
    with pytest.raises(RuntimeError, match="closed"):
        client.flush()
