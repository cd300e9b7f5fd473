"""What the workers are to run, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.credentials import now_ms
from service.database import Database, heard
from service.errors import HeadraceError
from service.pipelines.control.rows import (
    Connector,
    Datamodel,
    Pipeline,
    Subscription,
    pipelines_of,
)
from service.pipelines.control.states import WORKED
from service.pipelines.control.tables import connectors, pipelines
from service.pipelines.control.vault import Vault
from service.pipelines.mapper import columns_of
from service.pipelines.model import Assignment, ConnectorConfig, State, SubscriptionConfig
from service.telemetry import log

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The pipelines as workers see them. Raises AccountsUnavailable."""

    database: Database
    vault: Vault

    async def live(self) -> Sequence[Assignment]:
        """All that are to be run now, with secrets opened.

        One whose secrets do not open comes to an error, and is not among them.
        """
        with heard():
            async with self.database.reading() as connection:
                wanted = select(pipelines).where(pipelines.c.state.in_(WORKED))
                rows = (await connection.execute(wanted.order_by(pipelines.c.id))).mappings().all()
                found = await pipelines_of(connection, rows)
                secrets = await self._secrets(connection, found)
        return [one for one in [await self._assigned(p, secrets) for p in found] if one]

    async def is_gone(self, pipeline_id: str) -> bool:
        """Whether it was deleted."""
        asked = select(pipelines.c.id).where(pipelines.c.id == pipeline_id)
        with heard():
            async with self.database.reading() as connection:
                return (await connection.execute(asked)).first() is None

    async def note_state(
        self, pipeline_id: str, version: int, state: State, reason: str = ""
    ) -> bool:
        """A worker has brought a version into a state; whether that is what is wanted of it still.

        What people have asked for meanwhile (another version, a pause, a draft) stands.
        """
        mine = (
            update(pipelines)
            .where(pipelines.c.id == pipeline_id, pipelines.c.version == version)
            .where(pipelines.c.state.in_(WORKED))
            .values(state=state, reason=reason[:_LONGEST_REASON], state_at=now_ms())
        )
        with heard():
            async with self.database.writing() as connection:
                return (await connection.execute(mine)).rowcount == 1

    async def _secrets(
        self, connection: AsyncConnection, found: Sequence[Pipeline]
    ) -> Mapping[str, str | None]:
        """Sealed, by connector."""
        used = {one for pipeline in found for one in pipeline.connectors}
        asked = select(connectors.c.id, connectors.c.secrets).where(connectors.c.id.in_(used))
        return {row.id: row.secrets for row in await connection.execute(asked)}

    async def _assigned(
        self, pipeline: Pipeline, secrets: Mapping[str, str | None]
    ) -> Assignment | None:
        def opened(connector: Connector) -> ConnectorConfig:
            known = self.vault.open(connector.id, secrets[connector.id])
            return ConnectorConfig(connector.type, {**connector.settings, **known})

        try:
            return assignment_of(pipeline, {i: opened(c) for i, c in pipeline.connectors.items()})
        except HeadraceError as error:
            log().error("pipelines.not_assigned", pipeline=pipeline.id, reason=str(error))
            await self.note_state(pipeline.id, pipeline.version, "error", str(error))
            return None


def masked_assignment(pipeline: Pipeline) -> Assignment:
    """What a worker would be given, with masks for the secrets."""
    told = {c.id: ConnectorConfig(c.type, c.settings) for c in pipeline.connectors.values()}
    return assignment_of(pipeline, told)


def assignment_of(pipeline: Pipeline, told: Mapping[str, ConnectorConfig]) -> Assignment:
    """The pipeline with these connectors, by id. Raises InvalidInput for a mapper that is none."""
    return Assignment(
        pipeline_id=pipeline.id,
        version=pipeline.version,
        tenant=pipeline.environment_id,
        source=told[pipeline.source_id],
        subscriptions=[
            _subscription(one, pipeline.datamodel, told)
            for one in pipeline.subscriptions
            if one.wanted == "running"
        ],
    )


def _subscription(
    one: Subscription, model: Datamodel | None, told: Mapping[str, ConnectorConfig]
) -> SubscriptionConfig:
    errors = next((each for each in (one, model) if each and each.error_table_enabled), None)
    table = one.target_table_name or (model and model.target_topic) or ""
    return SubscriptionConfig(
        id=one.id,
        columns=columns_of(one.mapper_config)[0] if one.mapper_config else (),
        target=told[one.target_id],
        table=table,
        error_target=told[errors.error_table_target_id or one.target_id] if errors else None,
        error_table=(errors.error_table_name or f"{table or 'records'}_errors") if errors else "",
        backfill=one.backfill,
        since=one.since,
        transforms=one.transforms or (),
    )
