"""Connectors as people make, change and delete them."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.credentials import now_ms
from service.accounts.names import check_name
from service.accounts.pages import Page, Span, rows_of
from service.database import Database, heard
from service.errors import Conflict, NotFound
from service.pipelines.connectors.registry import kind_of
from service.pipelines.control.reach import (
    Reach,
    environment_of,
    reached,
    row_within,
    team_within,
)
from service.pipelines.control.rows import Connector, connector_of
from service.pipelines.control.settings import Told, kind_called, told
from service.pipelines.control.tables import connectors, source_runs
from service.pipelines.control.vault import Vault
from service.pipelines.control.versions import renew, users_of


@dataclass(frozen=True, slots=True)
class NewConnector:
    """A connector that is wanted. `field` names the settings in what the caller said."""

    team_id: str
    name: str
    type: str
    settings: Mapping[str, Any]
    direction: str = ""
    """Which it has to be; either without."""
    field: str = "{}"
    """How the caller calls name, type and config: `source_{}`."""
    keep: Callable[..., Told] = told
    """What is kept of the settings."""

    def called(self, part: str) -> str:
        """The field of a part, for errors."""
        return self.field.format(part)


class Connectors:
    """The connectors that somebody reaches.

    Everything raises AccountsUnavailable; what names a connector raises NotFound for one of an
    environment that he does not belong to, and Forbidden for one of another team.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def page(self, reach: Reach, span: Span, **only: str | None) -> Page[Connector]:
        """Those of the environment spoken for, oldest first; `only` names columns and values."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await environment_of(connection, reach)
                mine = await reached(connection, reach, environment_id, connectors.c.team_id)
                question = (
                    select(connectors)
                    .where(connectors.c.environment_id == environment_id, mine)
                    .where(connectors.c.name.icontains(span.search, autoescape=True))
                    .order_by(connectors.c.created_at, connectors.c.id)
                )
                for name, value in only.items():
                    if value is not None:
                        question = question.where(connectors.c[name] == value)
                rows, total = await rows_of(connection, question, span)
        return Page([connector_of(row) for row in rows], total, span)

    async def find(self, reach: Reach, connector_id: str, direction: str = "") -> Connector:
        """One of them, of whatever environment; with a direction NotFound for the other one."""
        with heard():
            async with self._database.reading() as connection:
                row = await connector_row(connection, reach, connector_id)
        if row["direction"] != (direction or row["direction"]):
            raise NotFound(f"there is no {direction} {connector_id[:64]}")
        return connector_of(row)

    async def find_named(self, reach: Reach, name: str) -> Connector:
        """The oldest of this name in the environment spoken for."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await environment_of(connection, reach)
                mine = await reached(connection, reach, environment_id, connectors.c.team_id)
                question = (
                    select(connectors)
                    .where(connectors.c.environment_id == environment_id, mine)
                    .where(connectors.c.name == name)
                    .order_by(connectors.c.created_at, connectors.c.id)
                )
                row = (await connection.execute(question)).mappings().first()
        if row is None:
            raise NotFound(f"there is no connector {name[:128]}")
        return connector_of(row)

    async def make(self, reach: Reach, wanted: NewConnector) -> Connector:
        """Make one. Raises InvalidInput, Conflict when the team has one of this name."""
        with heard():
            async with self._database.writing() as connection:
                team = await team_within(connection, reach, wanted.team_id)
                return await make(connection, self._vault, reach, team, wanted)

    async def change(
        self,
        reach: Reach,
        connector_id: str,
        name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        field: str = "config",
    ) -> Connector:
        """Change its name or its settings, which every pipeline that uses it hears of.

        Raises InvalidInput, Conflict.
        """
        with heard():
            async with self._database.writing() as connection:
                row = await connector_row(connection, reach, connector_id)
                values = changed(self._vault, row, name, settings, field)
                await renew(connection, reach.by, await change(connection, reach, row, values))
                return connector_of(await connector_row(connection, reach, connector_id))

    async def delete(self, reach: Reach, connector_id: str) -> None:
        """Delete one. Raises Conflict while a pipeline uses it."""
        with heard():
            async with self._database.writing() as connection:
                row = await connector_row(connection, reach, connector_id)
                if used := await users_of(connection, connector_id):
                    named = min(used.values())
                    raise Conflict(f"the pipeline {named} uses it: delete that first")
                runs = delete(source_runs).where(source_runs.c.source_id == connector_id)
                await connection.execute(runs)
                await connection.execute(delete(connectors).where(connectors.c.id == row["id"]))
                here = (connector_id, row["environment_id"])
                action = audit.CONNECTOR_DELETED
                await audit.note(connection, reach.by, action, *here, name=row["name"])


async def connector_row(connection: AsyncConnection, reach: Reach, connector_id: str) -> RowMapping:
    """Raises NotFound, Forbidden."""
    return await row_within(connection, reach, connectors, connector_id, "connector")


async def make(
    connection: AsyncConnection,
    vault: Vault,
    reach: Reach,
    team: RowMapping,
    wanted: NewConnector,
) -> Connector:
    """Make a connector of a team, in the caller's transaction. Raises InvalidInput, Conflict."""
    check_name(wanted.name, wanted.called("name"))
    kind = kind_of(wanted.type, wanted.called("type"))
    kind_called(wanted.type, wanted.direction or kind.direction, wanted.called("type"))
    kept = wanted.keep(kind, wanted.settings, {}, wanted.called("config"))
    await _check_free(connection, team["id"], wanted.name)
    now, connector_id = now_ms(), str(uuid.uuid4())
    made = Connector(
        id=connector_id,
        environment_id=team["environment_id"],
        team_id=team["id"],
        name=wanted.name,
        type=wanted.type,
        direction=kind.direction,
        settings=kept.settings,
        created_at=now,
        updated_at=now,
    )
    values = {field: getattr(made, field) for field in Connector.__slots__}
    values["secrets"] = vault.seal(connector_id, kept.secrets)
    await connection.execute(insert(connectors).values(**values))
    here = (connector_id, made.environment_id)
    told_of = {"name": made.name, "type": made.type, "team": made.team_id}
    await audit.note(connection, reach.by, audit.CONNECTOR_MADE, *here, **told_of)
    return made


def changed(
    vault: Vault,
    row: RowMapping,
    name: str | None,
    settings: Mapping[str, Any] | None,
    field: str,
    keep: Callable[..., Told] = told,
) -> dict[str, Any]:
    """The columns of a connector that become others. Raises InvalidInput."""
    values: dict[str, Any] = {}
    if name is not None and name != row["name"]:
        check_name(name)
        values["name"] = name
    if settings is not None:
        kind = kind_of(row["type"])
        former = vault.open(row["id"], row["secrets"])
        kept = keep(kind, settings, former, field)
        if kept.settings != row["settings"] or kept.secrets != former:
            values["settings"] = kept.settings
            values["secrets"] = vault.seal(row["id"], kept.secrets)
    return values


async def change(
    connection: AsyncConnection, reach: Reach, row: RowMapping, values: Mapping[str, Any]
) -> Collection[str]:
    """Change columns of a connector; the pipelines that must hear of it.

    Raises Conflict when the team has one of the new name.
    """
    if not values:
        return ()
    if "name" in values:
        await _check_free(connection, row["team_id"], values["name"])
    mine = update(connectors).where(connectors.c.id == row["id"])
    await connection.execute(mine.values(**values, updated_at=now_ms()))
    here = (row["id"], row["environment_id"])
    what = sorted(values.keys() - {"secrets"})
    await audit.note(connection, reach.by, audit.CONNECTOR_CHANGED, *here, changed=what)
    return await users_of(connection, row["id"]) if "settings" in values else ()


async def _check_free(connection: AsyncConnection, team_id: str, name: str) -> None:
    same = select(connectors.c.id).where(connectors.c.team_id == team_id, connectors.c.name == name)
    if (await connection.execute(same)).first() is not None:
        raise Conflict(f"the team has a connector called {name}")
