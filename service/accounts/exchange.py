"""All accounts of an installation as one document, out and in again: everything but secrets.

What a document does not name is left as it is.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Table, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit, key_rows
from service.accounts.callers import Caller
from service.accounts.environments import DEFAULT_ENVIRONMENT, change, environments
from service.accounts.memberships import members, team_members, teams
from service.accounts.records import (
    VERSION,
    Accounts,
    EnvironmentRecord,
    MembershipRecord,
    SavedRecord,
    TeamMemberRecord,
    TeamRecord,
    UserRecord,
    check_records,
)
from service.accounts.saved import place, saved_questions
from service.accounts.sessions import Sessions, heed
from service.accounts.users import users
from service.database import Database, heard
from service.errors import Conflict


class Counts(msgspec.Struct):
    """What an import did, by kind of thing."""

    created: dict[str, int]
    updated: dict[str, int]
    unchanged: dict[str, int]


_KINDS: Mapping[str, tuple[Table, type[msgspec.Struct], tuple[str, ...]]] = {
    "environments": (environments, EnvironmentRecord, ("id",)),
    "users": (users, UserRecord, ("id",)),
    "members": (members, MembershipRecord, ("env_id", "user_id")),
    "teams": (teams, TeamRecord, ("id",)),
    "team_members": (team_members, TeamMemberRecord, ("team_id", "user_id")),
    "saved_questions": (saved_questions, SavedRecord, ("env_id", "name")),
}
"""Table, form and identity of each kind, in the order in which one may refer to another."""
_NOT_ITS_OWN = "a name or an address is another's here, or something named is nowhere"
_COLUMNS = {"env_id": "environment_id", "active_env_id": "environment_id"}


Beside = Callable[[AsyncConnection], Awaitable[Mapping[str, list[Any]]]]
"""Reads, in the transaction of an export, what else belongs into the document."""
TakeIn = Callable[[AsyncConnection, Counts], Awaitable[None]]
"""Takes in what else is in the document, in the transaction of its import, and counts it."""


class Exchange:
    """Export and import, for superusers. Raises AccountsUnavailable."""

    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def export(self, caller: Caller, beside: Beside) -> dict[str, Any]:
        """The members of the document: everything there is, as of one moment."""
        with heard():
            async with self._database.writing() as connection:
                found = {kind: await _records(connection, kind) for kind in _KINDS}
                found |= await beside(connection)
                details: dict[str, Any] = {kind: len(records) for kind, records in found.items()}
                await audit.note(connection, caller.by, audit.ACCOUNTS_EXPORTED, "all", **details)
        now = time.time_ns() // 1_000_000
        return {"version": VERSION, "exported_at": now, **found}

    async def take_in(self, caller: Caller, document: Accounts, beside: TakeIn) -> Counts:
        """Make what is not there and change what is otherwise: all of it, or nothing.

        The same document again changes nothing. Keys with a larger tier than their environment has
        from now on get that one. Raises InvalidInput for one that makes no sense,
        Conflict when a name or address is another's here, or no superuser would be left.
        """
        check_records(document)
        done = Counts({}, {}, {})
        with heard():
            async with self._database.writing() as connection:
                try:
                    for kind in _KINDS:
                        await _merge(connection, kind, getattr(document, kind), done)
                except IntegrityError:
                    raise Conflict(_NOT_ITS_OWN) from None
                await _check_whole(connection)
                await beside(connection, done)
                lowered = await _lower_keys(connection, document.environments)
                await heed(connection, select(users.c.id))
                told: dict[str, Any] = {
                    "created": done.created,
                    "updated": done.updated,
                    "keys_lowered": lowered,
                }
                await audit.note(connection, caller.by, audit.ACCOUNTS_IMPORTED, "all", **told)
        await self._sessions.hear()
        return done


async def _records(connection: AsyncConnection, kind: str) -> list[Any]:
    table, form, identity = _KINDS[kind]
    question = select(table).order_by(*(_column(table, field) for field in identity))
    if "deleted_at" in table.c:
        question = question.where(table.c.deleted_at.is_(None))
    rows = (await connection.execute(question)).mappings().all()
    fields = form.__struct_fields__
    return [form(*(row[_column(table, field)] for field in fields)) for row in rows]


async def _merge(
    connection: AsyncConnection, kind: str, records: Sequence[Any], done: Counts
) -> None:
    table, form, identity = _KINDS[kind]
    there = {_identity(r, identity): r for r in await _records(connection, kind)}
    outcome = {"created": 0, "updated": 0, "unchanged": 0}
    for record in records:
        known = there.get(_identity(record, identity))
        values = {_column(table, f).name: getattr(record, f) for f in form.__struct_fields__}
        if known is None:
            outcome["created"] += 1
            await _create(connection, table, values)
        elif _differs(table, known, record):
            outcome["updated"] += 1
            await _update(connection, table, {_column(table, f).name for f in identity}, values)
        else:
            outcome["unchanged"] += 1
    for name, count in outcome.items():
        getattr(done, name)[kind] = count


async def _create(connection: AsyncConnection, table: Table, values: dict[str, Any]) -> None:
    if table is saved_questions:
        await place(connection, **values)
        return
    if table is not environments:
        await connection.execute(insert(table).values(**values))
        return
    gone = select(table.c.id).where(table.c.id == values["id"])
    if (await connection.execute(gone)).first() is None:
        await connection.execute(insert(table).values(**values, revision=0))
    await change(connection, values["id"], **values, deleted_at=None)


async def _update(
    connection: AsyncConnection, table: Table, identity: set[str], values: dict[str, Any]
) -> None:
    """`public_metrics` of the default environment is the setting's."""
    if table is saved_questions:
        await place(connection, **values)
        return
    rest = {name: value for name, value in values.items() if name not in identity}
    if table is environments:
        if values["id"] == DEFAULT_ENVIRONMENT:
            del rest["public_metrics"]
        await change(connection, values["id"], **rest)
        return
    mine = and_(*(table.c[name] == values[name] for name in identity))
    await connection.execute(update(table).where(mine).values(**rest))


def _differs(table: Table, known: Any, record: Any) -> bool:
    if table is environments and record.id == DEFAULT_ENVIRONMENT:
        record = msgspec.structs.replace(record, public_metrics=known.public_metrics)
    return bool(known != record)


async def _check_whole(connection: AsyncConnection) -> None:
    left = select(users.c.id).where(users.c.is_superuser, users.c.is_active)
    if (await connection.execute(left)).first() is None:
        raise Conflict("there would be no superuser left")


async def _lower_keys(
    connection: AsyncConnection, theirs: Sequence[EnvironmentRecord]
) -> dict[str, int]:
    """How many keys had a larger tier than their environment has now, of each that had some."""
    lowered = {each.id: await key_rows.lower(connection, each.id, each.tier) for each in theirs}
    return {environment: keys for environment, keys in lowered.items() if keys}


def _identity(record: Any, fields: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(record, field) for field in fields)


def _column(table: Table, field: str) -> Column[Any]:
    return table.c[_COLUMNS.get(field, field)]
