"""Questions that have a name."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "saved_questions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("environment_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_questions"),
        sa.ForeignKeyConstraint(
            ["environment_id"],
            ["environments.id"],
            name="fk_saved_questions_environment_id_environments",
        ),
        sa.UniqueConstraint("environment_id", "name", name="uq_saved_questions_environment_id"),
    )
    op.create_index("ix_saved_questions_revision", "saved_questions", ["revision"])


def downgrade() -> None:
    op.drop_table("saved_questions")
