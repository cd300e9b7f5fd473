"""A ClickHouse server or cluster over HTTP(S), by ClickHouse's own asynchronous client."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from service.storage.clickhouse_answers import format_of, table_in
from service.storage.clickhouse_consulting import CONSULTING, mistake_or
from service.storage.clickhouse_errors import translated
from service.storage.protocol import Statement
from service.storage.sandbox import Query
from service.storage.statements import bound
from service.telemetry import log

QUESTION_MEMORY = 2_000_000_000
"""Bytes of memory that one question may use."""
CONNECT_TIMEOUT = 5
ANSWER_TIMEOUT = 60
"""Seconds without a byte after which the server counts as gone; an insert is tried again then."""
QUESTIONS = 16
"""Questions asked at the same time; further ones wait here, where giving up costs nothing."""
CONSULTANTS = 8
"""The same for what users ask in SQL."""
_LONGEST_PAUSE = 5.0

_LOST = (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError)


def _of_a_question(error: Exception) -> Exception:
    return translated(error, reading=True)


class OverHttp:
    """An `Engine` that is a server. Open it with `OverHttp.open`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._asking = asyncio.Semaphore(QUESTIONS)
        self._consulting = asyncio.Semaphore(CONSULTANTS)
        self._ending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, url: str) -> "OverHttp":
        """Connect; waits with backoff until the server is there."""
        pause = 0.1
        while True:
            try:
                return cls(await _connect(url))
            except _LOST as error:
                reason = str(error) or type(error).__name__
                log().warning("start.waiting", part="event store", reason=reason[:300])
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def ask(
        self,
        text: str,
        values: Mapping[str, Any],
        timeout: float | None,
        settings: Mapping[str, str],
        costs: bool = False,
    ) -> pa.Table:
        caps = {"max_execution_time": str(timeout or 0), "max_memory_usage": str(QUESTION_MEMORY)}
        async with self._asking:
            return await self._ask(text, values, {**caps, **settings}, costs)

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        capped = {**CONSULTING, "max_execution_time": str(timeout), "readonly": "1"}
        async with self._consulting:
            return await self._ask(query.text, query.values, capped, costs=True, judge=mistake_or)

    async def command(self, text: str, values: Mapping[str, Any]) -> None:
        try:
            await self._client.command(text, parameters=dict(values) or None)
        except _LOST as error:
            raise translated(error, reading=False) from error

    async def insert(self, table: str, rows: pa.Table, settings: Mapping[str, str]) -> None:
        try:
            await self._client.insert_arrow(table, rows, settings=dict(settings))
        except _LOST as error:
            raise translated(error, reading=False) from error

    async def close(self) -> None:
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._client.close()

    async def _ask(
        self,
        text: str,
        values: Mapping[str, Any],
        settings: Mapping[str, str],
        costs: bool,
        judge: Callable[[Exception], Exception] = _of_a_question,
    ) -> pa.Table:
        call = secrets.token_hex(8)
        try:
            answer = await self._client.raw_query(
                text,
                parameters=dict(values),
                fmt=format_of(costs),
                settings={**settings, "log_comment": call},
            )
        except asyncio.CancelledError:
            self._end(call)
            raise
        except _LOST as error:
            raise judge(error) from error
        return table_in(answer, costs)

    def _end(self, call: str) -> None:
        """Closing the connection does not end a question in the engine: another one must."""
        ending = asyncio.create_task(self._end_call(call))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end_call(self, call: str) -> None:
        try:
            await self._client.command(*bound(Statement("end_call", {"call": call}), "clickhouse"))
        except _LOST as error:
            log().warning("storage.clickhouse.not_ended", error=str(error)[:300])


async def _connect(url: str) -> AsyncClient:
    return await clickhouse_connect.get_async_client(
        dsn=url,
        autogenerate_session_id=False,
        connect_timeout=CONNECT_TIMEOUT,
        send_receive_timeout=ANSWER_TIMEOUT,
    )
