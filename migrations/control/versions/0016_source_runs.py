"""When sources were synchronised."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "source_runs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("source_id", sa.String(36), nullable=False),
        sa.Column("started_by", sa.String(254), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source_runs"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["connectors.id"], name="fk_source_runs_source_id_connectors"
        ),
    )
    op.create_index("ix_source_runs_source_id", "source_runs", ["source_id"])


def downgrade() -> None:
    op.drop_table("source_runs")
