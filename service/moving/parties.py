"""Who gives events and who takes them: parts opened here, or a service that runs.

While a service runs, its data directory is its own: what is wanted of it is asked over its routes
for operators (`service/api/transfers.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx2
import msgspec
import pyarrow as pa

from service import running
from service.api.transfers import packed_rows, unpacked_rows
from service.bootstrap import Service, open_service, open_store
from service.errors import (
    HeadraceError,
    IngestionUnavailable,
    InvalidInput,
    NotFound,
    NotRunning,
    TransferFailed,
    Unreachable,
)
from service.settings import Settings
from service.telemetry import configure_logs
from service.transfer.incoming import Landed, Way, land
from service.transfer.outgoing import Choice, Extent, Source, Stored
from service.worker import work

_TIMEOUT = 600.0
"""Seconds; a piece waits until it is stored."""


class Party(Source, Protocol):
    """A source that also takes events in."""

    async def land(self, rows: pa.Table, first: int, again: bool) -> Landed:
        """Take rows of a file in; returns when they are stored. Raises as `incoming.land` does."""
        ...


class Here(Stored):
    """The parts of a service, opened by this process."""

    def __init__(self, way: Way) -> None:
        super().__init__(way.store)
        self._way = way

    async def land(self, rows: pa.Table, first: int, again: bool) -> Landed:
        return await land(self._way, rows, first, again)


class There:
    """A running service. Where it is, is looked up each time: it may be started again meanwhile."""

    def __init__(self, data_dir: Path, client: httpx2.AsyncClient) -> None:
        self._data_dir = data_dir
        self._client = client

    async def extent(self, choice: Choice, after: int = 0, until: int | None = None) -> Extent:
        asked = _parameters(choice, after, until)
        return msgspec.convert(await self._data("GET", "/-/export", asked), Extent)

    async def rows(self, choice: Choice, after: int, until: int) -> pa.Table:
        answer = await self._ask("GET", "/-/export/rows", _parameters(choice, after, until))
        return unpacked_rows(answer.content)

    async def sums(self, after: int, until: int) -> dict[str, int]:
        asked = {"after": after, "until": until}
        return msgspec.convert(await self._data("GET", "/-/export/sums", asked), dict[str, int])

    async def land(self, rows: pa.Table, first: int, again: bool) -> Landed:
        asked = {"first": first, "again": str(again).lower()}
        body = await asyncio.to_thread(packed_rows, rows)
        return msgspec.convert(await self._data("POST", "/-/import", asked, body), Landed)

    async def _data(
        self, method: str, path: str, asked: Mapping[str, Any], body: bytes | None = None
    ) -> Any:
        answer = await self._ask(method, path, asked, body)
        return msgspec.json.decode(answer.content)["data"]

    async def _ask(
        self, method: str, path: str, asked: Mapping[str, Any], body: bytes | None = None
    ) -> httpx2.Response:
        there = running.read(self._data_dir)
        headers = {"authorization": f"Bearer {there.operator_token}"}
        try:
            answer = await self._client.request(
                method, there.url + path, params=asked, content=body, headers=headers
            )
        except httpx2.HTTPError as error:
            raise Unreachable(f"the running service does not answer: {error!r}") from error
        if answer.is_error:
            raise _error(answer)
        return answer


@asynccontextmanager
async def opened_source(settings: Settings) -> AsyncIterator[Source]:
    """The events of the data directory, whether or not a service runs on it."""
    configure_logs(settings.log_format, settings.secrets)
    if is_running(settings):
        async with _running_service(settings) as there:
            yield there
    else:
        async with open_store(settings) as store:
            yield Stored(store)


@asynccontextmanager
async def opened_party(settings: Settings) -> AsyncIterator[Party]:
    """The service of the data directory; its parts, opened here, when it does not run."""
    configure_logs(settings.log_format, settings.secrets)
    if is_running(settings):
        async with _running_service(settings) as there:
            yield there
    else:
        async with open_service(settings) as service, _at_work(service):
            yield Here(service.way)


@asynccontextmanager
async def _running_service(settings: Settings) -> AsyncIterator[There]:
    trust = running.trusted(running.read(settings.data_dir).certificate)
    async with httpx2.AsyncClient(timeout=_TIMEOUT, verify=trust) as client:
        yield There(settings.data_dir, client)


@asynccontextmanager
async def _at_work(service: Service) -> AsyncIterator[None]:
    """Store what comes for the time of the block."""
    stop = asyncio.Event()
    working = asyncio.create_task(work(service, stop))
    try:
        yield
    finally:
        stop.set()
        await working


def is_running(settings: Settings) -> bool:
    """Whether a service runs on the data directory, so that its events are asked of it."""
    try:
        running.read(settings.data_dir)
    except NotRunning:
        return False
    return not settings.is_shared


def _parameters(choice: Choice, after: int, until: int | None) -> dict[str, Any]:
    chosen = {"environment": choice.environment, "start": choice.start, "end": choice.end}
    stretch = {"after": after} if until is None else {"after": after, "until": until}
    return {**chosen, **stretch}


_KINDS: dict[int, type[HeadraceError]] = {
    400: InvalidInput,
    404: NotFound,
    409: TransferFailed,
    503: IngestionUnavailable,
}


def _error(answer: httpx2.Response) -> HeadraceError:
    try:
        message = msgspec.json.decode(answer.content)["error"]["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"the running service answered {answer.status_code}"
    return _KINDS.get(answer.status_code, HeadraceError)(message)
