"""What operators do from the command line, beside a running service or without one.

While a service runs, its data directory is its own: the work is asked of it over its routes for
operators. Otherwise the parts are opened here. Each command returns its exit code.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx2
import msgspec
from rich.console import Console
from rich.table import Table

from service import dead_letters, running
from service.accounts.commands.opened import opened_accounts, operator
from service.accounts.erasures import Erasure, Erasures
from service.accounts.governing import environment_called
from service.api.operators import DeadLetterList, DeadLetterReport, Inspection, report_of
from service.bootstrap import (
    Answering,
    migrate_data,
    migrations_due,
    open_answering,
    open_service,
)
from service.errors import HeadraceError, NotFound, NotRunning
from service.inspection import inspect
from service.rollup import Finding
from service.settings import Settings
from service.telemetry import configure_logs

_TIMEOUT = 600.0
"""Seconds; verifying reads every row."""
_HEALTH_TIMEOUT = 4.0
_ERASED_WITHIN = 60.0


async def verify(settings: Settings, console: Console) -> int:
    """Compare rollups with raw rows, and the stream's offset with the store; 1 if they differ."""
    async with _operator(settings) as operator:
        with console.status("comparing every rollup with the raw rows …"):
            findings = await operator.verify()
    console.print(_findings_table(findings))
    wrong = [finding for finding in findings if not finding.ok]
    console.print(f"{len(wrong)} of {len(findings)} differ" if wrong else "everything agrees")
    return 1 if wrong else 0


async def health(settings: Settings, console: Console) -> int:
    """Ask the processes of the data directory whether they are ready; 1 if one is not."""
    ready = [await _is_ready(there, console) for there in running.read_all(settings.data_dir)]
    return 0 if all(ready) else 1


async def _is_ready(there: running.Running, console: Console) -> bool:
    url, trust = there.url, running.trusted(there.certificate)
    try:
        async with httpx2.AsyncClient(
            base_url=url, timeout=_HEALTH_TIMEOUT, verify=trust
        ) as client:
            answer = await client.get("/api/ready")
    except httpx2.HTTPError as error:
        console.print(f"{url} does not answer: {error!r}")
        return False
    console.print(f"{url} is {'ready' if answer.is_success else 'not ready'}")
    return answer.is_success


async def migrate(settings: Settings, check: bool, console: Console) -> int:
    """Bring the schemas up to date, or only say what is to do (1 if something is)."""
    if not settings.clickhouse_url.startswith("http") and _runs(settings):
        console.print("a service runs on this data directory; it migrated at its start")
        return 0
    configure_logs(settings.log_format, settings.secrets)
    if check:
        due = await migrations_due(settings)
        console.print("\n".join(due) or "nothing to do")
        return 1 if due else 0
    await migrate_data(settings)
    console.print("the schemas are up to date")
    return 0


def _runs(settings: Settings) -> bool:
    try:
        running.read(settings.data_dir)
    except NotRunning:
        return False
    return True


async def list_dead_letters(settings: Settings, console: Console) -> int:
    """Print the oldest dead letters."""
    async with _operator(settings) as operator:
        letters = await operator.dead_letters()
    if not letters:
        console.print("there are no dead letters")
        return 0
    table = Table("number", "environment", "time", "bytes", "reason")
    for letter in letters:
        size = str(len(letter.body) * 3 // 4)
        table.add_row(str(letter.number), letter.environment, letter.time, size, letter.reason)
    console.print(table)
    return 0


async def replay_dead_letters(settings: Settings, numbers: Sequence[int], console: Console) -> int:
    """Put dead letters on the stream again."""
    async with _operator(settings) as operator:
        for number in numbers:
            await operator.replay(number)
            console.print(f"{number}: on the stream again")
    return 0


async def discard_dead_letters(settings: Settings, numbers: Sequence[int], console: Console) -> int:
    """Forget dead letters."""
    async with _operator(settings) as operator:
        for number in numbers:
            await operator.discard(number)
            console.print(f"{number}: forgotten")
    return 0


async def erase_customers(
    settings: Settings, environment: str, user_ids: Sequence[str], console: Console
) -> int:
    """Have users of an environment erased, and wait for it; 1 if that takes too long.

    Raises NotFound when there is no such environment.
    """
    configure_logs(settings.log_format, settings.secrets)
    async with opened_accounts(settings) as database:
        tenant = (await environment_called(database, environment)).id
        erasures = Erasures(database)
        asked = [await erasures.ask(tenant, user_id, operator()) for user_id in user_ids]
        if not (settings.is_shared or _runs(settings)):
            async with _opened(settings):
                pass  # a writer that stores what is left carries out what was asked for, too
        return await _wait_until_erased(erasures, tenant, asked, console)


async def _wait_until_erased(
    erasures: Erasures, tenant: str, asked: Sequence[Erasure], console: Console
) -> int:
    deadline = asyncio.get_running_loop().time() + _ERASED_WITHIN
    while any([(await erasures.find(tenant, one.id)).erased_at is None for one in asked]):
        if asyncio.get_running_loop().time() > deadline:
            console.print("not done yet: the service that writes carries it out once it can")
            return 1
        await asyncio.sleep(0.2)
    for one in asked:
        done = await erasures.find(tenant, one.id)
        console.print(f"{done.id}: {done.events} events, {done.versions} versions erased")
    return 0


class _Operator(Protocol):
    async def verify(self) -> Sequence[Finding]: ...
    async def dead_letters(self) -> Sequence[DeadLetterReport]: ...
    async def replay(self, number: int) -> None: ...
    async def discard(self, number: int) -> None: ...


@asynccontextmanager
async def _operator(settings: Settings) -> AsyncIterator[_Operator]:
    configure_logs(settings.log_format, settings.secrets)
    try:
        there = running.read(settings.data_dir)
    except NotRunning:
        async with _opened(settings) as service:
            yield _Here(service)
        return
    async with running.calling(there, _TIMEOUT) as client:
        yield _There(client)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Answering]:
    """The parts; where nobody else can write, what the stream holds is stored first."""
    if settings.is_shared:
        async with open_answering(settings) as service:
            yield service
    else:
        async with open_service(settings) as alone:
            if alone.writer:
                await alone.writer.drain()
            yield alone


class _Here:
    """The parts, opened by this process."""

    def __init__(self, service: Answering) -> None:
        self._service = service

    async def verify(self) -> Sequence[Finding]:
        return await inspect(self._service.rollup, self._service.store, self._service.stream)

    async def dead_letters(self) -> Sequence[DeadLetterReport]:
        return [report_of(letter) for letter in await dead_letters.listed(self._service.stream)]

    async def replay(self, number: int) -> None:
        await dead_letters.replay(self._service.stream, number)

    async def discard(self, number: int) -> None:
        await dead_letters.discard(self._service.stream, number)


class _There:
    """A running service, asked over its routes for operators."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def verify(self) -> Sequence[Finding]:
        return msgspec.convert(await self._ask("GET", "/-/verify"), Inspection).findings

    async def dead_letters(self) -> Sequence[DeadLetterReport]:
        answer = await self._ask("GET", "/-/dead-letters")
        return msgspec.convert(answer, DeadLetterList).dead_letters

    async def replay(self, number: int) -> None:
        await self._ask("POST", f"/-/dead-letters/{number}/replay")

    async def discard(self, number: int) -> None:
        await self._ask("DELETE", f"/-/dead-letters/{number}")

    async def _ask(self, method: str, path: str) -> Any:
        try:
            answer = await self._client.request(method, path)
        except httpx2.HTTPError as error:
            raise HeadraceError(f"the running service does not answer: {error}") from error
        body = msgspec.json.decode(answer.content)
        if answer.status_code == 404:
            raise NotFound(body["error"]["message"])
        if answer.is_error:
            raise HeadraceError(body["error"]["message"])
        return body["data"]


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table("", "compared", "expected", "found")
    for finding in findings:
        sign = "[green]✓" if finding.ok else "[red]✗"
        table.add_row(sign, finding.name, str(finding.expected), str(finding.found))
    return table
