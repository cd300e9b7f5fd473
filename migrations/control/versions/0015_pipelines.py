"""Pipelines, their connectors, datamodels, subscriptions and versions."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    _connectors()
    _pipelines()
    _versions()
    _datamodels()
    _subscriptions()


def downgrade() -> None:
    for table in ("subscriptions", "datamodels", "pipeline_versions", "pipelines", "connectors"):
        op.drop_table(table)


def _connectors() -> None:
    op.create_table(
        "connectors",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("environment_id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_connectors"),
        _reference("connectors", "environment_id", "environments"),
        _reference("connectors", "team_id", "teams"),
        sa.UniqueConstraint("team_id", "name", name="uq_connectors_team_id"),
    )
    op.create_index("ix_connectors_environment_id", "connectors", ["environment_id"])


def _pipelines() -> None:
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("environment_id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.String(36), nullable=False),
        sa.Column("source_named", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("state_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pipelines"),
        _reference("pipelines", "environment_id", "environments"),
        _reference("pipelines", "team_id", "teams"),
        _reference("pipelines", "source_id", "connectors"),
        sa.UniqueConstraint("team_id", "name", name="uq_pipelines_team_id"),
    )
    for column in ("environment_id", "state", "source_id"):
        op.create_index(f"ix_pipelines_{column}", "pipelines", [column])


def _versions() -> None:
    op.create_table(
        "pipeline_versions",
        sa.Column("pipeline_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(254), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pipeline_id", "version", name="pk_pipeline_versions"),
        _reference("pipeline_versions", "pipeline_id", "pipelines"),
    )


def _datamodels() -> None:
    op.create_table(
        "datamodels",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("pipeline_id", sa.String(36), nullable=False),
        sa.Column("source_topic", sa.String(255)),
        sa.Column("target_topic", sa.String(255)),
        sa.Column("error_table_enabled", sa.Boolean(), nullable=False),
        sa.Column("error_table_name", sa.String(255)),
        sa.Column("error_table_target_id", sa.String(36)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datamodels"),
        _reference("datamodels", "pipeline_id", "pipelines"),
        _reference("datamodels", "error_table_target_id", "connectors"),
        sa.UniqueConstraint("pipeline_id", name="uq_datamodels_pipeline_id"),
    )
    op.create_index("ix_datamodels_error_table_target_id", "datamodels", ["error_table_target_id"])


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("pipeline_id", sa.String(36), nullable=False),
        sa.Column("datamodel_id", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("target_id", sa.String(36), nullable=False),
        sa.Column("target_named", sa.Boolean(), nullable=False),
        sa.Column("target_table_name", sa.String(255)),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger()),
        sa.Column("mapper_config", sa.JSON()),
        sa.Column("transforms", sa.JSON()),
        sa.Column("consumer_id", sa.String(255), nullable=False),
        sa.Column("error_table_enabled", sa.Boolean(), nullable=False),
        sa.Column("error_table_name", sa.String(255)),
        sa.Column("error_table_target_id", sa.String(36)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        _reference("subscriptions", "pipeline_id", "pipelines"),
        _reference("subscriptions", "datamodel_id", "datamodels"),
        _reference("subscriptions", "target_id", "connectors"),
        _reference("subscriptions", "error_table_target_id", "connectors"),
        sa.UniqueConstraint("pipeline_id", "number", name="uq_subscriptions_pipeline_id"),
    )
    for column in ("pipeline_id", "datamodel_id", "target_id", "error_table_target_id"):
        op.create_index(f"ix_subscriptions_{column}", "subscriptions", [column])


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")
