"""Finds the audit log's newest entries of strangers, so that only so many are kept."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_audit_actor_kind_number", "audit", ["actor_kind", "number"])


def downgrade() -> None:
    op.drop_index("ix_audit_actor_kind_number", "audit")
