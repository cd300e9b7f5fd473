"""Applies `migrations/<dialect>/*.sql` in order, once each, one migrator at a time.

A file is a list of statements, each ended by a semicolon at the end of a line. One statement is
one step: done and noted together where the engine can; where it cannot, every statement may be
carried out again. So a crash leaves at most one statement to be repeated.
"""

import asyncio
import hashlib
import os
import random
import re
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from service import crash
from service.errors import MigrationError
from service.events import now_ms
from service.resources import directory
from service.storage.cluster import clustered, everywhere
from service.storage.protocol import EventStore, Statement
from service.storage.statements import statement
from service.telemetry import log

_CLAIM_MS = 120_000
"""How long a claim holds that is not renewed: much longer than one step takes."""
PATIENCE = 150.0
"""Seconds to wait for another migrator before giving up: longer than the claim of one that died."""
_PAUSE = (0.2, 1.0)

_END_OF_STATEMENT = re.compile(r";[ \t]*$", re.M)
_CLUSTER_FORM = "cluster:"
"""Stands before the checksum of a file that was applied in its cluster form."""


class Migratable(EventStore, Protocol):
    """An event store whose schema can be defined."""

    shared: bool
    """Whether another process may migrate it at the same time."""
    cluster: str
    """The cluster that it is spread over; empty for one server, or a file."""

    async def define(self, definition: str, record: Statement | None = None) -> None:
        """Carry out one step of a migration, and note that it is done."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its statements in order, and the digest by which a change is seen."""

    name: str
    steps: tuple[str, ...]
    checksum: str


async def migrate(store: Migratable, patience: float = PATIENCE) -> list[str]:
    """Bring the schema up to date; the names of the files applied now.

    Waits for another migrator. Raises MigrationError when that one is not done within `patience`
    seconds, and as `pending` does.
    """
    if not await _outstanding(store):
        return []
    applied = []
    async with _alone(store, patience) as claim:
        for migration, done in await _outstanding(store):
            for step in range(done, len(migration.steps)):
                await claim.renew()
                await store.define(migration.steps[step], _note(migration, step))
                crash.point("migrate.after_step")
            applied.append(migration.name)
    return applied


async def pending(store: Migratable) -> list[str]:
    """The names of the files that `migrate` would apply.

    Raises MigrationError when an applied file has changed since, when it was applied in another
    form, or when the schema was made by a newer version of this program.
    """
    return [migration.name for migration, _ in await _outstanding(store)]


def migrations(dialect: str, cluster: str = "") -> list[Migration]:
    """The files for a dialect, in the order of their names; in the form for a cluster if named."""
    files = sorted(directory("migrations").joinpath(dialect).iterdir(), key=lambda f: f.name)
    return [_read(f.name, f.read_text("utf-8"), cluster) for f in files if f.name.endswith(".sql")]


def _read(name: str, text: str, cluster: str) -> Migration:
    parts = [part.strip() for part in _END_OF_STATEMENT.split(text)]
    steps = [part for part in parts if part]
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if cluster:
        steps = [form for step in steps for form in clustered(step, cluster)]
        checksum = f"{_CLUSTER_FORM}{checksum}"
    return Migration(name.removesuffix(".sql"), tuple(steps), checksum)


async def _outstanding(store: Migratable) -> list[tuple[Migration, int]]:
    """The migrations not done, each with the number of its steps that are."""
    known = migrations(store.dialect, store.cluster)
    done = await _done(store)
    _refuse_newer(done, known)
    for migration in known:
        _refuse_changed(done, migration)
    steps_done = ((m, done[m.name][0] if m.name in done else 0) for m in known)
    return [(m, steps) for m, steps in steps_done if steps < len(m.steps)]


async def _done(store: Migratable) -> dict[str, tuple[int, str]]:
    """Steps done and checksum by migration."""
    await _make(store, "migrations_table")
    [table] = await store.fetch(Statement("migrations_done", {}))
    return {row["name"]: (row["steps"], row["checksum"]) for row in table.to_pylist()}


async def _make(store: Migratable, table: str) -> None:
    """Make a table that migrating itself needs, if it is not there."""
    text, _ = statement(table, store.dialect)
    await store.define(everywhere(text, store.cluster) if store.cluster else text)


def _refuse_newer(done: dict[str, tuple[int, str]], known: list[Migration]) -> None:
    if unknown := sorted(set(done) - {m.name for m in known}):
        raise MigrationError(
            f"the event store was made by a newer version: it has {', '.join(unknown)}"
        )


def _refuse_changed(done: dict[str, tuple[int, str]], migration: Migration) -> None:
    noted = done[migration.name][1] if migration.name in done else migration.checksum
    if noted == migration.checksum:
        return
    if noted.removeprefix(_CLUSTER_FORM) == migration.checksum.removeprefix(_CLUSTER_FORM):
        made = "a cluster" if noted.startswith(_CLUSTER_FORM) else "one server"
        raise MigrationError(
            f"the event store was made for {made}; set HEADRACE_CLICKHOUSE_CLUSTER as it was "
            "then, or move the events to a new database"
        )
    raise MigrationError(
        f"migration {migration.name} has changed since it was applied; "
        "restore the file and put the change into a new one"
    )


def _note(migration: Migration, step: int) -> Statement:
    values = {"name": migration.name, "step": step, "checksum": migration.checksum}
    return Statement("migrations_note", values)


@asynccontextmanager
async def _alone(store: Migratable, patience: float) -> AsyncIterator["_Claim"]:
    """Keep other migrators out; a file is held by one process anyway."""
    claim = _Claim(store)
    if store.shared:
        await _make(store, "migrators_table")
        await claim.take(patience)
    try:
        yield claim
    finally:
        await claim.give_back()


class _Claim:
    """One migrator's word that it is at work.

    Whoever wants to begin says so first and looks second, so of two who begin at once at least
    one sees the other, and withdraws. A claim that nobody renews ends by itself.
    """

    def __init__(self, store: Migratable) -> None:
        self._store = store
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._turn = 0
        self._held = False
        self._waits_for: Sequence[str] = ()

    async def take(self, patience: float) -> None:
        """Return when nobody else is at work; raises MigrationError after `patience` seconds."""
        given_up = now_ms() + patience * 1000
        while not await self._taken():
            if now_ms() >= given_up:
                others = ", ".join(await self._others()) or "another process"
                raise MigrationError(
                    f"{others} is migrating this event store; try again when that is done"
                )
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311

    async def renew(self) -> None:
        """Say that this migrator is still at work."""
        if self._held:
            await self._say(now_ms() + _CLAIM_MS)

    async def give_back(self) -> None:
        """Say that this migrator is done."""
        if self._held:
            self._held = False
            await self._say(0)

    async def _taken(self) -> bool:
        if others := await self._others():
            if others != self._waits_for:
                log().warning("migrate.waiting", others=others)
            self._waits_for = others
            return False
        self._held = True
        await self.renew()
        if await self._others():
            await self.give_back()
        return self._held

    async def _others(self) -> Sequence[str]:
        values = {"holder": self._holder, "now": now_ms()}
        [others] = await self._store.fetch(Statement("migrators_at_work", values))
        names: list[str] = others["holder"].to_pylist()
        return names

    async def _say(self, until: int) -> None:
        self._turn += 1
        values = {"holder": self._holder, "turn": self._turn, "until": until}
        await self._store.execute(Statement("migrators_say", values))
