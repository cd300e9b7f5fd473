"""What one user did and what was done to his account is found without reading the whole log."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("ix_audit_actor_id_number", "audit", ["actor_id", "number"])
    op.create_index("ix_audit_subject_number", "audit", ["subject", "number"])


def downgrade() -> None:
    op.drop_index("ix_audit_subject_number", "audit")
    op.drop_index("ix_audit_actor_id_number", "audit")
