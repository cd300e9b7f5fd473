"""The ClickHouse engine in this process (chDB), behind ClickHouse's own client.

The engine works on one folder, in one process. Each client belongs to one thread: one inserts, one
carries out definitions, a few ask, and one ends what the others no longer want to know.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from service.errors import DataDirectoryBusy
from service.storage.clickhouse_answers import format_of, table_in
from service.storage.clickhouse_consulting import CONSULTING, mistake_or
from service.storage.clickhouse_errors import translated
from service.storage.lanes import Lanes
from service.storage.protocol import Statement
from service.storage.sandbox import Query
from service.storage.statements import bound

READERS = 2
QUESTION_MEMORY = 1_000_000_000
"""Bytes of memory that one question may use."""

_CALL = "log_comment"
_PONG = b"1\n"
_MOST_DRAINS = 100
_numbers = itertools.count(1)

Answer = TypeVar("Answer")


class InProcess:
    """An `Engine` on a folder of this machine. Open it with `InProcess.open`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ender = self._client()
        self._ending = Lock()
        self._inserting = self._lanes("insert", 1)
        self._defining = self._lanes("define", 1)
        self._asking = self._lanes("ask", READERS)
        self._consulting = self._lanes("consult", READERS)
        for lane in self._consulting.members:
            for name, value in {**CONSULTING, "readonly": "1"}.items():
                lane.connection.set_client_setting(name, value)

    @classmethod
    async def open(cls, folder: Path) -> "InProcess":
        """Start the engine; raises DataDirectoryBusy when another process holds the folder."""
        try:
            return await asyncio.to_thread(cls, folder)
        except ClickHouseError as error:
            raise DataDirectoryBusy(
                f"the ClickHouse engine cannot be opened on {folder}, another process may hold "
                f"it: {error}"
            ) from error

    async def ask(
        self,
        text: str,
        values: Mapping[str, Any],
        timeout: float | None,
        settings: Mapping[str, str],
        costs: bool = False,
    ) -> pa.Table:
        def work(client: Client) -> pa.Table:
            _cap(client, timeout)
            return table_in(_answer(client, text, values, format_of(costs)), costs)

        return await self._run(self._asking, work, reading=True)

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        def work(client: Client) -> pa.Table:
            form = format_of(costs=True)
            return table_in(_answer(client, query.text, query.values, form), costs=True)

        async with self._consulting.borrow() as lane:
            try:
                return await lane.run(work)
            except ClickHouseError as error:
                raise mistake_or(error) from error

    async def command(self, text: str, values: Mapping[str, Any]) -> None:
        def work(client: Client) -> None:
            client.command(text, parameters=dict(values) or None)

        await self._run(self._defining, work)

    async def insert(self, table: str, rows: pa.Table, settings: Mapping[str, str]) -> None:
        def work(client: Client) -> None:
            client.insert_arrow(table, rows, settings=dict(settings))

        await self._run(self._inserting, work)

    async def close(self) -> None:
        for lanes in (self._inserting, self._defining, self._asking, self._consulting):
            async with lanes.borrow_all() as members:
                for lane in members:
                    await asyncio.to_thread(lane.connection.close)
                    lane.thread.shutdown()
        await asyncio.to_thread(self._ender.close)

    async def _run(
        self, lanes: Lanes[Client], work: Callable[[Client], Answer], *, reading: bool = False
    ) -> Answer:
        async with lanes.borrow() as lane:
            try:
                return await lane.run(work)
            except ClickHouseError as error:
                raise translated(error, reading=reading) from error

    def _lanes(self, name: str, size: int) -> Lanes[Client]:
        lanes = Lanes(f"clickhouse-{name}", size, self._end)
        for lane in lanes.members:
            lane.connection = self._client()
        return lanes

    def _client(self) -> Client:
        settings = {"max_memory_usage": QUESTION_MEMORY, _CALL: f"headrace-{next(_numbers)}"}
        return clickhouse_connect.get_client(
            interface="chdb", path=str(self._folder), settings=settings
        )

    def _end(self, client: Client) -> None:
        """End what this client is asking; inserts too: their group is pending then."""
        with self._ending:
            call = {"call": client.get_client_setting(_CALL)}
            self._ender.command(*bound(Statement("end_call", call), "clickhouse"))


def _answer(client: Client, text: str, values: Mapping[str, Any], form: str) -> bytes:
    """What the engine answers. Of a question that fails nothing is left for the next one.

    The engine puts what such a one has written already before the next answer of the same handle.
    """
    try:
        answer: bytes = client.raw_query(text, parameters=dict(values), fmt=form)
    except ClickHouseError:
        _drain(client)
        raise
    return answer


def _drain(client: Client) -> None:
    """Ask for nothing until nothing else comes; this may be ended too, by who ended the other."""
    for _ in range(_MOST_DRAINS):
        with suppress(ClickHouseError):
            if client.raw_query(*bound(Statement("ping", {}), "clickhouse"), fmt="TSV") == _PONG:
                return


def _cap(client: Client, timeout: float | None) -> None:
    """Let the engine itself end a question that takes too long."""
    seconds = str(timeout or 0)
    if client.get_client_setting("max_execution_time") != seconds:
        client.set_client_setting("max_execution_time", seconds)
