"""Two processes of one service and a real Valkey: together they let through what one would."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from service.limits import LocalLimits
from service.shared.limits import SharedLimits
from tests.api.edge import Edge, running
from tests.contracts.takers import PATIENCE
from tests.contracts.test_limits import until_it_answers
from tests.servers import Server, url_of_valkey

MORE = 130


@pytest.fixture
async def edges(valkey: Server) -> AsyncIterator[list[Edge]]:
    await until_it_answers(valkey)
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            limits = SharedLimits(url_of_valkey(valkey), b"secret", LocalLimits(), PATIENCE)
            stack.push_async_callback(limits.close)
            opened.append(await stack.enter_async_context(running(limits=limits)))
        yield opened


async def statuses(edges: list[Edge], path: str) -> Counter[int]:
    """Of so many calls at once, spread over both."""
    calls = [edges[number % 2].client.get(path) for number in range(MORE)]
    return Counter(answer.status_code for answer in await asyncio.gather(*calls))


async def test_an_address_signs_in_a_hundred_times_a_minute_in_all(edges):
    assert await statuses(edges, "/api/auth/me") == {401: 100, 429: MORE - 100}


async def test_a_caller_asks_as_often_as_his_tier_allows_in_all(edges):
    found = await statuses(edges, "/api/v1/analytics/numbers?name=x")
    assert found == {200: 100, 429: MORE - 100}
