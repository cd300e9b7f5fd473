"""Applies `migrations/<dialect>/*.sql` in order, once each.

A file is a list of statements, each ended by a semicolon at the end of a line. One statement is
one step: done and noted together where the engine can, so that a crash leaves at most one
statement to be repeated.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from service.errors import MigrationError
from service.resources import directory
from service.storage.protocol import EventStore, Statement

_END_OF_STATEMENT = re.compile(r";[ \t]*$", re.M)


class Migratable(EventStore, Protocol):
    """An event store whose schema can be defined."""

    async def define(self, definition: str, record: Statement) -> None:
        """Carry out one step of a migration and note that it is done."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its statements in order, and the digest by which a change is seen."""

    name: str
    steps: tuple[str, ...]
    checksum: str


async def migrate(store: Migratable) -> list[str]:
    """Bring the schema up to date; the names of the files applied now.

    Raises MigrationError as `pending` does.
    """
    applied = []
    for migration, done in await _outstanding(store):
        for step in range(done, len(migration.steps)):
            await store.define(migration.steps[step], _note(migration, step))
        applied.append(migration.name)
    return applied


async def pending(store: EventStore) -> list[str]:
    """The names of the files that `migrate` would apply.

    Raises MigrationError when an applied file has changed since, or when the schema was made by
    a newer version of this program.
    """
    return [migration.name for migration, _ in await _outstanding(store)]


def migrations(dialect: str) -> list[Migration]:
    """The files for a dialect, in the order of their names."""
    files = sorted(directory("migrations").joinpath(dialect).iterdir(), key=lambda f: f.name)
    return [_read(f.name, f.read_text("utf-8")) for f in files if f.name.endswith(".sql")]


def _read(name: str, text: str) -> Migration:
    steps = (part.strip() for part in _END_OF_STATEMENT.split(text))
    return Migration(
        name.removesuffix(".sql"),
        tuple(step for step in steps if step),
        hashlib.sha256(text.encode()).hexdigest(),
    )


async def _outstanding(store: EventStore) -> list[tuple[Migration, int]]:
    """The migrations not done, each with the number of its steps that are."""
    known = migrations(store.dialect)
    done = await _done(store)
    _refuse_newer(done, known)
    for migration in known:
        _refuse_changed(done, migration)
    steps_done = ((m, done[m.name][0] if m.name in done else 0) for m in known)
    return [(m, steps) for m, steps in steps_done if steps < len(m.steps)]


async def _done(store: EventStore) -> dict[str, tuple[int, str]]:
    """Steps done and checksum by migration."""
    await store.execute(Statement("migrations_table", {}))
    [table] = await store.fetch(Statement("migrations_done", {}))
    return {row["name"]: (row["steps"], row["checksum"]) for row in table.to_pylist()}


def _refuse_newer(done: dict[str, tuple[int, str]], known: list[Migration]) -> None:
    if unknown := sorted(set(done) - {m.name for m in known}):
        raise MigrationError(
            f"the event store was made by a newer version: it has {', '.join(unknown)}"
        )


def _refuse_changed(done: dict[str, tuple[int, str]], migration: Migration) -> None:
    if migration.name in done and done[migration.name][1] != migration.checksum:
        raise MigrationError(
            f"migration {migration.name} has changed since it was applied; "
            "restore the file and put the change into a new one"
        )


def _note(migration: Migration, step: int) -> Statement:
    values = {"name": migration.name, "step": step, "checksum": migration.checksum}
    return Statement("migrations_note", values)
