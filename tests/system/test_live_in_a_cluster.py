"""Live answers from API workers that share a port, over ClickHouse and a writer elsewhere."""

import asyncio
import signal
from collections.abc import Iterator

import httpx2
import pytest

from tests.api.listening import LIVE, listening
from tests.cluster import ApiProcesses, Cluster
from tests.running import API_KEY
from tests.system.test_live import KEY, a_client, send, today, until

WAYS = 8
"""Connections: enough that both workers have some."""


@pytest.fixture(scope="module")
def api(quiet_cluster: Cluster) -> Iterator[ApiProcesses]:
    served = quiet_cluster.api(workers=2, HEADRACE_LIVE_HEARTBEAT="0.2").start()
    yield served
    assert served.stop() == 0


async def test_listeners_of_all_workers_are_told_and_go_on_at_any_of_them(api: ApiProcesses):
    query = f"{today()}&eventType=told"
    async with a_client(api) as client:
        ways = [listening(client, query, **KEY) for _ in range(WAYS)]
        ears = [await way.__aenter__() for way in ways]
        await asyncio.gather(*(until(ear, 0) for ear in ears))
        await send(api, "told")
        ids = set(await asyncio.gather(*(until(ear, 1) for ear in ears)))
        for way in ways:
            await way.__aexit__(None, None, None)
        for had in ids:
            async with listening(client, query, last_event_id=had, **KEY) as ear:
                waiting = asyncio.create_task(ear.next())
                while ear.heartbeats < 3:
                    await asyncio.sleep(0.05)
                assert not waiting.done()
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)


async def test_a_ticket_is_good_once_whichever_worker_it_is_brought_to(api: ApiProcesses):
    made = await asyncio.to_thread(api.post, f"{LIVE}/ticket", {}, **{"x-api-key": API_KEY})
    query = f"timeRange=1h&ticket={made.json()['data']['ticket']}"

    async def brought(client: httpx2.AsyncClient) -> int:
        async with client.stream("GET", f"{LIVE}?{query}") as answer:
            return answer.status_code

    async with a_client(api) as client:
        statuses = await asyncio.gather(*(brought(client) for _ in range(WAYS)))
    assert sorted(statuses) == [200] + [401] * (WAYS - 1)


async def test_workers_that_are_replaced_end_their_streams_in_good_order(api: ApiProcesses):
    query = f"{today()}&eventType=replaced"
    async with a_client(api) as client:
        ways = [listening(client, query, **KEY) for _ in range(WAYS)]
        ears = [await way.__aenter__() for way in ways]
        ids = await asyncio.gather(*(until(ear, 0) for ear in ears))
        ending = asyncio.gather(*(ear.rest() for ear in ears))
        api.signal(signal.SIGHUP)
        assert await asyncio.wait_for(ending, 60) == [[]] * WAYS
        await send(api, "replaced")
        async with listening(client, query, last_event_id=ids[0], **KEY) as ear:
            await until(ear, 1)
        for way in ways:
            await way.__aexit__(None, None, None)
