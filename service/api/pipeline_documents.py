"""A pipeline and a connector as faces show them: flat, with masks for secrets."""

from typing import Any

import msgspec

from service.api.answers import iso
from service.pipelines.control.rows import Connector, Pipeline


class PipelineDocument(msgspec.Struct, kw_only=True):
    """A pipeline. `existing_…_id` is null for a connector that was made with it."""

    id: str
    name: str
    state: str
    reason: str | None
    """Why it is in the state `error`."""
    version: int
    team_id: str
    team_name: str
    env_id: str
    existing_source_id: str | None
    source_id: str
    source_name: str
    source_type: str
    source_config: dict[str, Any]
    existing_target_id: str | None
    target_id: str | None
    target_name: str | None
    target_type: str | None
    target_config: dict[str, Any] | None
    datamodel_id: str | None
    datamodel_source_topic: str | None
    datamodel_target_topic: str | None
    datamodel_error_table_enabled: bool
    datamodel_error_table_name: str | None
    datamodel_error_table_target_id: str | None
    subscription_id: str | None
    subscription_target_table_name: str | None
    subscription_backfill: bool
    subscription_mapper_config: list[dict[str, Any]] | None
    subscription_transforms: list[dict[str, Any]] | None
    subscription_consumer_id: str | None
    subscription_error_table_enabled: bool
    subscription_error_table_name: str | None
    subscription_error_table_target_id: str | None
    created_at: str
    updated_at: str


def pipeline_document(pipeline: Pipeline) -> PipelineDocument:
    """The pipeline as faces show it."""
    own = pipeline.own
    target = pipeline.connectors[own.target_id] if own else None
    fields = {
        **_connector("source", pipeline.source, pipeline.source_named),
        **_connector("target", target, own is not None and own.target_named),
        **_part("datamodel", pipeline.datamodel),
        **_part("subscription", own),
    }
    return PipelineDocument(
        id=pipeline.id,
        name=pipeline.name,
        state=pipeline.state,
        reason=pipeline.reason or None,
        version=pipeline.version,
        team_id=pipeline.team_id,
        team_name=pipeline.team_name,
        env_id=pipeline.environment_id,
        created_at=iso(pipeline.created_at),
        updated_at=iso(max(pipeline.updated_at, pipeline.state_at)),
        **fields,
    )


def _connector(side: str, connector: Connector | None, named: bool) -> dict[str, Any]:
    return {
        f"existing_{side}_id": connector.id if connector and named else None,
        f"{side}_id": connector and connector.id,
        f"{side}_name": connector and connector.name,
        f"{side}_type": connector and connector.type,
        f"{side}_config": connector and dict(connector.settings),
    }


def _part(prefix: str, part: Any) -> dict[str, Any]:
    """The fields of a datamodel or subscription; without one null or false."""
    own = (f for f in PipelineDocument.__struct_fields__ if f.startswith(f"{prefix}_"))
    fields = {name: getattr(part, name.removeprefix(f"{prefix}_"), None) for name in own}
    return {n: bool(v) if n.endswith(("_enabled", "_backfill")) else v for n, v in fields.items()}


class ConnectorDocument(msgspec.Struct):
    """A connector. `config` has `********` for each secret that is set."""

    id: str
    name: str
    type: str
    direction: str
    config: dict[str, Any]
    team_id: str
    env_id: str
    created_at: str
    updated_at: str


def connector_document(connector: Connector) -> ConnectorDocument:
    """The connector as faces show it."""
    return ConnectorDocument(
        connector.id,
        connector.name,
        connector.type,
        connector.direction,
        dict(connector.settings),
        connector.team_id,
        connector.environment_id,
        iso(connector.created_at),
        iso(connector.updated_at),
    )
