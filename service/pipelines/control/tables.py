"""The tables of pipelines. All times are ms since 1970 UTC."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from service.database import metadata

connectors = Table(
    "connectors",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False, index=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("type", String(64), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("secrets", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("team_id", "name"),
)
"""`settings` is what its owner said, with masks for the secrets: those are sealed apart."""

pipelines = Table(
    "pipelines",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False, index=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("source_id", ForeignKey("connectors.id"), nullable=False, index=True),
    Column("source_named", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("state_at", BigInteger, nullable=False),
    UniqueConstraint("team_id", "name"),
)
"""`source_named`: the source was there before, and was named by its id. `version` grows with
whatever the workers must hear of."""

versions = Table(
    "pipeline_versions",
    metadata,
    Column("pipeline_id", ForeignKey("pipelines.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("configuration", JSON, nullable=False),
    Column("made_by", String(254), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""What a pipeline was in each of its versions, without secrets."""

datamodels = Table(
    "datamodels",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("pipeline_id", ForeignKey("pipelines.id"), nullable=False, unique=True),
    Column("source_topic", String(255)),
    Column("target_topic", String(255)),
    Column("error_table_enabled", Boolean, nullable=False),
    Column("error_table_name", String(255)),
    Column("error_table_target_id", ForeignKey("connectors.id"), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""The records of a pipeline's source, which subscriptions take further."""

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("pipeline_id", ForeignKey("pipelines.id"), nullable=False, index=True),
    Column("datamodel_id", ForeignKey("datamodels.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("wanted", String(16), nullable=False),
    Column("target_id", ForeignKey("connectors.id"), nullable=False, index=True),
    Column("target_named", Boolean, nullable=False),
    Column("target_table_name", String(255)),
    Column("backfill", Boolean, nullable=False),
    Column("since", BigInteger),
    Column("mapper_config", JSON(none_as_null=True)),
    Column("transforms", JSON(none_as_null=True)),
    Column("consumer_id", String(255), nullable=False),
    Column("error_table_enabled", Boolean, nullable=False),
    Column("error_table_name", String(255)),
    Column("error_table_target_id", ForeignKey("connectors.id"), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("pipeline_id", "number"),
)
"""The one with the least `number` is the pipeline's own, which its flattened fields speak of.
`wanted` is draft, running or paused."""

source_runs = Table(
    "source_runs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("source_id", ForeignKey("connectors.id"), nullable=False, index=True),
    Column("started_by", String(254), nullable=False),
    Column("started_at", BigInteger, nullable=False),
)
"""When somebody asked for a source to be synchronised."""
