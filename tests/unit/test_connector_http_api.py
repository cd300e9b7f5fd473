"""HTTP_API_TARGET: records reach an API on a real socket once, and what it refuses is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from service.errors import ConnectorBroken, InvalidInput, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.delivery.api import Api, serving

KIND = kind_of("HTTP_API_TARGET")
QUICK = {"backoff_factor": 0.01, "retry_attempts": 0, "timeout": 10}


def told(api: Api, **settings: Any) -> Any:
    endpoints = {"customers": "/users", "health": "/health"}
    document = {"base_url": api.url, "endpoints": endpoints, "settings": QUICK, **settings}
    return config_of(KIND, document)


@asynccontextmanager
async def opened(api: Api, private: bool = True, **settings: Any) -> AsyncIterator[Target]:
    assert KIND.open_target
    around = Surroundings("t", "p", "s", allow_private=private)
    target = await KIND.open_target(told(api, **settings), around)
    try:
        yield target
    finally:
        await target.close()


def going(number: int, **record: Any) -> Outgoing:
    return Outgoing(Place(1, number), {"id": str(number), **record})


async def test_records_are_created_and_refused_ones_are_told_with_their_place():
    with serving(Api()) as api:
        async with opened(api) as target:
            refused = await target.write([going(0), going(1, name="bad"), going(2)])
    assert [(one.place, one.reason) for one in refused] == [(Place(1, 1), "422 bad is no name")]
    assert api.created == {"0": 1, "2": 1}


async def test_a_batch_that_comes_again_creates_nothing_twice():
    with serving(Api()) as api:
        for _ in range(2):
            async with opened(api) as target:
                await target.write([going(0), going(1)])
    assert (api.requests, api.created) == (4, {"0": 1, "1": 1})


async def test_what_an_earlier_try_settled_is_not_asked_again():
    with serving(Api(scripted=[(201, {}, b""), (503, {}, b"")])) as api:
        async with opened(api, settings={**QUICK, "max_concurrent_requests": 1}) as target:
            with pytest.raises(TargetUnavailable, match="answered 503"):
                await target.write([going(0), going(1)])
            assert await target.write([going(0), going(1)]) == []
    assert [row["id"] for request in api.asked for row in request.rows] == ["0", "1", "1"]


async def test_records_of_one_primary_key_go_one_after_the_other_and_each_is_sent():
    batch = [Outgoing(Place(1, n), {"id": "7", "step": n}, ["id"]) for n in range(5)]
    with serving(Api()) as api:
        async with opened(api) as target:
            await target.write(batch)
    assert [row["step"] for request in api.asked for row in request.rows] == [0, 1, 2, 3, 4]


async def test_so_many_records_go_in_one_request_and_the_same_ones_when_they_come_again():
    settings = {**QUICK, "rows_per_request": 10, "max_concurrent_requests": 3}
    batch = [going(n) for n in range(25)]
    with serving(Api()) as api:
        for part in (batch, batch[10:]):
            async with opened(api, settings=settings) as target:
                assert await target.write(part) == []
    assert sorted(len(request.rows) for request in api.asked) == [5, 5, 10, 10, 10]
    assert set(api.created.values()) == {1}


async def test_a_bad_record_in_a_request_is_refused_alone():
    settings = {**QUICK, "rows_per_request": 10}
    batch = [going(n, name="bad" if n == 3 else "good") for n in range(10)]
    with serving(Api(scripted=[(422, {}, b"{}")])) as api:
        async with opened(api, settings=settings) as target:
            refused = await target.write(batch)
    assert [one.place for one in refused] == [Place(1, 3)]
    assert api.created == {str(n): 1 for n in range(10) if n != 3}


async def test_a_record_that_alone_failed_in_a_request_is_asked_for_by_itself():
    said = [{"status": 201}, {"status": 503}]
    first = (207, {}, msgspec.json.encode({"results": said}))
    with serving(Api(scripted=[first])) as api:
        async with opened(api, settings={**QUICK, "rows_per_request": 10}) as target:
            assert await target.write([going(0), going(1)]) == []
    assert [[row["id"] for row in request.rows] for request in api.asked] == [["0", "1"], ["1"]]


async def test_requests_with_a_primary_key_in_common_keep_their_order():
    settings = {**QUICK, "rows_per_request": 2, "max_concurrent_requests": 8}
    batch = [Outgoing(Place(1, n), {"id": str(n % 3), "step": n}, ["id"]) for n in range(12)]
    with serving(Api(scripted=[(503, {}, b"")], faults={"slow": 0.5})) as api:
        async with opened(api, settings={**settings, "retry_attempts": 3}) as target:
            await target.write(batch)
    steps = [row["step"] for request in api.asked[1:] for row in request.rows]
    assert steps == list(range(12))


async def test_a_record_that_the_api_cannot_stand_is_refused_and_stops_no_other():
    with serving(Api(scripted=[(500, {}, b'{"message": "boom"}')])) as api:
        async with opened(api) as target:
            [refused] = await target.write([going(0)])
    assert refused.reason == "500 boom"


async def test_refused_credentials_break_the_connector():
    told = {"type": "bearer_token", "bearer_token": "x"}
    with serving(Api(scripted=[(401, {}, b"")])) as api:
        async with opened(api, authentication=told) as target:
            with pytest.raises(ConnectorBroken, match="credentials"):
                await target.write([going(0)])


async def test_a_host_in_a_private_network_is_not_reached_unless_allowed():
    with serving(Api()) as api:
        async with opened(api, private=False) as target:
            with pytest.raises(ConnectorBroken, match="private network"):
                await target.write([going(0)])
    assert api.requests == 0


async def test_credentials_are_checked_by_the_health_endpoint():
    assert KIND.check
    with serving(Api(answers={("GET", "/health"): (503, {}, b"")})) as api:
        with pytest.raises(TargetUnavailable, match="answers 503"):
            await KIND.check(told(api), Surroundings("t", allow_private=True))
        api.answers = {("GET", "/health"): (200, {}, b"")}
        await KIND.check(told(api), Surroundings("t", allow_private=True))


def test_an_endpoint_that_is_missing_is_said():
    with pytest.raises(InvalidInput, match="endpoints lacks `customers`"):
        config_of(KIND, {"base_url": "http://x", "endpoints": {}})
